// Package backoff says how long to wait before another try.
package backoff

import "time"

// Backoff is a wait that doubles with each try. It is for one goroutine.
type Backoff struct {
	First time.Duration // before the first retry
	Max   time.Duration // the longest
	tries int
}

// Next returns the wait before the next try.
func (b *Backoff) Next() time.Duration {
	wait := b.First
	for range b.tries {
		if wait >= b.Max/2 {
			wait = b.Max
			break
		}
		wait *= 2
	}
	b.tries++
	return min(wait, b.Max)
}

// Tries is how many waits Next has given since Reset.
func (b *Backoff) Tries() int { return b.tries }

// Reset starts over with the first wait.
func (b *Backoff) Reset() { b.tries = 0 }
