package facts_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
)

func TestFromEnviron(t *testing.T) {
	tests := []struct {
		name                 string
		environ              []string
		pod, namespace, node string
	}{
		{"nothing", nil, "", "default", ""},
		{"HOSTNAME", []string{"HOSTNAME=sts-1"}, "sts-1", "default", ""},
		{"POD_NAME first", []string{"HOSTNAME=machine", "POD_NAME=sts-1"}, "sts-1", "default", ""},
		{"empty POD_NAME", []string{"HOSTNAME=sts-2", "POD_NAME="}, "sts-2", "default", ""},
		{"all", []string{"POD_NAME=sts-1", "POD_NAMESPACE=chains", "NODE_NAME=machine"}, "sts-1", "chains", "machine"},
		{"first of two", []string{"POD_NAME=sts-1", "POD_NAME=sts-2"}, "sts-1", "default", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := facts.FromEnviron(test.environ, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if f.Pod != test.pod || f.Namespace != test.namespace {
				t.Errorf("got pod %q, namespace %q", f.Pod, f.Namespace)
			}
			if test.node == "" && f.Node != nil || test.node != "" && (f.Node == nil || f.Node.Value != test.node || f.Node.Err != nil) {
				t.Errorf("got node %+v, want %q", f.Node, test.node)
			}
			if guessed := test.namespace == "default"; f.NamespaceGuessed != guessed || f.InNamespace("x").NamespaceGuessed {
				t.Errorf("guessed: %v, want %v", f.NamespaceGuessed, guessed)
			}
			if known := f.KnownNamespace(); (known == "") != f.NamespaceGuessed || known != "" && known != test.namespace {
				t.Errorf("it is known to be %q", known)
			}
		})
	}
}

func TestFactsHaveSeedsOfTheirOwn(t *testing.T) {
	a, errA := facts.FromEnviron(nil, t.TempDir())
	b, errB := facts.FromEnviron(nil, t.TempDir())
	if errA != nil || errB != nil || a.Seed == b.Seed || a.Seed == [32]byte{} {
		t.Errorf("seeds %x and %x", a.Seed, b.Seed)
	}
}

func TestForPodAndInNamespace(t *testing.T) {
	before := facts.Facts{Pod: "a-0", Namespace: "x", Env: map[string]string{"HOSTNAME": "a-0", "OTHER": "1"}}
	after := before.ForPod("a-1").InNamespace("y")
	want := map[string]string{"HOSTNAME": "a-1", "POD_NAME": "a-1", "POD_NAMESPACE": "y", "OTHER": "1"}
	if after.Pod != "a-1" || after.Namespace != "y" || !maps.Equal(after.Env, want) {
		t.Errorf("got %+v", after)
	}
	if before.Pod != "a-0" || len(before.Env) != 2 || before.Env["HOSTNAME"] != "a-0" {
		t.Errorf("the facts it was made from became %+v", before)
	}
	if f := (facts.Facts{}).ForPod("b-0"); f.Env["POD_NAME"] != "b-0" {
		t.Errorf("got %+v", f)
	}
}

// On the host network, HOSTNAME is the machine's.
func TestMachineIsNoPod(t *testing.T) {
	for _, environ := range [][]string{
		{"HOSTNAME=machine-3", "NODE_NAME=machine-3"},
		{"HOSTNAME=machine-3", "NODE_NAME=machine-3.example.com"},
	} {
		if f, err := facts.FromEnviron(environ, t.TempDir()); err == nil || !strings.Contains(hint.Line(err), "POD_NAME is not set, and HOSTNAME (machine-3)") ||
			!strings.Contains(hint.Of(err), "metadata.name") {
			t.Errorf("%q: pod %q, error %v", environ, f.Pod, err)
		}
		if f, err := facts.FromEnviron(append(environ, "POD_NAME=geth-0"), t.TempDir()); err != nil || f.Pod != "geth-0" {
			t.Errorf("%q and POD_NAME: pod %q, error %v", environ, f.Pod, err)
		}
	}
}

// Another pod is somewhere else, and so is its Service; what all pods share stays.
func TestForPodForgetsWhereThePodIs(t *testing.T) {
	before := facts.Facts{Pod: "a-0", Env: map[string]string{}}
	before.Assume(facts.Missing{Addresses: true, ExternalIPs: true}, nil)
	before.Assume(facts.Missing{NodePorts: true, Balancer: true}, &kube.ServiceSpec{Name: "a-0", Ports: []kube.ServicePort{{Name: "p2p", Port: 1}}})
	if f := before.ForPod("a-0"); f.Node == nil || f.Addresses == nil || f.NodePorts == nil || f.Balancer == nil || f.ExternalIPs == nil {
		t.Errorf("of the pod itself, %+v is left", f)
	}
	if f := before.ForPod("a-1"); f.Node != nil || f.Addresses != nil || f.NodePorts != nil || f.Balancer != nil || f.ExternalIPs == nil {
		t.Errorf("of another pod, %+v is known", f)
	}
	if before.Node == nil || before.Addresses == nil {
		t.Errorf("the facts it was made from became %+v", before)
	}
}

func TestPods(t *testing.T) {
	for pod, want := range map[string]string{"a-b-7": "a-b-0 a-b-1", "a-b": "a-b-0 a-b-1", "geth": "geth-0 geth-1"} {
		pods, err := facts.Facts{Pod: pod}.Pods(2)
		if err != nil || strings.Join(pods, " ") != want {
			t.Errorf("%s: got %q, %v", pod, pods, err)
		}
	}
	if _, err := (facts.Facts{}).Pods(2); err == nil || !strings.Contains(hint.Of(err), "POD_NAME") {
		t.Errorf("without a name: %v", err)
	}
}

func TestIndex(t *testing.T) {
	env := func(name string) map[string]string { return map[string]string{name: "x"} }
	tests := []struct {
		facts facts.Facts
		index int
		err   string
	}{
		{facts.Facts{Pod: "a-b-12"}, 12, ""},
		{facts.Facts{Pod: "a-007"}, 7, ""},
		{facts.Facts{}, 0, "the pod has no index: neither POD_NAME nor HOSTNAME is set (set POD_NAME from the field metadata.name of a StatefulSet's pod, or nodeTemplate.index)"},
		{facts.Facts{Pod: "laptop", Env: env("POD_NAME")}, 0, `the pod has no index: pod name "laptop" does not end in an ordinal, such as -0 (set`},
		{facts.Facts{Pod: "machine", Env: env("HOSTNAME")}, 0, "it comes from HOSTNAME, which on the host network is the machine's name (set"},
		{facts.Facts{Pod: "a-+5"}, 0, "does not end in an ordinal"},
		{facts.Facts{Pod: "a-99999999999999999999"}, 0, "does not end in an ordinal"},
		{facts.Facts{Pod: "12"}, 0, "does not end in an ordinal"},
		{facts.Facts{Pod: "a-"}, 0, "does not end in an ordinal"},
	}
	for _, test := range tests {
		n, err := test.facts.Index()
		if n != test.index || (err == nil) != (test.err == "") || err != nil && !strings.Contains(hint.Line(err), test.err) {
			t.Errorf("%q: got %d, %v", test.facts.Pod, n, err)
		}
	}
}

func TestMissing(t *testing.T) {
	tests := []struct {
		missing              facts.Missing
		none, nodes, service bool
	}{
		{facts.Missing{}, true, false, false},
		{facts.Missing{Node: true}, false, true, false},
		{facts.Missing{Addresses: true}, false, true, false},
		{facts.Missing{ExternalIPs: true}, false, true, false},
		{facts.Missing{NodePorts: true}, false, false, true},
		{facts.Missing{Balancer: true}, false, false, true},
		{facts.Missing{Keys: map[facts.KeyOf]bool{{Pod: "a", Key: "b"}: true}}, false, false, false},
	}
	for _, test := range tests {
		m := test.missing
		if m.None() != test.none || m.Nodes() != test.nodes || m.Service() != test.service {
			t.Errorf("%+v: none %v, nodes %v, service %v", m, m.None(), m.Nodes(), m.Service())
		}
	}
}

func BenchmarkFromEnviron(b *testing.B) {
	environ := make([]string, 0, 200)
	for i := range cap(environ) {
		environ = append(environ, "SERVICE_"+string(rune('A'+i%26))+string(rune('A'+i/26))+"_PORT=tcp://10.0.0.1:443")
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := facts.FromEnviron(environ, ""); err != nil {
			b.Fatal(err)
		}
	}
}
