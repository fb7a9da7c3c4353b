package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

const (
	// pageSize is how many nodes an answer lists. A node is some 20 KiB of JSON.
	pageSize = 50
	// maxPages keeps a server that always has more from being asked for ever. Kubernetes is made for 5000 nodes.
	maxPages = 1000
)

// The wire types below hold what is read, no more; the rest is not decoded.

type objectMeta struct {
	Namespace         string            `json:"namespace"`
	Name              string            `json:"name"`
	UID               string            `json:"uid"`
	ResourceVersion   string            `json:"resourceVersion"`
	DeletionTimestamp string            `json:"deletionTimestamp"`
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
	OwnerReferences   []struct {
		Owner
		Controller bool `json:"controller"`
	} `json:"ownerReferences"`
}

type wirePod struct {
	Metadata objectMeta `json:"metadata"`
	Spec     struct {
		NodeName string `json:"nodeName"`
	} `json:"spec"`
}

type wireNode struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Status struct {
		Addresses []Address `json:"addresses"`
	} `json:"status"`
}

type wireNodes struct {
	Metadata struct {
		Continue string `json:"continue"`
	} `json:"metadata"`
	Items []wireNode `json:"items"`
}

type wireService struct {
	Metadata struct {
		objectMeta
		ManagedFields []managedFields `json:"managedFields"`
	} `json:"metadata"`
	Spec struct {
		Type  ServiceType       `json:"type"`
		Ports []json.RawMessage `json:"ports"`
	} `json:"spec"`
	Status struct {
		LoadBalancer struct {
			Ingress []struct {
				IP       string `json:"ip"`
				Hostname string `json:"hostname"`
			} `json:"ingress"`
		} `json:"loadBalancer"`
	} `json:"status"`
}

// Pod looks a pod up. It needs the verb get on pods in the namespace.
func (c *Client) Pod(ctx context.Context, namespace, name string) (Pod, error) {
	return c.pod(ctx, request{verb: "get", resource: "pods", namespace: namespace, name: name})
}

func (c *Client) pod(ctx context.Context, r request) (Pod, error) {
	var w wirePod
	if _, err := c.do(ctx, r, &w); err != nil {
		return Pod{}, err
	}
	p := Pod{Namespace: r.namespace, Name: r.name, UID: w.Metadata.UID, Node: w.Spec.NodeName, Labels: w.Metadata.Labels}
	for _, owner := range w.Metadata.OwnerReferences {
		if owner.Controller {
			p.Controller = &owner.Owner
		}
	}
	return p, nil
}

// Node looks a node up. It needs the verb get on nodes, cluster-wide.
func (c *Client) Node(ctx context.Context, name string) (Node, error) {
	var w wireNode
	if _, err := c.do(ctx, request{verb: "get", resource: "nodes", name: name}, &w); err != nil {
		return Node{}, err
	}
	return w.node(), nil
}

// node leaves out addresses that are empty: some clouds list an ExternalIP for machines that have none.
// https://github.com/kubernetes/cloud-provider-gcp/blob/master/providers/gce/gce_instances.go
func (w wireNode) node() Node {
	known := slices.DeleteFunc(w.Status.Addresses, func(a Address) bool { return a.Address == "" })
	return Node{Name: w.Metadata.Name, Addresses: known}
}

// Nodes lists all nodes, ordered by name. It needs the verb list on nodes, cluster-wide.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	var nodes []Node
	r := request{verb: "list", resource: "nodes", query: url.Values{"limit": {strconv.Itoa(pageSize)}}}
	for range maxPages {
		var page wireNodes
		_, err := c.do(ctx, r, &page)
		if gone := (*Error)(nil); errors.As(err, &gone) && gone.Code == http.StatusGone && r.query.Has("continue") {
			// The list the pages are from is no longer kept: it begins anew.
			r.query.Del("continue")
			nodes = nil
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, w := range page.Items {
			nodes = append(nodes, w.node())
		}
		if page.Metadata.Continue == "" {
			slices.SortFunc(nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
			return nodes, nil
		}
		r.query.Set("continue", page.Metadata.Continue)
	}
	return nil, r.error("the list has no end")
}

// Service looks a Service up. It needs the verb get on services in the namespace. NotFound says of an error whether
// there is none.
func (c *Client) Service(ctx context.Context, namespace, name string) (Service, error) {
	w, err := c.service(ctx, namespace, name)
	if err != nil {
		return Service{}, err
	}
	return w.service(), nil
}

func (c *Client) service(ctx context.Context, namespace, name string) (*wireService, error) {
	var w wireService
	if _, err := c.do(ctx, request{verb: "get", resource: "services", namespace: namespace, name: name}, &w); err != nil {
		return nil, err
	}
	return &w, nil
}

// exists is false for the zero value.
func (w *wireService) exists() bool { return w.Metadata.UID != "" }

func (w *wireService) service() Service {
	s := Service{
		Namespace: w.Metadata.Namespace,
		Name:      w.Metadata.Name,
		UID:       w.Metadata.UID,
		Type:      w.Spec.Type,
		Managed:   w.Metadata.Annotations[managedByAnnotation] == manager,
	}
	for _, raw := range w.Spec.Ports {
		s.Ports = append(s.Ports, readPort(raw))
	}
	for _, ingress := range w.Status.LoadBalancer.Ingress {
		if address := cmp.Or(ingress.IP, ingress.Hostname); address != "" {
			s.Ingress = append(s.Ingress, address)
		}
	}
	return s
}
