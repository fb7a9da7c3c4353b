package watchlog

// extend looks at piece, the next bytes of the unfinished line.
func (m *Matcher) extend(piece []byte) {
	m.open = true
	lifeEnd, failEnd, keyword := -1, -1, ""
	if !m.failed {
		m.joinSeam(piece)
		failEnd, keyword = m.first(m.fail, piece)
		m.announce(piece, failEnd)
		if !m.counted {
			lifeEnd, _ = m.first(m.life, piece)
		}
	}
	if lifeEnd >= 0 && (failEnd < 0 || lifeEnd < failEnd) {
		m.counted = true
		m.lines++
	}
	if failEnd >= 0 {
		m.failed = true
		m.report()
		m.sink.Fail(keyword, m.excerpt(piece, failEnd))
	}
	m.remember(piece)
}

// joinSeam puts the remembered end of the unfinished line and the beginning of piece together, as far as a keyword
// can reach to both sides.
func (m *Matcher) joinSeam(piece []byte) {
	m.seam = append(m.seam[:0], m.carry...)
	if len(m.carry) > 0 {
		m.seam = append(m.seam, piece[:min(len(piece), m.keep)]...)
	}
}

// first returns where in piece the first occurrence of any of fs ends, and which it is; -1 when there is none. Of
// two that end together it is the earlier of fs.
func (m *Matcher) first(fs []finder, piece []byte) (end int, keyword string) {
	end = -1
	for i := range fs {
		f := &fs[i]
		at := f.index(m.seam)
		if at >= 0 {
			at -= len(m.carry)
		} else if at = f.index(piece); at < 0 {
			continue
		}
		if e := at + len(f.text); end < 0 || e < end {
			end, keyword = e, f.text
		}
	}
	return end, keyword
}

// excerpt returns the beginning of the unfinished line with piece added, or, when the keyword that ends at end is not
// within that, what leads up to its end.
func (m *Matcher) excerpt(piece []byte, end int) string {
	text := append(append([]byte(nil), m.carry...), piece[:min(len(piece), end+ExcerptLimit)]...)
	end += len(m.carry)
	if end > ExcerptLimit {
		text = text[end-ExcerptLimit : end]
	}
	return string(printable(text, ExcerptLimit))
}

// remember keeps what later pieces of the unfinished line need of this one.
func (m *Matcher) remember(piece []byte) {
	m.carry = appendLast(m.carry, piece, m.keep)
	if m.pattern == nil {
		return
	}
	// One byte more than the pattern sees: it may be the carriage return at the end of the line.
	room := PatternLimit + 1 - len(m.head)
	m.head = append(m.head, piece[:min(len(piece), room)]...)
}

// endLine finishes the unfinished line.
func (m *Matcher) endLine() {
	if m.pattern != nil && !m.failed && (!m.counted || m.pattern.named) {
		if literal := m.pattern.literal(m.head); literal >= 0 {
			m.evaluate(m.head, literal, m.counted)
			m.collect() // head is about to be overwritten
		}
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
