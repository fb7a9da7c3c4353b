package backoff_test

import (
	"slices"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/backoff"
)

func TestNext(t *testing.T) {
	b := backoff.Backoff{First: time.Second, Max: 5 * time.Second}
	next := func(n int) (waits []time.Duration) {
		for range n {
			waits = append(waits, b.Next())
		}
		return waits
	}
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}
	if got := next(5); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if b.Tries() != 5 {
		t.Errorf("%d tries, want 5", b.Tries())
	}
	b.Reset()
	if got := next(2); !slices.Equal(got, want[:2]) {
		t.Errorf("after Reset: got %v, want %v", got, want[:2])
	}
	// However often, the wait neither overflows nor passes the longest.
	for range 200 {
		if wait := b.Next(); wait <= 0 || wait > b.Max {
			t.Fatalf("a wait of %v", wait)
		}
	}
}
