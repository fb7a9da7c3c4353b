package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// deadline is how long a test waits for something that should come at once. Only a broken program takes it all.
const deadline = 30 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubevali": func() { os.Exit(run(os.Args[1:], os.Getenv("ACCOUNT_DIR"))) }})
}

// TestScripts runs the command lines in testdata/script. Beside testscript's own commands they use
//
//	exits CODE COMMAND…       run a command that must exit with CODE
//	freeport VAR              put the number of a free TCP port into VAR
//	waitfor FILE REGEXP       wait until a file has a match
//	httpwait URL CODE REGEXP  wait until a URL answers so
//	pings VAR [ANSWER]        start a healthchecks server; its address goes into VAR, its pings into the file "pings".
//	                          ANSWER is ok (default), notfound, status CODE, hang, reset or redirect
//	bigfile FILE BYTES        create a file of that size
//	kubeapi                   start a Kubernetes API server, see cmdKubeAPI
//	setroot VAR               put a root secret into VAR
//
// Neither that root secret nor keys derived from it may turn up in what the scripts print or in files other than those
// of keys.
func TestScripts(t *testing.T) {
	known := newSecrets(t)
	testscript.RunT(checked{t, known}, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOSTNAME", "")
			env.Setenv("KUBECONFIG", "")
			env.Defer(func() { known.checkFiles(env.T().(checked).T, env.WorkDir) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    cmdExits,
			"freeport": cmdFreePort,
			"waitfor":  cmdWaitFor,
			"httpwait": cmdHTTPWait,
			"pings":    cmdPings,
			"bigfile":  cmdBigFile,
			"kubeapi":  cmdKubeAPI,
			"setroot":  func(ts *testscript.TestScript, _ bool, args []string) { ts.Setenv(args[0], rootSecret()) },
		},
	})
}

func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func cmdFreePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

func cmdWaitFor(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[1])
	var content []byte
	eventually(ts, func() bool {
		content, _ = os.ReadFile(ts.MkAbs(args[0]))
		return pattern.Match(content)
	}, func() string { return fmt.Sprintf("%s has no match for %q:\n%s", args[0], args[1], content) })
}

func cmdHTTPWait(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[2])
	var seen string
	eventually(ts, func() bool {
		resp, err := http.Get(args[0])
		if err != nil {
			seen = err.Error()
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		seen = fmt.Sprintf("%d %s", resp.StatusCode, body)
		return strconv.Itoa(resp.StatusCode) == args[1] && pattern.Match(body)
	}, func() string { return fmt.Sprintf("%s answers %s, want %s %q", args[0], seen, args[1], args[2]) })
}

func eventually(ts *testscript.TestScript, done func() bool, complain func() string) {
	timeout := time.After(deadline)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-timeout:
			ts.Fatalf("%s", complain())
		}
	}
}

func cmdPings(ts *testscript.TestScript, _ bool, args []string) {
	answer := append(args[1:], "ok")
	var mu sync.Mutex
	log, err := os.Create(ts.MkAbs("pings"))
	ts.Check(err)
	closing := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		fmt.Fprintf(log, "%s %s length=%d %q\n", r.Method, r.URL, r.ContentLength, body)
		mu.Unlock()
		switch answer[0] {
		case "ok":
			fmt.Fprint(w, "OK")
		case "notfound":
			fmt.Fprint(w, "OK (not found)")
		case "status":
			code, _ := strconv.Atoi(answer[1])
			w.WriteHeader(code)
		case "redirect":
			http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusMovedPermanently)
		case "reset":
			conn, _, _ := http.NewResponseController(w).Hijack()
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		case "hang":
			<-closing
		}
	}))
	ts.Defer(func() {
		close(closing)
		server.Close()
		log.Close()
	})
	ts.Setenv(args[0], server.URL)
}

func cmdBigFile(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), nil, 0o644))
	ts.Check(os.Truncate(ts.MkAbs(args[0]), size))
}

// soon waits for something that should happen at once.
func soon(t *testing.T, what string, happened func() bool) {
	t.Helper()
	timeout := time.After(deadline)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("no sign of %s", what)
		}
	}
}

// lockedBuffer is a process's output that can be read while the process runs.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder // guarded by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
