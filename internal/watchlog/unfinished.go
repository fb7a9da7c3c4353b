package watchlog

import "bytes"

// extend looks at piece, the next bytes of the unfinished line.
func (m *Matcher) extend(piece []byte) {
	m.open = true
	if !m.failed {
		m.joinSeam(piece)
		failEnd, keyword := m.first(failure, piece)
		m.announce(piece, failEnd)
		if !m.counted {
			lifeEnd, _ := m.first(life, piece)
			m.counted = lifeEnd >= 0 && (failEnd < 0 || lifeEnd < failEnd)
			if m.counted {
				m.lines++
			}
		}
		if failEnd >= 0 {
			m.failed = true
			m.report()
			m.sink.Fail(keyword, m.excerpt(piece, failEnd))
		}
	}
	m.remember(piece)
}

// joinSeam puts the remembered end of the unfinished line and the beginning of piece together, as far as a text can
// reach to both sides.
func (m *Matcher) joinSeam(piece []byte) {
	m.seam = append(m.seam[:0], m.carry...)
	if len(m.carry) > 0 {
		m.seam = append(m.seam, piece[:min(len(piece), m.keep)]...)
	}
}

// end returns where in piece the first occurrence of t ends, -1 when there is none. It may begin before piece.
func (m *Matcher) end(t *text, piece []byte) int {
	at := t.index(m.seam)
	if at >= 0 {
		return at - len(m.carry) + len(t.text)
	}
	if at = t.index(piece); at >= 0 {
		return at + len(t.text)
	}
	return -1
}

// first returns where in piece the first occurrence of any text of a kind ends, and which it is; -1 when there is none.
// Of two that end together it is the earlier in the rules.
func (m *Matcher) first(k kinds, piece []byte) (end int, found string) {
	end = -1
	for i := range m.texts {
		t := &m.texts[i]
		if t.kinds&k == 0 {
			continue
		}
		if e := m.end(t, piece); e >= 0 && (end < 0 || e < end) {
			end, found = e, t.text
		}
	}
	return end, found
}

// announce tells the sink what the unfinished line announces with piece, up to where it fails, if it does.
func (m *Matcher) announce(piece []byte, failEnd int) {
	for i := range m.texts {
		t := &m.texts[i]
		if t.kinds&announcement == 0 {
			continue
		}
		if end := m.end(t, piece); end >= 0 && (failEnd < 0 || end <= failEnd) {
			m.sink.Seen(t.text)
			t.kinds &^= announcement
		}
	}
}

// excerpt returns the beginning of the unfinished line with piece added, or, when the keyword that ends at end is not
// within that, what leads up to its end.
func (m *Matcher) excerpt(piece []byte, end int) string {
	text := append(bytes.Clone(m.carry), piece[:min(len(piece), end+ExcerptLimit)]...)
	end += len(m.carry)
	if end > ExcerptLimit {
		text = text[end-ExcerptLimit : end]
	}
	return string(printable(text, ExcerptLimit))
}

// remember keeps what later pieces of the unfinished line need of this one.
func (m *Matcher) remember(piece []byte) {
	m.carry = appendLast(m.carry, piece, m.keep)
	if m.pattern != nil {
		// One byte more than the pattern sees: it may be the carriage return at the end of the line.
		m.head = append(m.head, piece[:min(len(piece), PatternLimit+1-len(m.head))]...)
	}
}

// endLine finishes the unfinished line.
func (m *Matcher) endLine() {
	var has kinds
	if m.counted {
		has = life
	}
	for i := range m.texts {
		if t := &m.texts[i]; t.kinds&literal != 0 && t.index(m.head) >= 0 {
			has |= literal
		}
	}
	if !m.failed && m.toEvaluate(has) {
		m.candidates = append(m.candidates, candidate{m.head, m.counted})
		m.evaluate() // head is about to be overwritten
	}
	m.open, m.counted, m.failed = false, false, false
	m.carry, m.head = m.carry[:0], m.head[:0]
}

// appendLast appends p to b and drops all but the last n bytes, without growing b much beyond them.
func appendLast(b, p []byte, n int) []byte {
	if len(p) >= n {
		return append(b[:0], p[len(p)-n:]...)
	}
	if drop := len(b) + len(p) - n; drop > 0 {
		b = b[:copy(b, b[drop:])]
	}
	return append(b, p...)
}
