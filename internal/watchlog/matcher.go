package watchlog

import (
	"bytes"
	"slices"
)

const (
	// PatternLimit is how many bytes of a line the pattern sees.
	PatternLimit = 64 << 10
	// ValueLimit is how many bytes of a named group's value are reported.
	ValueLimit = 256
	// ExcerptLimit is how many bytes of a line are shown with a failure.
	ExcerptLimit = 200
)

// A Matcher applies [Rules] to one stream of bytes. It is an [io.WriteCloser] whose methods never fail, never block
// and keep nothing of what they are given; it is not safe for concurrent use.
//
// A keyword counts as soon as its last byte has been written, a pattern when its line has ended. A line counts once,
// however many of its parts are signs of life. From where a line has failed nothing in it is a sign of life any more,
// so that the failure stands until another line matches; several fail keywords make one failure, named after the one
// that ends first.
//
// What a line announces counts for the line itself: as long as something is expected, a line's signs of life wait for
// its end. Behind a fail keyword nothing is announced.
//
// A carriage return does not end a line. Every other byte is ordinary, NUL too.
type Matcher struct {
	sink Sink
	// texts are all texts that are looked for; life, fail, expect and the pattern's literals are parts of it, in this
	// order.
	texts, life, fail, expect []finder

	expected []string // Rules.Expect
	awaited  []bool   // which of expect the log has not held yet, as far as known
	waiting  bool     // there are such

	pattern *pattern // nil without one
	// everyLine is set when the pattern has to see all lines, since it has no literals.
	everyLine bool
	// keep is how much of an unfinished line is remembered to find what straddles two chunks.
	keep int

	// What has been found and not been reported yet. latest, a line of the current chunk, still has values.
	lines  int
	values map[string]string
	latest []byte

	// The unfinished line: its last bytes for keywords, its first bytes for the pattern, and what is known of it.
	open, counted, failed bool
	carry                 []byte
	head                  []byte

	next []int  // where each of texts is found next; scratch of wholeLines
	seam []byte // where two chunks meet; scratch of extend
}

// NewMatcher returns a Matcher that tells s what r finds.
func NewMatcher(r Rules, s Sink) *Matcher {
	life, fail, expect := finders(r.Keywords), finders(r.FailKeywords), finders(r.Expect)
	m := &Matcher{sink: s, texts: slices.Concat(life, fail, expect), expected: r.Expect, awaited: make([]bool, len(expect))}
	for i := range m.texts {
		m.keep = max(m.keep, len(m.texts[i].text)-1)
	}
	if len(fail) > 0 {
		m.keep = max(m.keep, ExcerptLimit)
	}
	if r.Pattern != nil {
		m.pattern = newPattern(r.Pattern)
		m.texts = append(m.texts, m.pattern.literals...)
		m.everyLine = len(m.pattern.literals) == 0
	}
	m.life, m.fail = m.texts[:len(life)], m.texts[len(life):][:len(fail)]
	m.expect = m.texts[len(life)+len(fail):][:len(expect)]
	m.next = make([]int, len(m.texts))
	return m
}

// Write looks at p and reports what it finds before it returns; it always returns len(p) and nil.
func (m *Matcher) Write(p []byte) (int, error) {
	m.await()
	rest := p
	if m.open {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			m.extend(rest)
			m.reportUnlessHeld()
			return len(p), nil
		}
		m.extend(rest[:end])
		m.endLine()
		rest = rest[end+1:]
	}
	if end := bytes.LastIndexByte(rest, '\n'); end >= 0 {
		m.wholeLines(rest[:end+1])
		rest = rest[end+1:]
	}
	if len(rest) > 0 {
		if m.waiting {
			m.report()
		}
		m.extend(rest)
	}
	m.reportUnlessHeld()
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

// reportUnlessHeld reports, save while the unfinished line may still announce what is expected.
func (m *Matcher) reportUnlessHeld() {
	if !m.open || !m.waiting {
		m.report()
	}
}

// report tells the sink what has been found since the last report.
func (m *Matcher) report() {
	m.collect()
	if m.lines > 0 || m.values != nil {
		m.sink.Match(m.lines, m.values)
	}
	m.lines, m.values = 0, nil
}

// collect takes the values from latest.
func (m *Matcher) collect() {
	if m.latest != nil {
		m.values = m.pattern.values(m.values, m.latest)
		m.latest = nil
	}
}

// wholeLines looks at p, which consists of finished lines only. It jumps from one line with a hit to the next.
func (m *Matcher) wholeLines(p []byte) {
	for i := range m.next {
		m.next[i] = -1
	}
	for i, awaited := range m.awaited {
		if !awaited {
			m.next[len(m.life)+len(m.fail)+i] = len(p)
		}
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
		if m.next[i] < start {
			m.next[i] = len(p)
			if at := m.texts[i].index(p[start:]); at >= 0 {
				m.next[i] = start + at
			}
		}
		hit = min(hit, m.next[i])
	}
	return hit
}

// line looks at the line of p that ends at end and in which there is something at hit, not before. It begins at start
// or later.
func (m *Matcher) line(p []byte, start, hit, end int) {
	fails := len(m.life) + len(m.fail)
	life, fail, announced := false, false, false
	literal := end
	for i, next := range m.next {
		switch {
		case next >= end:
		case i < len(m.life):
			life = true
		case i < fails:
			fail = true
		case i < fails+len(m.expect):
			announced = true
		default:
			literal = min(literal, next)
		}
	}
	if announced {
		m.report()
	}
	order := fail || announced // rare, and what comes first in the line matters
	if life && !order {
		m.lines++
	}
	try := m.pattern != nil && (m.pattern.named || !life) && (m.everyLine || literal < end)
	if !order && !try {
		return
	}
	if bytes.IndexByte(p[start:hit], '\n') >= 0 { // this way round, since mostly hits are in adjacent lines or few
		start += bytes.LastIndexByte(p[start:hit], '\n') + 1
	}
	if order {
		m.extend(p[start:end])
		m.endLine()
		return
	}
	m.evaluate(p[start:end], literal-start, life)
}

// evaluate applies the pattern to a line that has not failed. In front of literal there is none of the pattern's.
// counted says that the line has been counted before.
func (m *Matcher) evaluate(line []byte, literal int, counted bool) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	line = line[:min(len(line), PatternLimit)]
	if !m.pattern.match(line, min(literal, len(line))) {
		return
	}
	if !counted {
		m.lines++
	}
	switch {
	case !m.pattern.named:
	case m.pattern.steady:
		m.latest = line
	default:
		m.values = m.pattern.values(m.values, line)
	}
}
