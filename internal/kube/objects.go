package kube

// Pod is the part of a pod that kubevali asks for.
type Pod struct {
	Namespace string
	Name      string
	UID       string
	// Node is the name of the node it runs on (spec.nodeName).
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

// Address is one of a node's addresses. Type is ExternalIP, InternalIP, Hostname, ExternalDNS or InternalDNS.
type Address struct {
	Type    string `json:"type"`
	Address string `json:"address"`
}

// Service is the part of a Service that kubevali asks for.
type Service struct {
	Namespace string
	Name      string
	UID       string
	Type      ServiceType
	Ports     []ServicePort
	// Ingress are a load balancer's addresses: IP addresses, or host names where the cluster knows no IP address.
	Ingress []string
	// Managed says that it carries the annotation kubeva.li/managed-by: kubevali.
	Managed bool
}

// ServiceType is spec.type of a Service.
type ServiceType string

// The types that Apply takes. Others occur in Services that something else made.
const (
	NodePort     ServiceType = "NodePort"
	LoadBalancer ServiceType = "LoadBalancer"
)

// ServicePort is one port of a Service.
type ServicePort struct {
	// Name is a DNS label, unique within the Service.
	Name string
	// Protocol is TCP or UDP.
	Protocol string
	// Port is the Service's own port, 1 to 65535, which together with the protocol identifies it.
	Port int
	// NodePort is opened on every node. 0 in a ServiceSpec: the cluster chooses; 0 in a Service: there is none.
	NodePort int
	// TargetPort is where the pod listens. 0 in a ServiceSpec: the node port, whichever it becomes (type LoadBalancer:
	// Port); 0 in a Service: a named port.
	TargetPort int
}
