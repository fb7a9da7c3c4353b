package watchlog

import "bytes"

const (
	// A jump from one occurrence of a byte to the next is worth it when they are this far apart: below slowGap a
	// plain search is faster, below fastGap it is worth looking for a rarer byte.
	slowGap = 16
	fastGap = 256
	// grace is how many bytes are searched before that is judged.
	grace = 1024
	// maxPatience is how many bytes are searched at most from one choice of a byte to the next.
	maxPatience = 1 << 20
	// sampleSize is how much of the input is counted to choose a byte.
	sampleSize = 2048
)

// A finder looks for one plain text. It jumps from one occurrence of a single byte of the text to the next, which
// runs at memory speed as long as that byte is rare, and learns from the input which byte of the text is the rarest:
// logs differ too much (hashes, numbers, colours) for a fixed table.
type finder struct {
	text     string
	at       int // the byte of text that is jumped to
	searched int // bytes, and false candidates among them, since at was chosen
	misses   int
	patience int
}

// index returns where the text first occurs in s, or -1. The answer is that of bytes.Index; only the time differs.
func (f *finder) index(s []byte) int {
	n := len(f.text)
	first, rare, last := f.text[0], f.text[f.at], f.text[n-1]
	limit := len(s) - (n - 1 - f.at) // at or beyond it the text's end does not fit any more
	misses := 0
	for i := f.at; i < limit; i++ {
		jump := bytes.IndexByte(s[i:limit], rare)
		if jump < 0 {
			break
		}
		i += jump
		start := i - f.at
		if s[start] == first && s[start+n-1] == last && string(s[start:start+n]) == f.text {
			f.learn(s, start, misses)
			return start
		}
		misses++
		if misses*slowGap > i+grace {
			f.learn(s, start, misses)
			rest := bytes.Index(s[start+1:], []byte(f.text))
			if rest < 0 {
				return -1
			}
			return start + 1 + rest
		}
	}
	f.learn(s, len(s), misses)
	return -1
}

// learn takes note of a search, and chooses another byte to jump to when there have been too many misses.
func (f *finder) learn(s []byte, searched, misses int) {
	f.searched += searched
	f.misses += misses
	if f.misses*fastGap <= f.searched+grace+f.patience {
		return
	}
	s = s[:min(len(s), sampleSize)]
	fewest := len(s) + 1
	for i := range len(f.text) {
		if n := bytes.Count(s, []byte{f.text[i]}); n < fewest {
			f.at, fewest = i, n
		}
	}
	f.searched, f.misses = 0, 0
	f.patience = min(2*f.patience+grace, maxPatience)
}

// finders returns a finder for each text that can occur in a line at all.
func finders(texts []string) []finder {
	var fs []finder
	for _, text := range texts {
		if text != "" && !bytes.Contains([]byte(text), []byte("\n")) {
			fs = append(fs, finder{text: text})
		}
	}
	return fs
}
