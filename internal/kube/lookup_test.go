package kube_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

func TestPod(t *testing.T) {
	f := newFakeAPI()
	f.addPod("geth-0")
	eachReader(t, f, func(t *testing.T, r reader) {
		pod, err := r.Pod(t.Context(), "chains", "geth-0")
		if err != nil {
			t.Fatal(err)
		}
		if want := (kube.Pod{
			UID: "uid-of-geth-0", Node: "node-1",
			Labels:     map[string]string{"statefulset.kubernetes.io/pod-name": "geth-0"},
			Controller: &kube.Owner{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "geth", UID: "2"},
		}); !reflect.DeepEqual(pod, want) {
			t.Errorf("%+v\nwant %+v", pod, want)
		}
	})
}

func TestService(t *testing.T) {
	h := answers(200, `{"metadata":{"name":"geth-0","namespace":"chains","uid":"1","annotations":{"kubeva.li/managed-by":"kubevali"}},
		"spec":{"type":"LoadBalancer","ports":[
			{"name":"p2p","protocol":"UDP","port":30303,"nodePort":31000,"targetPort":30304,"appProtocol":"x"},
			{"name":"rpc","protocol":"TCP","port":80,"targetPort":"http","nodePort":31001}]},
		"status":{"loadBalancer":{"ingress":[{"hostname":"lb.example.com","ip":"198.51.100.9"},{},{"hostname":"lb2.example.com"}]}}}`)
	eachReader(t, h, func(t *testing.T, r reader) {
		service, err := r.Service(t.Context(), "chains", "geth-0")
		if err != nil {
			t.Fatal(err)
		}
		ports := []kube.ServicePort{port("p2p", "UDP", 30303, 31000, 30304), port("rpc", "TCP", 80, 31001, 0)}
		ingress := []string{"198.51.100.9", "lb2.example.com"}
		if service.UID() != "1" || service.Type != kube.LoadBalancer || !service.Managed() ||
			!slices.Equal(service.Ports, ports) || !slices.Equal(service.Ingress, ingress) {
			t.Errorf("%+v\nwant %+v and %q", service, ports, ingress)
		}
	})
}

func FuzzServicePort(f *testing.F) {
	for _, seed := range []string{`{"name":"p2p","protocol":"UDP","port":1,"nodePort":2,"targetPort":3}`, `{"targetPort":"http","port":1}`,
		`{"port":"x","targetPort":"y"}`, `{"targetPort":1.5}`, `[]`, `null`, `{"targetPort":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p, again kube.ServicePort
		if json.Unmarshal(data, &p) != nil {
			return
		}
		written, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(written, &again); err != nil || again != p {
			t.Errorf("%s: %+v, %v; want %+v", written, again, err, p)
		}
	})
}

func TestNotFound(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/nowhere/") {
			answerStatus(w, 404, "NotFound", `namespaces "nowhere" not found`)
			return
		}
		answerStatus(w, 404, "NotFound", `x "y" not found`)
	})
	eachReader(t, h, testNotFound)
}

func testNotFound(t *testing.T, c reader) {
	_, err := c.Node(t.Context(), "node-9")
	checkError(t, err, `cannot get node "node-9": it does not exist`, "")
	if e := (*kube.Error)(nil); !kube.NotFound(err) || !errors.As(err, &e) || e.Code != 404 {
		t.Errorf("%#v", err)
	}
	_, err = c.Pod(t.Context(), "chains", "geth-9")
	checkError(t, err, `cannot get pod "chains/geth-9": it does not exist`, "")
	_, err = c.Service(t.Context(), "nowhere", "geth-9")
	checkError(t, err, `cannot get service "nowhere/geth-9": namespaces "nowhere" not found`, "")
	for _, name := range []string{"", "..", ".", "a/b", "A", "a b", "a%2fb", "a?b", strings.Repeat("a", 254)} {
		_, err = c.Node(t.Context(), name)
		checkError(t, err, fmt.Sprintf(`%q: that is not a name`, name), "")
		checkField(t, err, "metadata.name")
	}
	_, err = c.Pod(t.Context(), "Chains_", "geth-0")
	checkError(t, err, "that is not a namespace", "")
	checkField(t, err, "metadata.namespace")
}

// pages answers lists of nodes, two a page.
type pages struct {
	names   []string
	expires atomic.Int32 // that many times the list that pages are from is not kept
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if r.URL.Path != "/api/v1/nodes" || query.Get("limit") == "" {
		answerStatus(w, 400, "BadRequest", r.URL.String())
		return
	}
	var from int
	if token := query.Get("continue"); token != "" {
		if p.expires.Add(-1) >= 0 {
			answerStatus(w, 410, "Expired", "The provided continue parameter is too old to display a consistent list result.")
			return
		}
		_, _ = fmt.Sscanf(token, "from %d", &from)
	}
	var items []string
	for _, name := range p.names[from:min(from+2, len(p.names))] {
		items = append(items, fmt.Sprintf(`{"metadata":{"name":%q},"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"}]}}`, name))
	}
	next := ""
	if from+2 < len(p.names) {
		next = fmt.Sprintf("from %d", from+2)
	}
	answers(200, fmt.Sprintf(`{"metadata":{"continue":%q},"items":[%s]}`, next, strings.Join(items, ",")))(w, r)
}

func TestNodes(t *testing.T) {
	for _, names := range [][]string{{}, {"d", "a"}, {"d", "a", "c", "b", "e"}} {
		for _, expires := range []int32{0, 1} {
			h := &pages{names: names}
			eachReader(t, h, func(t *testing.T, r reader) {
				h.expires.Store(expires)
				nodes, err := r.Nodes(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, n := range nodes {
					got = append(got, n.Name)
					if len(n.Addresses) != 1 {
						t.Errorf("%+v", n)
					}
				}
				if !slices.Equal(got, slices.Sorted(slices.Values(names))) {
					t.Errorf("%q, want %q", got, names)
				}
			})
		}
	}
	endless := answers(200, `{"metadata":{"continue":"more"},"items":[]}`)
	_, err := inlineClient(t, endless, kube.Options{}).Nodes(t.Context())
	checkError(t, err, "cannot list nodes: the list has no end", "")
}

func TestErrorNamesTheList(t *testing.T) {
	_, err := inlineClient(t, refuses(403, "Forbidden",
		`nodes is forbidden: User "system:serviceaccount:chains:geth" cannot list resource "nodes" in API group "" at the cluster scope`),
		kube.Options{}).Nodes(t.Context())
	checkError(t, err, `cannot list nodes: the service account system:serviceaccount:chains:geth may not "list" "nodes" (cluster-wide)`,
		"resources: [nodes], verbs: [list]")
}

// Some clouds list an address that there is none of.
func TestNodeAddresses(t *testing.T) {
	node, err := inlineClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"metadata":{"name":"node-1"},"status":{"addresses":[
			{"type":"InternalIP","address":"10.0.0.1"},{"type":"ExternalIP","address":""},{"type":"Hostname","address":"node-1"}]}}`)
	}), kube.Options{}).Node(t.Context(), "node-1")
	if err != nil {
		t.Fatal(err)
	}
	want := kube.Node{Name: "node-1", Addresses: []kube.Address{{Type: "InternalIP", Address: "10.0.0.1"}, {Type: "Hostname", Address: "node-1"}}}
	if !reflect.DeepEqual(node, want) {
		t.Errorf("%+v\nwant %+v", node, want)
	}
}
