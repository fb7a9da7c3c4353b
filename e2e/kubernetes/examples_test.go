package kubernetes

import (
	"os"
	"path/filepath"
	"testing"
)

// TestExamples has the API server check all objects of the examples as it does before it stores them, and warn of pods
// that restricted pod security would refuse.
func TestExamples(t *testing.T) {
	needCluster(t)
	t.Parallel()
	examples, err := os.ReadDir(filepath.Join(env.repository, "deploy/examples"))
	if err != nil {
		t.Fatal(err)
	}
	if len(examples) == 0 {
		t.Fatal("there are no examples")
	}
	n := newNamespace(t, "examples")
	for _, example := range examples {
		t.Run(example.Name(), func(t *testing.T) {
			dir := newOverlay(t, n, example.Name()).write(t)
			t.Log(n.kubectl(t, "apply", "-k", dir, "--dry-run=server", "--validate=strict", "--warnings-as-errors"))
		})
	}
}
