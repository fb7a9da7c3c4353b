package facts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
)

// Cluster is what a Reader asks. Its errors are shown to the operator.
type Cluster interface {
	Pod(ctx context.Context, namespace, name string) (kube.Pod, error)
	Node(ctx context.Context, name string) (kube.Node, error)
	Nodes(ctx context.Context) ([]kube.Node, error)
	Service(ctx context.Context, namespace, name string) (kube.Service, error)
}

// Reader completes facts by asking the cluster. It changes nothing there, and asks only once for what several pods share.
// It is for one goroutine.
type Reader struct {
	Cluster func() (Cluster, error) // called when there is something to ask
	Hint    string                  // what to do where there is no cluster, or where something is not there yet

	addresses map[string]Known[[]kube.Address] // by Kubernetes node
}

// Answer asks for what is missing: about Kubernetes nodes first and, where nothing of that is missing any more, about the
// pod's Service, the description of which may depend on them.
func (r *Reader) Answer(ctx context.Context, f *Facts, m Missing, service *kube.ServiceSpec) {
	switch {
	case m.Nodes():
		r.Nodes(ctx, f, m)
	case m.Service():
		r.service(ctx, f, m, service)
	}
}

// Nodes asks for what is missing about Kubernetes nodes.
func (r *Reader) Nodes(ctx context.Context, f *Facts, m Missing) {
	if (m.Node || m.Addresses) && f.Node == nil {
		f.Node = known(r.nodeOf(ctx, f))
	}
	if m.Addresses {
		f.Addresses = known(r.addressesOf(ctx, f.Node))
	}
	if m.ExternalIPs {
		f.ExternalIPs = known(r.externalIPs(ctx))
	}
}

func known[T any](value T, err error) *Known[T] { return &Known[T]{value, err} }

// reach returns the cluster, for something to ask.
func (r *Reader) reach() (Cluster, error) {
	cluster, err := r.Cluster()
	return cluster, r.withoutCluster(err)
}

// withoutCluster adds the hint to an error that says that there is no cluster.
func (r *Reader) withoutCluster(err error) error {
	if errors.Is(err, kube.ErrNoCluster) {
		return hint.With(err, strings.TrimPrefix(hint.Of(err)+"; "+r.Hint, "; "))
	}
	return err
}

var errNoNamespace = hint.New("the pod's namespace is not known",
	"set POD_NAMESPACE from the field metadata.namespace, or give --namespace to render")

func (r *Reader) nodeOf(ctx context.Context, f *Facts) (string, error) {
	if f.Pod == "" {
		return "", hint.New("neither the Kubernetes node's name nor the pod's is known", "set NODE_NAME from the field spec.nodeName")
	}
	if f.NamespaceGuessed {
		return "", errNoNamespace
	}
	cluster, err := r.reach()
	if err != nil {
		return "", err
	}
	pod, err := cluster.Pod(ctx, f.Namespace, f.Pod)
	switch {
	case kube.NotFound(err):
		return "", hint.With(err, r.podHint())
	case err == nil && pod.Node == "":
		return "", hint.New("the pod "+f.Pod+" is on no Kubernetes node yet", "kubectl describe pod says what it waits for")
	}
	return pod.Node, r.withoutCluster(err)
}

func (r *Reader) podHint() string {
	if r.Hint != "" {
		return "--pod and --namespace say which pod; " + r.Hint
	}
	return "set POD_NAME and POD_NAMESPACE from the fields metadata.name and metadata.namespace"
}

func (r *Reader) addressesOf(ctx context.Context, node *Known[string]) ([]kube.Address, error) {
	if node.Err != nil {
		return nil, node.Err
	}
	if addresses, ok := r.addresses[node.Value]; ok {
		return addresses.Value, addresses.Err
	}
	cluster, err := r.reach()
	if err != nil {
		return nil, err
	}
	found, err := cluster.Node(ctx, node.Value)
	if kube.NotFound(err) {
		err = hint.With(err, "set NODE_NAME from the field spec.nodeName")
	}
	if r.addresses == nil {
		r.addresses = make(map[string]Known[[]kube.Address])
	}
	err = r.withoutCluster(err)
	r.addresses[node.Value] = Known[[]kube.Address]{found.Addresses, err}
	return found.Addresses, err
}

func (r *Reader) externalIPs(ctx context.Context) ([]string, error) {
	cluster, err := r.reach()
	if err != nil {
		return nil, err
	}
	nodes, err := cluster.Nodes(ctx)
	var addresses []string
	for _, node := range nodes {
		for _, a := range node.Addresses {
			if a.Type == kube.ExternalIP {
				addresses = append(addresses, a.Address)
			}
		}
	}
	return addresses, r.withoutCluster(err)
}

// service asks for the pod's Service as it is.
func (r *Reader) service(ctx context.Context, f *Facts, m Missing, spec *kube.ServiceSpec) {
	found, err := r.find(ctx, spec)
	if m.NodePorts {
		f.NodePorts = known(found.NodePorts(), err)
	}
	if !m.Balancer {
		return
	}
	f.Balancer = &Known[string]{Err: err}
	switch {
	case err != nil:
	case len(found.Ingress) == 0:
		f.Balancer.Err = hint.New("the load balancer of the Service "+spec.Name+" has no address yet", r.Hint)
	default:
		f.Balancer.Value = found.Ingress[0]
	}
}

func (r *Reader) find(ctx context.Context, spec *kube.ServiceSpec) (kube.Service, error) {
	if spec.Namespace == "" {
		return kube.Service{}, errNoNamespace
	}
	cluster, err := r.reach()
	if err != nil {
		return kube.Service{}, err
	}
	found, err := cluster.Service(ctx, spec.Namespace, spec.Name)
	if kube.NotFound(err) {
		err = hint.With(fmt.Errorf("the Service %s does not exist yet in namespace %s: the pod itself makes it", spec.Name, spec.Namespace), r.Hint)
	}
	return found, r.withoutCluster(err)
}
