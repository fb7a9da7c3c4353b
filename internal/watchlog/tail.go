package watchlog

import (
	"bytes"
	"slices"
	"sync"
	"unicode/utf8"
)

// A Tail remembers the last bytes of what is written to it. It is an [io.Writer] that never fails and is safe for
// concurrent use; what several writers write is kept in the order of their calls.
type Tail struct {
	mu   sync.Mutex // guards the rest
	ring []byte
	next int  // where the next byte goes
	full bool // the ring has been filled once
}

// NewTail returns a Tail that remembers size bytes; size must be positive.
func NewTail(size int) *Tail {
	return &Tail{ring: make([]byte, size)}
}

// Write remembers the end of p. It always returns len(p) and nil.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := p[max(0, len(p)-len(t.ring)):]
	n := copy(t.ring[t.next:], last)
	copy(t.ring, last[n:])
	t.full = t.full || t.next+len(last) >= len(t.ring)
	t.next = (t.next + len(last)) % len(t.ring)
	return len(p), nil
}

// Last returns the last lines written: whole ones, unless not even the last one is known in full, in which case its end is
// returned. They are valid UTF-8 without control characters (newline and tab aside) and without terminal escape sequences.
func (t *Tail) Last() []byte {
	raw := t.bytes()
	return printable(raw, len(raw)*utf8.UTFMax)
}

// bytes returns a copy of what is remembered, without the beginning of a line of which more has been written before.
func (t *Tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.full {
		return bytes.Clone(t.ring[:t.next])
	}
	raw := slices.Concat(t.ring[t.next:], t.ring[:t.next])
	if end := bytes.IndexByte(raw, '\n'); end >= 0 && end+1 < len(raw) {
		return raw[end+1:]
	}
	for len(raw) > 0 && !utf8.RuneStart(raw[0]) {
		raw = raw[1:]
	}
	return raw
}
