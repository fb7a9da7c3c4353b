package entrypoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/render"
)

// Keys is a keyring as plans see it. It is a render.Keys.
type Keys struct{ Ring *keyfile.Keyring }

// Public returns what the world may know of a key.
func (k Keys) Public(spec render.KeySpec, id keyderive.Identity) (keyderive.Public, error) {
	public, err := k.Ring.Public(keyOf(spec, id))
	return public, explain(err)
}

// Require fails unless the root secrets of all keys are here.
func (k Keys) Require(keys []render.Key) error {
	for _, key := range keys {
		if err := k.Ring.Require(keyOf(key.Spec, key.Identity)); err != nil {
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
			return fmt.Errorf("p2pKeys.%s: %w", key.Name, explain(err))
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

// explain adds what in the configuration helps.
func explain(err error) error {
	if errors.Is(err, keyfile.ErrUnlisted) {
		return hint.With(err, hint.Of(err)+"; fleet.replicas says how large that is")
	}
	var conflict *keyfile.ConflictError
	if !errors.As(err, &conflict) {
		return err
	}
	advice := conflict.Hint()
	if conflict.Replaceable {
		advice += ", or set ifExists: overwrite"
	}
	return hint.With(err, advice+"; to stay with what is there, set ifExists: keep")
}

func (k Keys) wipe() {
	if k.Ring != nil {
		k.Ring.Wipe()
	}
}

func keyOf(s render.KeySpec, id keyderive.Identity) keyfile.Key {
	return keyfile.Key{
		Name: s.Name, Pod: s.Pod, Namespace: s.Namespace,
		Root: keyfile.Source(s.Root), Scheme: s.Scheme, Type: s.Type, Path: s.Path, Identity: id,
	}
}

func keyFile(key render.Key) keyfile.File {
	f := keyfile.File{Key: keyOf(key.Spec, key.Identity), Mode: key.Mode, UID: -1, GID: -1}
	f.Format, f.IfExists = key.Format, keyfile.IfExists(key.IfExists)
	if key.Owner != nil {
		f.UID, f.GID = key.Owner.UID, key.Owner.GID
	}
	return f
}
