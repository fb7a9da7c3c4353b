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

	addresses   map[string]*Known[[]kube.Address] // by Kubernetes node
	externalIPs *Known[[]string]
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
		f.Addresses = r.addressesOf(ctx, f.Node)
	}
	if m.ExternalIPs {
		if r.externalIPs == nil {
			r.externalIPs = known(r.allExternalIPs(ctx))
		}
		f.ExternalIPs = r.externalIPs
	}
}

func known[T any](value T, err error) *Known[T] { return &Known[T]{value, err} }

// ask asks the cluster, which is reached for only now. Where there is none, the hint says what to do.
func ask[T any](r *Reader, question func(Cluster) (T, error)) (answer T, err error) {
	cluster, err := r.Cluster()
	if err == nil {
		answer, err = question(cluster)
	}
	if errors.Is(err, kube.ErrNoCluster) {
		err = r.advise(err, hint.Of(err))
	}
	return answer, err
}

// advise adds what to do, and what else helps here.
func (r *Reader) advise(err error, remedy string) error {
	return hint.With(err, strings.Trim(remedy+"; "+r.Hint, "; "))
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
	pod, err := ask(r, func(c Cluster) (kube.Pod, error) { return c.Pod(ctx, f.Namespace, f.Pod) })
	switch {
	case kube.NotFound(err):
		err = r.advise(err, "check the pod's name and namespace, by default POD_NAME and POD_NAMESPACE")
	case err == nil && pod.Node == "":
		err = hint.New("the pod "+f.Pod+" is on no Kubernetes node yet", "kubectl describe pod says what it waits for")
	}
	return pod.Node, err
}

func (r *Reader) addressesOf(ctx context.Context, node *Known[string]) *Known[[]kube.Address] {
	if node.Err != nil {
		return &Known[[]kube.Address]{Err: node.Err}
	}
	if r.addresses[node.Value] == nil {
		found, err := ask(r, func(c Cluster) (kube.Node, error) { return c.Node(ctx, node.Value) })
		if kube.NotFound(err) {
			err = hint.With(err, "set NODE_NAME from the field spec.nodeName")
		}
		if r.addresses == nil {
			r.addresses = make(map[string]*Known[[]kube.Address])
		}
		r.addresses[node.Value] = known(found.Addresses, err)
	}
	return r.addresses[node.Value]
}

func (r *Reader) allExternalIPs(ctx context.Context) ([]string, error) {
	nodes, err := ask(r, func(c Cluster) ([]kube.Node, error) { return c.Nodes(ctx) })
	var addresses []string
	for _, node := range nodes {
		for _, a := range node.Addresses {
			if a.Type == kube.ExternalIP {
				addresses = append(addresses, a.Address)
			}
		}
	}
	return addresses, err
}

// service asks for the pod's Service as it is.
func (r *Reader) service(ctx context.Context, f *Facts, m Missing, spec *kube.ServiceSpec) {
	found, err := kube.Service{}, errNoNamespace
	if spec.Namespace != "" {
		found, err = ask(r, func(c Cluster) (kube.Service, error) { return c.Service(ctx, spec.Namespace, spec.Name) })
	}
	if kube.NotFound(err) {
		err = hint.With(fmt.Errorf("the Service %s does not exist yet in namespace %s: the pod itself makes it", spec.Name, spec.Namespace), r.Hint)
	}
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
