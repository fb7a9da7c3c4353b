//go:build linux

package supervise_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/kubevali/kubevali/internal/supervise"
)

// Supervision is about processes, so the tests use real ones: this binary plays the supervisor, and the nodes that it
// runs, when its first argument names a role.
var roles = map[string]func(args []string) int{
	"role:supervisor": supervisorRole,
	"role:catch":      catchRole,
	"role:record":     recordRole,
	"role:write":      writeRole,
	"role:orphans":    orphansRole,
	"role:stat":       statRole,
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			os.Exit(role(os.Args[2:]))
		}
	}
	for _, sig := range forwardable() {
		if signal.Ignored(sig) { // under nohup(1); the processes that the tests start would inherit that, while what is caught they do not
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	// Otherwise the race detector has each of the processes wait for a second before it ends.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	os.Exit(m.Run())
}

// node is the command line of one of the roles above.
func node(role string, args ...string) []string {
	return append([]string{testBinary(), "role:" + role}, args...)
}

func testBinary() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// The supervisor's descriptors for talking with the test.
const (
	eventFD = 3
	orderFD = 4
)

// order is what a test tells the supervisor to do.
type order struct {
	Do string // run, cancel, measure, unadopt, or close

	Args, Env          []string // Env nil: inherited
	Dir                string
	Watch              watching
	StopSignal         syscall.Signal
	Grace              time.Duration
	Target             supervise.Target
	Leftovers          supervise.Leftovers
	Rest, Hold, Unread time.Duration // limits; 0: a minute, save Hold
}

type watching string

const (
	watchNone   watching = ""
	watchEach   watching = "each"   // stdout and stderr through a pipe of their own
	watchShared watching = "shared" // both through one
	watchStdout watching = "stdout"
	watchFor    watching = "keyword" // stdout, for something that never comes
)

// event is what the supervisor tells the test.
type event struct {
	Kind  string // ready, started, stopping, cancelled, exit, failed, measured, or closed
	PID   int
	Cause string // of the stop

	Exit         supervise.Exit
	Code         int // of a failed start
	Reason, Hint string

	Watched         []sum // stdout's, stderr's
	Files, Routines int
	Stacks          string // of the goroutines
	CPU             time.Duration
}

// sum is what the supervisor has seen of a stream.
type sum struct {
	Bytes int64
	SHA   string
}

func supervisorRole([]string) int {
	syscall.CloseOnExec(eventFD)
	syscall.CloseOnExec(orderFD)
	log := logrus.New()
	log.SetLevel(logrus.DebugLevel)
	p := &player{events: json.NewEncoder(os.NewFile(eventFD, "events")), s: supervise.New(log)}
	defer p.s.Close()
	context.AfterFunc(p.s.Stopping(), func() {
		p.tell(event{Kind: "stopping", Cause: context.Cause(p.s.Stopping()).Error()})
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	p.tell(event{Kind: "ready", PID: os.Getpid()})
	runs := make(chan order)
	go func() {
		defer close(runs)
		orders := json.NewDecoder(os.NewFile(orderFD, "orders"))
		for {
			var o order
			if orders.Decode(&o) != nil {
				return
			}
			if o.Do == "cancel" {
				p.tellFirst(event{Kind: "cancelled"}, cancel)
				continue
			}
			runs <- o
		}
	}()
	for o := range runs {
		p.obey(ctx, o)
	}
	return p.code
}

// player plays the supervisor.
type player struct {
	s    *supervise.Supervisor
	code int
	sums []*sink

	mu     sync.Mutex
	events *json.Encoder // guarded by mu
}

func (p *player) tell(e event) { p.tellFirst(e, func() {}) }

// tellFirst does something and tells of it before anything that comes of it is told.
func (p *player) tellFirst(e event, do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	p.events.Encode(e)
}

func (p *player) obey(ctx context.Context, o order) {
	switch o.Do {
	case "run":
		p.run(ctx, o)
	case "unadopt":
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
			panic(err)
		}
	case "close":
		p.s.Close()
		p.tell(event{Kind: "closed"})
	case "measure":
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			panic(err)
		}
		var usage syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
		debug.SetGCPercent(-1) // would close files that nobody else does
		stacks := make([]byte, 1<<20)
		p.tell(event{
			Kind: "measured", Files: len(files), Routines: runtime.NumGoroutine(), Watched: p.watched(),
			Stacks: string(stacks[:runtime.Stack(stacks, true)]),
			CPU:    time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
		})
	}
}

func (p *player) run(ctx context.Context, o order) {
	orMinute := func(d time.Duration) time.Duration {
		if d == 0 {
			return time.Minute
		}
		return d
	}
	p.s.SetLimits(orMinute(o.Rest), o.Hold, orMinute(o.Unread))
	cmd := supervise.Command{
		Args: o.Args, Env: o.Env, Dir: o.Dir,
		Stdout: &supervise.Output{To: os.Stdout}, Stderr: &supervise.Output{To: os.Stderr},
		StopSignal: o.StopSignal, GracePeriod: orMinute(o.Grace), Target: o.Target, Leftovers: o.Leftovers,
		Started: func(pid int) { p.tell(event{Kind: "started", PID: pid}) },
	}
	if o.Env == nil {
		cmd.Env = os.Environ()
	}
	p.watch(&cmd, o.Watch)
	exit, err := p.s.Run(ctx, cmd)
	if err != nil {
		e := event{Kind: "failed", Reason: err.Error()}
		var start *supervise.StartError
		if errors.As(err, &start) {
			e.Code, e.Reason, e.Hint = start.Code, start.Reason, start.Hint()
		}
		p.code = e.Code
		p.tell(e)
		return
	}
	p.code = exit.Code
	p.tell(event{Kind: "exit", Exit: exit, Watched: p.watched()})
}

func (p *player) watch(cmd *supervise.Command, w watching) {
	p.sums = []*sink{newSink(), newSink()}
	switch w {
	case watchStdout:
		cmd.Stdout.Watch = p.sums[0]
	case watchEach:
		cmd.Stdout.Watch, cmd.Stderr.Watch = p.sums[0], p.sums[1]
	case watchFor:
		cmd.Stdout.Watch = keyword("no line has this")
	case watchShared:
		cmd.Stdout.Watch = p.sums[0]
		cmd.Stderr = cmd.Stdout
	}
}

func (p *player) watched() (sums []sum) {
	for _, s := range p.sums {
		sums = append(sums, s.sum())
	}
	return sums
}

// sink checks the promises of Output.Watch by having no lock: the race detector sees a call that comes after Run.
type sink struct {
	hash  hash.Hash
	bytes int64
}

func newSink() *sink { return &sink{hash: sha256.New()} }

func (s *sink) Write(b []byte) (int, error) {
	s.bytes += int64(len(b))
	return s.hash.Write(b)
}

// keyword is about what a matcher does at least.
type keyword string

func (k keyword) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(k)) {
		panic(k)
	}
	return len(b), nil
}

func (s *sink) sum() sum { return sum{Bytes: s.bytes, SHA: hex.EncodeToString(s.hash.Sum(nil))} }
