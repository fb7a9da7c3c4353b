package kube_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

// A refusal must not leave a Service behind that is half of what it was and half of what it should be.
func TestApplyRefusedChangesNothing(t *testing.T) {
	other := object{"name": "p2p", "port": 1, "protocol": "TCP", "nodePort": 31001, "targetPort": 31001}
	for name, tc := range map[string]struct {
		change  func(*kube.ServiceSpec)
		message string
	}{
		"node port taken": {func(s *kube.ServiceSpec) { s.Ports[0].NodePort = 31001 },
			"spec.ports[0].nodePort: Invalid value: 31001: provided port is already allocated"},
		"label": {func(s *kube.ServiceSpec) { s.Labels = map[string]string{"chain": "main net"} },
			`metadata.labels: Invalid value: "main net"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeAPI()
			f.addPod("geth-0")
			f.addService("other-0", nil, other)
			f.addService("geth-0", object{"kubeva.li/managed-by": "kubevali"},
				object{"name": "p2p", "port": 30333, "protocol": "TCP", "nodePort": 31000, "targetPort": 31000})
			before := f.services["geth-0"].visible(t)
			c := inlineClient(t, f, kube.Options{})
			s := spec(port("p2p", "TCP", 31000, 31000, 0))
			tc.change(&s)
			for range 2 {
				_, _, err := c.Apply(t.Context(), s)
				checkError(t, err, tc.message, kube.Hint(err))
				if after := f.services["geth-0"].visible(t); after != before {
					t.Errorf("%s\nwas %s", after, before)
				}
			}
			f.take()
			s = spec(port("p2p", "TCP", 31000, 31000, 0))
			if svc := mustApply(t, c, s, kube.Updated); !slices.Equal(svc.Ports, []kube.ServicePort{port("p2p", "TCP", 31000, 31000, 31000)}) {
				t.Errorf("%+v", svc.Ports)
			}
			checkRequests(t, f, getPod, getService, apply) // the old port has been claimed before
		})
	}
}

// Ports of an earlier apply need nothing but the next one.
func TestApplyMovesItsPorts(t *testing.T) {
	f := newFakeAPI()
	f.addPod("geth-0")
	c := inlineClient(t, f, kube.Options{})
	mustApply(t, c, spec(port("p2p", "TCP", 30303, 30303, 0)), kube.Created)
	f.take()
	svc := mustApply(t, c, spec(port("p2p", "TCP", 30304, 30303, 0)), kube.Updated)
	if !slices.Equal(svc.Ports, []kube.ServicePort{port("p2p", "TCP", 30304, 30303, 30303)}) {
		t.Errorf("%+v", svc.Ports)
	}
	checkRequests(t, f, getPod, getService, apply)

	// Somebody else has set a field of the port, so that it is theirs, too.
	metadata := f.services["geth-0"].object["metadata"].(object)
	metadata["managedFields"] = append(metadata["managedFields"].([]any), object{
		"manager": "kubectl-edit", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
		"fieldsV1": object{"f:spec": object{"f:ports": object{`k:{"port":30304,"protocol":"TCP"}`: object{"f:name": object{}}}}},
	})
	svc = mustApply(t, c, spec(port("p2p", "TCP", 30305, 30303, 0)), kube.Updated)
	if !slices.Equal(svc.Ports, []kube.ServicePort{port("p2p", "TCP", 30305, 30303, 30303)}) {
		t.Errorf("%+v", svc.Ports)
	}
	checkRequests(t, f, getPod, getService, jsonPatch, apply)
	if managers, _ := json.Marshal(metadata["managedFields"]); strings.Contains(string(managers), "kubectl-edit") {
		t.Errorf("fields without a field: %s", managers)
	}
}
