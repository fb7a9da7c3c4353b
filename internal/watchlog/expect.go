package watchlog

import "slices"

// await asks the sink what the log has still to announce.
func (m *Matcher) await() {
	if len(m.expect) == 0 {
		return
	}
	missing := m.sink.Expect(m.expected)
	for i := range m.expect {
		m.awaited[i] = slices.Contains(missing, m.expect[i].text)
	}
	m.waiting = slices.Contains(m.awaited, true)
}

// announce tells the sink what the unfinished line announces with piece, up to where it fails, if it does.
func (m *Matcher) announce(piece []byte, failEnd int) {
	for i, awaited := range m.awaited {
		if !awaited {
			continue
		}
		end, text := m.first(m.expect[i:i+1], piece)
		if end < 0 || failEnd >= 0 && end > failEnd {
			continue
		}
		m.sink.Seen(text)
		m.awaited[i] = false
	}
	m.waiting = slices.Contains(m.awaited, true)
}
