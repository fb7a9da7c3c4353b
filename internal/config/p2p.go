package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// P2PKey describes a key of the node in its peer-to-peer network. It is derived from a root secret and the pod's
// identity, so that it is known before the pod exists and outlives its disk.
type P2PKey struct {
	// The secret from which the keys of all pods are derived.
	RootSecret RootSecret `yaml:"rootSecret" jsonschema:"required"`
	// How keys are derived. rss3-sha256 is for pods that have such keys already.
	Scheme KeyScheme `yaml:"scheme"`
	// The kind of key that the node wants.
	Type KeyType `yaml:"type" jsonschema:"required"`
	// How the key stands in its file.
	Format KeyFormat `yaml:"format" jsonschema:"required"`
	// Where the node looks for its key. Missing folders are created.
	Path Template `yaml:"path" jsonschema:"required"`
	// The file's permissions, octal, in quotes. Put right at every start.
	Mode FileMode `yaml:"mode"`
	// The file's user and group by number, such as "1000:1000", where kubevali runs as root. Empty: left alone.
	Owner Owner `yaml:"owner"`
	// The network or cluster that the key is for. Keeps two clusters with one root secret apart.
	Scope Template `yaml:"scope"`
	// Raised by one to get a new key.
	Epoch int `yaml:"epoch" jsonschema:"minimum=0"`
	// What to do when another key is already there: fail, keep that one, or overwrite it.
	IfExists ExistsAction `yaml:"ifExists"`
	// The identity to derive from in place of the pod's own, so that a renamed StatefulSet keeps its peers.
	Identity KeyIdentity `yaml:"identity"`
	// Plain text, such as the peer ID, that the node's log must show before the node counts as alive: a node that does
	// not find its key makes a new one without a word.
	ExpectInLog Template `yaml:"expectInLog"`
}

// RootSecret says where a root secret is. Templates cannot read it, and the node does not get it.
type RootSecret struct {
	// The environment variable that holds it.
	Env string `yaml:"env"`
	// Or the file that holds it.
	File Template `yaml:"file"`
}

// KeyIdentity is whose key it is.
type KeyIdentity struct {
	// The namespace. Empty: the pod's.
	Namespace Template `yaml:"namespace"`
	// The pod's name. Empty: the pod's.
	Pod Template `yaml:"pod"`
}

// Fleet describes all pods of the StatefulSet together.
type Fleet struct {
	// How many pods the StatefulSet has; these are each other's peers. 0: not known.
	Replicas Template `yaml:"replicas"`
}

// DefaultP2PKey returns what a key has whose description is empty, were an empty one allowed.
func DefaultP2PKey() P2PKey {
	return P2PKey{Scheme: SchemeHKDFSHA256, Mode: DefaultFileMode, IfExists: ExistsFail}
}

// Owner is a user and a group by their numbers, such as "1000:1000". The zero value means "not set".
type Owner struct {
	UID, GID int
	IsSet    bool
}

// UnmarshalText reads two numbers with a colon between them. The empty text sets nothing.
func (o *Owner) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	user, group, found := strings.Cut(string(text), ":")
	uid, errUser := ownerID(user)
	gid, errGroup := ownerID(group)
	switch {
	case !found || errUser != nil || errGroup != nil:
		e := &Error{Message: "expected uid:gid, found " + quote(string(text)), Hint: `such as "1000:1000"`}
		if errUser == nil && !found {
			e.Hint = `write "` + user + ":" + user + `"`
		}
		return e
	}
	*o = Owner{uid, gid, true}
	return nil
}

// ownerID reads a number of a user or group. Higher ones than Go's smallest int holds exist, but nobody uses them.
func ownerID(text string) (int, error) {
	id, err := strconv.ParseUint(text, 10, 31)
	return int(id), err
}

// String is uid:gid, or nothing where it is not set.
func (o Owner) String() string {
	if !o.IsSet {
		return ""
	}
	return strconv.Itoa(o.UID) + ":" + strconv.Itoa(o.GID)
}

// checkKeys reports what is wrong with P2P keys, alone and together with the rest of the file.
func (c *Config) checkKeys(f *findings) {
	for _, name := range slices.Sorted(maps.Keys(c.P2PKeys)) {
		key, at := c.P2PKeys[name], join("p2pKeys", name)
		if !isKeyName(name) {
			f.failAt(at, &Error{Message: "a key's name has letters, digits, dots, dashes and underscores only"})
		}
		key.check(f, at)
		if _, ok := c.NodeTemplate.Env[key.RootSecret.Env]; ok {
			f.failAt(at+".rootSecret.env", &Error{
				Message: quote(key.RootSecret.Env) + " is also in nodeTemplate.env", Hint: "the node never gets a root secret",
			})
		}
		if key.ExpectInLog.Text != "" {
			c.Watchlog.checkExpectation(f, at+".expectInLog", key.ExpectInLog.Text)
		}
	}
}

func isKeyName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	return name != "" && strings.Trim(name, letters) == ""
}

func (k *P2PKey) check(f *findings, path string) {
	k.RootSecret.check(f, path+".rootSecret")
	f.needed(path+".type", string(k.Type), k.Type.Words())
	f.needed(path+".format", string(k.Format), k.Format.Words())
	if k.Path.Text == "" {
		f.failAt(path+".path", &Error{Message: "the path is empty"})
	}
	if k.Epoch < 0 {
		f.failAt(path+".epoch", &Error{Message: "expected a number from 0, found " + strconv.Itoa(k.Epoch)})
	}
	if k.Scheme != SchemeRSS3SHA256 {
		return
	}
	const hint = "leave it out, or use the scheme " + string(SchemeHKDFSHA256)
	if k.Scope.Text != "" {
		f.failAt(path+".scope", &Error{Message: "the scheme " + string(k.Scheme) + " knows no scope", Hint: hint})
	}
	if k.Epoch > 0 {
		f.failAt(path+".epoch", &Error{Message: "the scheme " + string(k.Scheme) + " knows no epoch", Hint: hint})
	}
}

func (r *RootSecret) check(f *findings, path string) {
	switch {
	case r.Env != "" && r.File.Text != "":
		f.failAt(path+".file", &Error{Message: "env is also set", Hint: "remove one of them"})
	case r.Env != "":
		f.environmentName(path+".env", r.Env)
	case r.File.Text == "" && f.sound(path+".env") && f.sound(path+".file"):
		f.failAt(path, &Error{
			Message: "needs env or file, which say where the root secret is", Hint: "such as {env: P2P_ROOT_KEY}",
		})
	}
}

func (fl *Fleet) check(f *findings) {
	text := strings.TrimSpace(fl.Replicas.Text)
	if strings.Contains(text, "{{") || text == "" {
		return
	}
	if n, err := strconv.Atoi(text); err != nil || n < 0 {
		f.failAt("fleet.replicas", &Error{Message: "expected a number from 0, found " + quote(text)})
	}
}

// checkExpectation reports a text that the log must show, but where nothing looks for it.
func (w *Watchlog) checkExpectation(f *findings, path, text string) {
	f.phrase(path, strings.TrimSpace(text))
	looks := []string{"watchlog.keyword", "watchlog.keywords", "watchlog.pattern"}
	switch {
	case !w.Enabled:
		if f.sound("watchlog.enabled") {
			f.failAt(path, &Error{Message: "nothing watches the log", Hint: "set watchlog.enabled: true"})
		}
	case w.Keyword == "" && len(w.Keywords) == 0 && w.Pattern.Regexp == nil:
		if !slices.ContainsFunc(looks, func(at string) bool { return !f.sound(at) }) {
			f.failAt(path, &Error{
				Message: "must be seen before the first sign of life, but nothing is one",
				Hint:    "set watchlog.keyword, keywords or pattern",
			})
		}
	}
}

// needed reports a required key that is there but has none of its words.
func (f *findings) needed(path, word string, words []string) {
	if word == "" {
		f.failAt(path, &Error{Message: "expected " + orList(words) + ", found nothing"})
	}
}
