package kubernetes

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// chosenPort leaves the node port to the cluster.
var chosenPort = []edit{
	{"{{ add 30303 .Index }}", `{{ .Service.NodePort "p2p" }}`},
	{`nodePort: '{{ include "p2pPort" . }}'`, "port: 30303"},
}

// TestStatefulSetOwnsService leaves the node port to the cluster. It must stay the same when the pod is replaced, and the
// Service must go with the StatefulSet.
func TestStatefulSetOwnsService(t *testing.T) {
	needCluster(t)
	t.Parallel()
	g := newGeths(t, "owner")
	g.deploy(t, change{
		replicas: 1,
		config:   append([]edit{{"owner: Pod", "owner: StatefulSet"}}, chosenPort...),
		patches:  []patch{faster},
	})
	g.awaitReady(t)
	id := g.identities(t, 1)[0]
	g.checkOwner(t, 0, "statefulset", statefulSet)
	g.checkAnnounced(t, 0)
	g.checkReachable(t, 0, id)

	pod, service, port := g.get(t, "pod", g.name(0)), g.get(t, "service", g.name(0)), g.nodePort(t, 0)
	g.kubectl(t, "delete", "pod", g.name(0), "--wait=false")
	g.awaitReplaced(t, 0, pod)
	if after := g.get(t, "service", g.name(0)); after == nil || after.Metadata.UID != service.Metadata.UID {
		t.Errorf("the Service has not stayed")
	}
	if after := g.nodePort(t, 0); after != port {
		t.Errorf("the node port was %d and is %d", port, after)
	}
	g.checkAnnounced(t, 0)
	g.checkReachable(t, 0, id)

	g.kubectl(t, "delete", "statefulset", statefulSet, "--wait=false")
	g.awaitServices(t, 0)
}

// TestForeignService has a Service of the first pod's name that somebody else has made. The pod must not touch it, and
// run: the other one finds it by its name in the cluster's DNS, as the example has it.
func TestForeignService(t *testing.T) {
	needCluster(t)
	t.Parallel()
	g := newGeths(t, "foreign")
	g.kubectl(t, "create", "service", "clusterip", g.name(0), "--tcp=80")
	before := g.get(t, "service", g.name(0))
	g.deploy(t, change{replicas: 2, patches: []patch{faster}})
	g.awaitReady(t)
	g.checkPeers(t, g.identities(t, 2), nil)
	g.awaitLog(t, g.name(0), fmt.Sprintf("Service %s was made by something else, so it is left alone", g.name(0)))
	after := g.get(t, "service", g.name(0))
	if after == nil || !reflect.DeepEqual(after.Metadata, before.Metadata) {
		t.Errorf("the Service was %+v and is %+v", before, after)
	}
}

// TestLoadBalancer plays the load balancer's controller, which gives the Service its address when the pod already waits
// for it. The pod may not look at nodes, whose addresses it has no use for.
func TestLoadBalancer(t *testing.T) {
	needCluster(t)
	t.Parallel()
	g := newGeths(t, "loadbalancer")
	g.deploy(t, change{
		replicas: 1,
		config: []edit{
			{"nodeService:\n", "nodeService:\n  type: LoadBalancer\n"},
			{"{{ nodeExternalIP }}", "{{ .Service.Address }}"},
			{"nodePort:", "port:"},
		},
		patches: []patch{faster, {"ClusterRole", `[{"op": "replace", "path": "/rules", "value": []}]`}},
	})
	const waiting, starting = "Waiting up to 5m for the address of the load balancer", "Starting node: "
	if log := g.awaitLog(t, g.name(0), waiting); strings.Contains(log, starting) {
		t.Errorf("geth has started before there was an address:\n%s", log)
	}
	began := time.Now()
	const address = "203.0.113.7"
	g.kubectl(t, "patch", "service", g.name(0), "--subresource=status", "--type=merge",
		"--patch", `{"status": {"loadBalancer": {"ingress": [{"ip": "`+address+`"}]}}}`)
	if got, want := g.announced(t, 0), fmt.Sprintf("%s:%d", address, g.port); got != want {
		t.Errorf("geth announces %s, want %s", got, want)
	}
	t.Logf("geth has started %v after the address had come", time.Since(began).Round(time.Millisecond))
	g.awaitReady(t)
	g.checkSteady(t, 0)
}

// TestRights takes one right at a time away. The pod must say which, to whom, and what to add.
func TestRights(t *testing.T) {
	needCluster(t)
	t.Parallel()
	for _, c := range []struct {
		verb, resource string
		role           string // the kind
		rule           int    // which of the role's rules has the verb
		others         string // in the rule; RBAC wants one verb at least
		config         []edit
	}{
		{"get", "nodes", "ClusterRole", 0, `["list"]`, nil},
		{"get", "pods", "Role", 0, `["list"]`, nil},
		{"get", "services", "Role", 1, `["create", "patch"]`, nil},
		{"create", "services", "Role", 1, `["get", "patch"]`, nil},
		{"patch", "services", "Role", 1, `["get", "create"]`, chosenPort}, // whose target port is known only then
	} {
		t.Run(c.verb+" "+c.resource, func(t *testing.T) {
			t.Parallel()
			g := newGeths(t, "rights")
			g.deploy(t, change{replicas: 1, config: c.config, patches: []patch{{c.role,
				fmt.Sprintf(`[{"op": "replace", "path": "/rules/%d/verbs", "value": %s}]`, c.rule, c.others)}}})
			log := g.awaitLog(t, g.name(0), " may not ")
			who := fmt.Sprintf("the service account system:serviceaccount:%s:%s", g.namespace, statefulSet)
			for _, want := range []string{
				regexp.QuoteMeta(fmt.Sprintf("%s may not %q %q", who, c.verb, c.resource)),
				fmt.Sprintf(`a %s with .*resources: \[%s\], verbs: \[[^]]*\b%s\b`, c.role, c.resource, c.verb),
			} {
				if !regexp.MustCompile(want).MatchString(log) {
					t.Errorf("the log has nothing like %s:\n%s", want, log)
				}
			}
			const failed = 125
			eventually(t, fmt.Sprintf("exit code %d", failed), func() (bool, string) {
				status, _ := g.get(t, "pod", g.name(0)).container(mainContainer)
				state := fmt.Sprintf("%+v", status)
				for _, end := range []*struct{ ExitCode int }{status.State.Terminated, status.LastState.Terminated} {
					if end != nil {
						return end.ExitCode == failed, state
					}
				}
				return false, state
			})
		})
	}
}

// awaitReplaced waits until a pod in the place of the old one is ready.
func (g *geths) awaitReplaced(t *testing.T, ordinal int, old *resource) {
	t.Helper()
	eventually(t, g.name(ordinal)+" is ready again", func() (bool, string) {
		pod := g.get(t, "pod", g.name(ordinal))
		if pod == nil || pod.Metadata.UID == old.Metadata.UID {
			return false, "it is still the old one"
		}
		status, _ := pod.container(mainContainer)
		return status.Ready, g.log(t, g.name(ordinal))
	})
}
