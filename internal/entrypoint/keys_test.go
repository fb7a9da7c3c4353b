package entrypoint_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/entrypoint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/render"
)

var _ render.Keys = entrypoint.Keys{}

func TestSignalStopsWritingOfKeys(t *testing.T) {
	ring := keyfile.NewKeyring()
	ring.Take([]string{"ROOT=" + strings.Repeat("secret", 8)}, keyfile.Source{Env: "ROOT"})
	path := filepath.Join(t.TempDir(), "key")
	key := render.Key{
		Name: "node", Path: path, Type: keyderive.Ed25519, Format: keyderive.Hex, Mode: 0o640, IfExists: config.ExistsFail,
		Owner: &render.Owner{UID: os.Geteuid(), GID: os.Getegid()},
		Spec: render.KeySpec{
			Name: "node", Root: render.RootSource{Env: "ROOT"}, Scheme: keyderive.HKDFSHA256, Type: keyderive.Ed25519, Path: path,
		},
		Identity: keyderive.Identity{Namespace: "chains", Pod: "geth-0"},
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	keys := entrypoint.Keys{Ring: ring}

	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(stopped)
	if err := keys.Write(ctx, []render.Key{key}, log); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a key was written after the signal")
	}

	if err := keys.Write(t.Context(), []render.Key{key}, log); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 || info.Size() != 64 {
		t.Errorf("%v, %v", info, err)
	}
}
