package watchlog

import (
	"bytes"
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

// Last returns the last lines written, at most limit bytes in all: whole lines, unless not even the last one is known
// in full or fits, in which case its end is returned. They are valid UTF-8 without control characters (newline and
// tab aside) and without terminal escape sequences.
func (t *Tail) Last(limit int) []byte {
	limit = max(limit, 0)
	raw, cut := t.bytes()
	if cut {
		raw = wholeLines(raw)
	}
	text := printable(raw, len(raw)*utf8.UTFMax)
	if len(text) <= limit {
		return text
	}
	from := len(text) - limit
	if text[from-1] == '\n' {
		return text[from:]
	}
	return wholeLines(text[from:])
}

// bytes returns a copy of what is remembered, and whether something has been written before that.
func (t *Tail) bytes() (raw []byte, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.full {
		return bytes.Clone(t.ring[:t.next]), false
	}
	return append(bytes.Clone(t.ring[t.next:]), t.ring[:t.next]...), true
}

// wholeLines drops the first line of text, of which the beginning is missing; when it is the only one, no more than
// the rest of its first character.
func wholeLines(text []byte) []byte {
	if end := bytes.IndexByte(text, '\n'); end >= 0 && end+1 < len(text) {
		return text[end+1:]
	}
	for i := range min(len(text), utf8.UTFMax) {
		if utf8.RuneStart(text[i]) {
			return text[i:]
		}
	}
	return text[min(len(text), utf8.UTFMax):]
}
