package watchlog

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

const escape = 0x1b

// printable returns at most limit bytes of text as valid UTF-8 without control characters (newline and tab aside)
// and without terminal escape sequences. Bytes that are not UTF-8 become U+FFFD.
func printable(text []byte, limit int) []byte {
	out := make([]byte, 0, min(len(text), limit))
	for len(text) > 0 {
		if text[0] == escape {
			text = afterEscape(text[1:])
			continue
		}
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			continue
		}
		if len(out)+utf8.RuneLen(r) > limit {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// afterEscape returns what follows an escape sequence that began in front of text, as ECMA-48 (5.4, 5.6) and xterm define
// them: a control sequence (colours, cursor), a string such as a window title, or a single function. A sequence that is
// malformed ends before the first byte that cannot belong to it.
func afterEscape(text []byte) []byte {
	if len(text) == 0 {
		return nil
	}
	switch text[0] {
	case '[':
		return afterFinal(text[1:], '@')
	case ']', 'P', 'X', '^', '_':
		end := bytes.IndexAny(text, "\a\x1b\n")
		switch {
		case end < 0:
			return nil
		case text[end] == '\n': // a title has no lines: better to show too much than to swallow the log
			return text[end:]
		case text[end] == escape: // and a backslash
			end++
		}
		return text[min(end+1, len(text)):]
	}
	return afterFinal(text, '0')
}

// afterFinal returns what follows the first byte from final to ~, where only those from a blank to final come before it.
func afterFinal(text []byte, final byte) []byte {
	for len(text) > 0 && text[0] >= ' ' && text[0] < final {
		text = text[1:]
	}
	if len(text) > 0 && text[0] >= final && text[0] <= '~' {
		text = text[1:]
	}
	return text
}
