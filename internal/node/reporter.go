package node

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/healthcheck"
	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/supervise"
	"github.com/kubevali/kubevali/internal/watchlog"
)

// flushTimeout is what the last ping gets. Kubernetes gives a pod 30 s to stop; the default grace period takes 25 of
// them when the node has to be killed, and the rest of its output normally none.
const flushTimeout = 3 * time.Second

// reporter is a companion that tells a healthchecks.io server.
type reporter struct {
	passive
	health   *health.Machine
	tail     *watchlog.Tail
	logLines bool // pings carry the last ones
	pings    *healthcheck.Reporter

	mu    sync.Mutex
	runID string // guarded by mu; of the node's run
}

func newReporter(p *plan.Plan, tail *watchlog.Tail, machine *health.Machine, version string, log logrus.FieldLogger) (*reporter, error) {
	client, err := healthcheck.NewClient(healthcheck.ClientOptions{
		BaseURL: p.Healthchecks.BaseURL.Reveal(),
		ID:      p.Watchlog.HealthcheckID,
		Create:  p.Healthchecks.Create,
		Timeout: time.Duration(p.Healthchecks.Timeout),
		Version: version,
	})
	if err != nil {
		return nil, fmt.Errorf("healthchecks: %w", err)
	}
	r := &reporter{health: machine, tail: tail, logLines: p.Healthchecks.LogLines}
	r.pings = healthcheck.Start(healthcheck.ReporterOptions{
		Pinger: client, Interval: time.Duration(p.Watchlog.Interval), Current: r.current, Log: log,
	})
	return r, nil
}

// started reports a node's start as an event, not as the start of a job: that would begin a timer on the server, which
// would run out while the node syncs.
func (r *reporter) started() {
	r.mu.Lock()
	r.runID = uuid.NewString()
	r.mu.Unlock()
	r.report(healthcheck.Ping{Kind: healthcheck.Log, Head: "the node has started"})
}

// exited reports the node's exit, or just notes it where it was asked for.
func (r *reporter) exited(exit supervise.Exit, text string) {
	ping := healthcheck.Ping{Kind: healthcheck.Exit, Code: exit.Code}
	if exit.Stop != supervise.StopNone {
		ping = healthcheck.Ping{Kind: healthcheck.Log}
	}
	ping.Head = "the node ended: " + text
	r.report(ping)
}

func (r *reporter) changed(now health.Snapshot) {
	if ping, ok := verdict(now); ok {
		r.report(ping)
	}
}

// close sends what has not been sent yet.
func (r *reporter) close() {
	r.pings.Close(flushTimeout)
}

// current is the periodic ping: none before the first sign of life, and none when the node is on its way out.
func (r *reporter) current() (healthcheck.Ping, bool) {
	ping, ok := verdict(r.health.Snapshot())
	if !ok {
		return ping, false
	}
	return r.complete(ping), true
}

func verdict(now health.Snapshot) (ping healthcheck.Ping, ok bool) {
	switch now.State {
	case health.Healthy:
		ping.Kind = healthcheck.Success
	case health.Unhealthy:
		ping.Kind = healthcheck.Fail
	default:
		return ping, false
	}
	ping.Head = string(now.State) + ": " + now.Reason
	return ping, true
}

func (r *reporter) report(ping healthcheck.Ping) { r.pings.Report(r.complete(ping)) }

// complete adds the run, the last values and the last lines to a ping. They are those of now: by the time of a later try
// there may be another run of the node.
func (r *reporter) complete(ping healthcheck.Ping) healthcheck.Ping {
	r.mu.Lock()
	ping.RunID = r.runID
	r.mu.Unlock()
	values := r.health.Snapshot().Values
	for _, name := range slices.Sorted(maps.Keys(values)) {
		ping.Head += fmt.Sprintf("\n%s=%s", name, values[name])
	}
	if r.logLines {
		ping.Lines = r.tail.Last()
	}
	return ping
}
