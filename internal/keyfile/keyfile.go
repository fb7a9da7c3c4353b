// Package keyfile keeps P2P keys on disk: it takes over the root secrets that they are derived from, writes a pod's key
// files, and reads and writes identities.json, by which a process without the root knows whose key is whose. How keys are
// derived and encoded is the business of keyderive; which keys a pod has, that of the caller.
//
// Invariants:
//
//   - A key file holds all of one key or all of another, with no more permissions than asked for, not even for a moment.
//   - What is at a key's path and is not this key is replaced only when [Overwrite] says so, and only when it is a P2P key.
//     A CometBFT validator's key is never replaced.
//   - No secret is part of an error or of identities.json. Buffers that held one are wiped.
package keyfile

import (
	"io/fs"

	"github.com/kubevali/kubevali/internal/keyderive"
)

// Key is a P2P key of a pod: whose it is, where what it is made of can be found, and where it is to stand. It is never the
// private key.
type Key struct {
	Name string `json:"name"`
	// Whose key it is, which need not be what it is derived from.
	Pod       string `json:"-"`
	Namespace string `json:"-"`
	// The file, where this process's pod has it, also in the key of another pod; identities.json stands beside it.
	Path     string             `json:"path"`
	Root     Source             `json:"-"`
	Scheme   keyderive.Scheme   `json:"-"`
	Type     keyderive.Type     `json:"type"`
	Format   keyderive.Format   `json:"format"`
	Identity keyderive.Identity `json:"-"`
	IfExists IfExists           `json:"ifExists"`
}

// File is a key file that a pod is to have.
type File struct {
	Key
	Mode     fs.FileMode
	UID, GID int // whom it belongs to; -1: left as it is
}

// Source is where a root secret comes from; one of the two is set.
type Source struct {
	Env  string // name of a variable
	File string // path of a file
}

// IfExists says what becomes of another key that is at a key's path.
type IfExists string

const (
	Fail      IfExists = "fail"      // neither is touched, and Put fails
	Keep      IfExists = "keep"      // it stays, and the node has another identity than its peers are told
	Overwrite IfExists = "overwrite" // it is lost
)

// Words lists what may be asked for.
func (IfExists) Words() []string { return []string{string(Fail), string(Keep), string(Overwrite)} }
