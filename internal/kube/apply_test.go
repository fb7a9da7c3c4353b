package kube_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
)

const (
	getPod     = "get pods"
	getService = "get services"
	create     = "post services"
	patch      = "patch services"
)

func spec(ports ...kube.ServicePort) kube.ServiceSpec {
	return kube.ServiceSpec{
		Namespace: "chains", Name: "geth-0", Type: kube.NodePort, Ports: ports,
		Owner: kube.OwnedByPod, ExternalTrafficPolicy: "Local",
	}
}

func mustApply(t *testing.T, c *kube.Client, s kube.ServiceSpec, want kube.Outcome) kube.Service {
	t.Helper()
	svc, outcome, err := c.Apply(t.Context(), s)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if outcome != want {
		t.Errorf("Apply: %v, want %v", outcome, want)
	}
	return svc
}

func TestApplyManifest(t *testing.T) {
	f := newFakeAPI()
	f.addPod("geth-0")
	c := inlineClient(t, f, kube.Options{})
	s := spec(port("p2p", "TCP", 30303, 30303, 0))
	s.Labels, s.Annotations = map[string]string{"chain": "x"}, map[string]string{"a/b": "c"}
	svc := mustApply(t, c, s, kube.Created)
	want := []kube.ServicePort{port("p2p", "TCP", 30303, 30303, 30303)}
	if svc.UID() == "" || svc.Type != kube.NodePort || !svc.Managed() || !slices.Equal(svc.Ports, want) || svc.Ingress != nil {
		t.Errorf("%+v\nwant the ports %+v", svc, want)
	}
	checkRequests(t, f, getPod, getService, create)
	got := f.services["geth-0"].object
	metadata, spec := got["metadata"].(object), got["spec"].(object)
	for _, check := range []struct{ got, want any }{
		{metadata["labels"], object{"app.kubernetes.io/managed-by": "kubevali", "chain": "x"}},
		{metadata["annotations"], object{"kubeva.li/managed-by": "kubevali", "a/b": "c", "kubeva.li/described": `{"labels":["chain"],"annotations":["a/b"]}`}},
		{metadata["ownerReferences"], []any{object{"apiVersion": "v1", "kind": "Pod", "name": "geth-0", "uid": "uid-of-geth-0"}}},
		{spec["selector"], object{"statefulset.kubernetes.io/pod-name": "geth-0"}},
		{spec["publishNotReadyAddresses"], true},
		{spec["externalTrafficPolicy"], "Local"},
		{spec["type"], "NodePort"},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("%v, want %v", check.got, check.want)
		}
	}
	mustApply(t, c, s, kube.Unchanged)
	checkRequests(t, f, getPod, getService, patch)
}

func TestApplyOwner(t *testing.T) {
	for owner, want := range map[string]any{
		kube.OwnedByStatefulSet: []any{object{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "geth", "uid": "2"}},
		kube.OwnedByNone:        nil,
		"":                      nil,
	} {
		f := newFakeAPI()
		f.addPod("geth-0")
		s := spec(port("p2p", "TCP", 1, 30001, 0))
		s.Owner = owner
		mustApply(t, inlineClient(t, f, kube.Options{}), s, kube.Created)
		if got := f.services["geth-0"].object["metadata"].(object)["ownerReferences"]; !reflect.DeepEqual(got, want) {
			t.Errorf("owner %q: %v", owner, got)
		}
	}
}

func TestApplyPorts(t *testing.T) {
	kubevalis := object{"kubeva.li/managed-by": "kubevali"}
	for _, tc := range []struct {
		name    string
		live    []object // nil: no Service
		wanted  []kube.ServicePort
		want    []kube.ServicePort
		outcome kube.Outcome
		asked   []string
	}{
		{
			name:    "chosen by the cluster",
			wanted:  []kube.ServicePort{port("p2p", "TCP", 30303, 0, 0)},
			want:    []kube.ServicePort{port("p2p", "TCP", 30303, 30001, 30001)},
			outcome: kube.Created, asked: []string{getService, create, patch},
		},
		{
			name:    "one choice for both protocols",
			wanted:  []kube.ServicePort{port("p2p", "TCP", 30303, 0, 0), port("p2p-udp", "UDP", 30303, 0, 0)},
			want:    []kube.ServicePort{port("p2p", "TCP", 30303, 30001, 30001), port("p2p-udp", "UDP", 30303, 30001, 30001)},
			outcome: kube.Created, asked: []string{getService, create, patch},
		},
		{
			name:    "the choice of the port that is there holds for the other protocol",
			live:    []object{{"name": "old", "port": 30303, "protocol": "TCP", "nodePort": 30999, "targetPort": 30999}},
			wanted:  []kube.ServicePort{port("p2p-udp", "UDP", 30303, 0, 0), port("p2p", "TCP", 30303, 0, 0)},
			want:    []kube.ServicePort{port("p2p-udp", "UDP", 30303, 30999, 30999), port("p2p", "TCP", 30303, 30999, 30999)},
			outcome: kube.Updated, asked: []string{getService, patch},
		},
		{
			name:    "target port of its own",
			wanted:  []kube.ServicePort{port("rpc", "TCP", 80, 0, 8545)},
			want:    []kube.ServicePort{port("rpc", "TCP", 80, 30001, 8545)},
			outcome: kube.Created, asked: []string{getService, create},
		},
		{
			name:    "as v0.4 made it, and still wanted",
			live:    []object{{"name": "p2p", "port": 30333, "protocol": "TCP", "nodePort": 31000, "targetPort": 31000}},
			wanted:  []kube.ServicePort{port("p2p", "TCP", 30333, 31000, 0)},
			want:    []kube.ServicePort{port("p2p", "TCP", 30333, 31000, 31000)},
			outcome: kube.Updated, asked: []string{getService, patch},
		},
		{
			name:    "as v0.4 made it, with another port of that name wanted",
			live:    []object{{"name": "p2p", "port": 30333, "protocol": "TCP", "nodePort": 31000, "targetPort": 31000}},
			wanted:  []kube.ServicePort{port("p2p", "TCP", 31000, 31000, 0)},
			want:    []kube.ServicePort{port("p2p", "TCP", 31000, 31000, 31000)},
			outcome: kube.Updated, asked: []string{getService, patch},
		},
		{
			name: "one port stays, one goes",
			live: []object{
				{"name": "p2p", "port": 1, "protocol": "TCP", "nodePort": 31000, "targetPort": "http", "appProtocol": "x"},
				{"name": "old", "port": 2, "protocol": "TCP", "nodePort": 31001, "targetPort": 5},
			},
			wanted:  []kube.ServicePort{port("p2p", "TCP", 1, 0, 7), port("old", "TCP", 3, 31001, 8)},
			want:    []kube.ServicePort{port("p2p", "TCP", 1, 31000, 7), port("old", "TCP", 3, 31001, 8)},
			outcome: kube.Updated, asked: []string{getService, patch},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFakeAPI()
			f.addPod("geth-0")
			if tc.live != nil {
				f.addService("geth-0", kubevalis, tc.live...)
			}
			c := inlineClient(t, f, kube.Options{})
			svc := mustApply(t, c, spec(tc.wanted...), tc.outcome)
			if !slices.Equal(svc.Ports, tc.want) {
				t.Errorf("%+v\nwant %+v", svc.Ports, tc.want)
			}
			checkRequests(t, f, append([]string{getPod}, tc.asked...)...)
			again := mustApply(t, c, spec(tc.wanted...), kube.Unchanged)
			if !slices.Equal(again.Ports, tc.want) {
				t.Errorf("applied again: %+v", again.Ports)
			}
		})
	}
}

func TestApplyLoadBalancer(t *testing.T) {
	f := newFakeAPI()
	f.addPod("geth-0")
	s := spec(port("p2p", "TCP", 30303, 0, 30303), port("rpc", "TCP", 80, 0, 8545))
	s.Type, s.LoadBalancerClass = kube.LoadBalancer, "example.com/lb"
	svc := mustApply(t, inlineClient(t, f, kube.Options{}), s, kube.Created)
	if got := []int{svc.Ports[0].TargetPort, svc.Ports[1].TargetPort}; !slices.Equal(got, []int{30303, 8545}) {
		t.Errorf("target ports %v", got)
	}
	checkRequests(t, f, getPod, getService, create)
	if got := f.services["geth-0"].object["spec"].(object)["loadBalancerClass"]; got != "example.com/lb" {
		t.Errorf("loadBalancerClass %v", got)
	}
}

func TestApplyForeign(t *testing.T) {
	for _, annotations := range []object{nil, {"kubeva.li/managed-by": "helm"}} {
		f := newFakeAPI()
		f.addPod("geth-0")
		f.addService("geth-0", annotations, object{"name": "p2p", "port": 80, "protocol": "TCP", "targetPort": "http"})
		c := inlineClient(t, f, kube.Options{})
		s := spec(port("p2p", "TCP", 30303, 30303, 0))
		svc := mustApply(t, c, s, kube.Foreign)
		if svc.Managed() || svc.Type != "ClusterIP" || !slices.Equal(svc.Ports, []kube.ServicePort{port("p2p", "TCP", 80, 0, 0)}) {
			t.Errorf("%+v", svc)
		}
		checkRequests(t, f, getPod, getService)
		s.ForceUpdate = true
		if svc := mustApply(t, c, s, kube.Updated); !svc.Managed() || len(svc.Ports) != 1 {
			t.Errorf("taken over: %+v", svc)
		}
		s.ForceUpdate = false
		mustApply(t, c, s, kube.Unchanged)
	}
}

// A Service that appears after the look for it belongs to whoever made it.
func TestApplyAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI()
		f.addPod("geth-0")
		f.before = func(request string) {
			if request == create {
				f.addService("geth-0", nil, object{"name": "theirs", "port": 80, "protocol": "TCP"})
			}
		}
		c := inlineClient(t, f, kube.Options{})
		svc := mustApply(t, c, spec(port("p2p", "TCP", 30303, 30303, 0)), kube.Foreign)
		if svc.Managed() || !slices.Equal(svc.Ports, []kube.ServicePort{port("theirs", "TCP", 80, 0, 0)}) {
			t.Errorf("%+v", svc)
		}
		checkRequests(t, f, getPod, getService, create, getService)
	})
}

// A Service that disappears after the look at it is made anew.
func TestApplyDisappears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI()
		f.addPod("geth-0")
		c := inlineClient(t, f, kube.Options{})
		s := spec(port("p2p", "TCP", 30303, 30303, 0))
		mustApply(t, c, s, kube.Created)
		f.take()
		f.before = func(request string) {
			if request == patch {
				delete(f.services, "geth-0")
			}
		}
		mustApply(t, c, s, kube.Created)
		checkRequests(t, f, getPod, getService, patch, getService, create)
	})
}

func TestApplyConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI()
		f.addPod("geth-0")
		c := inlineClient(t, f, kube.Options{})
		s := spec(port("p2p", "TCP", 30303, 30303, 0))
		mustApply(t, c, s, kube.Created)
		f.take()
		left := 2
		f.before = func(request string) { // something else changes it after it was looked at
			if left > 0 && request == patch {
				left--
				f.services["geth-0"].revision++
			}
		}
		s.ExternalTrafficPolicy = "Cluster"
		mustApply(t, c, s, kube.Updated)
		checkRequests(t, f, getPod, getService, patch, getService, patch, getService, patch)

		left = 1000
		_, _, err := c.Apply(t.Context(), s)
		checkError(t, err, `cannot patch service "chains/geth-0": something else changes it again and again`, "managedFields")
		if tries := 1000 - left; tries != 8 {
			t.Errorf("%d tries", tries)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, _, err = c.Apply(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
	})
}

func TestApplyAfterDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI()
		f.addPod("geth-0")
		f.addService("geth-0", nil, object{"name": "p2p", "port": 80})
		metadata := f.services["geth-0"].object["metadata"].(object)
		metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
		c := inlineClient(t, f, kube.Options{})
		s := spec(port("p2p", "TCP", 30303, 30303, 0))

		start := time.Now()
		_, _, err := c.Apply(t.Context(), s)
		checkError(t, err, "it has been in deletion for more than 2m0s", "finalizers")
		if waited := time.Since(start); waited != 2*time.Minute {
			t.Errorf("it waited %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+500*time.Millisecond)
		defer cancel()
		if _, _, err = c.Apply(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
		checkTemporary(t, err)
		start = time.Now()
		f.before = func(string) {
			if time.Since(start) > 30*time.Second {
				delete(f.services, "geth-0")
			}
		}
		mustApply(t, c, s, kube.Created)
	})
}

func TestApplyRefuses(t *testing.T) {
	f := newFakeAPI()
	f.addPod("geth-0")
	f.addPod("alone-0")
	delete(f.pods["alone-0"]["metadata"].(object), "ownerReferences")
	f.addPod("other-0")
	f.pods["other-0"]["metadata"].(object)["labels"] = object{"app": "x"}
	for _, tc := range []struct {
		name                   string
		change                 func(*kube.ServiceSpec)
		message, remedy, field string
	}{
		{"no label", func(s *kube.ServiceSpec) { s.Name = "other-0" },
			`the pod "other-0" has no label statefulset.kubernetes.io/pod-name: other-0, so the Service would lead nowhere`, "StatefulSet", "spec.selector"},
		{"no controller", func(s *kube.ServiceSpec) { s.Name, s.Owner = "alone-0", kube.OwnedByStatefulSet },
			`the pod "alone-0" belongs to no StatefulSet`, "", "metadata.ownerReferences"},
		{"no pod", func(s *kube.ServiceSpec) { s.Name = "nobody-0" },
			`cannot get pod "chains/nobody-0": it does not exist`, "", ""},
		{"one name twice", func(s *kube.ServiceSpec) {
			s.Ports = []kube.ServicePort{port("a", "TCP", 80, 0, 0), port("a", "TCP", 81, 0, 0)}
		}, `cannot create service "chains/geth-0": spec.ports[1].name: Duplicate value: "a"`, "", "spec.ports[1].name"},
		{"not a name", func(s *kube.ServiceSpec) { s.Name = "../../nodes" },
			`cannot get pod "chains/../../nodes": that is not a name`, "", "metadata.name"},
		{"no namespace", func(s *kube.ServiceSpec) { s.Namespace = "" },
			`that is not a namespace`, "", "metadata.namespace"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := spec(port("p2p", "TCP", 30303, 30303, 0))
			tc.change(&s)
			_, _, err := inlineClient(t, f, kube.Options{}).Apply(t.Context(), s)
			checkError(t, err, tc.message, tc.remedy)
			checkField(t, err, tc.field)
			if len(f.services) > 0 {
				t.Error("there is a Service")
			}
		})
	}
}

// What others set elsewhere stays; what Apply brought goes when it is not described any more.
func TestApplyLeavesToOthers(t *testing.T) {
	f := newFakeAPI()
	f.addPod("geth-0")
	f.addService("geth-0", object{"theirs/one": "1"}, object{"name": "p2p", "port": 80, "protocol": "TCP"})
	c := inlineClient(t, f, kube.Options{})
	s := spec(port("p2p", "TCP", 30303, 30303, 0))
	s.ForceUpdate, s.Labels, s.Annotations = true, map[string]string{"chain": "x", "b": "y"}, map[string]string{"a/b": "c"}
	check := func(labels, annotations object) {
		t.Helper()
		metadata, spec := f.services["geth-0"].object["metadata"].(object), f.services["geth-0"].object["spec"].(object)
		for _, check := range []struct{ got, want any }{
			{metadata["labels"], labels},
			{metadata["annotations"], annotations},
			{metadata["ownerReferences"], []any{object{"apiVersion": "v1", "kind": "Pod", "name": "geth-0", "uid": "uid-of-geth-0"}}},
			{spec["selector"], object{"statefulset.kubernetes.io/pod-name": "geth-0"}},
			{spec["sessionAffinity"], "ClientIP"},
		} {
			if !reflect.DeepEqual(check.got, check.want) {
				t.Errorf("%v\nwant %v", check.got, check.want)
			}
		}
	}
	mustApply(t, c, s, kube.Updated)
	check(object{"team": "a", "app.kubernetes.io/managed-by": "kubevali", "chain": "x", "b": "y"},
		object{"theirs/one": "1", "kubeva.li/managed-by": "kubevali", "a/b": "c", "kubeva.li/described": `{"labels":["b","chain"],"annotations":["a/b"]}`})
	mustApply(t, c, s, kube.Unchanged)
	s.Labels, s.Annotations = map[string]string{"b": "z"}, map[string]string{"d": "e"}
	mustApply(t, c, s, kube.Updated)
	check(object{"team": "a", "app.kubernetes.io/managed-by": "kubevali", "b": "z"},
		object{"theirs/one": "1", "kubeva.li/managed-by": "kubevali", "d": "e", "kubeva.li/described": `{"labels":["b"],"annotations":["d"]}`})
	s.Labels, s.Annotations = nil, nil
	mustApply(t, c, s, kube.Updated)
	check(object{"team": "a", "app.kubernetes.io/managed-by": "kubevali"}, object{"theirs/one": "1", "kubeva.li/managed-by": "kubevali"})
	mustApply(t, c, s, kube.Unchanged)
}

// A refusal must not leave a Service behind that is half of what it was and half of what it should be.
func TestApplyRefusedChangesNothing(t *testing.T) {
	other := object{"name": "p2p", "port": 1, "protocol": "TCP", "nodePort": 31001, "targetPort": 31001}
	for name, tc := range map[string]struct {
		change                 func(*kube.ServiceSpec)
		message, remedy, field string
	}{
		"node port taken": {func(s *kube.ServiceSpec) { s.Ports[0].NodePort = 31001 },
			"spec.ports[0].nodePort: Invalid value: 31001: provided port is already allocated", "another Service, or another port", "spec.ports[0].nodePort"},
		"label": {func(s *kube.ServiceSpec) { s.Labels = map[string]string{"chain": "main net"} },
			`metadata.labels: Invalid value: "main net"`, "", "metadata.labels"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeAPI()
			f.addPod("geth-0")
			f.addService("other-0", nil, other)
			f.addService("geth-0", object{"kubeva.li/managed-by": "kubevali"},
				object{"name": "p2p", "port": 30333, "protocol": "TCP", "nodePort": 31000, "targetPort": 31000})
			before := f.services["geth-0"].text()
			c := inlineClient(t, f, kube.Options{})
			s := spec(port("p2p", "TCP", 31000, 31000, 0))
			tc.change(&s)
			for range 2 {
				_, _, err := c.Apply(t.Context(), s)
				checkError(t, err, tc.message, tc.remedy)
				checkField(t, err, tc.field)
				if after := f.services["geth-0"].text(); after != before {
					t.Errorf("%s\nwas %s", after, before)
				}
			}
			s = spec(port("p2p", "TCP", 31000, 31000, 0))
			if svc := mustApply(t, c, s, kube.Updated); !slices.Equal(svc.Ports, []kube.ServicePort{port("p2p", "TCP", 31000, 31000, 31000)}) {
				t.Errorf("%+v", svc.Ports)
			}
		})
	}
}

// The node ports that a cluster chose for a load balancer stay, each its own.
func TestApplyLoadBalancerKeepsNodePorts(t *testing.T) {
	f := newFakeAPI()
	f.addPod("geth-0")
	f.addService("geth-0", object{"kubeva.li/managed-by": "kubevali"},
		object{"name": "a", "port": 1, "protocol": "TCP", "nodePort": 31000, "targetPort": 1},
		object{"name": "b", "port": 1, "protocol": "UDP", "nodePort": 31001, "targetPort": 1})
	s := spec(port("p2p", "TCP", 1, 0, 1), port("p2p-udp", "UDP", 1, 0, 1))
	s.Type = kube.LoadBalancer
	svc := mustApply(t, inlineClient(t, f, kube.Options{}), s, kube.Updated)
	if want := []kube.ServicePort{port("p2p", "TCP", 1, 31000, 1), port("p2p-udp", "UDP", 1, 31001, 1)}; !slices.Equal(svc.Ports, want) {
		t.Errorf("%+v\nwant %+v", svc.Ports, want)
	}
}
