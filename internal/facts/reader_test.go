package facts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
)

// fakeCluster answers with what it holds, or with the error of the kind of question, and notes what it was asked.
type fakeCluster struct {
	node    string // of each pod
	service kube.Service
	errs    map[string]error
	asked   []string
}

func (c *fakeCluster) ask(kind, name string) error {
	c.asked = append(c.asked, kind+" "+name)
	return c.errs[kind]
}

func (c *fakeCluster) Pod(_ context.Context, namespace, name string) (kube.Pod, error) {
	return kube.Pod{Node: c.node}, c.ask("pod", namespace+"/"+name)
}

func (c *fakeCluster) Node(_ context.Context, name string) (kube.Node, error) {
	return kube.Node{Name: name, Addresses: []kube.Address{{Type: kube.ExternalIP, Address: "198.51.100.7"}}}, c.ask("node", name)
}

func (c *fakeCluster) Nodes(context.Context) ([]kube.Node, error) {
	return []kube.Node{
		{Name: "a", Addresses: []kube.Address{{Type: kube.InternalIP, Address: "10.0.0.1"}, {Type: kube.ExternalIP, Address: "198.51.100.1"}}},
		{Name: "b"},
		{Name: "c", Addresses: []kube.Address{{Type: kube.ExternalIP, Address: "198.51.100.3"}, {Type: kube.ExternalIP, Address: "2001:db8::3"}}},
	}, c.ask("nodes", "")
}

func (c *fakeCluster) Service(_ context.Context, namespace, name string) (kube.Service, error) {
	return c.service, c.ask("service", namespace+"/"+name)
}

// reader asks the cluster, and counts how often it reaches for it.
func (c *fakeCluster) reader() *facts.Reader {
	return &facts.Reader{Cluster: func() (facts.Cluster, error) { return c, nil }, Hint: "try --offline"}
}

var (
	all  = facts.Missing{Node: true, Addresses: true, ExternalIPs: true, NodePorts: true, Balancer: true}
	spec = &kube.ServiceSpec{Namespace: "chains", Name: "sts-2"}
)

func pod() facts.Facts { return facts.Facts{Pod: "sts-2", Namespace: "chains"} }

func TestReader(t *testing.T) {
	c := &fakeCluster{node: "machine-9", service: kube.Service{
		Ports: []kube.ServicePort{{Name: "p2p", NodePort: 31000}}, Ingress: []string{"203.0.113.9", "lb.example.com"},
	}}
	r, f := c.reader(), pod()
	r.Answer(t.Context(), &f, all, nil)
	if want := []string{"pod chains/sts-2", "node machine-9", "nodes "}; !slices.Equal(c.asked, want) {
		t.Errorf("asked for %q, want %q", c.asked, want)
	}
	if f.Node.Value != "machine-9" || f.Addresses.Value[0].Address != "198.51.100.7" ||
		!slices.Equal(f.ExternalIPs.Value, []string{"198.51.100.1", "198.51.100.3", "2001:db8::3"}) || f.NodePorts != nil || f.Balancer != nil {
		t.Errorf("got %+v", f)
	}
	c.asked = nil
	r.Answer(t.Context(), &f, facts.Missing{NodePorts: true, Balancer: true}, spec)
	if want := []string{"service chains/sts-2"}; !slices.Equal(c.asked, want) {
		t.Errorf("asked for %q, want %q", c.asked, want)
	}
	if f.NodePorts.Value["p2p"] != 31000 || f.Balancer.Value != "203.0.113.9" {
		t.Errorf("got %+v, %+v", f.NodePorts, f.Balancer)
	}
}

// Nobody is asked for what is not missing, nor reached for, nor asked again about a Kubernetes node that pods share.
func TestReaderAsksNoMore(t *testing.T) {
	c := &fakeCluster{node: "machine-9"}
	r, f := c.reader(), pod()
	none := &facts.Reader{Cluster: func() (facts.Cluster, error) {
		t.Error("the cluster was reached for")
		return c, nil
	}}
	none.Answer(t.Context(), &f, facts.Missing{Keys: map[facts.KeyOf]bool{{Pod: "a", Key: "b"}: true}}, spec)
	f.Node = &facts.Known[string]{Value: "machine-7"}
	none.Nodes(t.Context(), &f, facts.Missing{Node: true})

	r.Nodes(t.Context(), &f, facts.Missing{Addresses: true})
	for _, name := range []string{"sts-0", "sts-1"} {
		sibling := f.ForPod(name)
		r.Nodes(t.Context(), &sibling, facts.Missing{Addresses: true, ExternalIPs: true})
		if sibling.Node.Value != "machine-9" || sibling.Addresses.Value == nil {
			t.Errorf("got %+v", sibling)
		}
	}
	if want := []string{"node machine-7", "pod chains/sts-0", "node machine-9", "nodes ", "pod chains/sts-1"}; !slices.Equal(c.asked, want) {
		t.Errorf("asked for %q, want %q", c.asked, want)
	}
	if f.ExternalIPs != nil || f.NodePorts != nil || f.Balancer != nil {
		t.Errorf("what was not missing became %+v", f)
	}
}

func TestReaderErrors(t *testing.T) {
	missing := &kube.Error{Code: 404, Message: "there is none", Remedy: "look elsewhere"}
	forbidden := &kube.Error{Code: 403, Message: "forbidden", Remedy: "kubectl auth can-i"}
	failing := func(kind string, err error) *fakeCluster {
		return &fakeCluster{node: "machine-9", errs: map[string]error{kind: err}}
	}
	guessed, unnamed := pod(), facts.Facts{Namespace: "chains"}
	guessed.NamespaceGuessed = true
	unknown := &kube.ServiceSpec{Name: "sts-2"}
	tests := []struct {
		name    string
		cluster *fakeCluster
		facts   facts.Facts
		service *kube.ServiceSpec
		of      string // which answer
		want    string
	}{
		{"no pod", failing("pod", missing), pod(), spec, "node", "there is none (check the pod's name and namespace, by default POD_NAME and POD_NAMESPACE; try --offline)"},
		{"pod forbidden", failing("pod", forbidden), pod(), spec, "node", "forbidden (kubectl auth can-i)"},
		{"pod forbidden, so no addresses", failing("pod", forbidden), pod(), spec, "addresses", "forbidden (kubectl auth can-i)"},
		{"pending", &fakeCluster{}, pod(), spec, "node", "the pod sts-2 is on no Kubernetes node yet (kubectl describe pod says what it waits for)"},
		{"guessed namespace", &fakeCluster{}, guessed, spec, "node", "the pod's namespace is not known (set POD_NAMESPACE"},
		{"no name", &fakeCluster{}, unnamed, spec, "node", "neither the Kubernetes node's name nor the pod's is known (set NODE_NAME"},
		{"no node", failing("node", missing), pod(), spec, "addresses", "there is none (set NODE_NAME from the field spec.nodeName)"},
		{"nodes forbidden", failing("nodes", forbidden), pod(), spec, "all", "forbidden (kubectl auth can-i)"},
		{"no Service", failing("service", missing), pod(), spec, "ports",
			"the Service sts-2 does not exist yet in namespace chains: the pod itself makes it (try --offline)"},
		{"no Service, so no address", failing("service", missing), pod(), spec, "balancer", "does not exist yet in namespace chains"},
		{"Service forbidden", failing("service", forbidden), pod(), spec, "ports", "forbidden (kubectl auth can-i)"},
		{"Service of a guessed namespace", &fakeCluster{}, pod(), unknown, "ports", "the pod's namespace is not known"},
		{"no address yet", &fakeCluster{}, pod(), spec, "balancer", "the load balancer of the Service sts-2 has no address yet (try --offline)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, f := test.cluster.reader(), test.facts
			r.Answer(t.Context(), &f, facts.Missing{Node: true, Addresses: true, ExternalIPs: true}, nil)
			r.Answer(t.Context(), &f, facts.Missing{NodePorts: true, Balancer: true}, test.service)
			err := map[string]error{"node": f.Node.Err, "addresses": f.Addresses.Err, "all": f.ExternalIPs.Err, "ports": f.NodePorts.Err,
				"balancer": f.Balancer.Err}[test.of]
			if err == nil || !strings.Contains(hint.Line(err), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestReaderWithoutAHint(t *testing.T) {
	c := &fakeCluster{errs: map[string]error{"pod": &kube.Error{Code: 404, Message: "there is none"}}}
	r, f := c.reader(), pod()
	r.Hint = ""
	r.Nodes(t.Context(), &f, facts.Missing{Node: true})
	if got := hint.Of(f.Node.Err); got != "check the pod's name and namespace, by default POD_NAME and POD_NAMESPACE" {
		t.Errorf("the hint is %q", got)
	}
}

func TestReaderWithoutACluster(t *testing.T) {
	for err, want := range map[error]string{
		fmt.Errorf("%w: no kubectl", kube.ErrNoCluster):                         "try --offline",
		hint.With(fmt.Errorf("none: %w", kube.ErrNoCluster), "install kubectl"): "install kubectl; try --offline",
		errors.New("something else"):                                            "",
	} {
		// It may be found out when it is reached for, or by the first question.
		first := &fakeCluster{node: "machine-9", errs: map[string]error{"pod": err, "node": err, "nodes": err, "service": err}}
		readers := []*facts.Reader{first.reader(), {Cluster: func() (facts.Cluster, error) { return nil, err }, Hint: "try --offline"}}
		for _, r := range readers {
			for _, node := range []*facts.Known[string]{nil, {Value: "machine-7"}} {
				f := pod()
				f.Node = node
				r.Answer(t.Context(), &f, facts.Missing{Node: true, Addresses: true, ExternalIPs: true}, nil)
				r.Answer(t.Context(), &f, facts.Missing{NodePorts: true, Balancer: true}, spec)
				for of, got := range map[string]error{"addresses": f.Addresses.Err, "all": f.ExternalIPs.Err, "ports": f.NodePorts.Err, "balancer": f.Balancer.Err} {
					if !errors.Is(got, err) || hint.Of(got) != want {
						t.Errorf("%s: got %v with the hint %q, want %v with %q", of, got, hint.Of(got), err, want)
					}
				}
			}
		}
	}
}
