package node

import (
	"slices"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/supervise"
)

func TestBackoffDoublesUpToItsLimitAndStartsOver(t *testing.T) {
	second := config.Duration(time.Second)
	r := newRestarts(config.Process{RestartBackoff: second, RestartBackoffMax: 5 * second, RestartMaxTries: 6})
	var waits []time.Duration
	for _, ran := range []time.Duration{0, 0, 0, 5 * time.Second, 6 * time.Second, 0} {
		wait, ok := r.next(ran)
		if !ok {
			t.Fatalf("gave up after %v", waits)
		}
		waits = append(waits, wait/time.Second)
	}
	if want := []time.Duration{1, 2, 4, 5, 1, 2}; !slices.Equal(waits, want) {
		t.Errorf("waits %v seconds, want %v", waits, want)
	}
}

func TestRestartsInARowAreLimited(t *testing.T) {
	for _, c := range []struct{ limit, tries int }{{1, 1}, {3, 3}, {0, 1000}} {
		second := config.Duration(time.Second)
		r := newRestarts(config.Process{RestartBackoff: second, RestartBackoffMax: 60 * second, RestartMaxTries: c.limit})
		n := 0
		for n < 1000 {
			if _, ok := r.next(time.Millisecond); !ok {
				break
			}
			n++
		}
		if n != c.tries {
			t.Errorf("restartMaxTries %d: %d restarts, want %d", c.limit, n, c.tries)
		}
	}
}

func TestRestartPolicy(t *testing.T) {
	well, badly, killed := supervise.Exit{}, supervise.Exit{Code: 1}, supervise.Exit{Code: 137, Signal: 9}
	for policy, want := range map[config.RestartPolicy][]bool{
		config.RestartNever:     {false, false, false},
		config.RestartOnFailure: {false, true, true},
		config.RestartAlways:    {true, true, true},
	} {
		r := newRestarts(config.Process{Restart: policy})
		got := []bool{r.wanted(well), r.wanted(badly), r.wanted(killed)}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", policy, got, want)
		}
	}
}
