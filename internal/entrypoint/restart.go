package entrypoint

import (
	"time"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/render"
	"github.com/kubevali/kubevali/internal/supervise"
)

// restarts counts a node's restarts and decides on the next one.
type restarts struct {
	rules render.Process
	row   int // restarts since the node last ran for longer than the longest backoff
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

// possible reports whether there can be a restart at all.
func (r *restarts) possible() bool {
	return r.rules.Restart != config.RestartNever || r.rules.OnUnhealthy == config.UnhealthyRestart
}

// next returns how long to wait before the next restart, or false when there have been too many in a row. The wait
// doubles with each restart, up to its longest; a node that ran for longer than that starts over.
func (r *restarts) next(ran time.Duration) (wait time.Duration, ok bool) {
	if ran > r.rules.RestartBackoffMax {
		r.row = 0
	}
	if r.rules.RestartMaxTries > 0 && r.row >= r.rules.RestartMaxTries {
		return 0, false
	}
	wait = r.rules.RestartBackoff
	for range r.row {
		wait = min(2*wait, r.rules.RestartBackoffMax)
	}
	r.row++
	return wait, true
}
