package node

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
)

func TestNodeDoesNotWaitLongForItsService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var cluster api
		s, hook := newTestService(t, func(r *http.Request) (int, string) {
			if time.Since(start) < 10*time.Minute {
				return isAway(r)
			}
			return cluster.answer(r)
		})
		if err := s.keep(t.Context(), wanted(), false); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != serviceWait {
			t.Errorf("the node waited for %v, want %v", waited, serviceWait)
		}
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		if !strings.Contains(logged(hook), "Created Service geth-0") || cluster.nodePort() != 31000 {
			t.Errorf("no Service, but\n%s", logged(hook))
		}
		s.pause()
	})
}

func TestServiceThatCannotComeAbout(t *testing.T) {
	s, _ := newTestService(t, forbids)
	err := s.keep(t.Context(), wanted(), false)
	checkError(t, err, "nodeService: ", "pods")
	if s.pending {
		t.Error("it is tried for all the same")
	}
}

// What the API refuses is said with the key that decides it.
func TestRefusedServiceNamesItsKey(t *testing.T) {
	for field, want := range map[string][2]string{
		"spec.ports[0].nodePort":      {"nodeService.ports: ", "what the API knows"},
		"metadata.labels":             {"nodeService.labels: ", "nodeService.annotations"},
		"metadata.annotations[0]":     {"nodeService.annotations: ", "256"},
		"spec.loadBalancerClass":      {"nodeService.loadBalancerClass: ", "what the API knows"},
		"spec.ipFamilyPolicy":         {"nodeService.ipFamilyPolicy: ", "what the API knows"},
		"metadata.ownerReferences[0]": {"nodeService.owner: ", "Pod"},
		"spec.externalIPs":            {"nodeService: ", "what the API knows"},
		"metadata.name":               {"nodeService: ", "set POD_NAME from"},
		"metadata.namespace":          {"nodeService: ", "set POD_NAMESPACE from"},
	} {
		err := serviceError(&kube.Error{Field: field, Message: "no", Remedy: "what the API knows"})
		checkError(t, err, want[0], want[1])
		var refused *kube.Error
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v does not wrap what the API said", field, err)
		}
	}
	checkError(t, serviceError(errors.New("no")), "nodeService: no", "")
	checkError(t, serviceError(&kube.Error{Code: 404, Message: "it does not exist"}), "nodeService: ", "set POD_NAME and POD_NAMESPACE")
}

// A signal that asks to stop ends the wait, and the attempts beside the node.
func TestStopEndsTheWaitForTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		reason := errors.New("stop")
		s, _ := newTestService(t, isAway)
		start := time.Now()
		time.AfterFunc(time.Second, func() { stop(reason) })
		if err := s.keep(ctx, wanted(), false); !errors.Is(err, reason) || time.Since(start) != time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}

		ctx, stop = context.WithCancelCause(t.Context())
		s.ctx = ctx
		if err := s.keep(ctx, wanted(), false); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		stop(reason)
		s.work.Wait()
		if waited := time.Since(start); waited > 0 {
			t.Errorf("it went on for %v", waited)
		}
	})
}

// What is in the way may be mended while the node runs. It is said once, with what to do about it.
func TestServiceIsTriedUntilItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var cluster api
		s, hook := newTestService(t, func(r *http.Request) (int, string) {
			switch now := time.Since(start); {
			case now < time.Minute:
				return isAway(r)
			case now < 10*time.Minute:
				return forbids(r)
			}
			return cluster.answer(r)
		})
		if err := s.keep(t.Context(), wanted(), false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		s.pause()
		text := logged(hook)
		if strings.Count(text, "may not") != 1 || !strings.Contains(text, "resources: [pods]") || !strings.Contains(text, "Created Service geth-0") {
			t.Errorf("the log:\n%s", text)
		}
	})
}

// One plan needs the Service made once; the next one looks again.
func TestServiceIsMadeOnceForAPlan(t *testing.T) {
	var cluster api
	s, _ := newTestService(t, cluster.answer)
	made, err := s.apply(t.Context(), wanted())
	if err != nil {
		t.Fatal(err)
	}
	if ports, err := made.nodePorts(); err != nil || ports["p2p"] != 31000 {
		t.Errorf("ports %v, error %v", ports, err)
	}
	once := cluster.asked()
	if err := s.keep(t.Context(), wanted(), false); err != nil || cluster.asked() != once {
		t.Errorf("asked %d times for what was there after %d, error %v", cluster.asked(), once, err)
	}
	if was := s.forget(); was != made {
		t.Errorf("forgot %+v", was)
	}
	if _, err := s.apply(t.Context(), wanted()); err != nil || cluster.asked() == once {
		t.Errorf("did not look again, error %v", err)
	}
}

// A node that is started anew does not wait for a Service that it had, nor does one that goes back to its plan end for it.
func TestNodeThatRanIsNotHeldUpByItsService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cluster api
		s, hook := newTestService(t, cluster.answer)
		if err := s.keep(t.Context(), wanted(), false); err != nil {
			t.Fatal(err)
		}
		cluster.set(isAway)
		s.forget()
		start := time.Now()
		if err := s.keep(t.Context(), wanted(), false); err != nil || time.Since(start) > 0 {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
		s.pause()

		cluster.set(forbids)
		other := wanted()
		other.Annotations = map[string]string{"a": "b"}
		if err := s.keep(t.Context(), other, false); err == nil {
			t.Error("no error for a new plan")
		}
		if err := s.keep(t.Context(), other, true); err != nil {
			t.Errorf("error %v for the plan before", err)
		}
		cluster.set(nil)
		time.Sleep(2 * serviceRetry)
		s.pause()
		if !strings.Contains(logged(hook), "may not") || s.pending {
			t.Errorf("still pending: %v; the log:\n%s", s.pending, logged(hook))
		}
	})
}

// Whoever wants no Service leaves the one that is there alone, and is not bothered with it any more.
func TestNoServiceWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cluster api
		cluster.set(isAway)
		s, _ := newTestService(t, cluster.answer)
		if err := s.keep(t.Context(), wanted(), false); err != nil {
			t.Fatal(err)
		}
		if err := s.keep(t.Context(), nil, false); err != nil {
			t.Fatal(err)
		}
		cluster.set(nil)
		time.Sleep(10 * serviceRetry)
		s.resume()
		s.restore()
		synctest.Wait()
		if n := cluster.asked(); n != 0 {
			t.Errorf("asked %d times", n)
		}
	})
}

// A plan that goes back to its Service gets the ports that it had, of whatever type it is.
func TestPinnedServiceKeepsItsPorts(t *testing.T) {
	for _, kind := range []string{kube.NodePort, kube.LoadBalancer} {
		var cluster api
		s, _ := newTestService(t, cluster.answer)
		chosen, want := wanted(), wanted()
		chosen.Type, want.Type = kind, kind
		chosen.NodePort, chosen.Ports[0].NodePort = 0, 0
		if same := s.pin(chosen); same != chosen {
			t.Errorf("%+v was pinned before it was made", same)
		}
		if _, err := s.apply(t.Context(), chosen); err != nil {
			t.Fatal(err)
		}
		pinned := s.pin(chosen)
		if !reflect.DeepEqual(pinned, want) {
			t.Errorf("got %+v, want %+v", pinned, want)
		}
		once := cluster.asked()
		if _, err := s.apply(t.Context(), pinned); err != nil || cluster.asked() != once {
			t.Errorf("it was made once more, error %v", err)
		}
		if s.pin(nil) != nil {
			t.Error("no Service became one")
		}
	}
}

// A Service that something else made is left alone, and somebody must hear of it.
func TestForeignService(t *testing.T) {
	patched := false
	var cluster api
	s, hook := newTestService(t, func(r *http.Request) (int, string) {
		if strings.Contains(r.URL.Path, "/pods/") {
			return cluster.answer(r)
		}
		patched = patched || r.Method != http.MethodGet
		return 200, `{"metadata": {"name": "geth-0", "uid": "9", "resourceVersion": "7"}, "spec": {"ports": [{"name": "x", "port": 5, "protocol": "TCP"}]}}`
	})
	if err := s.keep(t.Context(), wanted(), false); err != nil {
		t.Fatal(err)
	}
	if text := logged(hook); patched || !strings.Contains(text, "made by something else") || !strings.Contains(text, "no node port 31000") {
		t.Errorf("patched: %v; the log:\n%s", patched, text)
	}
	chosen := wanted()
	chosen.Ports[0].NodePort = 0
	made, err := s.apply(t.Context(), chosen)
	if err != nil {
		t.Fatal(err)
	}
	_, err = made.nodePorts()
	checkError(t, err, "has no port p2p with a node port", "forceUpdate")
}

// A load balancer's address is waited for, as long as the Service says.
func TestLoadBalancerIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const service = `{"metadata": {"name": "geth-0", "uid": "2", "resourceVersion": "2", "annotations": {"kubeva.li/managed-by": "kubevali"}},
			"spec": {"type": "LoadBalancer", "ports": [{"name": "p2p", "port": 1, "protocol": "TCP", "nodePort": 31000, "targetPort": 31000}]}`
		start, ready := time.Now(), 30*time.Second
		var cluster api
		s, hook := newTestService(t, func(r *http.Request) (int, string) {
			if strings.Contains(r.URL.Path, "/pods/") {
				return cluster.answer(r)
			}
			if time.Since(start) < ready {
				return 200, service + "}"
			}
			return 200, service + `, "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}}`
		})
		balanced := wanted()
		balanced.Type = kube.LoadBalancer
		made, err := s.apply(t.Context(), balanced)
		if err != nil {
			t.Fatal(err)
		}
		if address, err := s.address(t.Context(), made); err != nil || address != "lb.example.com" {
			t.Errorf("address %q, %v", address, err)
		}
		asked := time.Now()
		if address, err := s.address(t.Context(), made); err != nil || address != "lb.example.com" || time.Since(asked) > 0 {
			t.Errorf("once more: address %q, %v", address, err)
		}
		if !strings.Contains(logged(hook), "Waiting up to 1m for the address") {
			t.Errorf("the log:\n%s", logged(hook))
		}
		ready = time.Hour
		s.forget()
		if made, err = s.apply(t.Context(), balanced); err != nil {
			t.Fatal(err)
		}
		if address, err := s.address(t.Context(), made); err == nil || time.Since(asked) > 2*time.Duration(balanced.AddressTimeout) {
			t.Errorf("address %q, %v after %v", address, err, time.Since(asked))
		}
	})
}

func TestServiceNeedsANamespaceThatIsNoGuess(t *testing.T) {
	s, _ := newTestService(t, isAway)
	guessed := wanted()
	guessed.Namespace = ""
	_, err := s.apply(t.Context(), guessed)
	checkError(t, err, "nodeService: the pod's namespace is not known", "POD_NAMESPACE")
}

func TestNoClusterAtHand(t *testing.T) {
	s, _ := newTestService(t, isAway)
	s.cluster = newCluster([]string{"KUBERNETES_SERVICE_HOST=192.0.2.1"}, t.TempDir(), "", s.log)
	err := s.keep(t.Context(), wanted(), false)
	checkError(t, err, "nodeService: no Kubernetes cluster at hand", "kubectl")
}
