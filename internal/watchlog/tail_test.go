package watchlog_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/kubevali/kubevali/internal/watchlog"
)

func TestTail(t *testing.T) {
	for _, c := range []struct {
		name   string
		size   int
		writes []string
		limit  int
		want   string
	}{
		{"nothing", 10, nil, 10, ""},
		{"all", 20, []string{"one\n", "two\n"}, 20, "one\ntwo\n"},
		{"unfinished line", 20, []string{"one\ntw"}, 20, "one\ntw"},
		{"whole lines that fit", 100, []string{"one\ntwo\nthree\n"}, 13, "two\nthree\n"},
		{"exactly whole lines", 100, []string{"one\ntwo\nthree\n"}, 10, "two\nthree\n"},
		{"one long line", 100, []string{"one\nabcdefgh"}, 4, "efgh"},
		{"one long line with its end", 100, []string{"one\nabcdefgh\n"}, 4, "fgh\n"},
		{"cut at a character", 100, []string{"aéé"}, 3, "é"},
		{"no room", 100, []string{"abc\n"}, 0, ""},
		{"wrapped", 8, []string{"one\n", "two\n", "three\n"}, 100, "three\n"},
		{"wrapped within a line", 8, []string{"abc", "defgh", "ijkl"}, 100, "efghijkl"},
		{"wrapped within a character", 4, []string{"ééé"[1:]}, 100, "éé"},
		{"wrapped in the middle of one", 3, []string{"ééé"}, 100, "é"},
		{"one write larger than all", 8, []string{"x", strings.Repeat("abc\n", 100)}, 100, "abc\n"},
		{"exactly full", 8, []string{"one\n", "two\n"}, 100, "two\n"},
		{"colours", 100, []string{"\x1b[1;33mwarn\x1b[0m \x1b]0;title\aok\x1b(B\x1b[K\n"}, 100, "warn ok\n"},
		{"control characters", 100, []string{"a\x00b\rc\td\x7f\u0085e\n"}, 100, "abc\tde\n"},
		{"invalid UTF-8", 100, []string{"a\xffb\xc3\n"}, 100, "a\ufffdb\ufffd\n"},
		{"unfinished escape sequence", 100, []string{"a\x1b[31"}, 100, "a"},
		{"escape at the end", 100, []string{"a\x1b"}, 100, "a"},
		{"broken escape sequence keeps the line", 100, []string{"\x1b[31\nb\x1b]title\nc"}, 100, "\nb\nc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tail := watchlog.NewTail(c.size)
			for _, w := range c.writes {
				if n, err := tail.Write([]byte(w)); n != len(w) || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
			}
			if got := string(tail.Last(c.limit)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func FuzzTail(f *testing.F) {
	f.Add([]byte("one\n\x1b[1mtwo\xff\n"), byte(8), byte(3), 7)
	f.Add([]byte("\x1b]éé\x1b\\é\n"), byte(4), byte(1), 3)
	f.Add([]byte("\x1b"), byte(4), byte(1), -1)
	f.Fuzz(func(t *testing.T, data []byte, size, chunk byte, limit int) {
		tail := watchlog.NewTail(int(size) + 1)
		for part := range chunks(data, int(chunk)+1) {
			tail.Write(part)
		}
		got := tail.Last(limit)
		if len(got) > max(limit, 0) {
			t.Errorf("%d bytes, limit %d", len(got), limit)
		}
		if !utf8.Valid(got) {
			t.Errorf("not UTF-8: %q", got)
		}
		if i := bytes.IndexFunc(got, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
			t.Errorf("control character in %q", got)
		}
	})
}

func chunks(data []byte, n int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 && yield(data[:min(n, len(data))]) {
			data = data[min(n, len(data)):]
		}
	}
}

func TestTailIsSafeForConcurrentUse(t *testing.T) {
	tail := watchlog.NewTail(1 << 10)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for j := range 500 {
				fmt.Fprintf(tail, "%d %d\n", i, j)
			}
		})
	}
	for range 100 {
		for line := range strings.Lines(string(tail.Last(500))) {
			var i, j int
			if _, err := fmt.Sscanf(line, "%d %d\n", &i, &j); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	}
	writers.Wait()
	if got := tail.Last(1 << 10); bytes.Count(got, []byte("\n")) < 100 {
		t.Errorf("only %q", got)
	}
}

func BenchmarkTail(b *testing.B) {
	tail := watchlog.NewTail(16 << 10)
	for _, size := range []int{200, chunkSize} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			for b.Loop() {
				tail.Write(p)
			}
		})
	}
}
