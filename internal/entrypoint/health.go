package entrypoint

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/healthcheck"
	"github.com/kubevali/kubevali/internal/render"
	"github.com/kubevali/kubevali/internal/secret"
	"github.com/kubevali/kubevali/internal/supervise"
	"github.com/kubevali/kubevali/internal/watchlog"
)

const (
	// tailSize is how much of the node's last output is kept for reports: a few hundred lines, or a crash's whole trace.
	tailSize = 64 << 10
	// flushTimeout is what the last ping gets. Kubernetes gives a pod 30 s to stop; the default grace period takes 25 of
	// them when the node has to be killed, and the rest of its output normally none.
	flushTimeout = 3 * time.Second
)

// watcher watches the node's logs and reports what they say.
type watcher struct {
	logger   logrus.FieldLogger
	plan     *render.Plan
	rules    watchlog.Rules
	state    *health.Machine
	signs    *health.Log
	tail     *watchlog.Tail
	reporter *healthcheck.Reporter

	mu    sync.Mutex
	runID string // guarded by mu; of the node's run
}

func logRules(w *render.Watchlog, keys []render.Key) health.LogRules {
	return health.LogRules{
		Expect:     expected(keys),
		Last:       w.LastThreshold,
		Startup:    w.StartupThreshold,
		NeedsMatch: len(w.Keywords) > 0 || w.Pattern != nil,
	}
}

func newHealth(o Options, plan *render.Plan, state *health.Machine) (*watcher, error) {
	w := plan.Watchlog
	h := &watcher{
		logger: o.Log,
		plan:   plan,
		rules: watchlog.Rules{
			Keywords: w.Keywords, FailKeywords: w.FailKeywords, Pattern: w.Pattern,
		},
		state: state,
		signs: state.AddLog("logs", logRules(w, plan.Keys)),
		tail:  watchlog.NewTail(tailSize),
	}
	if w.HealthcheckID != "" {
		client, err := healthcheck.NewClient(healthcheck.ClientOptions{
			BaseURL: plan.Healthchecks.BaseURL,
			ID:      secret.Text(w.HealthcheckID),
			Create:  plan.Healthchecks.Create,
			Timeout: plan.Healthchecks.Timeout,
			Version: o.Version,
		})
		if err != nil {
			return nil, err
		}
		h.reporter = healthcheck.Start(healthcheck.ReporterOptions{
			Pinger: client, Interval: w.Interval, Current: h.current, Log: o.Log,
		})
		return h, nil
	}
	o.Log.Info("No healthcheck ID is set: health is logged but not reported to a server")
	return h, nil
}

// expected is what a node announces that has found its keys.
func expected(keys []render.Key) []string {
	var texts []string
	for _, key := range keys {
		if key.ExpectInLog != "" {
			texts = append(texts, key.ExpectInLog)
		}
	}
	return texts
}

// close sends what has not been sent yet.
func (h *watcher) close() {
	if h.reporter == nil {
		return
	}
	h.reporter.Close(flushTimeout)
}

// watch puts the matchers into the command's output. The function it returns ends the last lines.
func (h *watcher) watch(cmd *supervise.Command) (flush func()) {
	streams := h.plan.Watchlog.Streams
	var matchers []*watchlog.Matcher
	watched := func(out *supervise.Output) *supervise.Output {
		m := watchlog.NewMatcher(h.rules, h.signs)
		matchers = append(matchers, m)
		return &supervise.Output{To: out.To, Watch: io.MultiWriter(h.tail, m)}
	}
	both := h.plan.Stdout == h.plan.Stderr
	if slices.Contains(streams, config.Stdout) {
		cmd.Stdout = watched(cmd.Stdout)
	}
	switch {
	case !slices.Contains(streams, config.Stderr):
	case both && cmd.Stdout.Watch != nil:
		cmd.Stderr = cmd.Stdout
	default:
		cmd.Stderr = watched(cmd.Stderr)
	}
	return func() {
		for _, m := range matchers {
			m.Close()
		}
	}
}

// follow watches the plan's log files. It takes note of what is in them before it returns, so that nothing the node
// writes to them is taken for old.
func (h *watcher) follow(ctx context.Context, work *sync.WaitGroup) {
	for _, path := range h.plan.Watchlog.Files {
		w := io.MultiWriter(h.tail, watchlog.NewMatcher(h.rules, h.signs))
		follower := watchlog.NewFollower(path, w, h.logger)
		work.Go(func() { follower.Run(ctx) })
	}
}

// started reports a node's start as an event, not as the start of a job: that would begin a timer on the server, which
// would run out while the node syncs.
func (h *watcher) started() {
	h.mu.Lock()
	h.runID = healthcheck.NewRunID()
	h.mu.Unlock()
	h.report(healthcheck.Ping{Kind: healthcheck.Log}, "the node has started")
}

// ended reports the node's exit, or just notes it where it was asked for.
func (h *watcher) ended(exit supervise.Exit, text string) {
	ping := healthcheck.Ping{Kind: healthcheck.Exit, Code: exit.Code}
	if exit.Stop != supervise.StopNone {
		ping = healthcheck.Ping{Kind: healthcheck.Log}
	}
	h.report(ping, "the node ended: "+text)
}

func (h *watcher) changed(now health.Snapshot) {
	if ping, head, ok := verdict(now); ok {
		h.report(ping, head)
	}
}

func (h *watcher) log(now health.Snapshot) {
	switch now.State {
	case health.Healthy:
		h.logger.Infof("Node is healthy: %s", now.Reason)
	case health.Unhealthy:
		h.logger.Warnf("Node is unhealthy: %s (process.onUnhealthy: %s)", now.Reason, h.plan.Process.OnUnhealthy)
	}
}

// current is the periodic ping: none before the first sign of life, and none when the node is on its way out.
func (h *watcher) current() (healthcheck.Ping, bool) {
	ping, head, ok := verdict(h.state.Snapshot())
	return h.complete(ping, head, h.tail.Last), ok
}

func verdict(now health.Snapshot) (ping healthcheck.Ping, head string, ok bool) {
	switch now.State {
	case health.Healthy:
		ping.Kind = healthcheck.Success
	case health.Unhealthy:
		ping.Kind = healthcheck.Fail
	default:
		return ping, "", false
	}
	return ping, string(now.State) + ": " + now.Reason, true
}

// report sends a ping about a change. It takes the last lines now: by the time of a later try they may be those of the
// node's next run.
func (h *watcher) report(ping healthcheck.Ping, head string) {
	if h.reporter == nil {
		return
	}
	lines := h.tail.Last(tailSize)
	h.reporter.Report(h.complete(ping, head, func(int) []byte { return lines }))
}

// complete adds the run, the last values and the last lines to a ping.
func (h *watcher) complete(ping healthcheck.Ping, head string, lines func(max int) []byte) healthcheck.Ping {
	h.mu.Lock()
	ping.RunID = h.runID
	h.mu.Unlock()
	values := h.state.Snapshot().Values
	for _, name := range slices.Sorted(maps.Keys(values)) {
		head += fmt.Sprintf("\n%s=%s", name, values[name])
	}
	if !h.plan.Healthchecks.LogLines {
		lines = nil
	}
	ping.Head, ping.Lines = head, lines
	return ping
}
