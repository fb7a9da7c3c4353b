package prepare_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/prepare"
)

// root is a root secret, which nothing may show.
var root = strings.Repeat("secret", 8)

func newRing() *keyfile.Keyring {
	ring := new(keyfile.Keyring)
	ring.Take([]string{"ROOT=" + root}, keyfile.Source{Env: "ROOT"})
	return ring
}

// newKey is a key of the pod geth-0 at path.
func newKey(path string) plan.Key {
	return plan.Key{
		Key: keyfile.Key{
			Name: "node", Pod: "geth-0", Namespace: "chains", Path: path, Root: keyfile.Source{Env: "ROOT"},
			Scheme: keyderive.HKDFSHA256, Type: keyderive.Ed25519, Format: keyderive.Hex,
			Identity: keyderive.Identity{Namespace: "chains", Pod: "geth-0"}, IfExists: keyfile.Fail,
		},
		Mode:  0o640,
		Owner: config.Owner{UID: os.Geteuid(), GID: os.Getegid(), IsSet: true},
	}
}

func TestKeysAreWrittenOnce(t *testing.T) {
	key := newKey(filepath.Join(t.TempDir(), "folder", "key"))
	log, logged := newLog()
	if err := prepare.Run(t.Context(), log, prepare.Keys([]plan.Key{key}, newRing(), log)); err != nil {
		t.Fatal(err)
	}
	public, err := newRing().Public(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Wrote P2P key node to " + key.Path + ": peer " + public.PeerID}
	if lines := logged(logrus.InfoLevel); !slices.Equal(lines, want) {
		t.Errorf("logged %q, want %q", lines, want)
	}
	content, err := os.ReadFile(key.Path)
	if err != nil || len(content) != 64 {
		t.Errorf("%q, %v", content, err)
	}
	checkFile(t, key.Path, string(content), 0o640)

	log, logged = newLog()
	if err := prepare.Run(t.Context(), log, prepare.Keys([]plan.Key{key}, newRing(), log)); err != nil {
		t.Fatal(err)
	}
	if lines := logged(logrus.InfoLevel); len(lines) != 0 {
		t.Errorf("again: logged %q", lines)
	}
}

func TestSignalStopsWritingOfKeys(t *testing.T) {
	key := newKey(filepath.Join(t.TempDir(), "key"))
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(stopped)
	log, _ := newLog()
	if err := prepare.Keys([]plan.Key{key}, newRing(), log).Run(ctx); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(key.Path); err == nil {
		t.Error("a key was written after the signal")
	}
}

// Another key that is there is a conflict, which says what the configuration has to say of it.
func TestConflictingKeys(t *testing.T) {
	const other = "00000000000000000000000000000000000000000000000000000000000000ff"
	for name, c := range map[string]struct {
		there        string
		ifExists     keyfile.IfExists
		err          string
		hints, shuns []string
		kept, warned bool
	}{
		"another key":           {there: other, ifExists: keyfile.Fail, err: "p2pKeys.node: ", hints: []string{"chains", "ifExists: overwrite", "ifExists: keep"}, kept: true},
		"no key":                {there: "something", ifExists: keyfile.Fail, err: "p2pKeys.node: ", hints: []string{"ifExists: keep"}, shuns: []string{"overwrite"}, kept: true},
		"another key, keep":     {there: other, ifExists: keyfile.Keep, kept: true, warned: true},
		"another key, go ahead": {there: other, ifExists: keyfile.Overwrite, warned: true},
		"no key, go ahead":      {there: "something", ifExists: keyfile.Overwrite, err: "p2pKeys.node: ", hints: []string{"move it away"}, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			key := newKey(filepath.Join(t.TempDir(), "key"))
			key.IfExists = c.ifExists
			if err := os.WriteFile(key.Path, []byte(c.there), 0o600); err != nil {
				t.Fatal(err)
			}
			log, logged := newLog()
			err := prepare.Keys([]plan.Key{key}, newRing(), log).Run(t.Context())
			if (err != nil) != (c.err != "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			for _, word := range c.hints {
				if !strings.Contains(hint.Of(err), word) {
					t.Errorf("the hint %q lacks %q", hint.Of(err), word)
				}
			}
			for _, word := range c.shuns {
				if strings.Contains(hint.Of(err), word) {
					t.Errorf("the hint %q names %q", hint.Of(err), word)
				}
			}
			content, _ := os.ReadFile(key.Path)
			if (string(content) == c.there) != c.kept {
				t.Errorf("the file holds %q", content)
			}
			warnings := strings.Join(logged(logrus.WarnLevel), "\n")
			if strings.Contains(warnings, "p2pKeys.node: "+key.Path) != c.warned {
				t.Errorf("warned of %q", warnings)
			}
		})
	}
}

const fleet = `
nodeTemplate: {command: [sh, '{{ .Env.ONLY_FOR_THE_NODE }}']}
fleet: {replicas: 3}
p2pKeys:
  node: {rootSecret: {env: ROOT}, type: secp256k1, format: hex, path: 'DIR/a/node.key'}
  gossip: {rootSecret: {env: ROOT}, type: ed25519, format: raw, path: 'DIR/b/gossip.key'}
`

// writeKeys does what an init container does, for the pod geth-1.
func writeKeys(t *testing.T, ctx context.Context, yaml string, ring *keyfile.Keyring, log logrus.FieldLogger) error {
	t.Helper()
	cfg, _, err := config.Parse("kubevali.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	f, err := facts.FromEnviron([]string{"POD_NAME=geth-1", "POD_NAMESPACE=chains"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return prepare.WriteKeys(ctx, cfg, f, ring, plan.Placeholders, log)
}

// The keys are those of one pod, and what stands beside them is about the whole fleet, with which another container of the
// pod goes without the root.
func TestWriteKeys(t *testing.T) {
	dir := t.TempDir()
	log, logged := newLog()
	if err := writeKeys(t, t.Context(), strings.ReplaceAll(fleet, "DIR", dir), newRing(), log); err != nil {
		t.Fatal(err)
	}
	if lines := logged(logrus.InfoLevel); len(lines) != 4 || !strings.Contains(lines[2], "3 pods") {
		t.Errorf("logged %q", lines)
	}
	for _, folder := range []string{"a", "b"} {
		content, err := os.ReadFile(filepath.Join(dir, folder, keyfile.IdentitiesName))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), root) {
			t.Error("the root secret is in it")
		}
		var list struct{ Pods []keyfile.PodIdentities }
		if err := json.Unmarshal(content, &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Pods) != 3 || list.Pods[2].Pod != "geth-2" || len(list.Pods[2].Keys) != 2 {
			t.Errorf("%s", content)
		}
	}

	key := newKey(filepath.Join(dir, "a", "node.key"))
	key.Pod, key.Type = "geth-1", keyderive.Secp256k1
	key.Identity = keyderive.Identity{Namespace: "chains", Pod: "geth-1", Key: "node"}
	without := prepare.Keys([]plan.Key{key}, new(keyfile.Keyring), log)
	if err := without.Run(t.Context()); err != nil {
		t.Errorf("without the root: %v", err)
	}
	log, logged = newLog()
	if err := writeKeys(t, t.Context(), strings.ReplaceAll(fleet, "DIR", dir), newRing(), log); err != nil || len(logged(logrus.InfoLevel)) != 0 {
		t.Errorf("again: %v, logged %q", err, logged(logrus.InfoLevel))
	}
}

// Nothing is written unless all can be.
func TestWriteKeysOrNothing(t *testing.T) {
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errors.New("stopped"))
	for name, c := range map[string]struct {
		ctx  context.Context
		yaml string
		ring *keyfile.Keyring
		err  string
	}{
		"no root":  {t.Context(), fleet, new(keyfile.Keyring), "p2pKeys.gossip: the root secret is not here"},
		"a signal": {stopped, fleet, newRing(), "stopped"},
		"one key for all": {t.Context(), strings.Replace(fleet, "type: ed25519", "identity: {pod: one}, type: ed25519", 1), newRing(),
			"is the same as key gossip of pod geth-1"},
		"a mistake": {t.Context(), strings.Replace(fleet, "replicas: 3", `replicas: '{{ fail "so" }}'`, 1), newRing(), "so"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			log, _ := newLog()
			err := writeKeys(t, c.ctx, strings.ReplaceAll(c.yaml, "DIR", dir), c.ring, log)
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), root) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 0 {
				t.Errorf("there is %v", entries)
			}
		})
	}
}
