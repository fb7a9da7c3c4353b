package node

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// newWatched returns a life whose configuration is watched.
func newWatched(t *testing.T, yaml string) *life {
	l := newLife(t, yaml)
	l.options.Reload = ReloadOnChange
	return l
}

const fixedPort = "nodeService: {enabled: true, ports: {p2p: {nodePort: 31000}}}\n"

// annotated is fixedPort with a change that is nothing to the node.
var annotated = strings.Replace(fixedPort, "enabled: true", "enabled: true, annotations: {a: b}", 1)

// A configuration comes while there is no node: it is the one that the next run is by.
func TestReloadBetweenTwoRuns(t *testing.T) {
	const process = "process: {restart: always, restartBackoff: 1h, restartBackoffMax: 1h}\n"
	l := newWatched(t, shell("exit 3")+process)
	l.start()
	l.waitForLog("Starting the node again in 1h", 1)
	l.write("kubevali.yaml", shell("touch next; "+untilStopped)+process)
	l.waitForFile("next")
	l.signal(syscall.SIGTERM)
	l.ends(0)
}

// A mistyped command is refused with what to do about it, as at the start.
func TestRefusedConfigurationIsLoggedWithItsHint(t *testing.T) {
	l := newWatched(t, shell(untilStopped))
	l.start()
	l.waitForFile("up")
	l.write("kubevali.yaml", "nodeTemplate: {command: [no-such-node]}")
	l.waitForLog(`nodeTemplate.command: cannot start "no-such-node"`, 1)
	for line := range strings.Lines(logged(l.log)) {
		if strings.Contains(line, "no-such-node") && !strings.Contains(line, "full path") {
			t.Errorf("no hint in %q", line)
		}
	}
	l.write("kubevali.yaml", "nodTemplate: {}")
	l.waitForLog("did you mean", 1)
	l.signal(syscall.SIGTERM)
	l.ends(0)
	if text := logged(l.log); strings.Count(text, "Starting node") != 1 {
		t.Errorf("the node was started anew:\n%s", text)
	}
}

// A plan that fails when it is carried out is given up for the one before it, whatever has become of its Service. A change
// after that is one like any other: what the API refuses is not taken for what is wanted.
func TestGoingBackForgivesOnlyOnce(t *testing.T) {
	var cluster api
	l := newWatched(t, shell(untilStopped)+fixedPort)
	l.inCluster(&cluster)
	l.start()
	l.waitForFile("up")

	l.write("kubevali.yaml", strings.Replace(shell("touch other; "+untilStopped), "''", "'192.0.2.1:1'", 1)+annotated)
	l.waitForLog("goes on with the old one: monitor.listen: ", 1)
	l.waitForLog("Node started", 2)
	l.waitForLog("Service geth-0 is as it is to be", 1)

	cluster.set(forbids)
	l.write("kubevali.yaml", shell(untilStopped)+annotated)
	l.waitForLog("nodeService: ", 1)
	cluster.set(nil)
	l.write("kubevali.yaml", shell(untilStopped)+annotated+"# try again")
	l.waitForLog("Updated Service geth-0", 1)
	l.signal(syscall.SIGTERM)
	l.ends(0)
	text := logged(l.log)
	if strings.Contains(text, "without its Service") || strings.Count(text, "only the Service's part of the plan did") != 2 {
		t.Errorf("the log:\n%s", text)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "other")); err == nil {
		t.Error("the plan that fails was carried out")
	}
}

// A signal ends what is asked for a changed configuration, together with the node.
func TestSignalWhileANewPlanIsMade(t *testing.T) {
	var cluster api
	l := newWatched(t, shell(untilStopped))
	asked := make(chan struct{}, 100)
	cluster.set(func(*http.Request) (int, string) { asked <- struct{}{}; return 503, "{}" })
	l.inCluster(&cluster)
	l.start()
	l.waitForFile("up")
	l.write("kubevali.yaml", shell("echo {{ nodeExternalIP }}; "+untilStopped))
	<-asked
	l.signal(syscall.SIGTERM)
	l.ends(0)
	l.waitForFile("down")
	if text := logged(l.log); strings.Contains(text, "cannot be used") {
		t.Errorf("the log:\n%s", text)
	}
}

// What comes while the node stops for good is nothing to it: least of all another Service.
func TestNothingIsWatchedDuringTheLastStop(t *testing.T) {
	l := newWatched(t, shell(`trap 'touch stopping; while [ ! -e go ]; do sleep 0.02; done; exit 7' TERM; `+untilStopped))
	l.start()
	l.waitForFile("up")
	l.signal(syscall.SIGTERM)
	l.waitForFile("stopping")
	l.eventually("the end of the watch", func() bool {
		stacks := make([]byte, 1<<20)
		return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(".watchConfig"))
	})
	l.write("go", "")
	l.ends(7)
}
