package kube

import "net/http"

// LocateWith is Locate with another folder for the service account's files.
var LocateWith = locate

// ParseKubeconfig reads one file's content as the file at path.
func ParseKubeconfig(path string, data []byte) (*Cluster, error) {
	m := newMerged()
	if err := m.add(path, data); err != nil {
		return nil, err
	}
	return m.cluster()
}

// Before makes the client call f before each request.
func (c *Client) Before(f func(*http.Request)) {
	c.transport = intercepted{c.transport, f}
}

type intercepted struct {
	http.RoundTripper
	before func(*http.Request)
}

func (i intercepted) RoundTrip(r *http.Request) (*http.Response, error) {
	i.before(r)
	return i.RoundTripper.RoundTrip(r)
}
