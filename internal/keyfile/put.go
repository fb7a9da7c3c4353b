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
	"github.com/kubevali/kubevali/internal/keyderive"
)

// Outcome is what Put did.
type Outcome struct {
	Written  bool             // the file's content is new
	Public   keyderive.Public // the key that is in the file now
	Warnings []string         // what is not as it should be, and why that was no reason to fail
}

// Put sees to it that a key file is there and holds the pod's key in its format, for its owner to use: the owner is set
// where this process is root. Without the root secret the key must be there already, and is compared with what
// identities.json says of the pod; see also [IfExists]. Errors say what to do.
func (k *Keyring) Put(f File) (Outcome, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	outcome, err := k.put(f)
	if err != nil {
		return Outcome{}, fmt.Errorf("p2pKeys.%s: %w", f.Name, err)
	}
	return outcome, nil
}

func (k *Keyring) put(f File) (Outcome, error) {
	target, err := locate(f.Path)
	if err != nil {
		return Outcome{}, err
	}
	there, err := readSmall(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Outcome{}, unreadable(f.Path, err)
	}
	defer clear(there)
	p := placing{File: f, target: target, content: there, missing: err != nil}
	if len(there) > 0 {
		if p.held, p.heldErr = identify(f, there); errors.Is(p.heldErr, keyderive.ErrSigningKey) {
			return Outcome{}, fmt.Errorf("%s: %w, and is left alone; choose another path", f.Path, keyderive.ErrSigningKey)
		}
		defer p.held.Wipe()
	}
	key, err := k.derive(f.Spec, f.Identity)
	if errors.Is(err, ErrNoRoot) {
		return k.check(&p, err)
	}
	if err != nil {
		return Outcome{}, err
	}
	defer key.Wipe()
	return p.place(key)
}

// unreadable is the error for a file that is there and that this process may not or cannot read.
func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot read %s: %w: user %d may not; run all containers of the pod as one user, or set the "+
			"key's owner and have root write it", path, err, os.Geteuid())
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("cannot read %s: what should be a folder on its path is a file", path)
	}
	return fmt.Errorf("cannot read %s: %w", path, err)
}

// check is Put without the root. noRoot says why it is not here.
func (k *Keyring) check(p *placing, noRoot error) (Outcome, error) {
	public, err := k.lookUp(p.Spec, noRoot)
	if err != nil {
		return Outcome{}, err
	}
	switch {
	case len(p.content) == 0:
		return Outcome{}, fmt.Errorf("there is no key at %s, and %w: have an init container run `kubevali key write` into a "+
			"volume that is mounted at %s here too", p.Path, noRoot, filepath.Dir(p.Path))
	case p.held != nil && p.held.Public() == public:
		return p.place(p.held)
	case p.IfExists == Keep:
		return p.keep(public)
	}
	return Outcome{}, fmt.Errorf("%s holds %s, and this pod's key is %s; it is not started with another pod's identity. First "+
		"check, here and where the key was written, %s; then have `kubevali key write` run again, into a volume of this pod "+
		"alone", p.Path, p.described(), name(public), p.origin())
}

// placing is a key file on its way to its place.
type placing struct {
	File
	target  string // Path with all links followed
	missing bool   // there is no file
	content []byte // what is in the file; empty where missing

	held    *keyderive.Key // the key in the file; nil where there is none
	heldErr error          // why there is none in a file that is not empty
}

// identify returns the key that content holds, in whatever format, for the caller to wipe. The file's own format comes
// first, as some contents are fit for two. The error is about the file's own format, or about ErrSigningKey.
func identify(f File, content []byte) (*keyderive.Key, error) {
	if _, err := keyderive.DecodeKey(keyderive.Ed25519, keyderive.CometBFTJSON, content); errors.Is(err, keyderive.ErrSigningKey) {
		return nil, err
	}
	key, own := keyderive.DecodeKey(f.Type, f.Format, content)
	if own == nil {
		return key, nil
	}
	for _, format := range []keyderive.Format{keyderive.Hex, keyderive.Raw, keyderive.CometBFTJSON, keyderive.LibP2PProtobuf,
		keyderive.LibP2PProtobufHex, keyderive.LibP2PProtobufBase64} {
		for _, t := range []keyderive.Type{f.Type, keyderive.Ed25519, keyderive.Secp256k1} {
			if key, err := keyderive.DecodeKey(t, format, content); err == nil {
				return key, nil
			}
		}
	}
	return nil, own
}

// place writes key, unless that is what is there or what is there must stay.
func (p *placing) place(key *keyderive.Key) (Outcome, error) {
	content, err := key.Encode(p.Format)
	if err != nil {
		return Outcome{}, err
	}
	defer clear(content)
	outcome := Outcome{Public: key.Public()}
	switch {
	case len(p.content) == 0, p.held != nil && p.held.Equal(key):
	case p.IfExists == Keep:
		return p.keep(outcome.Public)
	case p.IfExists != Overwrite:
		return Outcome{}, fmt.Errorf("%s holds %s, and this pod's key is %s; first check %s. Only if they are right: to take this "+
			"pod's key, move the file away or set ifExists: overwrite; to stay with what is there, set ifExists: keep",
			p.Path, p.described(), name(outcome.Public), p.origin())
	case p.held == nil:
		return Outcome{}, fmt.Errorf("%s holds %s, which is not overwritten; move it away", p.Path, p.described())
	default:
		outcome.Warnings = append(outcome.Warnings, fmt.Sprintf("%s held %s, which is overwritten", p.Path, p.described()))
	}
	if !bytes.Equal(p.content, content) {
		if err := p.write(content); err != nil {
			return Outcome{}, err
		}
		outcome.Written = true
	}
	return outcome, p.settle(&outcome)
}

func (p *placing) write(content []byte) error {
	if !p.missing {
		_, err := atomicfile.Write(p.target, content, p.Mode)
		return err
	}
	created, err := atomicfile.Create(p.target, content, p.Mode)
	if err == nil && !created {
		return fmt.Errorf("another process has just written %s; give each container keys of its own", p.Path)
	}
	return err
}

// keep leaves another key where it is.
func (p *placing) keep(public keyderive.Public) (Outcome, error) {
	outcome := Outcome{Public: public, Warnings: []string{fmt.Sprintf("%s holds %s and stays, as ifExists: keep says, but peers "+
		"are told of %s", p.Path, p.described(), name(public))}}
	if p.held != nil {
		outcome.Public = p.held.Public()
	}
	return outcome, p.settle(&outcome)
}

// settle puts the file's mode and, for root, its owner right: volumes are mounted with others, see
// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/ on fsGroup. A mode that cannot be changed is
// worth a warning only, as the node may well be able to use its key.
func (p *placing) settle(outcome *Outcome) error {
	info, err := os.Stat(p.target)
	if err != nil {
		return err
	}
	if err := p.settleOwner(info); err != nil {
		return err
	}
	if info.Mode().Perm() == p.Mode.Perm() {
		return nil
	}
	if err := os.Chmod(p.target, p.Mode.Perm()); err != nil {
		outcome.Warnings = append(outcome.Warnings, fmt.Sprintf("the mode of %s is %04o and cannot be made %04o: %v",
			p.Path, info.Mode().Perm(), p.Mode.Perm(), plain(err)))
	}
	return nil
}

func (p *placing) settleOwner(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if p.Owner == nil || os.Geteuid() != 0 || !ok || int(stat.Uid) == p.Owner.UID && int(stat.Gid) == p.Owner.GID {
		return nil
	}
	if err := os.Chown(p.target, p.Owner.UID, p.Owner.GID); err != nil {
		return fmt.Errorf("cannot make %s belong to %d:%d: %w", p.Path, p.Owner.UID, p.Owner.GID, plain(err))
	}
	return nil
}

// origin is all that the pod's key depends on, for people to compare.
func (p *placing) origin() string {
	text := fmt.Sprintf("the root secret, namespace %s, pod %s, ", p.Identity.Namespace, p.Identity.Pod)
	if p.Scheme != keyderive.RSS3SHA256 {
		text += fmt.Sprintf("scope %q, epoch %d, ", p.Identity.Scope, p.Identity.Epoch)
	}
	return text + fmt.Sprintf("type %s and scheme %s", p.Type, p.Scheme)
}

// described says whose key is in the file.
func (p *placing) described() string {
	if p.held == nil {
		return fmt.Sprintf("something else (%v)", p.heldErr)
	}
	return "the key of " + name(p.held.Public())
}

// name is a key's owner as logs and people know them.
func name(public keyderive.Public) string {
	const shown = 16 // of an enode ID, which is as long as a line
	if public.CometNodeID != "" {
		return fmt.Sprintf("peer %s (node ID %s)", public.PeerID, public.CometNodeID)
	}
	return fmt.Sprintf("peer %s (enode %s…)", public.PeerID, public.Enode[:min(shown, len(public.Enode))])
}
