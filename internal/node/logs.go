package node

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/supervise"
	"github.com/kubevali/kubevali/internal/watchlog"
)

// tailSize is how much of the node's last output is kept for reports: a few hundred lines, or a crash's whole trace.
const tailSize = 64 << 10

// logs is a companion that takes what the node writes, to its streams and to files, as a source of its health.
type logs struct {
	passive
	plan   *plan.Plan
	rules  watchlog.Rules
	source *health.Log
	tail   *watchlog.Tail
	files  []*watchlog.Follower
}

// newLogs takes note of what is in the log files, so that nothing the node writes to them is taken for old.
func newLogs(p *plan.Plan, machine *health.Machine, log logrus.FieldLogger) *logs {
	w := p.Watchlog
	l := &logs{plan: p, tail: watchlog.NewTail(tailSize)}
	l.rules = watchlog.Rules{Keywords: w.Keywords, FailKeywords: w.FailKeywords, Pattern: w.Pattern.Regexp()}
	l.source = machine.AddLog("logs", health.LogRules{
		Last:       time.Duration(w.LastThreshold),
		Startup:    time.Duration(w.StartupThreshold),
		NeedsMatch: len(w.Keywords) > 0 || w.Pattern != "",
		Expect:     expected(p.Keys),
	})
	for _, path := range w.Files {
		l.files = append(l.files, watchlog.NewFollower(path, io.MultiWriter(l.tail, watchlog.NewMatcher(l.rules, l.source)), log))
	}
	return l
}

// expected is what a node announces that has found its keys.
func expected(keys []plan.Key) []string {
	var texts []string
	for _, key := range keys {
		if key.ExpectInLog != "" {
			texts = append(texts, key.ExpectInLog)
		}
	}
	return texts
}

// watch puts the matchers into the command's output. The function it returns ends the last lines.
func (l *logs) watch(cmd *supervise.Command) (flush func()) {
	streams := l.plan.Watchlog.Streams
	var matchers []*watchlog.Matcher
	watched := func(out *supervise.Output) *supervise.Output {
		m := watchlog.NewMatcher(l.rules, l.source)
		matchers = append(matchers, m)
		return &supervise.Output{To: out.To, Watch: io.MultiWriter(l.tail, m)}
	}
	both := l.plan.NodeStdout == l.plan.NodeStderr
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

// run watches the plan's log files.
func (l *logs) run(ctx context.Context) {
	var files sync.WaitGroup
	for _, file := range l.files {
		files.Go(func() { file.Run(ctx) })
	}
	files.Wait()
}
