package watchlog_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/watchlog"
)

// A ruleBook is what a Matcher is told: the rules, and by its Sink what is expected.
type ruleBook struct {
	Keywords, FailKeywords, Expect []string
	Pattern                        *regexp.Regexp
}

func (b ruleBook) matcher(s watchlog.Sink) *watchlog.Matcher {
	return watchlog.NewMatcher(watchlog.Rules{Keywords: b.Keywords, FailKeywords: b.FailKeywords, Pattern: b.Pattern}, s)
}

// A recorder is a Sink that writes down what it is told: "+N" for N lines (adjacent ones added up), "!keyword", and
// "?text" for what is seen (adjacent ones in alphabetical order).
type recorder struct {
	expect []string
	events []string
	lines  int
	total  int
	values map[string]string
	shown  []string

	unsure int   // of lines, those that match only the pattern
	least  []int // for each of events that counts lines, how many must be counted at least
}

func (r *recorder) Match(lines int, values map[string]string) {
	r.lines += lines
	r.total += lines
	if r.values == nil {
		r.values = make(map[string]string)
	}
	maps.Copy(r.values, values)
}

func (r *recorder) Fail(keyword, line string) {
	r.flush()
	r.events = append(r.events, "!"+keyword)
	r.shown = append(r.shown, line)
}

func (r *recorder) Missing() (missing []string) {
	for _, text := range r.expect {
		if !slices.Contains(r.events, "?"+text) {
			missing = append(missing, text)
		}
	}
	return missing
}

func (r *recorder) Seen(text string) {
	if slices.Contains(r.events, "?"+text) {
		return
	}
	r.flush()
	r.events = append(r.events, "?"+text)
	first := len(r.events)
	for first > 0 && strings.HasPrefix(r.events[first-1], "?") {
		first--
	}
	slices.Sort(r.events[first:])
}

func (r *recorder) flush() {
	if r.lines > 0 {
		r.events = append(r.events, fmt.Sprintf("+%d", r.lines))
		r.least = append(r.least, r.lines-max(0, r.unsure-watchlog.CountLimit))
		r.lines, r.unsure = 0, 0
	}
}

// naive is the rule book applied to one line at a time.
func naive(rules ruleBook, data []byte) *recorder {
	r := &recorder{expect: rules.Expect}
	lines := bytes.Split(data, []byte("\n"))
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	for _, line := range lines {
		lifeEnd, _ := firstEnd(line, rules.Keywords)
		failEnd, failed := firstEnd(line, rules.FailKeywords)
		for _, text := range r.Missing() {
			if end, _ := firstEnd(line, []string{text}); end >= 0 && (failEnd < 0 || end <= failEnd) {
				r.Seen(text)
			}
		}
		counted := lifeEnd >= 0 && (failEnd < 0 || lifeEnd < failEnd)
		var values map[string]string
		if rules.Pattern != nil && failEnd < 0 {
			seen := bytes.TrimSuffix(line, []byte("\r"))
			seen = seen[:min(len(seen), watchlog.PatternLimit)]
			if found := rules.Pattern.FindSubmatch(seen); found != nil {
				if !counted {
					counted = true
					r.unsure++
				}
				values = make(map[string]string)
				for i, name := range rules.Pattern.SubexpNames() {
					if name != "" && found[i] != nil {
						values[name] = string(found[i])
					}
				}
			}
		}
		if counted {
			r.Match(1, values)
		}
		if failEnd >= 0 {
			r.Fail(failed, "")
		}
	}
	r.flush()
	return r
}

func firstEnd(line []byte, words []string) (end int, word string) {
	end = -1
	for _, w := range words {
		if w == "" || strings.Contains(w, "\n") {
			continue
		}
		if at := bytes.Index(line, []byte(w)); at >= 0 && (end < 0 || at+len(w) < end) {
			end, word = at+len(w), w
		}
	}
	return end, word
}

// feed writes data in chunks, whose lengths are taken from cuts in turn (0: the rest at once), and closes.
func feed(rules ruleBook, data []byte, cuts []byte) *recorder {
	r := &recorder{expect: rules.Expect}
	m := rules.matcher(r)
	for i := 0; len(data) > 0; i++ {
		n := len(data)
		if len(cuts) > 0 && cuts[i%len(cuts)] > 0 {
			n = min(n, int(cuts[i%len(cuts)]))
		}
		chunk := bytes.Clone(data[:n])
		m.Write(chunk)
		for j := range chunk {
			chunk[j] = 'x' // whoever keeps p is found out
		}
		data = data[n:]
	}
	m.Close()
	r.flush()
	return r
}

func check(t *testing.T, rules ruleBook, data, cuts []byte) {
	t.Helper()
	got, want := feed(rules, data, cuts), naive(rules, data)
	if !slices.Equal(got.events, want.events) && !(countsFewer(cuts) && got.within(want)) {
		t.Errorf("%q in chunks of %v: %v, want %v", clip(data), cuts, got.events, want.events)
	}
	for name, value := range want.values {
		want.values[name] = strings.ToValidUTF8(value, "\ufffd")
	}
	if reportedAsIs(want.values) && !maps.Equal(got.values, want.values) {
		t.Errorf("%q in chunks of %v: values %v, want %v", clip(data), cuts, got.values, want.values)
	}
}

// countsFewer reports whether more than CountLimit lines can come at once, so that not all need be counted.
func countsFewer(cuts []byte) bool {
	return len(cuts) == 0 || slices.Min(cuts) == 0 || slices.Max(cuts) > watchlog.CountLimit
}

// within reports whether r has the events of most, save that it counts fewer lines, but not less than the least.
func (r *recorder) within(most *recorder) bool {
	least := most.least
	return slices.EqualFunc(r.events, most.events, func(got, want string) bool {
		if got[0] != '+' || want[0] != '+' {
			return got == want
		}
		lines, _ := strconv.Atoi(got)
		upTo, _ := strconv.Atoi(want)
		from := least[0]
		least = least[1:]
		return from <= lines && lines <= upTo
	})
}

// reportedAsIs reports whether values are reported as they are: short, printable and valid.
func reportedAsIs(values map[string]string) bool {
	for _, v := range values {
		if len(v) > watchlog.ValueLimit || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
			return false
		}
	}
	return true
}

func clip(b []byte) string { return string(b[:min(len(b), 300)]) }

var patterns = []string{
	"",
	`number=(?P<n>\d+)`,
	`best: #(?P<best>\d+).*finalized #(?P<fin>[\d,]+)`,
	`a=(?P<a>\d+)|b=(?P<b>\d+)`,
	`^x.*y$`,
	`(?i)im(?P<v>p+)orted`,
	`(?P<k>\w+): (?P<opt>#\d+)?`,
	`plain`,
	`.*`,
	`\bok\b`,
	`é(?P<rest>\S+) .?`,
}

func FuzzMatcher(f *testing.F) {
	f.Add([]byte("INFO number=12 ok\nError: bad\nnumber=13\r\nplain"), "ok,plain", "Error,bad", "lain,=1", []byte{3, 1}, byte(1))
	f.Add([]byte("number=12\nnumber=\nnumber=13"), "number=,ok", "", "", []byte{0}, byte(1))
	f.Add([]byte("best: #12 (x) finalized #9,1\n\n\x00\nabab\nab"), "abab,b", "ab", "b,ab", []byte{1}, byte(2))
	f.Add([]byte("a=1 b=2\nb=3\na=4 aab\n"), "aab,aaab", "", "", []byte{2, 5, 0}, byte(3))
	f.Add([]byte("xx aaaaaab aab\n\xff\xfexaab"), "aab", "aaab,b", "aaa,xx,xx", []byte{4}, byte(10))
	f.Fuzz(func(t *testing.T, data []byte, life, fail, expect string, cuts []byte, choice byte) {
		rules := ruleBook{Keywords: strings.Split(life, ","), FailKeywords: strings.Split(fail, ","),
			Expect: strings.Split(expect, ",")}
		if p := patterns[int(choice)%len(patterns)]; p != "" {
			rules.Pattern = regexp.MustCompile(p)
		}
		check(t, rules, data, cuts)
	})
}

func FuzzPattern(f *testing.F) {
	for _, p := range patterns {
		f.Add(p, []byte("INFO Imported new chain segment number=12\nbest: #3 (0x) finalized #1\r\n"))
	}
	f.Add(`\x{D800}a+[^b]*c`, []byte("\ufffdaac\n\xed\xa0\x80ac"))
	f.Add(`x[^ ]y?.+z`, []byte("xé z\nx\xffyzz\nxaybz"))
	f.Fuzz(func(t *testing.T, expr string, data []byte) {
		re, err := regexp.Compile(expr)
		if err != nil || len(expr) > 100 {
			return // not a pattern of anybody
		}
		check(t, ruleBook{Pattern: re}, data, nil)
	})
}
