package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// bootnodes has geth learn the addresses of its peers from what they announce themselves. The example names all peers by
// their names in the cluster's DNS instead, so that pods dial pods directly. Bootnodes must have an address when geth
// starts: those of the pods before this one have, as pods of this test start one after the other.
var bootnodes = []edit{
	{"StaticNodes = [", "BootstrapNodesV5 = []\n        BootstrapNodes = ["},
	{`"enode://`, `{{ if lt .Ordinal $.Index }}"enode://`},
	{`.Ordinal }}",`, `.Ordinal }}",{{ end }}`},
}

var inOrder = patch{"StatefulSet", `[{"op": "replace", "path": "/spec/podManagementPolicy", "value": "OrderedReady"}]`}

// TestGeth follows a fleet of geths from its first pod to its last.
func TestGeth(t *testing.T) {
	needCluster(t)
	t.Parallel()
	g := newGeths(t, "geth")
	nodes := g.labelNodes(t)
	g.deploy(t, change{
		replicas: 3,
		fleet:    5,
		config:   bootnodes,
		patches:  []patch{faster, inOrder, nodes.patch()},
	})
	g.awaitReady(t)
	ids := g.identities(t, 5)

	t.Run("Nodes", func(t *testing.T) {
		used := map[string]bool{}
		for i := range 3 {
			used[g.get(t, "pod", g.name(i)).Spec.NodeName] = true
		}
		if len(used) < 2 {
			t.Errorf("all pods are on one node")
		}
	})
	for i := range 3 {
		t.Run("Announced/"+g.name(i), func(t *testing.T) {
			g.checkAnnounced(t, i)
			if port := g.nodePort(t, i); port != g.port+i {
				t.Errorf("the node port is %d, want %d", port, g.port+i)
			}
			g.checkOwner(t, i, "pod", g.name(i))
		})
		t.Run("Reachable/"+g.name(i), func(t *testing.T) { g.checkReachable(t, i, ids[i]) })
	}
	t.Run("Peers", func(t *testing.T) { g.checkOutsidePeers(t, ids[:3]) })
	t.Run("Memory", func(t *testing.T) {
		for i := range 3 {
			g.checkMemory(t, i)
		}
	})
	t.Run("Moved", func(t *testing.T) { g.checkMoved(t, nodes, ids[:3]) })
	t.Run("Scaled", func(t *testing.T) {
		began := time.Now()
		g.scale(t, 5)
		g.awaitReady(t)
		g.awaitServices(t, 5)
		t.Logf("two more pods were ready after %v", time.Since(began).Round(time.Millisecond))
		for i := range 5 {
			g.checkSteady(t, i)
		}
		for _, i := range []int{3, 4} {
			g.checkAnnounced(t, i)
			g.checkReachable(t, i, ids[i])
		}
		began = time.Now()
		g.scale(t, 3)
		g.awaitServices(t, 3)
		t.Logf("they and their Services were gone after %v", time.Since(began).Round(time.Millisecond))
	})
}

func (g *geths) scale(t *testing.T, replicas int) {
	t.Helper()
	g.kubectl(t, "scale", "statefulset", statefulSet, fmt.Sprint("--replicas=", replicas))
}

// awaitServices waits until there are the Services of that many pods and, besides, what the example has.
func (g *geths) awaitServices(t *testing.T, pods int) {
	t.Helper()
	want := []string{statefulSet, statefulSet + "-rpc"}
	for i := range pods {
		want = append(want, g.name(i))
	}
	slices.Sort(want)
	eventually(t, fmt.Sprintf("there are the Services of %d pods", pods), func() (bool, string) {
		names := strings.Fields(g.kubectl(t, "get", "services", "-o", "jsonpath={.items[*].metadata.name}"))
		slices.Sort(names)
		return slices.Equal(names, want), strings.Join(names, " ")
	})
}

// announced is the address that the pod has told its peers, and waits for the node's start.
func (g *geths) announced(t *testing.T, ordinal int) (address string) {
	t.Helper()
	args := argv(t, g.awaitLog(t, g.name(ordinal), "Starting node: "))
	return net.JoinHostPort(strings.TrimPrefix(flagValue(args, "--nat"), "extip:"), flagValue(args, "--port"))
}

// address is where the pod must be reached: at its node's external address, and the port of its own Service.
func (g *geths) address(t *testing.T, ordinal int) string {
	t.Helper()
	node := g.get(t, "pod", g.name(ordinal)).Spec.NodeName
	return net.JoinHostPort(env.addresses[node], fmt.Sprint(g.nodePort(t, ordinal)))
}

// nodePort is the node port of the pod's Service, which has it for TCP and UDP, and leads to the same port of the pod.
func (g *geths) nodePort(t *testing.T, ordinal int) int {
	t.Helper()
	service := g.get(t, "service", g.name(ordinal))
	if service == nil {
		t.Fatalf("%s has no Service", g.name(ordinal))
	}
	var protocols []string
	port := service.Spec.Ports[0].NodePort
	for _, p := range service.Spec.Ports {
		protocols = append(protocols, p.Protocol)
		if p.NodePort != port || p.TargetPort != port {
			t.Errorf("the Service has node port %d and target port %d, want %d", p.NodePort, p.TargetPort, port)
		}
	}
	slices.Sort(protocols)
	if !slices.Equal(protocols, []string{"TCP", "UDP"}) {
		t.Errorf("the Service has ports for %v, want TCP and UDP", protocols)
	}
	return port
}

// checkOwner checks with what the pod's Service goes.
func (g *geths) checkOwner(t *testing.T, ordinal int, kind, name string) {
	t.Helper()
	owners := g.get(t, "service", g.name(ordinal)).Metadata.OwnerReferences
	if want := g.get(t, kind, name).Metadata.UID; len(owners) != 1 || owners[0].UID != want {
		t.Errorf("the Service has the owners %v, want the %s %s", owners, kind, name)
	}
}

// checkAnnounced checks geth's command line against the pod's node and Service.
func (g *geths) checkAnnounced(t *testing.T, ordinal int) {
	t.Helper()
	if got, want := g.announced(t, ordinal), g.address(t, ordinal); got != want {
		t.Errorf("%s announces %s, want %s", g.name(ordinal), got, want)
	}
}

// checkReachable has devp2p talk to the pod from outside of the cluster, by TCP and UDP. Both exchanges succeed only with
// a node that has the key behind the enode.
func (g *geths) checkReachable(t *testing.T, ordinal int, id identity) {
	t.Helper()
	url := fmt.Sprintf("enode://%s@%s", id.Enode, g.address(t, ordinal))
	for _, protocol := range []string{"rlpx", "discv4"} {
		// A node port may refuse connections for a moment, until all of kube-proxy's rules are there.
		eventually(t, protocol+" reaches "+url, func() (bool, string) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			out, err := exec.CommandContext(ctx, env.devp2p, protocol, "ping", url).CombinedOutput()
			return err == nil, fmt.Sprintf("%v\n%s", err, out)
		})
	}
}

// peer is a peer as geth sees it.
type peer struct {
	Enode   string
	Network struct {
		RemoteAddress string
		Inbound       bool
	}
}

// peers asks a geth for its peers.
func (g *geths) peers(t *testing.T, ordinal int) ([]peer, error) {
	t.Helper()
	out, err := g.try(t, "exec", g.name(ordinal), "-c", mainContainer, "--",
		"geth", "--datadir=/data", "attach", "--exec", "JSON.stringify(admin.peers)")
	if err != nil {
		return nil, err
	}
	var text string
	if err := json.Unmarshal([]byte(out), &text); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	var list []peer
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return list, nil
}

// checkOutsidePeers is checkPeers for pods that dial each other from outside.
func (g *geths) checkOutsidePeers(t *testing.T, ids []identity) {
	t.Helper()
	addresses := make([]string, len(ids))
	for i := range ids {
		addresses[i] = g.address(t, i)
	}
	g.checkPeers(t, ids, addresses)
}

// checkPeers waits until each of the pods is connected with each other one, under the enode that was foretold. Of each
// pair one has dialed, and it must have dialed the other's address, where addresses are given.
func (g *geths) checkPeers(t *testing.T, ids []identity, addresses []string) {
	t.Helper()
	type pair struct{ from, to int }
	eventually(t, fmt.Sprintf("the pods are peers at %q", addresses), func() (bool, string) {
		connected, dialed := map[pair]bool{}, map[pair]bool{}
		var state strings.Builder
		for i := range ids {
			list, err := g.peers(t, i)
			fmt.Fprintf(&state, "%s: %+v %v\n", g.name(i), list, err)
			for _, p := range list {
				j := slices.IndexFunc(ids, func(id identity) bool { return strings.HasPrefix(p.Enode, "enode://"+id.Enode+"@") })
				connected[pair{i, j}] = true
				dialed[pair{i, j}] = addresses == nil ||
					j >= 0 && !p.Network.Inbound && p.Network.RemoteAddress == addresses[j]
			}
		}
		for i := range ids {
			for j := range i {
				if !connected[pair{i, j}] || !connected[pair{j, i}] || !(dialed[pair{i, j}] || dialed[pair{j, i}]) {
					return false, state.String()
				}
			}
		}
		t.Log(state.String())
		return true, ""
	})
}

// checkMemory logs what kubevali takes, with all of Kubernetes, keys and health in use.
func (g *geths) checkMemory(t *testing.T, ordinal int) {
	pod := g.get(t, "pod", g.name(ordinal))
	kubevali, ok := pod.process(t, "kubevali")
	if !ok {
		t.Skip("the pod does not run on this machine")
	}
	geth, ok := pod.process(t, "geth")
	if !ok {
		t.Fatal("there is a kubevali without a geth")
	}
	t.Logf("%s: kubevali has VmRSS %d KiB, VmHWM %d KiB; geth began %v after it",
		g.name(ordinal), kubevali.rss, kubevali.peak, geth.started-kubevali.started)
	const most = 14 << 10 // KiB
	if kubevali.rss > most {
		t.Errorf("kubevali takes %d KiB, want %d at most", kubevali.rss, most)
	}
}

// checkMoved deletes the last pod while its node takes no pods of this test. It must end in peace, and come back on
// another node as who it was.
func (g *geths) checkMoved(t *testing.T, nodes labelledNodes, ids []identity) {
	ordinal := len(ids) - 1
	name := g.name(ordinal)
	before, address := g.get(t, "pod", name), g.address(t, ordinal)
	nodes.unlabel(t, before.Spec.NodeName)
	log := g.follow(t, name)
	began := time.Now()
	g.kubectl(t, "delete", "pod", name, "--wait=false")
	text := log.whole(t)
	took, grace := time.Since(began), time.Duration(before.Spec.TerminationGracePeriodSeconds)*time.Second
	t.Logf("the stop took %v", took.Round(time.Millisecond))
	if !strings.Contains(text, "Blockchain stopped") || took > grace/4 {
		t.Errorf("no graceful stop within a quarter of %v; the log:\n%s", grace, text)
	}
	g.awaitReplaced(t, ordinal, before)
	t.Logf("%s was ready again after %v", name, time.Since(began).Round(time.Millisecond))
	nodes.label(t, before.Spec.NodeName)
	if g.address(t, ordinal) == address {
		t.Errorf("%s is still at %s", name, address)
	}
	if log := g.kubectl(t, "logs", name, "-c", "keys"); !strings.Contains(log, ids[ordinal].PeerID) {
		t.Errorf("%s has not got the key of %s again:\n%s", name, ids[ordinal].PeerID, log)
	}
	g.checkAnnounced(t, ordinal)
	g.checkReachable(t, ordinal, ids[ordinal])
	g.checkOutsidePeers(t, ids)
}

// labelledNodes are the nodes that take the pods of a test: all that have its label. To cordon a node would concern all
// tests.
type labelledNodes struct{ name string }

func (g *geths) labelNodes(t *testing.T) labelledNodes {
	t.Helper()
	l := labelledNodes{string(g.namespace)}
	for node := range env.addresses {
		l.label(t, node)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if _, err := kubectl(ctx, "", "label", "node", node, l.name+"-"); err != nil {
				t.Error(err)
			}
		})
	}
	return l
}

func (l labelledNodes) label(t *testing.T, node string)   { l.kubectl(t, node, l.name+"=") }
func (l labelledNodes) unlabel(t *testing.T, node string) { l.kubectl(t, node, l.name+"-") }

func (labelledNodes) kubectl(t *testing.T, node, label string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := kubectl(ctx, "", "label", "node", node, label, "--overwrite"); err != nil {
		t.Fatal(err)
	}
}

// patch keeps the pods to the labelled nodes, and spreads them over these for sure, which the example only prefers.
func (l labelledNodes) patch() patch {
	return patch{"StatefulSet", fmt.Sprintf(`[
		{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {%q: ""}},
		{"op": "replace", "path": "/spec/template/spec/topologySpreadConstraints/0/whenUnsatisfiable",
			"value": "DoNotSchedule"}]`, l.name)}
}
