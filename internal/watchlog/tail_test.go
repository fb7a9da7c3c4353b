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
		want   string
	}{
		{"nothing", 10, nil, ""},
		{"all", 20, []string{"one\n", "two\n"}, "one\ntwo\n"},
		{"unfinished line", 20, []string{"one\ntw"}, "one\ntw"},
		{"wrapped", 8, []string{"one\n", "two\n", "three\n"}, "three\n"},
		{"wrapped within a line", 8, []string{"abc", "defgh", "ijkl"}, "efghijkl"},
		{"wrapped within a character", 4, []string{"ééé"[1:]}, "éé"},
		{"wrapped in the middle of one", 3, []string{"ééé"}, "é"},
		{"one write larger than all", 8, []string{"x", strings.Repeat("abc\n", 100)}, "abc\n"},
		{"exactly full", 8, []string{"one\n", "two\n"}, "two\n"},
		{"colours", 100, []string{"\x1b[1;33mwarn\x1b[0m \x1b]0;title\aok\x1b(B\x1b[K\n"}, "warn ok\n"},
		{"control characters", 100, []string{"a\x00b\rc\td\x7f\u0085e\n"}, "abc\tde\n"},
		{"invalid UTF-8", 100, []string{"a\xffb\xc3\n"}, "a\ufffdb\ufffd\n"},
		{"unfinished escape sequence", 100, []string{"a\x1b[31"}, "a"},
		{"escape at the end", 100, []string{"a\x1b"}, "a"},
		{"broken escape sequence keeps the line", 100, []string{"\x1b[31\nb\x1b]title\nc"}, "\nb\nc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tail := watchlog.NewTail(c.size)
			for _, w := range c.writes {
				if n, err := tail.Write([]byte(w)); n != len(w) || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
			}
			if got := string(tail.Last()); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func FuzzTail(f *testing.F) {
	f.Add([]byte("one\n\x1b[1mtwo\xff\n"), byte(8), byte(3))
	f.Add([]byte("\x1b]éé\x1b\\é\n"), byte(4), byte(1))
	f.Add([]byte("\x1b"), byte(4), byte(1))
	f.Fuzz(func(t *testing.T, data []byte, size, chunk byte) {
		tail := watchlog.NewTail(int(size) + 1)
		for part := range chunks(data, int(chunk)+1) {
			tail.Write(part)
		}
		got := tail.Last()
		if most := (int(size) + 1) * len("\ufffd"); len(got) > most {
			t.Errorf("%d bytes, expected %d at most", len(got), most)
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
		for line := range strings.Lines(string(tail.Last())) {
			var i, j int
			if _, err := fmt.Sscanf(line, "%d %d\n", &i, &j); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	}
	writers.Wait()
	if got := tail.Last(); bytes.Count(got, []byte("\n")) < 100 {
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
