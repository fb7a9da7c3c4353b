package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
)

const (
	imported = "Imported new potential chain segment"
	checkID  = "5f0b6f3e-7f6f-4d0b-9d6c-2f1c8f1f0a11"
)

// gethConfig runs a geth that makes a block each second and writes its log to a file besides, for comparison. The
// pattern names the whole message because geth also says `number=0` of the block that it finds at the start.
const gethConfig = `
nodeTemplate:
  command: [%[1]q]
  args:
    dev: true
    dev.period: 1
    datadir: '{{ .Env.GETH_DATA }}'
    log.file: '{{ .Env.GETH_DATA }}/geth.log'
    cache: 64
    port: 0
    nodiscover: true
    maxpeers: 0
    ipcdisable: true
watchlog:
  enabled: true
  keyword: Imported new potential chain segment
  pattern: 'Imported new potential chain segment +number=(?P<best_block>\d+)'
  healthcheckIDs: [%[2]q]
healthchecks:
  baseURL: %[3]q
monitor:
  listen: %[4]q
`

// geth is a geth under a kubevali, told to a healthchecks server.
type geth struct {
	*process
	checks *healthchecks
	config string // the configuration file
	log    string // the log file that geth writes itself
}

// startGeth starts one; extra is appended to its configuration.
func startGeth(t *testing.T, extra string) *geth {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	g := &geth{
		checks: newHealthchecks(t),
		config: filepath.Join(dir, "kubevali.yaml"),
		log:    filepath.Join(data, "geth.log"),
	}
	monitor := freeAddress(t)
	text := fmt.Sprintf(gethConfig, built.geth, checkID, g.checks.url, monitor) + extra
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the pings:\n%s", g.checks)
		}
	})
	g.process = start(t, g.config, monitor, "POD_NAME=geth-0", "GETH_DATA="+data)
	return g
}

// awaitHealth waits until /healthz?verbose says what condition wants, and returns it.
func (g *geth) awaitHealth(t *testing.T, what string, condition func(health) bool) health {
	t.Helper()
	var last health
	eventually(t, what, func() bool {
		h, status, ok := g.health()
		if !ok {
			select {
			case <-g.exited:
				t.Fatalf("waited in vain: %s: kubevali exited", what)
			default:
			}
			return false
		}
		if status != 200 && h.State == "healthy" {
			t.Fatalf("/healthz is %d while the state is healthy", status)
		}
		last = h
		return condition(h)
	})
	return last
}

func (g *geth) awaitBlock(t *testing.T, block int) health {
	t.Helper()
	return g.awaitHealth(t, fmt.Sprintf("block %d is in /healthz", block), func(h health) bool {
		return h.block(t) >= block
	})
}

// lastLine is the last complete line of text.
func lastLine(text string) string {
	text = strings.TrimRight(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func TestGethStopsGracefully(t *testing.T) {
	t.Parallel()
	g := startGeth(t, "")

	first := g.awaitBlock(t, 1)
	later := g.awaitBlock(t, first.block(t)+2)
	if later.State != "healthy" {
		t.Errorf("state = %q, want healthy", later.State)
	}
	if later.Matches <= first.Matches {
		t.Errorf("matches went from %d at block %d to %d at block %d, want more",
			first.Matches, first.block(t), later.Matches, later.block(t))
	}
	if gone(later.PID) {
		t.Errorf("the node's pid is %d, but there is no such process", later.PID)
	}
	for _, kind := range []string{"live", "ready"} {
		if out, err := exec.Command(built.kubevali, "probe", kind, "--config", g.config).CombinedOutput(); err != nil {
			t.Errorf("kubevali probe %s: %v\n%s", kind, err, out)
		}
	}
	eventually(t, "the first success ping", func() bool { return g.checks.Count("/"+checkID) > 0 })

	g.signal(t, syscall.SIGTERM)
	if code := g.exitCode(t); code != 0 {
		t.Errorf("exit code = %d after SIGTERM, want 0", code)
	}
	if !gone(later.PID) {
		t.Errorf("geth outlived kubevali")
	}

	log := g.stdout.String()
	if !strings.Contains(log, "Blockchain stopped") {
		t.Errorf("geth was not allowed to stop in peace: its log lacks `Blockchain stopped`")
	}
	own, err := os.ReadFile(g.log)
	if err != nil {
		t.Fatal(err)
	}
	if log != string(own) {
		t.Errorf("kubevali passed on %d bytes that differ from the %d bytes geth wrote", len(log), len(own))
	}
	checkPings(t, g.checks.All())
	if last := g.checks.Last(); last.Path != "/"+checkID+"/log" {
		t.Errorf("last ping = %s, want /log for a stop that was asked for", last.Path)
	}
}

// checkPings checks what holds for every run: its start is reported first, nothing but /log comes before the first
// block, every ping is a POST with a length and the run's id.
func checkPings(t *testing.T, pings []ping) {
	t.Helper()
	if len(pings) < 3 {
		t.Fatalf("%d pings, want the start, a success and the end at least", len(pings))
	}
	if pings[0].Path != "/"+checkID+"/log" {
		t.Errorf("first ping = %s, want /log", pings[0].Path)
	}
	run := pings[0].RunID
	if _, err := uuid.Parse(run); err != nil {
		t.Errorf("rid = %q: %v", run, err)
	}
	for i, p := range pings {
		if p.Method != "POST" || p.Length < 0 {
			t.Errorf("ping %d: %s with Content-Length %d, want POST with a length", i, p.Method, p.Length)
		}
		if p.RunID != run {
			t.Errorf("ping %d: rid = %q, want the same as in the first, %q", i, p.RunID, run)
		}
	}
	for _, p := range pings {
		if p.Path == "/"+checkID+"/log" {
			continue
		}
		if p.Path != "/"+checkID {
			t.Errorf("first ping that is no /log = %s, want success", p.Path)
		}
		if !strings.Contains(p.Body, imported) {
			t.Errorf("the first success came before the first block; its body:\n%s", p.Body)
		}
		return
	}
}

func TestGethKilled(t *testing.T) {
	t.Parallel()
	g := startGeth(t, "")

	h := g.awaitBlock(t, 2)
	eventually(t, "the first success ping", func() bool { return g.checks.Count("/"+checkID) > 0 })
	if err := syscall.Kill(h.PID, syscall.SIGKILL); err != nil {
		t.Fatalf("kill geth: %v", err)
	}

	if code := g.exitCode(t); code != 137 {
		t.Errorf("exit code = %d after SIGKILL to geth, want 137", code)
	}
	checkPings(t, g.checks.All())
	last := g.checks.Last()
	if last.Path != "/"+checkID+"/137" {
		t.Errorf("last ping = %s, want /137", last.Path)
	}
	if want := lastLine(g.stdout.String()); !strings.HasSuffix(strings.TrimRight(last.Body, "\n"), want) {
		t.Errorf("the last ping's body does not end in geth's last line\n\t%s\nbut is\n%s", want, last.Body)
	}
	if !strings.Contains(last.Body, imported) {
		t.Errorf("the last ping's body has no block:\n%s", last.Body)
	}
}

func TestGethRestarted(t *testing.T) {
	t.Parallel()
	g := startGeth(t, `
process:
  restart: on-failure
  restartBackoff: 100ms
`)
	before := g.awaitBlock(t, 2)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatalf("kill geth: %v", err)
	}
	after := g.awaitHealth(t, "another geth makes blocks", func(h health) bool {
		return h.PID != before.PID && h.State == "healthy"
	})
	eventually(t, "the kill's ping", func() bool { return g.checks.Count("/"+checkID+"/137") == 1 })

	g.signal(t, syscall.SIGTERM)
	if code := g.exitCode(t); code != 0 {
		t.Errorf("exit code = %d after SIGTERM, want 0", code)
	}
	if !gone(after.PID) {
		t.Errorf("geth outlived kubevali")
	}
	if !strings.HasSuffix(g.checks.Last().Path, "/log") {
		t.Errorf("last ping = %s, want /log", g.checks.Last().Path)
	}
}
