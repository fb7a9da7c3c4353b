//go:build linux

package supervise_test

import (
	"os"
	"os/exec"
	"testing"
)

// BenchmarkPump compares a watched node's output with node | cat, both to /dev/null.
func BenchmarkPump(b *testing.B) {
	const size = 256 << 20
	argv := writer(size, "-fast")
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()

	b.Run("cat", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			cmd := exec.Command("sh", append([]string{"-c", `"$@" | cat`, "sh"}, argv...)...)
			cmd.Stdout = null
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("supervisor", func(b *testing.B) {
		b.SetBytes(size)
		s := startSupervisor(b, setup{stdout: null})
		before := s.measure().CPU
		for b.Loop() {
			s.run(order{Args: argv, Watch: watchFor})
			s.expect("exit")
		}
		used := s.measure().CPU - before
		b.ReportMetric(used.Seconds()*(1e9/size)/float64(b.N), "cpu-s/GB")
	})
}
