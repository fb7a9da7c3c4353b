package watchlog

import "bytes"

// kinds are what it means that a line contains a text.
type kinds int

const (
	life         kinds = 1 << iota // a sign of life
	failure                        // the opposite
	announcement                   // what is expected
	literal                        // the pattern may match: each of its matches contains one of its literals
)

// A text is looked for in the log.
type text struct {
	text  string
	kinds kinds // none: it has been announced and means nothing more

	// The search jumps from one occurrence of a single byte to the next, which runs at memory speed as long as that byte is
	// rare. Which one is depends on the log (hashes, numbers, colours), so it is counted there, now and then.
	jump int // which byte of text
	due  int // how many bytes are searched until it is chosen again

	next int // where in the chunk at hand it is found next; see Matcher.wholeLines
}

const (
	sampleSize = 4 << 10 // how much of the log is counted to choose the byte to jump to
	minSample  = 512
	sampleGap  = 1 << 20 // how much is searched from one choice to the next
)

// index returns where the text first occurs in s, or -1. The answer is that of bytes.Index; only the time differs.
func (t *text) index(s []byte) int {
	if t.due <= 0 && len(s) >= minSample {
		t.choose(s[:min(len(s), sampleSize)])
		t.due = sampleGap
	}
	n := len(t.text)
	limit := len(s) - (n - 1 - t.jump) // at or beyond it the text's end does not fit any more
	for i := t.jump; i < limit; i++ {
		gap := bytes.IndexByte(s[i:limit], t.text[t.jump])
		if gap < 0 {
			break
		}
		i += gap
		if start := i - t.jump; string(s[start:start+n]) == t.text {
			t.due -= start
			return start
		}
	}
	t.due -= len(s)
	return -1
}

// choose makes the byte that is rarest in the sample the one to jump to.
func (t *text) choose(sample []byte) {
	fewest := len(sample) + 1
	for i := range len(t.text) {
		if n := bytes.Count(sample, []byte{t.text[i]}); n < fewest {
			t.jump, fewest = i, n
		}
	}
}
