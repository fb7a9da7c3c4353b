package render_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/render"
)

func TestFactsFromEnviron(t *testing.T) {
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
			f, err := render.FactsFromEnviron(test.environ)
			if err != nil {
				t.Fatal(err)
			}
			if f.Pod != test.pod || f.Namespace != test.namespace || f.Node != test.node {
				t.Errorf("got pod %q, namespace %q, node %q", f.Pod, f.Namespace, f.Node)
			}
			if guessed := test.namespace == "default"; f.NamespaceGuessed != guessed || f.InNamespace("x").NamespaceGuessed {
				t.Errorf("guessed: %v, want %v", f.NamespaceGuessed, guessed)
			}
		})
	}
}

func TestFactsHaveSeedsOfTheirOwn(t *testing.T) {
	a, errA := render.FactsFromEnviron(nil)
	b, errB := render.FactsFromEnviron(nil)
	if errA != nil || errB != nil || a.Seed == b.Seed || a.Seed == [32]byte{} {
		t.Errorf("seeds %x and %x", a.Seed, b.Seed)
	}
}

func TestForPodAndInNamespace(t *testing.T) {
	before := render.Facts{Pod: "a-0", Namespace: "x", Env: map[string]string{"HOSTNAME": "a-0", "OTHER": "1"}}
	after := before.ForPod("a-1").InNamespace("y")
	want := map[string]string{"HOSTNAME": "a-1", "POD_NAME": "a-1", "POD_NAMESPACE": "y", "OTHER": "1"}
	if after.Pod != "a-1" || after.Namespace != "y" || !maps.Equal(after.Env, want) {
		t.Errorf("got %+v", after)
	}
	if before.Pod != "a-0" || len(before.Env) != 2 || before.Env["HOSTNAME"] != "a-0" {
		t.Errorf("the facts it was made from became %+v", before)
	}
	if f := (render.Facts{}).ForPod("b-0"); f.Env["POD_NAME"] != "b-0" {
		t.Errorf("got %+v", f)
	}
}

// On the host network, HOSTNAME is the machine's.
func TestMachineIsNoPod(t *testing.T) {
	for _, environ := range [][]string{
		{"HOSTNAME=machine-3", "NODE_NAME=machine-3"},
		{"HOSTNAME=machine-3", "NODE_NAME=machine-3.example.com"},
	} {
		if f, err := render.FactsFromEnviron(environ); err == nil || !strings.Contains(err.Error(), "POD_NAME is not set") {
			t.Errorf("%q: pod %q, error %v", environ, f.Pod, err)
		}
		if f, err := render.FactsFromEnviron(append(environ, "POD_NAME=geth-0")); err != nil || f.Pod != "geth-0" {
			t.Errorf("%q and POD_NAME: pod %q, error %v", environ, f.Pod, err)
		}
	}
}
