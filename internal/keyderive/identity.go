package keyderive

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// defaultKey is the key whose name is left out of the derivation.
const defaultKey = "node"

// Identity says whose key it is. The namespace and the pod must be known, never guessed: two pods with one identity have
// one key.
type Identity struct {
	Namespace string
	Pod       string
	Scope     string // network or cluster, keeps two clusters with one root apart; may be empty
	Key       string // the key's name in the configuration; empty is the same as node
	Epoch     uint64 // raised to get another key
}

func (id Identity) check(scheme Scheme) error {
	if id.Namespace == "" {
		return errors.New("the pod's namespace is empty, and its keys depend on it; set POD_NAMESPACE")
	}
	if id.Pod == "" {
		return errors.New("the pod's name is empty, and its keys depend on it; set POD_NAME")
	}
	fields := [...]struct{ name, value string }{
		{"the namespace", id.Namespace}, {"the pod's name", id.Pod}, {"the scope", id.Scope}, {"the key's name", id.Key},
	}
	for _, f := range fields {
		if strings.IndexByte(f.value, 0) >= 0 {
			return fmt.Errorf("%s %q holds a NUL byte, which separates the parts of an identity", f.name, f.value)
		}
	}
	if scheme == RSS3SHA256 {
		return id.checkRSS3()
	}
	return nil
}

// checkRSS3 refuses what rss3-sha256 would ignore, as keys would then be the same where they are meant to differ, and
// names that the charts' shell would change.
func (id Identity) checkRSS3() error {
	if id.Scope != "" {
		return fmt.Errorf("scheme %s knows no scope; leave it out or use %s", RSS3SHA256, HKDFSHA256)
	}
	if id.Epoch != 0 {
		return fmt.Errorf("scheme %s knows no epoch; to rotate, use %s", RSS3SHA256, HKDFSHA256)
	}
	for _, name := range [...]string{id.Namespace, id.Pod} {
		if what := alteredByShell([]byte(name)); what != "" {
			return fmt.Errorf("%q holds %s, which no name of a pod or namespace does", name, what)
		}
	}
	return nil
}

// info is the context that HKDF binds a candidate to.
func (id Identity) info(t Type, counter uint64) string {
	key := id.Key
	if key == defaultKey {
		key = ""
	}
	return strings.Join([]string{
		string(t), id.Scope, id.Namespace, id.Pod, key, strconv.FormatUint(id.Epoch, 10), strconv.FormatUint(counter, 10),
	}, "\x00")
}
