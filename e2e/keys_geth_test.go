package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gethFleet are two geths that find each other through their static peers alone. A geth says `Started P2P networking`
// with its own enode at once, so that it is healthy only when it has found its key.
const gethFleet = `
p2pKeys:
  node:
    rootSecret: {env: P2P_ROOT_KEY}
    type: secp256k1
    format: hex
    path: '{{ .Env.DATA }}/{{ .Pod.Name }}/keys/node.hex'
    expectInLog: 'enode://{{ enode "node" }}'
fleet:
  replicas: 2
nodeTemplate:
  command: [%[1]q]
  args:
    config: '{{ .Env.DATA }}/{{ .Pod.Name }}/geth.toml'
    datadir: '{{ .Env.DATA }}/{{ .Pod.Name }}/data'
    nodekey: %[5]s
    nodiscover: true
    cache: 64
    http: true
    http.addr: 127.0.2.{{ .Index }}
    http.port: %[2]s
    http.api: admin
    authrpc.port: 0
    ipcdisable: true
  files:
    - path: '{{ .Env.DATA }}/{{ .Pod.Name }}/geth.toml'
      content: |
        [Node.P2P]
        ListenAddr = "127.0.2.{{ .Index }}:%[3]s"
        StaticNodes = [{{ eachPeer "node" "\"enode://{Enode}@127.0.2.{Ordinal}:%[3]s\"" | join ", " }}]
watchlog:
  enabled: true
  keyword: Started P2P networking
monitor:
  listen: 127.0.2.{{ .Index }}:%[4]s
`

type gethPods struct {
	*fleet
	httpPort, monitorPort string
}

// newGethPods makes the fleet; nodekey is the flag's value.
func newGethPods(t *testing.T, nodekey string) *gethPods {
	t.Helper()
	p := &gethPods{httpPort: freePort(t), monitorPort: freePort(t)}
	p.fleet = newFleet(t, "geth", 2, fmt.Sprintf(gethFleet, built.geth, p.httpPort, freePort(t), p.monitorPort, nodekey),
		"DATA="+t.TempDir())
	return p
}

// start runs a pod; env is what this one has besides.
func (p *gethPods) start(t *testing.T, ordinal int, env ...string) *process {
	t.Helper()
	return p.fleet.start(t, ordinal, address(ordinal, p.monitorPort), env...)
}

func address(ordinal int, port string) string {
	return net.JoinHostPort(fmt.Sprintf("127.0.2.%d", ordinal), port)
}

// enodes asks a geth for the enode IDs in the answer to a method of its admin API.
func (p *gethPods) enodes(t *testing.T, ordinal int, method string) []string {
	t.Helper()
	type node struct {
		Enode string `json:"enode"`
	}
	var list []node
	result := any(&list)
	if method == "admin_nodeInfo" {
		list = make([]node, 1)
		result = &list[0]
	}
	answer := struct {
		Result any `json:"result"`
		Error  any `json:"error"`
	}{Result: result}
	request := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":[]}`, method)
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Post("http://"+address(ordinal, p.httpPort), "application/json", strings.NewReader(request))
	if err != nil {
		return nil // not up yet
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Error != nil {
		t.Fatalf("%s: %v %v", method, err, answer.Error)
	}
	var ids []string
	for _, n := range list {
		id, _, _ := strings.Cut(strings.TrimPrefix(n.Enode, "enode://"), "@")
		ids = append(ids, id)
	}
	return ids
}

// TestGethPeers starts two geths who know of each other only what was known before they existed. The second gets its
// key as an init container leaves it, and never sees the root secret.
func TestGethPeers(t *testing.T) {
	t.Parallel()
	p := newGethPods(t, `'{{ keyPath "node" }}'`)
	if p.key(0).Enode == "" || p.key(0).Enode == p.key(1).Enode {
		t.Fatalf("the enodes are %q and %q", p.key(0).Enode, p.key(1).Enode)
	}
	p.kubevali(t, p.pod(1), "key", "write")
	pods := []*process{p.start(t, 0, p.root), p.start(t, 1)}

	for i, pod := range pods {
		eventually(t, p.pod(i)+" has announced itself", func() bool {
			h, _, ok := pod.health()
			return ok && h.State == "healthy"
		})
		eventually(t, p.pod(i)+" has the enode that was foretold", func() bool {
			ids := p.enodes(t, i, "admin_nodeInfo")
			return len(ids) == 1 && ids[0] == p.key(i).Enode
		})
	}
	for i := range pods {
		eventually(t, p.pod(i)+" has found the other", func() bool {
			ids := p.enodes(t, i, "admin_peers")
			return len(ids) == 1 && ids[0] == p.key(1-i).Enode
		})
	}
	for i, pod := range pods {
		h, _, _ := pod.health()
		for _, pid := range []int{h.PID, pod.cmd.Process.Pid} {
			checkNoRoot(t, pid, p.root)
		}
		pod.signal(t, syscall.SIGTERM)
		if code := pod.exitCode(t); code != 0 {
			t.Errorf("%s: exit code = %d after SIGTERM, want 0", p.pod(i), code)
		}
		for _, text := range []string{pod.stdout.String(), pod.stderr.String()} {
			if strings.Contains(text, strings.TrimPrefix(p.root, "P2P_ROOT_KEY=")) {
				t.Errorf("%s: the log holds the root secret", p.pod(i))
			}
		}
	}
}

// checkNoRoot checks that a process's environment does not hold the root secret.
func checkNoRoot(t *testing.T, pid int, root string) {
	t.Helper()
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		if os.IsPermission(err) {
			return // as it should be, for another process of the same user
		}
		t.Error(err)
	}
	secret := strings.TrimPrefix(root, "P2P_ROOT_KEY=")
	if bytes.Contains(environ, []byte(secret)) {
		t.Errorf("the environment of process %d holds the root secret", pid)
	}
}

// TestGethWithAnotherKey leaves out the flag that names the key, so that geth makes itself a new one. It runs as well
// as any, and is unhealthy.
func TestGethWithAnotherKey(t *testing.T) {
	t.Parallel()
	p := newGethPods(t, "null")
	pod := p.start(t, 0, p.root)
	eventually(t, "geth with a key of its own is unhealthy", func() bool {
		h, _, ok := pod.health()
		return ok && h.State == "unhealthy"
	})
	if want := fmt.Sprintf("the node has not announced \"enode://%s\"", p.key(0).Enode); !strings.Contains(pod.stderr.String(), want) {
		t.Errorf("kubevali's log lacks %q", want)
	}
	if ids := p.enodes(t, 0, "admin_nodeInfo"); len(ids) == 1 && ids[0] == p.key(0).Enode {
		t.Errorf("geth has the key that it was not told of")
	}
}
