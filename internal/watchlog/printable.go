package watchlog

import (
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
			text = text[escapeLen(text):]
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

// escapeLen returns the length of the escape sequence that text begins with, as ECMA-48 (5.4, 5.6) and xterm define
// them: a control sequence (colours, cursor), a string such as a window title, or a single function. A sequence that
// is malformed ends before the first byte that cannot belong to it.
func escapeLen(text []byte) int {
	if len(text) < 2 {
		return len(text)
	}
	switch text[1] {
	case '[':
		for i := 2; i < len(text); i++ {
			switch c := text[i]; {
			case c >= 0x40 && c <= 0x7e:
				return i + 1
			case c < 0x20 || c > 0x7e:
				return i
			}
		}
		return len(text)
	case ']', 'P', 'X', '^', '_':
		for i := 2; i < len(text); i++ {
			switch text[i] {
			case '\a':
				return i + 1
			case escape:
				return min(i+2, len(text))
			case '\n': // a title has no lines: better to show too much than to swallow the log
				return i
			}
		}
		return len(text)
	}
	i := 1
	for i < len(text) && text[i] >= 0x20 && text[i] <= 0x2f {
		i++
	}
	if i < len(text) && text[i] >= 0x30 && text[i] <= 0x7e {
		i++
	}
	return i
}
