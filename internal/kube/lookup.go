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

// Pod is the part of a pod that kubevali asks for.
type Pod struct {
	UID string
	// Node is the name of the node it runs on (spec.nodeName); "": it is on none yet.
	Node   string
	Labels map[string]string
	// Controller is what made it, as its StatefulSet; nil for a pod that was created by hand.
	Controller *Owner
}

// Owner names an object that others belong to (metav1.OwnerReference).
type Owner struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
}

// Node is the part of a node that kubevali asks for.
type Node struct {
	Name string
	// Addresses are in the cluster's order.
	Addresses []Address
}

// The types of a node's addresses, see https://kubernetes.io/docs/reference/node/node-status/#addresses
const (
	ExternalIP  = "ExternalIP"
	InternalIP  = "InternalIP"
	Hostname    = "Hostname"
	ExternalDNS = "ExternalDNS"
	InternalDNS = "InternalDNS"
)

// AddressTypes returns all types of addresses.
func AddressTypes() []string {
	return []string{ExternalIP, InternalIP, Hostname, ExternalDNS, InternalDNS}
}

// Address is one of a node's addresses, of one of the AddressTypes.
type Address struct {
	Type    string `json:"type"`
	Address string `json:"address"`
}

// Service is the part of a Service that kubevali asks for.
type Service struct {
	Type  string // NodePort, LoadBalancer, or what something else made it
	Ports []ServicePort
	// Ingress are a load balancer's addresses: IP addresses, or host names where the cluster knows no IP address.
	Ingress []string

	uid         string // "" where there is none
	version     string // metadata.resourceVersion
	deleted     bool   // it is being deleted
	annotations map[string]string
	selector    map[string]string
}

func (s Service) exists() bool { return s.uid != "" }

// managed says that it carries the annotation kubeva.li/managed-by: kubevali.
func (s Service) managed() bool { return s.annotations[managedByAnnotation] == manager }

// NodePorts are the Service's node ports by the names of its ports; 0 for a port that has none.
func (s Service) NodePorts() map[string]int {
	ports := make(map[string]int, len(s.Ports))
	for _, port := range s.Ports {
		ports[port.Name] = port.NodePort
	}
	return ports
}

// ServicePort is one port of a Service, as it is to be or as it is.
type ServicePort struct {
	// Name is a DNS label, unique within the Service.
	Name string `json:"name"`
	// Protocol is TCP or UDP.
	Protocol string `json:"protocol"`
	// Port is the Service's own port, 1 to 65535, which together with the protocol identifies it.
	Port int `json:"port"`
	// NodePort is opened on every node. 0 in a ServiceSpec: the cluster chooses; 0 in a Service: there is none.
	NodePort int `json:"nodePort"`
	// TargetPort is where the pod listens. 0 in a ServiceSpec: the node port, whichever it becomes; 0 in a Service: a port
	// that has a name instead.
	TargetPort int `json:"targetPort"`
}

// UnmarshalJSON reads a port as the API has it, whose targetPort may also be the name of a container's port.
func (p *ServicePort) UnmarshalJSON(data []byte) error {
	type plain ServicePort
	err := json.Unmarshal(data, (*plain)(p))
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field == "targetPort" && wrong.Value == "string" {
		return nil
	}
	return err
}

const (
	// pageSize is how many nodes an answer lists. A node is some 20 KiB of JSON.
	pageSize = 50
	// maxPages keeps a server that always has more from being asked for ever. Kubernetes is made for 5000 nodes.
	maxPages = 1000
)

// reader looks things up, whoever asks for them.
type reader struct {
	// ask decodes the answer to a request into out.
	ask func(ctx context.Context, r request, out any) error
}

// What the functions below decode is what is read, no more. Names of fields match those of JSON but for their case.

// Pod looks a pod up. It needs the verb get on pods in the namespace.
func (l reader) Pod(ctx context.Context, namespace, name string) (Pod, error) {
	return l.pod(ctx, request{verb: "get", resource: "pods", namespace: namespace, name: name})
}

func (l reader) pod(ctx context.Context, r request) (Pod, error) {
	var w struct {
		Metadata struct {
			UID             string
			Labels          map[string]string
			OwnerReferences []struct {
				Owner
				Controller bool
			}
		}
		Spec struct{ NodeName string }
	}
	if err := l.ask(ctx, r, &w); err != nil {
		return Pod{}, err
	}
	p := Pod{UID: w.Metadata.UID, Node: w.Spec.NodeName, Labels: w.Metadata.Labels}
	for _, owner := range w.Metadata.OwnerReferences {
		if owner.Controller {
			p.Controller = &owner.Owner
		}
	}
	return p, nil
}

type wireNode struct {
	Metadata struct{ Name string }
	Status   struct{ Addresses []Address }
}

// node leaves out addresses that are empty: some clouds list an ExternalIP for machines that have none.
// https://github.com/kubernetes/cloud-provider-gcp/blob/master/providers/gce/gce_instances.go
func (w wireNode) node() Node {
	known := slices.DeleteFunc(w.Status.Addresses, func(a Address) bool { return a.Address == "" })
	return Node{Name: w.Metadata.Name, Addresses: known}
}

// Node looks a node up. It needs the verb get on nodes, cluster-wide.
func (l reader) Node(ctx context.Context, name string) (Node, error) {
	var w wireNode
	err := l.ask(ctx, request{verb: "get", resource: "nodes", name: name}, &w)
	return w.node(), err
}

// Nodes lists all nodes, ordered by name. It needs the verb list on nodes, cluster-wide.
func (l reader) Nodes(ctx context.Context) ([]Node, error) {
	var nodes []Node
	r := request{verb: "list", resource: "nodes", query: url.Values{"limit": {strconv.Itoa(pageSize)}}}
	for range maxPages {
		var page struct {
			Metadata struct{ Continue string }
			Items    []wireNode
		}
		err := l.ask(ctx, r, &page)
		if isCode(err, http.StatusGone) && r.query.Has("continue") {
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
	return nil, r.error(Error{Message: "the list has no end"})
}

// Service looks a Service up. It needs the verb get on services in the namespace. NotFound says of an error whether
// there is none.
func (l reader) Service(ctx context.Context, namespace, name string) (Service, error) {
	return l.service(ctx, request{verb: "get", resource: "services", namespace: namespace, name: name})
}

// service returns the Service that the API answers with, whether it is asked for or changed.
func (l reader) service(ctx context.Context, r request) (Service, error) {
	var w struct {
		Metadata struct {
			UID, ResourceVersion, DeletionTimestamp string

			Annotations map[string]string
		}
		Spec struct {
			Type     string
			Selector map[string]string
			Ports    []ServicePort
		}
		Status struct {
			LoadBalancer struct {
				Ingress []struct{ IP, Hostname string }
			}
		}
	}
	if err := l.ask(ctx, r, &w); err != nil {
		return Service{}, err
	}
	s := Service{
		Type: w.Spec.Type, Ports: w.Spec.Ports, selector: w.Spec.Selector,
		uid: w.Metadata.UID, version: w.Metadata.ResourceVersion, annotations: w.Metadata.Annotations,
		deleted: w.Metadata.DeletionTimestamp != "",
	}
	for _, ingress := range w.Status.LoadBalancer.Ingress {
		if address := cmp.Or(ingress.IP, ingress.Hostname); address != "" {
			s.Ingress = append(s.Ingress, address)
		}
	}
	return s, nil
}
