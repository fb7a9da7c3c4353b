package watchlog_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/watchlog"
)

func TestRules(t *testing.T) {
	number := regexp.MustCompile(`number=(?P<n>\d+)`)
	for _, c := range []struct {
		name   string
		rules  ruleBook
		log    string
		want   []string
		values map[string]string
	}{
		{"a line counts once for several keywords", ruleBook{Keywords: []string{"a", "b"}}, "ab ba\nxx\nb\n", []string{"+2"}, nil},
		{"last line without newline", ruleBook{Keywords: []string{"a"}}, "x\na", []string{"+1"}, nil},
		{"pattern on last line without newline", ruleBook{Pattern: number}, "number=7", []string{"+1"}, map[string]string{"n": "7"}},
		{"keyword and pattern on one line", ruleBook{Keywords: []string{"new"}, Pattern: number},
			"new number=1\nnumber=2\nnew\n", []string{"+3"}, map[string]string{"n": "2"}},
		{"keyword that is in the pattern, too", ruleBook{Keywords: []string{"number="}, Pattern: number},
			"number=?\nnumber=1\nnumber\nnumber=", []string{"+3"}, map[string]string{"n": "1"}},
		{"empty keywords and those with a newline never match", ruleBook{Keywords: []string{"", "a\nb"}}, "a\nb\n", nil, nil},
		{"keyword at the very ends", ruleBook{Keywords: []string{"abc"}}, "abc\nxabc\nab\nc\nabc", []string{"+3"}, nil},
		{"overlapping beginnings", ruleBook{Keywords: []string{"aab"}}, "aaaaab\naaa\nb", []string{"+1"}, nil},
		{"NUL bytes", ruleBook{Keywords: []string{"a\x00b"}}, "\x00\x00a\x00b\x00\n\x00", []string{"+1"}, nil},
		{"failure", ruleBook{Keywords: []string{"ok"}, FailKeywords: []string{"bad"}},
			"ok\nok\nbad\nok\nbad\n", []string{"+2", "!bad", "+1", "!bad"}, nil},
		{"one failure a line, of the keyword that ends first", ruleBook{FailKeywords: []string{"long one", "one", "g"}},
			"a long one one\n", []string{"!g"}, nil},
		{"after a failure the rest of the line is no sign of life", ruleBook{Keywords: []string{"ok"}, FailKeywords: []string{"bad"},
			Pattern: number}, "bad ok number=1\nok bad\n", []string{"!bad", "+1", "!bad"}, nil},
		{"failure and sign of life in one text", ruleBook{Keywords: []string{"down"}, FailKeywords: []string{"shutdown"}},
			"shutdown\n", []string{"!shutdown"}, nil},
		{"announced on an earlier line", ruleBook{Keywords: []string{"ok"}, Expect: []string{"me"}},
			"ok\nit's me\nok\nme\n", []string{"+1", "?me", "+1"}, nil},
		{"announced on the line itself", ruleBook{Keywords: []string{"ok"}, Pattern: number, Expect: []string{"me", "you"}},
			"ok 1\nok number=1 you me\nnumber=2", []string{"+1", "?me", "?you", "+2"}, map[string]string{"n": "2"}},
		{"announced without newline", ruleBook{Keywords: []string{"ok"}, Expect: []string{"me"}}, "ok\nok me", []string{"+1", "?me", "+1"}, nil},
		{"announced on a failing line", ruleBook{Keywords: []string{"ok"}, FailKeywords: []string{"bad"}, Expect: []string{"me", "you"}},
			"ok me bad you\nok\nbad\nyou ok\n", []string{"?me", "+1", "!bad", "+1", "!bad", "?you", "+1"}, nil},
		{"never announced", ruleBook{Keywords: []string{"ok"}, Expect: []string{"me", "m\ne", ""}}, "ok\nm\ne\nok", []string{"+2"}, nil},
		{"the end of a keyword is announced", ruleBook{Keywords: []string{"aab"}, FailKeywords: []string{"bb"}, Expect: []string{"ab"}},
			"aaab aab\nab\nbb", []string{"?ab", "+1", "!bb"}, nil},
		{"carriage return", ruleBook{Pattern: regexp.MustCompile(`^(?P<x>a.)$`)}, "a1\r\na2\r\r\nab\n", []string{"+2"},
			map[string]string{"x": "ab"}},
		{"groups of different lines", ruleBook{Pattern: regexp.MustCompile(`a=(?P<a>\d)|b=(?P<b>\d)`)}, "a=1\nb=2\nb=3\n",
			[]string{"+3"}, map[string]string{"a": "1", "b": "3"}},
		{"values are short, printable and valid", ruleBook{Pattern: regexp.MustCompile(`v=(?P<v>.*)`)},
			"v=\x1b[31mred\x1b[0m\x00\xff" + strings.Repeat("é", 300) + "\n", []string{"+1"},
			map[string]string{"v": "red\ufffd" + strings.Repeat("é", 125)}},
		{"the pattern sees the first 64 KiB", ruleBook{Pattern: number},
			strings.Repeat("x", watchlog.PatternLimit-9) + "number=12345\n" + strings.Repeat("x", watchlog.PatternLimit-7) + "number=1\n",
			[]string{"+1"}, map[string]string{"n": "12"}},
		{"64 KiB and a carriage return", ruleBook{Pattern: regexp.MustCompile(`=\d$`)},
			strings.Repeat("x", watchlog.PatternLimit-2) + "=1\r\n", []string{"+1"}, nil},
		{"a carriage return in the middle, at 64 KiB", ruleBook{Pattern: regexp.MustCompile(`=\d$`)},
			strings.Repeat("x", watchlog.PatternLimit-3) + "=1\rx\n", nil, nil},
		{"a text that nearly occurs all over", ruleBook{Keywords: []string{"aab"}, FailKeywords: []string{"b"}},
			strings.Repeat("a", 5000) + "b", []string{"!b"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{0, 1, 2, 3, 7, 255} {
				if size > 0 && size < len(c.log)/1000 {
					continue // time
				}
				got := feed(c.rules, []byte(c.log), []byte{byte(size)})
				if !slices.Equal(got.events, c.want) {
					t.Errorf("chunks of %d: %v, want %v", size, got.events, c.want)
				}
				if !maps.Equal(got.values, c.values) {
					t.Errorf("chunks of %d: values %q, want %q", size, got.values, c.values)
				}
			}
		})
	}
}

// A keyword counts before its line has ended, and so does a failure; the pattern waits for the end.
func TestMatchesAtOnce(t *testing.T) {
	var r recorder
	m := ruleBook{
		Keywords: []string{"alive"}, FailKeywords: []string{"dead"}, Pattern: regexp.MustCompile(`is (?P<who>\w+)`),
	}.matcher(&r)
	for _, step := range []struct {
		write string
		lines int
		fails int
		who   string
	}{
		{"it is ali", 0, 0, ""},
		{"ve", 1, 0, ""},
		{" and alive", 1, 0, ""},
		{"\nis b", 1, 0, "alive"},
		{"ob", 1, 0, "alive"},
		{"\nde", 2, 0, "bob"},
		{"ad", 2, 1, "bob"},
		{" dead alive is x\n", 2, 1, "bob"},
	} {
		m.Write([]byte(step.write))
		if r.total != step.lines || len(r.shown) != step.fails || r.values["who"] != step.who {
			t.Errorf("after %q: %d lines, %d failures, values %v; want %d, %d, %q",
				step.write, r.total, len(r.shown), r.values, step.lines, step.fails, step.who)
		}
	}
}

// Of many lines that come at once the pattern sees as many as it takes: to find that one matches, wherever it is, to find
// the last values, and to count a few.
func TestPatternOnManyLinesAtOnce(t *testing.T) {
	const many = 1000
	other, match, optional := "n=? m=?\n", "n=1 m=?\n", "n=2 m=2\n"
	for _, c := range []struct {
		name   string
		log    string
		lines  int
		values map[string]string
	}{
		{"the first", match + strings.Repeat(other, many), 1, map[string]string{"n": "1"}},
		{"the last", strings.Repeat(other, many) + match, 1, map[string]string{"n": "1"}},
		{"few", strings.Repeat(match, watchlog.CountLimit), watchlog.CountLimit, map[string]string{"n": "1"}},
		{"a value of an early line", optional + strings.Repeat(match, 100), 101, map[string]string{"n": "1", "m": "2"}},
		{"a value of a late line", strings.Repeat(match, 100) + optional, watchlog.CountLimit, map[string]string{"n": "2", "m": "2"}},
		{"keywords count each time", strings.Repeat(optional+"key\n", 100), 100 + watchlog.CountLimit, map[string]string{"n": "2", "m": "2"}},
		{"keyword and pattern on each line", strings.Repeat("key "+match, 100), 100, map[string]string{"n": "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := ruleBook{Keywords: []string{"key"}, Pattern: regexp.MustCompile(`n=(?P<n>\d+) m=(?:(?P<m>\d+)|\?)`)}
			got := feed(rules, []byte(c.log), nil)
			if got.total != c.lines || !maps.Equal(got.values, c.values) {
				t.Errorf("%d lines, values %v, want %d, %v", got.total, got.values, c.lines, c.values)
			}
			if slow := feed(rules, []byte(c.log), []byte{9}); slow.total != naive(rules, []byte(c.log)).total || !maps.Equal(slow.values, c.values) {
				t.Errorf("line by line: %d lines, values %v", slow.total, slow.values)
			}
		})
	}
}

func TestFailureShowsItsLine(t *testing.T) {
	long := strings.Repeat("0123456789", 30)
	for _, c := range []struct{ name, log, want string }{
		{"short", "before\nan error here\nafter\n", "an error here"},
		{"coloured", "\x1b[31mERR\x1b[0m\tan error\r\n", "ERR\tan error"},
		{"beginning of the line", "an error " + long, "an error " + long[:191]},
		{"what leads up to it", long + "error" + long, long[300-195:] + "error"},
		{"invalid bytes", "\xff error", "\ufffd error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := ruleBook{FailKeywords: []string{"error"}}
			if got := feed(rules, []byte(c.log), nil).shown; !slices.Equal(got, []string{c.want}) {
				t.Errorf("%q, want %q", got, c.want)
			}
			got := feed(rules, []byte(c.log), []byte{7}).shown
			if len(got) != 1 || !strings.Contains(got[0], "error") || len(got[0]) > watchlog.ExcerptLimit {
				t.Errorf("in chunks: %q", got)
			}
		})
	}
}

// Large inputs of many lines, where the search learns and jumps, against the naive reference.
func TestLargeInputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	words := []string{"error", "errors", "rare", "eeee", "number=", "12", "ok", "\r", "é", "\x00", " ", "rr"}
	var b bytes.Buffer
	for b.Len() < 128<<10 {
		for range rng.IntN(20) {
			b.WriteString(words[min(rng.IntN(len(words)*3), rng.IntN(len(words)))])
		}
		b.WriteByte('\n')
	}
	for i, rules := range []ruleBook{
		{Keywords: []string{"error"}},
		{Keywords: []string{"errors rare", "okok"}, FailKeywords: []string{"eeeeee", "rarerare"}},
		{Keywords: []string{"ok"}, FailKeywords: []string{"rareerrorrare"}, Expect: []string{"eeeeeee", "rarerare", "never"}},
		{Keywords: []string{"okrare"}, Pattern: regexp.MustCompile(`number=(?P<n>\d+)`)},
		{FailKeywords: []string{"rareeeee"}, Pattern: regexp.MustCompile(`ok.*number=(?P<n>\d+)? `)},
		{Pattern: regexp.MustCompile(`(?:error|rare)s?é(?P<x>.)`)},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			check(t, rules, b.Bytes(), nil)
			check(t, rules, b.Bytes(), []byte{255, 1, 97})
			check(t, rules, b.Bytes(), []byte{watchlog.CountLimit})
		})
	}
}

// A line of 100 MiB takes no more memory than a short one.
func TestEndlessLine(t *testing.T) {
	var r recorder
	m := ruleBook{Keywords: []string{"needle"}, FailKeywords: []string{"never"},
		Pattern: regexp.MustCompile(`x(?P<n>needle)`)}.matcher(&r)
	chunk := bytes.Repeat([]byte("hay"), chunkSize/3)
	m.Write(chunk)
	m.Write(chunk)
	allocs := testing.AllocsPerRun(1600, func() { m.Write(chunk) })
	if allocs != 0 {
		t.Errorf("%v allocations for each chunk of a long line", allocs)
	}
	m.Write([]byte("...nee"))
	m.Write([]byte("dle"))
	if r.total != 1 {
		t.Errorf("%d matches, want 1", r.total)
	}
}

func TestLinesCostNoAllocations(t *testing.T) {
	data := fill(1<<20, substrateLine)
	const pooled = 50 // regexp keeps its memory in a sync.Pool, which the race detector empties at random
	for _, rules := range []ruleBook{
		{Keywords: []string{"Finalized", "no such thing"}, FailKeywords: []string{"panicked"}},
		{Keywords: []string{"Idle"}},
		{Pattern: regexp.MustCompile(`nowhere=(?P<n>\d+)`)},
		{Pattern: regexp.MustCompile(`best: #\d+`)},
	} {
		m := rules.matcher(discard{})
		m.Write(data)
		if allocs := testing.AllocsPerRun(3, func() { m.Write(data) }); allocs > pooled || allocs > 0 && rules.Pattern == nil {
			t.Errorf("%+v: %v allocations", rules, allocs)
		}
	}
}
