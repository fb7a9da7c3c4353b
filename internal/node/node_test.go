package node

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/supervise"
)

func TestMain(m *testing.M) {
	// A signal that a test sends once Run has ended is nothing to this process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
	os.Exit(m.Run())
}

// life is a Run in this process. Its node is a shell in a folder of its own.
type life struct {
	*testing.T
	dir     string
	options Options
	log     *test.Hook
	done    chan struct{}
	code    int   // valid once done is closed
	err     error // the same
}

// newLife returns one that is yet to be started.
func newLife(t *testing.T, yaml string) *life {
	t.Helper()
	l := &life{T: t, dir: t.TempDir(), done: make(chan struct{})}
	log, hook := test.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	l.log = hook
	path := filepath.Join(l.dir, "kubevali.yaml")
	l.options = Options{
		Read:       func() (*config.Config, error) { return read(path) },
		ConfigPath: path, Log: log,
		Environ: []string{"POD_NAME=geth-0", "POD_NAMESPACE=chains", "PATH=" + os.Getenv("PATH"), "DIR=" + l.dir},
	}
	l.write("kubevali.yaml", yaml)
	return l
}

func read(path string) (*config.Config, error) {
	cfg, _, err := config.Load(path)
	return cfg, err
}

// inCluster lets the pod ask an API.
func (l *life) inCluster(a *api) {
	l.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, body := a.answer(r)
		if code == 0 {
			<-r.Context().Done() // as if there were nobody
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		io.WriteString(w, body)
	}))
	l.Cleanup(server.Close)
	l.write("token", "t")
	l.write("ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		l.Fatal(err)
	}
	l.options.AccountDir = l.dir
	l.options.Environ = append(l.options.Environ, "KUBERNETES_SERVICE_HOST="+host, "KUBERNETES_SERVICE_PORT="+port)
}

func (l *life) start() {
	stdout := os.Stdout
	out, err := os.Create(filepath.Join(l.dir, "stdout"))
	if err != nil {
		l.Fatal(err)
	}
	os.Stdout = out
	l.Cleanup(func() {
		l.stop()
		os.Stdout = stdout
		out.Close()
		if l.Failed() {
			l.Logf("exit code %d, error %v, the log:\n%s", l.code, l.err, logged(l.log))
		}
	})
	go func() {
		defer close(l.done)
		l.code, l.err = Run(l.options)
	}()
}

// stop ends what a failed test has left running.
func (l *life) stop() {
	for {
		select {
		case <-l.done:
			return
		case <-time.After(100 * time.Millisecond):
			l.signal(syscall.SIGTERM)
		}
	}
}

func (l *life) signal(sig syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		l.Fatal(err)
	}
}

func (l *life) write(name, content string) {
	l.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		l.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		l.Fatal(err)
	}
}

// deadline is for what should come at once. Only a broken program takes it all.
const deadline = 30 * time.Second

func (l *life) eventually(what string, happened func() bool) {
	l.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(deadline); !happened(); {
		select {
		case <-tick.C:
		case <-end:
			l.Fatalf("no sign of %s", what)
		}
	}
}

// waitForLog waits until the log has a text n times.
func (l *life) waitForLog(text string, n int) {
	l.Helper()
	l.eventually(fmt.Sprintf("%d times %q", n, text), func() bool { return strings.Count(logged(l.log), text) >= n })
}

func (l *life) waitForFile(name string) {
	l.Helper()
	l.eventually(name, func() bool { _, err := os.Stat(filepath.Join(l.dir, name)); return err == nil })
}

func (l *life) ends(code int) {
	l.Helper()
	select {
	case <-l.done:
	case <-time.After(deadline):
		l.Fatal("it does not end")
	}
	if l.code != code {
		l.Errorf("exit code %d, want %d", l.code, code)
	}
}

// shell is a configuration whose node is a script. It writes the file "up", and "down" on SIGTERM, on which it ends well.
func shell(script string) string {
	const before = `cd "$DIR"; trap "touch down; exit 0" TERM; `
	return "monitor: {listen: ''}\nnodeTemplate:\n  command:\n    - sh\n    - -c\n    - |\n      " + before + "touch up; " + script + "\n"
}

const untilStopped = `while :; do sleep 0.02; done`

func TestRunGivesTheNodesExitCode(t *testing.T) {
	l := newLife(t, shell("exit 3"))
	l.start()
	l.ends(3)
	if l.err != nil {
		t.Error(l.err)
	}
}

func TestRunFailsBeforeTheNode(t *testing.T) {
	for name, c := range map[string]struct {
		config  string
		code    int
		message string
	}{
		"no configuration":   {"nodTemplate: {}", CodeFailed, "did you mean"},
		"no plan":            {"nodeTemplate: {command: ['{{ fail \"so\" }}']}", CodeFailed, "so"},
		"no program":         {"nodeTemplate: {command: [no-such-node]}", supervise.CodeNotFound, `nodeTemplate.command: cannot start "no-such-node"`},
		"no program of ours": {"nodeTemplate: {command: [/etc/passwd]}", supervise.CodeNotExecutable, "nodeTemplate.command: "},
		"no folder":          {"nodeTemplate: {command: [sh], workingDir: /etc/passwd}", CodeFailed, "nodeTemplate.workingDir: "},
		"a file":             {"nodeTemplate: {command: [sh], files: [{path: /proc/no/such, content: x}]}\nmonitor: {listen: ''}", CodeFailed, "nodeTemplate.files: "},
		"an address":         {"nodeTemplate: {command: [sh]}\nmonitor: {listen: '192.0.2.1:1'}", CodeFailed, "monitor.listen: "},
		"a Service":          {shell(untilStopped) + "nodeService: {enabled: true, ports: {p2p: {port: 1}}}", CodeFailed, "nodeService: no Kubernetes cluster"},
		"a check": {shell(untilStopped) + "watchlog: {enabled: true, keyword: x, healthcheckID: odd}", CodeFailed,
			"watchlog.healthcheckID: "},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, c.config)
			l.start()
			l.ends(c.code)
			if l.err == nil || !strings.Contains(l.err.Error(), c.message) {
				t.Errorf("error %v, want %q", l.err, c.message)
			}
			if _, err := os.Stat(filepath.Join(l.dir, "up")); err == nil {
				t.Error("the node was started")
			}
		})
	}
}

// A signal that asks to stop ends whatever is on its way to the node.
func TestSignalBeforeTheNode(t *testing.T) {
	for name, c := range map[string]string{
		"while the plan is made":    shell(`echo {{ nodeExternalIP }}; ` + untilStopped),
		"while the Service is made": shell(untilStopped) + "nodeService: {enabled: true, ports: {p2p: {nodePort: 31000}}}",
	} {
		t.Run(name, func(t *testing.T) {
			var cluster api
			asked := make(chan struct{}, 100)
			cluster.set(func(*http.Request) (int, string) { asked <- struct{}{}; return 503, "{}" })
			l := newLife(t, c)
			l.inCluster(&cluster)
			l.start()
			<-asked
			l.signal(syscall.SIGTERM)
			l.ends(128 + int(syscall.SIGTERM))
			if l.err != nil || !strings.Contains(logged(l.log), "Not starting the node: interrupted by SIGTERM") {
				t.Errorf("error %v", l.err)
			}
			if _, err := os.Stat(filepath.Join(l.dir, "up")); err == nil {
				t.Error("the node was started")
			}
		})
	}
}

func TestSignalBetweenTwoRuns(t *testing.T) {
	l := newLife(t, shell("exit 3")+"process: {restart: always, restartBackoff: 1h, restartBackoffMax: 1h}\n")
	l.start()
	l.waitForLog("Starting the node again in 1h", 1)
	l.signal(syscall.SIGTERM)
	l.ends(3)
}

// What a sick node calls for does not wait for a log that nobody reads.
func TestLogThatNobodyReadsHoldsUpNoStop(t *testing.T) {
	l := newLife(t, shell("echo corrupt; "+untilStopped)+
		"process: {onUnhealthy: exit}\nwatchlog: {enabled: true, failKeywords: [corrupt]}\n")
	full, release := context.WithCancel(context.Background())
	l.options.Log.(*logrus.Logger).AddHook(fullLog{full})
	l.start()
	t.Cleanup(release)
	l.waitForFile("down")
	release()
	l.ends(1)
	l.waitForLog(`Node is unhealthy: fail keyword "corrupt"`, 1)
}

// fullLog blocks whoever logs a warning, until its context is done.
type fullLog struct{ context.Context }

func (fullLog) Levels() []logrus.Level { return []logrus.Level{logrus.WarnLevel} }

func (f fullLog) Fire(*logrus.Entry) error {
	<-f.Done()
	return nil
}
