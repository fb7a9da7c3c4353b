//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The supervisors' names, which head the columns.
const (
	bare         = "bare child"
	kubevaliName = "kubevali"
)

// table is a Markdown table with a column for each supervisor.
type table struct {
	columns []string
	rows    []row
}

type row struct {
	what  string
	cells map[string]string // by column; a missing one does not apply
	hold  string
}

func newTable(supervisors []supervisor) *table {
	t := &table{}
	for _, s := range supervisors {
		t.columns = append(t.columns, s.name)
	}
	return t
}

// row adds a row and returns its cells, still empty.
func (t *table) row(what, hold string) map[string]string {
	cells := map[string]string{}
	t.rows = append(t.rows, row{what, cells, hold})
	return cells
}

func (t *table) String() string {
	var b strings.Builder
	writeLine := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	writeLine(append(append([]string{"what"}, t.columns...), "hold")...)
	writeLine(slices.Repeat([]string{"---"}, len(t.columns)+2)...)
	for _, r := range t.rows {
		cells := []string{r.what}
		for _, column := range t.columns {
			cells = append(cells, r.cells[column])
		}
		writeLine(append(cells, r.hold)...)
	}
	return b.String()
}

// spread is how measurements of the same thing lie.
type spread struct {
	median, min, max float64
}

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

// format prints the median, lowest and highest, each by way of verb.
func (s spread) format(verb, unit string) string {
	return fmt.Sprintf("**"+verb+"** %s ("+verb+"–"+verb+")", s.median, unit, s.min, s.max)
}

func seconds(values []float64) string      { return spreadOf(values).format("%.2f", "s") }
func milliseconds(values []float64) string { return spreadOf(values).format("%.2f", "ms") }
func times(values []float64) string        { return spreadOf(values).format("%.2f", "times") }

func bytesOf(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

func mebibytes(n int64) string {
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

func each[T any](all []T, f func(T) float64) []float64 {
	values := make([]float64, len(all))
	for i, x := range all {
		values[i] = f(x)
	}
	return values
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// differences and ratios pair what was measured in the same round.
func differences(a, b []float64) []float64 {
	return pair(a, b, func(x, y float64) float64 { return x - y })
}

func ratios(a, b []float64) []float64 {
	return pair(a, b, func(x, y float64) float64 { return x / y })
}

func pair(a, b []float64, f func(x, y float64) float64) []float64 {
	values := make([]float64, len(a))
	for i := range a {
		values[i] = f(a[i], b[i])
	}
	return values
}
