package config

import (
	"fmt"
	"strconv"
	"syscall"
	"time"
)

// Process describes how the node is stopped and restarted.
type Process struct {
	// The signal that makes the node stop. Empty: the one that kubevali got.
	//
	//	stopSignal: SIGINT
	StopSignal Signal `yaml:"stopSignal" json:"stopSignal"`
	// How long the node may take to stop before it is killed. Keep it below the pod's terminationGracePeriodSeconds, which
	// is 30 where nothing else is said.
	StopGracePeriod Duration `yaml:"stopGracePeriod" json:"stopGracePeriod" default:"25s"`
	// Send signals to the node's whole process group, not to its first process alone.
	SignalGroup bool `yaml:"signalGroup" json:"signalGroup"`
	// When to start the node again after it ended by itself: never, on-failure or always. With never, kubevali ends with
	// the node's exit code and the kubelet restarts the container.
	Restart RestartPolicy `yaml:"restart" json:"restart" default:"never"`
	// The wait before the first restart, which doubles with each further one up to restartBackoffMax.
	RestartBackoff Duration `yaml:"restartBackoff" json:"restartBackoff" default:"1s"`
	// The longest wait. A node that ran longer than this begins anew with restartBackoff.
	RestartBackoffMax Duration `yaml:"restartBackoffMax" json:"restartBackoffMax" default:"1m"`
	// How many restarts in a row until kubevali gives up and ends. 0: no limit.
	RestartMaxTries int `yaml:"restartMaxTries" json:"restartMaxTries" default:"10"`
	// What to do when the watchlog says unhealthy: none, restart (stop the node, start it anew) or exit (stop the node and
	// end).
	OnUnhealthy UnhealthyAction `yaml:"onUnhealthy" json:"onUnhealthy" default:"none"`
}

func (p *Process) check(f *findings) {
	const path = "process."
	if s := syscall.Signal(p.StopSignal); s == syscall.SIGKILL || s == syscall.SIGSTOP {
		f.failAt(path+"stopSignal", "a node cannot stop gracefully on "+p.StopSignal.String(),
			"to kill it without a grace period, set stopGracePeriod: 0s")
	}
	f.within(path+"stopGracePeriod", p.StopGracePeriod, 0, day)
	f.within(path+"restartBackoffMax", p.RestartBackoffMax, millisecond, day)
	f.within(path+"restartBackoff", p.RestartBackoff, millisecond, day)
	if p.RestartBackoff > p.RestartBackoffMax && f.sound(path+"restartBackoffMax") {
		f.failAt(path+"restartBackoff", fmt.Sprintf("%v is more than restartBackoffMax, %v", p.RestartBackoff, p.RestartBackoffMax),
			"raise that, too")
	}
	if p.RestartMaxTries < 0 {
		f.failAt(path+"restartMaxTries", "expected 0 (no limit) or more, found "+strconv.Itoa(p.RestartMaxTries), "")
	}
}

const (
	millisecond = Duration(time.Millisecond)
	second      = Duration(time.Second)
	minute      = Duration(time.Minute)
	day         = Duration(24 * time.Hour)
)

func (f *findings) within(path string, d, least, most Duration) {
	if d < least || d > most {
		f.failAt(path, fmt.Sprintf("expected %v to %v, found %v", least, most, d), "")
	}
}
