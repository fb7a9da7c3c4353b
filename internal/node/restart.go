package node

import (
	"time"

	"github.com/kubevali/kubevali/internal/backoff"
	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/supervise"
)

// restarts counts a node's restarts and decides on the next one.
type restarts struct {
	rules   config.Process
	backoff backoff.Backoff // its tries are the restarts since the node last ran for longer than the longest wait
}

func newRestarts(rules config.Process) restarts {
	return restarts{rules, backoff.Backoff{First: time.Duration(rules.RestartBackoff), Max: time.Duration(rules.RestartBackoffMax)}}
}

// wanted reports whether the policy restarts a node that ended by itself.
func (r *restarts) wanted(exit supervise.Exit) bool {
	switch r.rules.Restart {
	case config.RestartAlways:
		return true
	case config.RestartOnFailure:
		return exit.Code != 0
	}
	return false
}

// next returns how long to wait before the next restart, or false when there have been too many in a row. A node that ran
// for longer than the longest wait starts over.
func (r *restarts) next(ran time.Duration) (wait time.Duration, ok bool) {
	if ran > r.backoff.Max {
		r.backoff.Reset()
	}
	if r.rules.RestartMaxTries > 0 && r.backoff.Tries() >= r.rules.RestartMaxTries {
		return 0, false
	}
	return r.backoff.Next(), true
}
