package keyfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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

// ConflictError says that something else than the pod's key is at its path, and that [Fail] leaves both alone. Its hint says
// what helps whatever the configuration is.
type ConflictError struct {
	error
	Replaceable bool // what is there is a P2P key, which [Overwrite] would replace; [Keep] keeps anything
}

// Unwrap returns what carries the hint.
func (e *ConflictError) Unwrap() error { return e.error }

// Put sees to it that a key file is there and holds the pod's key in its format, for its owner to use: the owner is set
// where this process is root. Without the root secret the key must be there already, and is compared with what
// identities.json says of the pod. What becomes of another key is up to [IfExists]; see also [ConflictError].
func (k *Keyring) Put(f File) (outcome Outcome, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := placing{File: f}
	if err := p.look(); err != nil {
		return outcome, err
	}
	defer clear(p.there)
	own, public, err := k.find(f.Key)
	if err != nil {
		return outcome, err
	}
	defer own.Wipe()
	outcome.Public = public
	if own == nil || !p.holds(own) {
		err = p.place(own, &outcome)
	}
	if err == nil {
		err = p.settle(&outcome)
	}
	return outcome, err
}

// placing is a key file on its way to its place.
type placing struct {
	File
	target string // Path with all links followed
	there  []byte // the content of the file that is there; nil where there is none
}

// look finds out where the file is to stand and what is there. It refuses places of signing keys.
func (p *placing) look() (err error) {
	if err := keyderive.CheckPath(p.Path); err != nil {
		return err
	}
	const allow = "run all containers of the pod as one user, or set the key's owner and have root write it"
	if p.target, err = atomicfile.Resolve(p.Path); err != nil {
		return unreadable(p.Path, err, allow)
	}
	if err := keyderive.CheckPath(p.target); err != nil {
		return fmt.Errorf("%s is a link: %w", p.Path, err)
	}
	p.there, err = atomicfile.Read(p.target, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unreadable(p.Path, err, allow)
	}
	return nil
}

// holds reports whether the file holds the key already, just as it is to be: the usual case, which needs no look at what
// else it could be.
func (p *placing) holds(key *keyderive.Key) bool {
	content, err := key.Encode(p.Format)
	defer clear(content)
	return err == nil && bytes.Equal(p.there, content)
}

// place has the file hold the pod's key where what is there may go. own is that key; nil without the root.
func (p *placing) place(own *keyderive.Key, outcome *Outcome) error {
	held, problem := identify(p.Key, p.there)
	defer held.Wipe()
	switch {
	case errors.Is(problem, keyderive.ErrSigningKey):
		return hint.With(fmt.Errorf("%s: %w, and is left alone", p.Path, keyderive.ErrSigningKey), "choose another path")
	case held != nil && held.Public() == outcome.Public: // perhaps in another format
		return p.write(held, outcome)
	case len(p.there) == 0 && own == nil:
		return hint.With(fmt.Errorf("there is no key at %s, and %w", p.Path, noRoot(p.Root)), writeInto(filepath.Dir(p.Path)))
	case len(p.there) == 0:
		return p.write(own, outcome)
	}
	return p.replace(own, held, problem, outcome)
}

// replace decides between what is there, a key or for some reason none, and the pod's key.
func (p *placing) replace(own, held *keyderive.Key, problem error, outcome *Outcome) error {
	holds, wants := fmt.Sprintf("something else (%v)", problem), name(outcome.Public)
	if held != nil {
		holds = "the key of " + name(held.Public())
	}
	conflict := fmt.Sprintf("%s holds %s, and this pod's key is %s", p.Path, holds, wants)
	switch {
	case p.IfExists == Keep:
		outcome.warn("%s holds %s and stays, but peers are told of %s", p.Path, holds, wants)
		if held != nil {
			outcome.Public = held.Public()
		}
		return nil
	case own == nil:
		return hint.New(conflict, "first check, here and where the key was written, "+p.basis()+"; then have "+
			"`kubevali key write` run again, into a volume of this pod alone")
	case p.IfExists != Overwrite:
		return &ConflictError{hint.New(conflict, "first check "+p.basis()+"; only if they are right, move the file away to take "+
			"this pod's key"), held != nil}
	case held == nil:
		return hint.New(fmt.Sprintf("%s holds %s, which is not overwritten", p.Path, holds), "move it away")
	}
	outcome.warn("%s held %s, which is overwritten", p.Path, holds)
	return p.write(own, outcome)
}

// basis is all that the pod's key depends on.
func (p *placing) basis() string {
	scope := ""
	if p.Scheme != keyderive.RSS3SHA256 {
		scope = fmt.Sprintf("scope %q, epoch %d, ", p.Identity.Scope, p.Identity.Epoch)
	}
	return fmt.Sprintf("the root secret, namespace %s, pod %s, %stype %s and scheme %s",
		p.Identity.Namespace, p.Identity.Pod, scope, p.Type, p.Scheme)
}

// identify returns the key that content holds, in whatever format, for the caller to wipe. The key's own format and type
// come first, as most contents are fit for both types. The error is about these, or is ErrSigningKey.
func identify(wanted Key, content []byte) (*keyderive.Key, error) {
	var problem error
	for _, format := range append([]string{string(wanted.Format)}, wanted.Format.Words()...) {
		for _, t := range append([]string{string(wanted.Type)}, wanted.Type.Words()...) {
			key, err := keyderive.DecodeKey(keyderive.Type(t), keyderive.Format(format), content)
			if err == nil || errors.Is(err, keyderive.ErrSigningKey) {
				return key, err
			}
			problem = cmp.Or(problem, err)
		}
	}
	return nil, problem
}

// write puts key into the file, unless it is there in the right format.
func (p *placing) write(key *keyderive.Key, outcome *Outcome) error {
	content, err := key.Encode(p.Format)
	defer clear(content)
	if err != nil || bytes.Equal(p.there, content) {
		return err
	}
	write := atomicfile.Write
	if p.there == nil {
		write = atomicfile.Create
	}
	outcome.Written, err = write(p.target, content, p.Mode)
	if err == nil && !outcome.Written {
		err = hint.New("another process has just written "+p.Path, "give each container keys of its own")
	}
	return err
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
		outcome.warn("%s", hint.Line(err))
	}
	return nil
}

// name is a key's owner as logs and people know them.
func name(public keyderive.Public) string {
	const shown = 16 // of an enode ID, which is as long as a line
	if public.CometNodeID != "" {
		return fmt.Sprintf("peer %s (node ID %s)", public.PeerID, public.CometNodeID)
	}
	return fmt.Sprintf("peer %s (enode %s…)", public.PeerID, public.Enode[:min(shown, len(public.Enode))])
}
