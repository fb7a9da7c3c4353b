package watchlog_test

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"

	"github.com/kubevali/kubevali/internal/watchlog"
)

// discard is a Sink.
type discard struct{}

func (discard) Match(int, map[string]string) {}
func (discard) Fail(string, string)          {}
func (discard) Missing() []string            { return nil }
func (discard) Seen(string)                  {}

// chunkSize is what one read from a full pipe gives.
const chunkSize = 64 << 10

func fill(size int, line func(i int) string) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		b.WriteString(line(i))
	}
	return b.Bytes()
}

func gethLine(i int) string {
	return fmt.Sprintf("INFO [10-24|12:%02d:%02d.123] Imported new potential chain segment     number=%d "+
		"hash=4d3c2b..1a0f9e blocks=1 txs=%d mgas=%.3f elapsed=%dms mgasps=%.3f triediffs=1.21MiB triedirty=0.00B\n",
		i/60%60, i%60, 20_000_000+i, i%300, float64(i%30), i%400, float64(i%100))
}

func substrateLine(i int) string {
	switch i % 6 {
	case 0:
		return fmt.Sprintf("2024-10-24 12:%02d:%02d \x1b[1;33m[Relaychain]\x1b[0m 💤 Idle (40 peers), best: #%d "+
			"(0x2c1f…9e01), finalized #%d (0x88aa…be21), ⬇ 1.2MiB/s ⬆ 0.9MiB/s\n", i/60%60, i%60, 22_000_000+i, 21_999_997+i)
	case 1:
		return fmt.Sprintf("2024-10-24 12:%02d:%02d [Parachain] 🏆 Imported #%d (0x1d2c…77ab → 0x9f00…31dd)\n",
			i/60%60, i%60, 5_000_000+i)
	default:
		return fmt.Sprintf("2024-10-24 12:%02d:%02d DEBUG tokio-runtime-worker sub-libp2p: Libp2p => Connected(PeerId("+
			"\"12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc%04d\"), established_in: %dms)\n", i/60%60, i%60, i%10_000, i%997)
	}
}

func BenchmarkMatcher(b *testing.B) {
	geth := fill(8<<20, gethLine)
	substrate := fill(8<<20, substrateLine)
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
	for _, c := range []struct {
		name  string
		data  []byte
		rules watchlog.Rules
	}{
		{"geth/keyword/none", geth, watchlog.Rules{Keywords: []string{"Finalized block"}}},
		{"geth/keyword/none-common-bytes", geth, watchlog.Rules{Keywords: []string{"error: nonce"}}},
		{"geth/keyword/rare", geth, watchlog.Rules{Keywords: []string{"elapsed=399ms mgasps=99"}}},
		{"geth/keyword/every", geth, watchlog.Rules{Keywords: []string{"Imported new potential chain segment"}}},
		{"geth/keywords5/none", geth, watchlog.Rules{Keywords: []string{"Finalized", "sealed block"},
			FailKeywords: []string{"panic:", "Fatal:", "database corrupt"}}},
		{"geth/keywords5/every", geth, watchlog.Rules{Keywords: []string{"Imported new", "sealed block"},
			FailKeywords: []string{"panic:", "Fatal:", "database corrupt"}}},
		{"geth/keyword+pattern/every", geth, watchlog.Rules{Keywords: []string{"Imported new potential chain segment"},
			Pattern: regexp.MustCompile(`Imported new potential chain segment +number=(?P<best_block>\d+)`)}},
		{"geth/pattern/none", geth, watchlog.Rules{Pattern: regexp.MustCompile(`finalized=(?P<fin>\d+)`)}},
		{"geth/pattern/every", geth, watchlog.Rules{Pattern: regexp.MustCompile(`number=(?P<best_block>\d+)`)}},
		{"geth/pattern/every-gap", geth, watchlog.Rules{Pattern: regexp.MustCompile(`Imported.*number=(?P<best>[\d,]+)`)}},
		{"geth/pattern/every-no-shape", geth, watchlog.Rules{Pattern: regexp.MustCompile(`number=(?P<n>(\d|,)+)\b`)}},
		{"geth/pattern/no-literal", geth, watchlog.Rules{Pattern: regexp.MustCompile(`(?i)NUMBER=(?P<n>\d+)`)}},
		{"substrate/keyword/6th", substrate, watchlog.Rules{Keywords: []string{"💤 Idle"}}},
		{"substrate/keyword/none-common-bytes", substrate, watchlog.Rules{Keywords: []string{"disconnected"}}},
		{"substrate/pattern/6th", substrate, watchlog.Rules{
			Pattern: regexp.MustCompile(`best: #(?P<best>\d+) .*finalized #(?P<fin>\d+)`)}},
		{"oneline/keyword", long, watchlog.Rules{Keywords: []string{"Imported"}}},
		{"oneline/pattern", long, watchlog.Rules{Pattern: regexp.MustCompile(`number=(?P<n>\d+)`)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := watchlog.NewMatcher(c.rules, discard{})
			b.SetBytes(int64(len(c.data)))
			b.ReportAllocs()
			for b.Loop() {
				for rest := c.data; len(rest) > 0; {
					n := min(len(rest), chunkSize)
					m.Write(rest[:n])
					rest = rest[n:]
				}
			}
		})
	}
}
