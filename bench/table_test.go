//go:build linux

package main

import "testing"

func TestSpread(t *testing.T) {
	tests := []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{9, 1, 4}, spread{4, 1, 9}},
		{[]float64{8, 1, 4, 2}, spread{3, 1, 8}},
	}
	for _, test := range tests {
		if got := spreadOf(test.values); got != test.want {
			t.Errorf("spreadOf(%v) = %v, want %v", test.values, got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	table := newTable([]supervisor{{name: bare}, {name: kubevaliName}})
	table.row("binary", "≤ 18 MB")[kubevaliName] = bytesOf(11_448_482)
	table.row("difference", "")[kubevaliName] = milliseconds(differences([]float64{3, 4}, []float64{1, 1}))
	want := `| what | bare child | kubevali | hold |
| --- | --- | --- | --- |
| binary |  | 11.4 MB | ≤ 18 MB |
| difference |  | **2.50** ms (2.00–3.00) |  |
`
	if got := table.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
