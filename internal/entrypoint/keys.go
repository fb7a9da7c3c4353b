package entrypoint

import (
	"context"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/render"
)

// Keys is a keyring as plans see it. It is a render.Keys.
type Keys struct{ Ring *keyfile.Keyring }

// Public returns what the world may know of a key.
func (k Keys) Public(spec render.KeySpec, id keyderive.Identity) (keyderive.Public, error) {
	return k.Ring.Public(keySpec(spec), id)
}

// Require fails unless the root secrets of all keys are here.
func (k Keys) Require(keys []render.Key) error {
	for _, key := range keys {
		if err := k.Ring.Require(keySpec(key.Spec)); err != nil {
			return err
		}
	}
	return nil
}

// Write writes key files or, where a root secret is not here, checks that they are there, see keyfile.Keyring.Put. It
// stops when ctx is done.
func (k Keys) Write(ctx context.Context, keys []render.Key, log logrus.FieldLogger) error {
	for _, key := range keys {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		outcome, err := k.Ring.Put(keyFile(key))
		if err != nil {
			return err
		}
		for _, warning := range outcome.Warnings {
			log.Warnf("p2pKeys.%s: %s", key.Name, warning)
		}
		if outcome.Written {
			log.Infof("Wrote P2P key %s to %s: peer %s", key.Name, key.Path, outcome.Public.PeerID)
		} else {
			log.Debugf("P2P key %s is at %s: peer %s", key.Name, key.Path, outcome.Public.PeerID)
		}
	}
	return nil
}

func (k Keys) wipe() {
	if k.Ring != nil {
		k.Ring.Wipe()
	}
}

func keySpec(s render.KeySpec) keyfile.Spec {
	return keyfile.Spec{
		Name: s.Name, Pod: s.Pod, Namespace: s.Namespace,
		Root: keyfile.Source(s.Root), Scheme: s.Scheme, Type: s.Type, Path: s.Path,
	}
}

func keyFile(key render.Key) keyfile.File {
	return keyfile.File{
		Spec: keySpec(key.Spec), Identity: key.Identity, Format: key.Format, Mode: key.Mode,
		Owner: (*keyfile.Owner)(key.Owner), IfExists: keyfile.IfExists(key.IfExists),
	}
}
