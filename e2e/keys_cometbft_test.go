package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cometFleet are four validators. Apart from the genesis and each one's own validator key and state, which no
// kubevali touches, all that they need comes from the configuration.
const cometFleet = `
p2pKeys:
  node:
    rootSecret: {env: P2P_ROOT_KEY}
    type: ed25519
    format: cometbft-json
    path: '{{ .Env.NET }}/{{ .Pod.Name }}/config/node_key.json'
    expectInLog: '{{ cometNodeID "node" }}'
fleet:
  replicas: 4
nodeTemplate:
  command: [%[1]q, start]
  args:
    home: '{{ .Env.NET }}/{{ .Pod.Name }}'
    moniker: '{{ .Pod.Name }}'
    proxy_app: kvstore
    p2p.laddr: tcp://127.0.3.{{ .Index }}:%[2]s
    p2p.persistent_peers: '{{ eachPeer "node" "{CometNodeID}@127.0.3.{Ordinal}:%[2]s" | join "," }}'
    rpc.laddr: tcp://127.0.3.{{ .Index }}:%[3]s
  files:
    - path: '{{ .Env.NET }}/{{ .Pod.Name }}/config/config.toml'
      content: |
        [p2p]
        addr_book_strict = false # the pods' addresses are private
        allow_duplicate_ip = true # all connections come from 127.0.0.1
    - path: '{{ .Env.NET }}/{{ .Pod.Name }}/config/genesis.json'
      content: '{{ readFile (print .Env.NET "/genesis.json") }}'
watchlog:
  enabled: true
  keyword: finalized block
  pattern: 'finalized block.* height=(?P<best_block>\d+)'
monitor:
  listen: 127.0.3.{{ .Index }}:%[4]s
`

const cometPods = 4

type cometNet struct {
	*fleet
	dir                  string
	rpcPort, monitorPort string
}

// newCometNet makes a network that nobody has started yet. Of what CometBFT generates for it the node keys are thrown
// away, and with them the configuration.
func newCometNet(t *testing.T) *cometNet {
	t.Helper()
	n := &cometNet{dir: t.TempDir(), rpcPort: freePort(t), monitorPort: freePort(t)}
	program := cometbft.build(t)
	printed(t, program, "testnet", "--v", fmt.Sprint(cometPods), "--o", n.dir, "--node-dir-prefix", "comet-")
	genesis := filepath.Join(n.dir, "genesis.json")
	for i := range cometPods {
		config := filepath.Join(n.home(i), "config")
		if err := os.Rename(filepath.Join(config, "genesis.json"), genesis); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"node_key.json", "config.toml"} {
			if err := os.Remove(filepath.Join(config, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.fleet = newFleet(t, "comet", cometPods, fmt.Sprintf(cometFleet, program, freePort(t), n.rpcPort, n.monitorPort), "NET="+n.dir)
	return n
}

func (n *cometNet) home(ordinal int) string {
	return filepath.Join(n.dir, fmt.Sprintf("comet-%d", ordinal))
}

func (n *cometNet) start(t *testing.T, ordinal int) *process {
	t.Helper()
	return n.fleet.start(t, ordinal, fmt.Sprintf("127.0.3.%d:%s", ordinal, n.monitorPort), n.root)
}

// ask asks a node's RPC server; false while it does not answer.
func (n *cometNet) ask(ordinal int, query string, result any) bool {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(fmt.Sprintf("http://127.0.3.%d:%s/%s", ordinal, n.rpcPort, query))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	answer := struct {
		Result any `json:"result"`
	}{result}
	return resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(&answer) == nil
}

type cometInfo struct {
	ID string `json:"id"`
}

// id is what a node calls itself.
func (n *cometNet) id(ordinal int) string {
	var status struct {
		NodeInfo cometInfo `json:"node_info"`
	}
	n.ask(ordinal, "status", &status)
	return status.NodeInfo.ID
}

// peers are the IDs of a node's peers, sorted.
func (n *cometNet) peers(ordinal int) []string {
	var info struct {
		Peers []struct {
			NodeInfo cometInfo `json:"node_info"`
		} `json:"peers"`
	}
	n.ask(ordinal, "net_info", &info)
	var ids []string
	for _, peer := range info.Peers {
		ids = append(ids, peer.NodeInfo.ID)
	}
	slices.Sort(ids)
	return ids
}

// signers are the addresses of the validators whose signatures made the block at height final.
func (n *cometNet) signers(ordinal, height int) []string {
	var commit struct {
		SignedHeader struct {
			Commit struct {
				Signatures []struct {
					Address string `json:"validator_address"`
				} `json:"signatures"`
			} `json:"commit"`
		} `json:"signed_header"`
	}
	n.ask(ordinal, fmt.Sprintf("commit?height=%d", height), &commit)
	var addresses []string
	for _, signature := range commit.SignedHeader.Commit.Signatures {
		addresses = append(addresses, signature.Address)
	}
	return addresses
}

// foretold are the IDs of all nodes but one, sorted, as they were known before there was any.
func (n *cometNet) foretold(without int) []string {
	var ids []string
	for i := range cometPods {
		if i != without {
			ids = append(ids, n.key(i).CometNodeID)
		}
	}
	slices.Sort(ids)
	return ids
}

// best is the height that a healthy node has reached, 0 as long as it is not healthy.
func best(t *testing.T, p *process) int {
	t.Helper()
	h, _, ok := p.health()
	if !ok || h.State != "healthy" {
		return 0
	}
	return h.block(t)
}

// TestCometBFTNetwork runs four validators, takes all from one of them but what a validator must never lose, and sees
// it return under its old name.
func TestCometBFTNetwork(t *testing.T) {
	t.Parallel()
	n := newCometNet(t)
	var pods []*process
	for i := range cometPods {
		pods = append(pods, n.start(t, i))
	}
	for i, pod := range pods {
		eventually(t, n.pod(i)+" makes blocks", func() bool { return best(t, pod) >= 2 })
		if got, want := n.id(i), n.key(i).CometNodeID; got != want {
			t.Errorf("%s has the ID %q, want %q", n.pod(i), got, want)
		}
		eventually(t, n.pod(i)+" knows all others by the IDs that were foretold", func() bool {
			return slices.Equal(n.peers(i), n.foretold(i))
		})
	}

	const lost = 3
	key := n.key(lost).CometNodeID
	pods[lost].signal(t, syscall.SIGTERM)
	pods[lost].exitCode(t)
	validator := n.loseDisk(t, lost)
	eventually(t, "the others miss it", func() bool { return slices.Equal(n.peers(0), without(n.foretold(0), key)) })
	height := best(t, pods[0])
	eventually(t, "the others make blocks without it", func() bool { return best(t, pods[0]) >= height+2 })
	var signers []string
	eventually(t, "such a block's signatures", func() bool {
		signers = n.signers(0, height+2)
		return len(signers) > 0
	})
	if slices.Contains(signers, validator) {
		t.Errorf("%s signs blocks though it is gone", n.pod(lost))
	}

	pods[lost] = n.start(t, lost)
	eventually(t, "it has caught up", func() bool { return best(t, pods[lost]) > height })
	if got := n.id(lost); got != key {
		t.Errorf("%s has come back as %q, was %q", n.pod(lost), got, key)
	}
	for i := range lost {
		eventually(t, n.pod(i)+" has it back as a peer", func() bool { return slices.Equal(n.peers(i), n.foretold(i)) })
	}
	height = best(t, pods[0])
	eventually(t, "it signs blocks again", func() bool {
		for ; height < best(t, pods[0]); height++ {
			if slices.Contains(n.signers(0, height), validator) {
				return true
			}
		}
		return false
	})
}

func without(ids []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(other string) bool { return other == id })
}

// loseDisk deletes all that a node has apart from its validator key and state, and returns the validator's address.
func (n *cometNet) loseDisk(t *testing.T, ordinal int) (address string) {
	t.Helper()
	home := n.home(ordinal)
	kept := map[string][]byte{"config/priv_validator_key.json": nil, "data/priv_validator_state.json": nil}
	for name := range kept {
		content, err := os.ReadFile(filepath.Join(home, name))
		if err != nil {
			t.Fatal(err)
		}
		kept[name] = content
	}
	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	for name, content := range kept {
		file := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		now, err := os.ReadFile(filepath.Join(home, "config/priv_validator_key.json"))
		if err != nil || !bytes.Equal(now, kept["config/priv_validator_key.json"]) {
			t.Errorf("the validator key has been touched (%v)", err)
		}
	})
	var validator struct {
		Address string `json:"address"`
	}
	if err := json.Unmarshal(kept["config/priv_validator_key.json"], &validator); err != nil {
		t.Fatal(err)
	}
	return strings.ToUpper(validator.Address)
}
