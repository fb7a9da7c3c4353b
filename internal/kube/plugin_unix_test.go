//go:build unix

package kube_test

import (
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
)

// As PID 1, kubevali reaps every process that ends, so that a plugin's exit status may be gone when it is asked for.
func TestPluginIsReaped(t *testing.T) {
	s := newAPIServer(t)
	p := newPlugin(t, s, "v1", "")
	p.answer(map[string]any{"token": "s3cret-one"})
	var stop atomic.Bool
	var reaper sync.WaitGroup
	reaper.Go(func() {
		for !stop.Load() {
			_, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			time.Sleep(time.Microsecond)
		}
	})
	defer reaper.Wait()
	defer stop.Store(true)
	for range 10 {
		if got := s.who(t, clientFor(t, p.path("config"), kube.Options{})); got != "Bearer s3cret-one" {
			t.Errorf("asked as %q", got)
		}
	}
}
