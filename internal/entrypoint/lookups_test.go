package entrypoint

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newLookups(t *testing.T, api transport) *lookups {
	t.Helper()
	keeper, _ := newKeeper(t, api)
	return &lookups{cluster: keeper.cluster, ctx: t.Context()}
}

func TestLookupsAskOnce(t *testing.T) {
	asked := 0
	l := newLookups(t, func(r *http.Request) (int, string) {
		asked++
		switch {
		case strings.HasSuffix(r.URL.Path, "/nodes"):
			return 200, `{"items": [
				{"metadata": {"name": "a"}, "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "ExternalIP", "address": "198.51.100.1"}]}},
				{"metadata": {"name": "b"}, "status": {"addresses": [{"type": "ExternalIP", "address": "198.51.100.2"}]}}]}`
		case strings.Contains(r.URL.Path, "/nodes/"):
			return 200, `{"metadata": {"name": "a"}, "status": {"addresses": [{"type": "ExternalIP", "address": "198.51.100.1"}]}}`
		}
		return 200, `{"metadata": {"name": "geth-0"}, "spec": {"nodeName": "a"}}`
	})
	first := 0
	l.before = func() { first++ }
	for range 2 {
		if node, err := l.NodeOf("chains", "geth-0"); err != nil || node != "a" {
			t.Errorf("the pod is on %q, %v", node, err)
		}
		if addresses, err := l.NodeAddresses("a"); err != nil || len(addresses) != 1 || addresses[0].Address != "198.51.100.1" {
			t.Errorf("addresses %v, %v", addresses, err)
		}
	}
	if asked != 2 || first != 1 {
		t.Errorf("asked %d times, and was told of it %d times", asked, first)
	}
	if all, err := l.ExternalIPs(); err != nil || !slices.Equal(all, []string{"198.51.100.1", "198.51.100.2"}) {
		t.Errorf("external addresses %v, %v", all, err)
	}
}

func TestLookupsSayWhatIsMissing(t *testing.T) {
	nowhere := newLookups(t, func(r *http.Request) (int, string) {
		if strings.Contains(r.URL.Path, "/pods/") {
			return 200, `{"metadata": {"name": "geth-0"}}`
		}
		return 200, `{"metadata": {"name": "geth-0"}, "spec": {"type": "LoadBalancer", "ports": []}}`
	})
	_, err := nowhere.NodeOf("chains", "geth-0")
	expect(t, err, "is on no Kubernetes node yet", "kubectl describe pod")
	_, err = nowhere.NodeOf("", "geth-0")
	expect(t, err, "namespace is not known", "POD_NAMESPACE")
	_, err = nowhere.LoadBalancer(wanted())
	expect(t, err, "has no address yet", "--offline")
	_, err = newLookups(t, answers).NodePorts(wanted())
	expect(t, err, "does not exist yet in namespace chains", "--offline")
	guessed := wanted()
	guessed.Namespace = ""
	_, err = nowhere.NodePorts(guessed)
	expect(t, err, "namespace is not known", "POD_NAMESPACE")
	_, err = applying{nowhere}.NodePorts(guessed)
	expect(t, err, "namespace is not known", "POD_NAMESPACE")
}

func expect(t *testing.T, err error, message, hint string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), message) || !strings.Contains(hintOf(err), hint) {
		t.Errorf("error %v with hint %q, want %q with %q", err, hintOf(err), message, hint)
	}
}

// A load balancer's address is waited for, as long as the Service says.
func TestLoadBalancerIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const service = `{"metadata": {"name": "geth-0", "uid": "2", "resourceVersion": "2", "annotations": {"kubeva.li/managed-by": "kubevali"}},
			"spec": {"type": "LoadBalancer", "ports": [{"name": "p2p", "port": 1, "protocol": "TCP", "nodePort": 31000, "targetPort": 31000}]}`
		start, ready := time.Now(), 30*time.Second
		l := newLookups(t, func(r *http.Request) (int, string) {
			if strings.Contains(r.URL.Path, "/pods/") {
				return answers(r)
			}
			if time.Since(start) < ready {
				return 200, service + "}"
			}
			return 200, service + `, "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}}`
		})
		balanced := wanted()
		balanced.Type = "LoadBalancer"
		if address, err := (applying{l}).LoadBalancer(balanced); err != nil || address != "lb.example.com" {
			t.Errorf("address %q, %v", address, err)
		}
		ready = time.Hour
		l.cluster.forget()
		asked := time.Now()
		if address, err := (applying{l}).LoadBalancer(balanced); err == nil || time.Since(asked) > 2*balanced.AddressTimeout {
			t.Errorf("address %q, %v after %v", address, err, time.Since(asked))
		}
	})
}
