package watchlog

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

const (
	PatternLimit = 64 << 10 // how many bytes of a line the pattern sees
	ValueLimit   = 256      // how many bytes of a named group's value are reported
	ExcerptLimit = 200      // how many bytes of a line are shown with a failure
	// CountLimit is how many lines that match the pattern and hold no keyword are counted at least when they come at once.
	CountLimit = 4

	maxCandidates = 256 // bounds the memory for candidates
)

// A Matcher applies [Rules] to one stream of bytes. It is an [io.WriteCloser] whose methods never fail, never block
// and keep nothing of what they are given; it is not safe for concurrent use.
//
// A keyword counts as soon as its last byte has been written, a pattern when its line has ended. A line counts once,
// however many of its parts are signs of life. From where a line has failed nothing in it is a sign of life any more,
// so that the failure stands until another line matches; several fail keywords make one failure, named after the one
// that ends first. A carriage return does not end a line.
//
// Evaluating a pattern takes hundreds of times as long as finding a text. So of the lines that come in one Write it sees,
// from the last one backwards, only as many as it takes to know whether there is a sign of life, what the last values
// are, and to count CountLimit lines.
//
// What a line announces counts for the line itself: as long as something is expected, a line's signs of life wait for
// its end. Behind a fail keyword nothing is announced.
type Matcher struct {
	sink      Sink
	texts     []text
	fixed     int      // how many of texts the rules bring; the others are announcements alone
	pattern   *pattern // nil without one
	everyLine bool     // the pattern has to see all lines, since it has no literals

	// What has been found and not been reported yet.
	lines      int
	values     map[string]string
	candidates []candidate
	latest     map[string]string // scratch of evaluate

	// The unfinished line: what is known of it, its last bytes for texts, and its first bytes for the pattern.
	open, counted, failed bool
	carry, head           []byte
	keep                  int    // how long carry must be to find what straddles two chunks, and to show a failure
	seam                  []byte // where two chunks meet; scratch of extend
}

// A candidate is a line that may match the pattern. It has not failed.
type candidate struct {
	line    []byte
	counted bool // as a sign of life, for a keyword
}

// NewMatcher returns a Matcher that tells s what r finds.
func NewMatcher(r Rules, s Sink) *Matcher {
	m := &Matcher{sink: s, values: map[string]string{}, latest: map[string]string{}, keep: ExcerptLimit}
	m.add(failure, r.FailKeywords)
	m.add(life, r.Keywords)
	if r.Pattern != nil {
		m.pattern = newPattern(r.Pattern)
		m.add(literal, m.pattern.literals)
		m.everyLine = len(m.pattern.literals) == 0
	}
	m.fixed = len(m.texts)
	return m
}

// add looks for texts too, those that can occur in a line at all.
func (m *Matcher) add(k kinds, texts []string) {
	for _, t := range texts {
		if t == "" || strings.Contains(t, "\n") {
			continue
		}
		m.keep = max(m.keep, len(t)-1)
		if i := slices.IndexFunc(m.texts, func(known text) bool { return known.text == t }); i >= 0 {
			m.texts[i].kinds |= k
		} else {
			m.texts = append(m.texts, text{text: t, kinds: k})
		}
	}
}

// Write looks at p and reports what it finds before it returns; it always returns len(p) and nil.
func (m *Matcher) Write(p []byte) (int, error) {
	m.expect()
	rest := p
	if m.open {
		piece, after, ended := bytes.Cut(rest, []byte{'\n'})
		m.extend(piece)
		if ended {
			m.endLine()
		}
		rest = after
	}
	end := bytes.LastIndexByte(rest, '\n') + 1
	m.wholeLines(rest[:end])
	m.reportUnlessHeld()
	if end < len(rest) {
		m.extend(rest[end:])
		m.reportUnlessHeld()
	}
	return len(p), nil
}

// Close ends the stream: a last line without newline is finished and reported. It always returns nil. What is written
// afterwards begins a new line.
func (m *Matcher) Close() error {
	if m.open {
		m.endLine()
		m.report()
	}
	return nil
}

// expect looks for what the log has still to announce.
func (m *Matcher) expect() {
	m.texts = m.texts[:m.fixed]
	for i := range m.texts {
		m.texts[i].kinds &^= announcement
	}
	m.add(announcement, m.sink.Missing())
}

// reportUnlessHeld reports, save while the unfinished line may still announce what is expected.
func (m *Matcher) reportUnlessHeld() {
	expected := func(t text) bool { return t.kinds&announcement != 0 }
	if !m.open || !slices.ContainsFunc(m.texts, expected) {
		m.report()
	}
}

// report tells the sink what has been found since the last report.
func (m *Matcher) report() {
	m.evaluate()
	if m.lines > 0 || len(m.values) > 0 {
		m.sink.Match(m.lines, m.values)
	}
	m.lines = 0
	clear(m.values)
}

// wholeLines looks at p, which consists of finished lines only. It jumps from one line with a hit to the next.
func (m *Matcher) wholeLines(p []byte) {
	for i := range m.texts {
		m.texts[i].next = -1
	}
	for start := 0; start < len(p); {
		hit := m.locate(p, start)
		if m.everyLine {
			hit = start
		}
		if hit == len(p) {
			return
		}
		end := hit + bytes.IndexByte(p[hit:], '\n')
		m.line(p, start, hit, end)
		start = end + 1
	}
}

// locate finds for each text where in p it occurs first from start on, len(p) when it does not, and returns the
// smallest of these places.
func (m *Matcher) locate(p []byte, start int) int {
	hit := len(p)
	for i := range m.texts {
		t := &m.texts[i]
		if t.next < start {
			t.next = len(p)
			if at := t.index(p[start:]); at >= 0 {
				t.next = start + at
			}
		}
		hit = min(hit, t.next)
	}
	return hit
}

// line looks at the line of p that ends at end and in which there is something at hit, not before. It begins at start
// or later.
func (m *Matcher) line(p []byte, start, hit, end int) {
	var has kinds
	for i := range m.texts {
		if t := &m.texts[i]; t.next < end {
			has |= t.kinds
		}
	}
	inOrder := has&(failure|announcement) != 0 // rare, and what comes first in the line matters
	counted := has&life != 0 && !inOrder
	if counted {
		m.lines++
	}
	if !inOrder && !m.toEvaluate(has) {
		return
	}
	if bytes.IndexByte(p[start:hit], '\n') >= 0 { // this way round, since mostly hits are in adjacent lines or few
		start += bytes.LastIndexByte(p[start:hit], '\n') + 1
	}
	if inOrder {
		m.report()
		m.extend(p[start:end])
		m.endLine()
		return
	}
	m.candidates = append(m.candidates, candidate{p[start:end], counted})
	if len(m.candidates) == maxCandidates {
		m.evaluate()
	}
}

// toEvaluate reports whether the pattern has to see a line that holds texts of these kinds.
func (m *Matcher) toEvaluate(has kinds) bool {
	return (m.everyLine || has&literal != 0) && (m.pattern.named > 0 || has&life == 0)
}

// evaluate applies the pattern to the candidates, of which none are left then.
func (m *Matcher) evaluate() {
	matches := 0
	for _, c := range slices.Backward(m.candidates) {
		if len(m.latest) == m.pattern.named && (c.counted || matches == CountLimit) {
			continue
		}
		if m.pattern.match(c.line, m.latest) && !c.counted {
			matches++
		}
	}
	m.lines += matches
	maps.Copy(m.values, m.latest)
	clear(m.latest)
	m.candidates = m.candidates[:0]
}
