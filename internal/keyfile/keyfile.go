// Package keyfile keeps P2P keys on disk: it reads the root secrets that they are derived from, writes a pod's key files,
// and reads and writes identities.json, by which a process without the root knows whose key is whose. How keys are derived
// and encoded is the business of keyderive; which keys a pod has, that of the caller.
//
// Invariants:
//
//   - A key file holds all of one key or all of another, with no more permissions than asked for, not even for a moment.
//   - What is at a key's path and is not this key is replaced only when [Overwrite] says so, and only when it is a P2P key.
//     A CometBFT validator's key is never replaced.
//   - No secret is part of an error or of identities.json. Buffers that held one are wiped.
package keyfile

import (
	"errors"
	"io/fs"

	"github.com/kubevali/kubevali/internal/keyderive"
)

// ErrNoRoot is in the chain of errors about a root secret that is not here: its variable is not set, or its file does not
// exist. A root secret that is here and wrong is another matter.
var ErrNoRoot = errors.New("the root secret is not here")

// Source is where a root secret comes from; one of the two is set.
type Source struct {
	Env  string // name of a variable
	File string // path of a file
}

// String is how errors name the source.
func (s Source) String() string {
	if s.Env != "" {
		return "variable " + s.Env
	}
	return "file " + s.File
}

// Spec says which key of which pod is meant.
type Spec struct {
	Name           string // in the configuration
	Pod, Namespace string // whose key it is, which need not be what it is derived from
	Root           Source
	Scheme         keyderive.Scheme
	Type           keyderive.Type
	Path           string // of this pod's key, also where another pod's is meant; identities.json stands beside it
}

// File is a key file that a pod is to have.
type File struct {
	Spec
	Identity keyderive.Identity // what it is derived from
	Format   keyderive.Format
	Mode     fs.FileMode
	Owner    *Owner // nil: whoever writes it
	IfExists IfExists
}

// Owner is who a file belongs to.
type Owner struct{ UID, GID int }

// IfExists says what becomes of another key that is at a key's path.
type IfExists string

const (
	Fail      IfExists = "fail"      // neither is touched, and Put fails
	Keep      IfExists = "keep"      // it stays, and the node has another identity than its peers are told
	Overwrite IfExists = "overwrite" // it is lost
)

// Words lists what may be asked for.
func (IfExists) Words() []string { return []string{string(Fail), string(Keep), string(Overwrite)} }
