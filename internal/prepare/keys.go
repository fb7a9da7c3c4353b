package prepare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/plan"
)

// Keys writes the plan's key files or, where a root secret is not here, checks that they are there, see
// keyfile.Keyring.Put.
func Keys(keys []plan.Key, ring *keyfile.Keyring, log logrus.FieldLogger) Step {
	return Step{"keys", func(ctx context.Context) error {
		for _, key := range keys {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := writeKey(key, ring, log); err != nil {
				return err
			}
		}
		return nil
	}}
}

func writeKey(key plan.Key, ring *keyfile.Keyring, log logrus.FieldLogger) error {
	file := keyfile.File{Key: key.Key, Mode: fs.FileMode(key.Mode), UID: -1, GID: -1}
	if key.Owner.IsSet {
		file.UID, file.GID = key.Owner.UID, key.Owner.GID
	}
	outcome, err := ring.Put(file)
	if err != nil {
		return keyError(key.Name, err)
	}
	for _, warning := range outcome.Warnings {
		log.Warnf("p2pKeys.%s: %s", key.Name, warning)
	}
	if outcome.Written {
		log.Infof("Wrote P2P key %s to %s: peer %s", key.Name, key.Path, outcome.Public.PeerID)
	} else {
		log.Debugf("P2P key %s is at %s: peer %s", key.Name, key.Path, outcome.Public.PeerID)
	}
	return nil
}

// keyError says which key of the configuration an error is about, and which of its settings decides.
func keyError(name string, err error) error {
	remedy := hint.Of(err)
	var conflict *keyfile.ConflictError
	switch {
	case errors.As(err, &conflict) && conflict.Replaceable:
		remedy += ", or set ifExists: overwrite; to stay with what is there, set ifExists: keep"
	case errors.As(err, &conflict):
		remedy += "; to stay with what is there, set ifExists: keep"
	}
	return hint.With(fmt.Errorf("p2pKeys.%s: %w", name, err), remedy)
}

// WriteKeys is for an init container that alone has the root secrets: it writes the pod's keys and beside them the public
// identities of the whole fleet, by which others go.
func WriteKeys(ctx context.Context, cfg *config.Config, f facts.Facts, ring *keyfile.Keyring, source plan.Source, log logrus.FieldLogger) error {
	keys, err := plan.PodKeys(cfg, f, source)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := ring.Require(key.Key); err != nil {
			return keyError(key.Name, err)
		}
	}
	pods, err := plan.FleetPods(cfg, f)
	if err != nil {
		return err
	}
	fleet, err := plan.Identify(cfg, f, pods, ring.Public, source)
	if err != nil {
		return err
	}
	if err := Run(ctx, log, Keys(keys, ring, log)); err != nil {
		return err
	}
	for _, folder := range folders(keys) {
		changed, err := keyfile.WriteIdentities(folder, fleet)
		if err != nil {
			return err
		}
		if changed {
			log.Infof("Wrote the public identities of %d pods to %s", len(fleet), filepath.Join(folder, keyfile.IdentitiesName))
		}
	}
	return nil
}

// folders are those that hold keys, each once.
func folders(keys []plan.Key) []string {
	var dirs []string
	for _, key := range keys {
		dirs = append(dirs, filepath.Dir(key.Path))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}
