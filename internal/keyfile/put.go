package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
)

// Outcome is what Put did.
type Outcome struct {
	Written  bool             // the file's content is new
	Public   keyderive.Public // the key that is in the file now
	Warnings []string         // what is not as it should be, and why that was no reason to fail
}

func (o *Outcome) warn(format string, args ...any) {
	o.Warnings = append(o.Warnings, fmt.Sprintf(format, args...))
}

// ConflictError says that something else than the pod's key is at its path, and that [Fail] leaves both alone.
type ConflictError struct {
	Path         string
	Holds, Wants string // what is there and what the pod's key is, for people
	Basis        string // all that the pod's key depends on
	Replaceable  bool   // what is there is a P2P key, which [Overwrite] would replace; [Keep] keeps anything
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s holds %s, and this pod's key is %s", e.Path, e.Holds, e.Wants)
}

// Hint says what helps whatever the configuration is.
func (e *ConflictError) Hint() string {
	return "first check " + e.Basis + "; only if they are right, move the file away to take this pod's key"
}

// Put sees to it that a key file is there and holds the pod's key in its format, for its owner to use: the owner is set
// where this process is root. Without the root secret the key must be there already, and is compared with what
// identities.json says of the pod. What becomes of another key is up to [IfExists]; see also [ConflictError].
func (k *Keyring) Put(f File) (Outcome, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := placing{File: f}
	defer p.wipe()
	if err := p.look(); err != nil {
		return Outcome{}, err
	}
	derived, public, err := k.find(f.Key)
	if err != nil {
		return Outcome{}, err
	}
	defer derived.Wipe()
	if p.isThere(derived) {
		outcome := Outcome{Public: public}
		err := p.settle(&outcome)
		return outcome, err
	}
	if err := p.identify(); err != nil {
		return Outcome{}, err
	}
	key, outcome, err := p.decide(derived, public)
	if err == nil && key != nil {
		outcome.Written, err = p.write(key)
	}
	if err == nil {
		err = p.settle(&outcome)
	}
	return outcome, err
}

// placing is a key file on its way to its place.
type placing struct {
	File
	target  string         // Path with all links followed
	there   []byte         // the content of the file that is there; nil where there is none
	held    *keyderive.Key // the key in it; nil where there is none
	heldErr error          // why there is none in a file that is not empty
}

func (p *placing) wipe() {
	clear(p.there)
	p.held.Wipe()
}

// look finds out where the file is to stand and what is there. It refuses places of signing keys.
func (p *placing) look() (err error) {
	if err := keyderive.CheckPath(p.Path); err != nil {
		return err
	}
	if p.target, err = atomicfile.Resolve(p.Path); err != nil {
		return unreadable(p.Path, err)
	}
	if err := keyderive.CheckPath(p.target); err != nil {
		return fmt.Errorf("%s is a link: %w", p.Path, err)
	}
	p.there, err = atomicfile.Read(p.target, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unreadable(p.Path, err)
	}
	return nil
}

// isThere reports whether the file holds the key already, just as it is to be: the usual case, which needs no look at
// what else it could be.
func (p *placing) isThere(key *keyderive.Key) bool {
	if key == nil {
		return false
	}
	content, err := key.Encode(p.Format)
	defer clear(content)
	return err == nil && bytes.Equal(p.there, content)
}

// identify finds out whose key is there. It refuses signing keys.
func (p *placing) identify() error {
	if len(p.there) == 0 {
		return nil
	}
	p.held, p.heldErr = identify(p.Key, p.there)
	if errors.Is(p.heldErr, keyderive.ErrSigningKey) {
		return hint.With(fmt.Errorf("%s: %w, and is left alone", p.Path, keyderive.ErrSigningKey), "choose another path")
	}
	return nil
}

// decide returns the key that the file is to hold, nil where what is there stays. derived is the pod's key, nil without the
// root; public is its other half.
func (p *placing) decide(derived *keyderive.Key, public keyderive.Public) (key *keyderive.Key, outcome Outcome, err error) {
	outcome.Public = public
	switch conflict := p.conflict(public); {
	case p.held != nil && p.held.Public() == public:
		return p.held, outcome, nil
	case len(p.there) == 0 && derived == nil:
		err = hint.With(fmt.Errorf("there is no key at %s, and %w", p.Path, noRoot(p.Root)), "have an init container run "+
			"`kubevali key write` into a volume that is mounted at "+filepath.Dir(p.Path)+" here too")
	case len(p.there) == 0:
	case p.IfExists == Keep:
		outcome.warn("%s holds %s and stays, but peers are told of %s", p.Path, conflict.Holds, conflict.Wants)
		if p.held != nil {
			outcome.Public = p.held.Public()
		}
		return nil, outcome, nil
	case derived == nil:
		err = hint.New(conflict.Error(), "first check, here and where the key was written, "+conflict.Basis+"; then have "+
			"`kubevali key write` run again, into a volume of this pod alone")
	case p.IfExists != Overwrite:
		err = conflict
	case p.held == nil:
		err = hint.New(fmt.Sprintf("%s holds %s, which is not overwritten", p.Path, conflict.Holds), "move it away")
	default:
		outcome.warn("%s held %s, which is overwritten", p.Path, conflict.Holds)
	}
	return derived, outcome, err
}

// unreadable is the error for a file that is there and that this process may not or cannot read.
func unreadable(path string, err error) error {
	advice := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		advice = fmt.Sprintf("user %d may not: run all containers of the pod as one user, or set the key's owner and have root "+
			"write it", os.Geteuid())
	case errors.Is(err, syscall.ENOTDIR):
		advice = "what should be a folder on its path is a file"
	}
	return hint.With(fmt.Errorf("cannot read %s: %w", path, err), advice)
}

// identify returns the key that content holds, in whatever format, for the caller to wipe. The file's own format comes
// first, as some contents are fit for two. The error is about the file's own format, or about ErrSigningKey.
func identify(wanted Key, content []byte) (*keyderive.Key, error) {
	if _, err := keyderive.DecodeKey(keyderive.Ed25519, keyderive.CometBFTJSON, content); errors.Is(err, keyderive.ErrSigningKey) {
		return nil, err
	}
	key, own := keyderive.DecodeKey(wanted.Type, wanted.Format, content)
	if own == nil {
		return key, nil
	}
	for _, format := range []keyderive.Format{keyderive.Hex, keyderive.Raw, keyderive.CometBFTJSON, keyderive.LibP2PProtobuf,
		keyderive.LibP2PProtobufHex, keyderive.LibP2PProtobufBase64} {
		for _, t := range []keyderive.Type{wanted.Type, keyderive.Ed25519, keyderive.Secp256k1} {
			if key, err := keyderive.DecodeKey(t, format, content); err == nil {
				return key, nil
			}
		}
	}
	return nil, own
}

// write puts key into the file, unless it is there in the right format. written says whether it had to.
func (p *placing) write(key *keyderive.Key) (written bool, err error) {
	content, err := key.Encode(p.Format)
	defer clear(content)
	if err != nil || bytes.Equal(p.there, content) {
		return false, err
	}
	if p.there != nil {
		return atomicfile.Write(p.target, content, p.Mode)
	}
	written, err = atomicfile.Create(p.target, content, p.Mode)
	if err == nil && !written {
		err = hint.New("another process has just written "+p.Path, "give each container keys of its own")
	}
	return written, err
}

// settle puts the file's mode and, for root, its owner right: volumes are mounted with others, see
// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/ on fsGroup. A mode that cannot be changed is
// worth a warning only, as the node may well be able to use its key.
func (p *placing) settle(outcome *Outcome) error {
	if os.Geteuid() == 0 {
		if err := atomicfile.Chown(p.target, p.UID, p.GID); err != nil {
			return err
		}
	}
	if _, err := atomicfile.Chmod(p.target, p.Mode); err != nil {
		outcome.warn("%v", err)
	}
	return nil
}

// conflict is between what is there and the pod's key.
func (p *placing) conflict(public keyderive.Public) *ConflictError {
	e := &ConflictError{Path: p.Path, Holds: fmt.Sprintf("something else (%v)", p.heldErr), Wants: name(public)}
	if p.held != nil {
		e.Holds, e.Replaceable = "the key of "+name(p.held.Public()), true
	}
	scope := ""
	if p.Scheme != keyderive.RSS3SHA256 {
		scope = fmt.Sprintf("scope %q, epoch %d, ", p.Identity.Scope, p.Identity.Epoch)
	}
	e.Basis = fmt.Sprintf("the root secret, namespace %s, pod %s, %stype %s and scheme %s",
		p.Identity.Namespace, p.Identity.Pod, scope, p.Type, p.Scheme)
	return e
}

// name is a key's owner as logs and people know them.
func name(public keyderive.Public) string {
	const shown = 16 // of an enode ID, which is as long as a line
	if public.CometNodeID != "" {
		return fmt.Sprintf("peer %s (node ID %s)", public.PeerID, public.CometNodeID)
	}
	return fmt.Sprintf("peer %s (enode %s…)", public.PeerID, public.Enode[:min(shown, len(public.Enode))])
}
