package plan_test

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/secret"
)

func TestWriteText(t *testing.T) {
	const want = `# pod sts-2, namespace chains, index 2
# env PLAIN="a<b"
# env TRICKY="a\ntouch /tmp/never"
# without env ROOT_KEY
# in /data
# file /data/jwt (0644, 64 bytes, only if there is none)
# file /data/private (0640, 7 bytes)
# file /data/public (0644, 14 bytes)
#   | one
#   | "two\rthree"
# file /data/empty (0644, 0 bytes)
# service sts-2 (NodePort): p2p 30333/TCP on node port 30335
# watchlog "Imported" matching "n=(?P<n>\\d+)", failing on "FATAL", at least every 10m, healthcheck 1111…
# probes at :49944
printf '<%s>' 'a b' --name 'it'\''s 2'
`
	if got := text(t, mustMake(t, fullFile, sts2())); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWriteTextIsASafeScript(t *testing.T) {
	for _, nasty := range nastyArgs {
		if nasty == "" {
			continue
		}
		made := plan.Plan{
			Pod: nasty, Namespace: nasty, WorkingDir: nasty, UnsetEnv: []string{nasty},
			Env:   map[string]string{nasty: nasty},
			Files: []plan.File{{Path: nasty, Content: []byte("a\n" + nasty), Mode: 0o644}},
			Keys:  []plan.Key{{Key: keyfile.Key{Name: nasty, Path: nasty}, PublicID: "id", ExpectInLog: nasty}},
			Watchlog: &plan.Watchlog{
				Watchlog:      config.Watchlog{Keywords: []string{nasty}, FailKeywords: []string{nasty}, Pattern: config.Pattern(nasty)},
				HealthcheckID: secret.Text(nasty + "12345678"),
			},
			Monitor: plan.Monitor{Listen: nasty},
			Command: []string{"printf", "%s", nasty},
		}
		script := text(t, &made)
		out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput()
		if err != nil || string(out) != nasty {
			t.Errorf("the script printed %q, %v; want %q\n%s", out, err, nasty, script)
		}
	}
}

func text(t *testing.T, made *plan.Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := made.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
