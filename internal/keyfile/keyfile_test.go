package keyfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
)

const (
	root     = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	rootName = "P2P_ROOT_KEY"

	// What OpenSSL, libp2p, geth and CometBFT agree on for pod vsl-rpc-0 in namespace vsl.
	secpHex    = "c8fba8a162f9799ff2b9707becd02d6c789ecedbdb370d2b5958c303ef8ca18b"
	secpPeer   = "16Uiu2HAmUwz2DnCymZVS9mVrbRUrzdijS8d1Z8NJH1Q3S39jrAEh"
	edComet    = `{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"0NXfC+AKD/7Uv9RMhcIPjL2n1HZKZr6nySfpjOWF+YnYeIxzmcqpTiFc3YCMpG8yLI9PjbHtmcEzOO5HvuK6hg=="}}`
	edNodeID   = "c22fba8dae12c678c1c7a6c783745119c9415d2f"
	rss3Hex    = "473ddf168448b7e4080c6360402938f54a6935e0c7ecc906afdf663d4af04d48"
	foreignHex = "00000000000000000000000000000000000000000000000000000000000000ff"
)

// ring is a keyring that has the root.
func ring() *keyfile.Keyring {
	return withRoot(root)
}

func withRoot(secret string) *keyfile.Keyring {
	k := new(keyfile.Keyring)
	k.Take([]string{rootName + "=" + secret}, keyfile.Source{Env: rootName})
	return k
}

// key is the pod's key in a folder of its own.
func key(t *testing.T) keyfile.File {
	t.Helper()
	return keyfile.File{
		Key: keyfile.Key{
			Name: "node", Pod: "vsl-rpc-0", Namespace: "vsl",
			Path: filepath.Join(t.TempDir(), "p2p.key"), Root: keyfile.Source{Env: rootName},
			Scheme: keyderive.HKDFSHA256, Type: keyderive.Secp256k1, Format: keyderive.Hex,
			Identity: keyderive.Identity{Namespace: "vsl", Pod: "vsl-rpc-0", Key: "node"},
			IfExists: keyfile.Fail,
		},
		Mode: 0o600, UID: -1, GID: -1,
	}
}

func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// put expects success.
func put(t *testing.T, k *keyfile.Keyring, f keyfile.File) keyfile.Outcome {
	t.Helper()
	outcome, err := k.Put(f)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

// refused expects an error that says all of words and nothing secret, and nothing left beside the key.
func refused(t *testing.T, k *keyfile.Keyring, f keyfile.File, words ...string) {
	t.Helper()
	_, err := k.Put(f)
	if err == nil {
		t.Fatal("no error")
	}
	checkError(t, err, words...)
	if entries, _ := filepath.Glob(filepath.Join(filepath.Dir(f.Path), ".*")); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func checkError(t *testing.T, err error, words ...string) {
	t.Helper()
	text := hint.Line(err)
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
	for _, secret := range []string{root, secpHex, foreignHex, "0NXfC+AKD"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q tells a secret", text)
		}
	}
}

func TestKeysAreWritten(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*keyfile.File)
		want   string
	}{
		"hex": {func(*keyfile.File) {}, secpHex},
		"cometbft": {func(f *keyfile.File) {
			f.Type, f.Format, f.Mode = keyderive.Ed25519, keyderive.CometBFTJSON, 0o640
		}, edComet},
		"rss3":             {func(f *keyfile.File) { f.Scheme = keyderive.RSS3SHA256 }, rss3Hex},
		"in a new folder":  {func(f *keyfile.File) { f.Path = filepath.Join(filepath.Dir(f.Path), "a/b/key") }, secpHex},
		"over nothing":     {func(f *keyfile.File) { os.WriteFile(f.Path, nil, 0o644) }, secpHex},
		"through a link":   {func(f *keyfile.File) { os.Symlink("data/real", f.Path) }, secpHex},
		"with a line feed": {func(f *keyfile.File) { os.WriteFile(f.Path, []byte(secpHex+"\n"), 0o600) }, secpHex},
		"in capitals":      {func(f *keyfile.File) { os.WriteFile(f.Path, []byte("0x"+strings.ToUpper(secpHex)), 0o600) }, secpHex},
		"in another format": {func(f *keyfile.File) {
			os.WriteFile(f.Path, []byte("CAISIMj7qKFi+Xmf8rlwe+zQLWx4ns7b2zcNK1lYwwPvjKGL"), 0o600)
		}, secpHex},
	} {
		t.Run(name, func(t *testing.T) {
			f := key(t)
			c.change(&f)
			if outcome := put(t, ring(), f); !outcome.Written || len(outcome.Warnings) > 0 {
				t.Errorf("%+v", outcome)
			}
			info, err := os.Stat(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, f.Path); got != c.want || info.Mode() != f.Mode {
				t.Errorf("%s with mode %v, want %s", got, info.Mode(), c.want)
			}
			if outcome := put(t, ring(), f); outcome.Written || len(outcome.Warnings) > 0 {
				t.Errorf("the second time: %+v", outcome)
			}
		})
	}
}

func TestIdenticalKeyIsLeftAlone(t *testing.T) {
	f := key(t)
	put(t, ring(), f)
	before, err := os.Stat(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	// As fsGroup does.
	if err := os.Chmod(f.Path, 0o660); err != nil {
		t.Fatal(err)
	}
	f.UID, f.GID = os.Geteuid(), os.Getegid()
	if os.Geteuid() == 0 {
		f.UID, f.GID = 12345, 54321
	}
	put(t, ring(), f)
	after, err := os.Stat(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || after.ModTime() != before.ModTime() {
		t.Error("the file was written again")
	}
	if after.Mode() != 0o600 {
		t.Errorf("mode %v", after.Mode())
	}
	if uid, gid := ownerOf(after); uid != f.UID || gid != f.GID {
		t.Errorf("belongs to %d:%d, want %d:%d", uid, gid, f.UID, f.GID)
	}
}

func TestAnotherKeyIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		there    string
		ifExists keyfile.IfExists
		want     string // content afterwards
		words    []string
	}{
		"fail": {foreignHex, keyfile.Fail, "", []string{"p2p.key", secpPeer, "16Uiu2",
			`first check the root secret, namespace vsl, pod vsl-rpc-0, scope "", epoch 0, type secp256k1 and scheme hkdf-sha256`,
			"move the file away"}},
		"keep":      {foreignHex, keyfile.Keep, foreignHex, []string{secpPeer, "stays"}},
		"overwrite": {foreignHex, keyfile.Overwrite, secpHex, []string{"16Uiu2", "overwritten"}},
		"fail on another type": {edComet, keyfile.Fail, "",
			[]string{secpPeer, "12D3KooWQPNqz2PxiiV85A3GTinAvUHhkTGueWdt1WhBdEkvotjw", edNodeID}},
		"fail on something else":      {"no key at all", keyfile.Fail, "", []string{secpPeer, "something else", "hexadecimal"}},
		"keep something else":         {"no key at all", keyfile.Keep, "no key at all", []string{"something else", secpPeer}},
		"overwrite something else":    {"no key at all", keyfile.Overwrite, "", []string{"something else", "not overwritten", "move it away"}},
		"overwrite something large":   {strings.Repeat("a", 65<<10), keyfile.Overwrite, "", []string{"64 KiB"}},
		"overwrite another type":      {edComet, keyfile.Overwrite, secpHex, []string{edNodeID}},
		"overwrite an account's file": {`{"crypto":{"kdf":{}},"version":4}`, keyfile.Overwrite, "", []string{"not overwritten"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := key(t)
			f.IfExists = c.ifExists
			write(t, f.Path, c.there, 0o600)
			if c.want == "" {
				refused(t, ring(), f, c.words...)
				if read(t, f.Path) != c.there {
					t.Error("the file was changed")
				}
				return
			}
			outcome := put(t, ring(), f)
			checkError(t, errors.New(strings.Join(outcome.Warnings, "\n")), c.words...)
			if got := read(t, f.Path); got != c.want {
				t.Errorf("holds %q", got)
			}
			if kept := outcome.Public.PeerID != secpPeer; kept != (c.want == foreignHex) {
				t.Errorf("tells of peer %s", outcome.Public.PeerID)
			}
		})
	}
}

// The caller says by which key of the configuration to choose, and must not advise what Put refuses.
func TestConflictError(t *testing.T) {
	for there, replaceable := range map[string]bool{foreignHex: true, "no key at all": false} {
		f := key(t)
		write(t, f.Path, there, 0o600)
		_, err := ring().Put(f)
		var conflict *keyfile.ConflictError
		if !errors.As(err, &conflict) || !strings.HasPrefix(conflict.Error(), f.Path) ||
			!strings.HasPrefix(hint.Of(err), "first check") || conflict.Replaceable != replaceable {
			t.Errorf("%q: %+v", there, err)
		}
		f.IfExists = keyfile.Overwrite
		if _, err := ring().Put(f); (err == nil) != replaceable {
			t.Errorf("%q is to be overwritten: %v", there, err)
		}
	}
}

func TestSigningKeyIsNeverTouched(t *testing.T) {
	signing := `{"address":"AA","pub_key":{"type":"x","value":"eA=="},` + edComet[1:]
	for _, format := range []keyderive.Format{keyderive.CometBFTJSON, keyderive.Raw, keyderive.Hex} {
		for _, ifExists := range []keyfile.IfExists{keyfile.Fail, keyfile.Keep, keyfile.Overwrite} {
			f := key(t)
			f.Type, f.Format, f.IfExists = keyderive.Ed25519, format, ifExists
			write(t, f.Path, signing, 0o600)
			_, err := ring().Put(f)
			if !errors.Is(err, keyderive.ErrSigningKey) {
				t.Errorf("%s, %s: %v", format, ifExists, err)
			}
			if read(t, f.Path) != signing {
				t.Errorf("%s, %s: overwritten", format, ifExists)
			}
		}
	}
}

func TestPathsOfSigningKeysAreRefused(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, dir string) (path string){
		"by name":         func(t *testing.T, dir string) string { return dir + "/priv_validator_key.json" },
		"taken back":      func(t *testing.T, dir string) string { return dir + "/keystore/../key" },
		"behind a link":   func(t *testing.T, dir string) string { link(t, dir+"/keystore/a", dir+"/key"); return dir + "/key" },
		"in a linked dir": func(t *testing.T, dir string) string { link(t, dir+"/keystore", dir+"/keys"); return dir + "/keys/a" },
		"behind two links": func(t *testing.T, dir string) string {
			link(t, "second", dir+"/key")
			link(t, "validators/a", dir+"/second")
			return dir + "/key"
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := key(t)
			dir := filepath.Dir(f.Path)
			f.Path = prepare(t, dir)
			refused(t, ring(), f, "signing")
			for _, folder := range []string{"keystore", "validators"} {
				if entries, _ := os.ReadDir(filepath.Join(dir, folder)); len(entries) > 0 {
					t.Errorf("%s was written", folder)
				}
			}
		})
	}
}

// link makes a link at path that leads to target, whose folder is there.
func link(t *testing.T, target, path string) {
	t.Helper()
	if filepath.IsAbs(target) {
		if err := os.MkdirAll(filepath.Join(filepath.Dir(path), "keystore"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		path func(f keyfile.File) string
		word string
	}{
		"folder":         {func(f keyfile.File) string { return filepath.Dir(f.Path) }, "folder"},
		"device":         {func(keyfile.File) string { return "/dev/null" }, "device"},
		"link to itself": {func(f keyfile.File) string { os.Symlink("p2p.key", f.Path); return f.Path }, "links"},
		"below a file":   {func(f keyfile.File) string { os.WriteFile(f.Path, nil, 0o600); return f.Path + "/key" }, "folder"},
	} {
		t.Run(name, func(t *testing.T) {
			f := key(t)
			f.Path = c.path(f)
			if _, err := ring().Put(f); err == nil {
				t.Error("no error")
			} else {
				checkError(t, err, c.word)
			}
		})
	}
}

func TestRootFromFile(t *testing.T) {
	f := key(t)
	secret := filepath.Join(t.TempDir(), "root")
	write(t, secret, root+"\n", 0o400)
	f.Root = keyfile.Source{File: secret}
	put(t, new(keyfile.Keyring), f)
	if got := read(t, f.Path); got != secpHex {
		t.Errorf("wrote %q", got)
	}
}

func TestRootsThatWillNotDo(t *testing.T) {
	for name, c := range map[string]struct {
		secret string
		scheme keyderive.Scheme
		word   string
	}{
		"empty":         {"", keyderive.HKDFSHA256, "openssl rand -hex 32"},
		"short":         {"0123456789abcdef0123456789abcde", keyderive.HKDFSHA256, "31 bytes"},
		"blank in rss3": {"two words", keyderive.RSS3SHA256, "blank"},
		"too large":     {strings.Repeat("a", 64<<10+1), keyderive.HKDFSHA256, "64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			f := key(t)
			f.Scheme = c.scheme
			if len(c.secret) <= 64<<10 {
				refused(t, withRoot(c.secret), f, rootName, c.word)
			}
			f.Root = keyfile.Source{File: filepath.Join(t.TempDir(), "root")}
			write(t, f.Root.File, c.secret, 0o600)
			refused(t, new(keyfile.Keyring), f, f.Root.File, c.word)
			if err := new(keyfile.Keyring).Require(f.Key); err == nil || errors.Is(err, keyfile.ErrNoRoot) {
				t.Errorf("Require: %v", err)
			}
		})
	}
}

func TestTake(t *testing.T) {
	t.Setenv(rootName, root)
	t.Setenv("STAYS", "here")
	sources := []keyfile.Source{{Env: rootName}, {Env: "UNSET"}, {File: "/root"}, {Env: rootName}}
	environ := []string{"A=1", rootName + "=" + root, "B=2", rootName + "=second", "=odd"}
	before := slices.Clone(environ)
	k := new(keyfile.Keyring)
	rest, warning := k.Take(environ, sources...)
	if got := strings.Join(rest, " "); got != "A=1 B=2 =odd" || warning != nil {
		t.Errorf("left %s, and warns of %v", got, warning)
	}
	if !slices.Equal(environ, before) {
		t.Errorf("the list has become %q", environ)
	}
	if value, ok := os.LookupEnv(rootName); ok || os.Getenv("STAYS") != "here" {
		t.Errorf("the process still has %q", value)
	}
	again, _ := k.Take(rest, sources...)
	if !slices.Equal(again, rest) || &again[0] == &rest[0] {
		t.Errorf("left %q the second time", again)
	}
	f := key(t)
	put(t, k, f)
	if got := read(t, f.Path); got != secpHex {
		t.Errorf("wrote %q", got)
	}
	f.Root.Env = "UNSET"
	if err := k.Require(f.Key); !errors.Is(err, keyfile.ErrNoRoot) {
		t.Errorf("Require: %v", err)
	}
}

// A reload takes what a new configuration names while others plan with what the old one named.
func TestTakeWhileOthersAsk(t *testing.T) {
	f := key(t)
	k := ring()
	rest := []string{"A=1", "OTHER=" + root, "B=2"}
	var others sync.WaitGroup
	for i := range 4 {
		others.Go(func() {
			own := f.Key
			own.Identity.Pod = fmt.Sprint("pod-", i)
			for range 20 {
				if _, err := k.Public(own); err != nil {
					t.Error(err)
				}
				if len(rest) != 3 || rest[1] != "OTHER="+root {
					t.Errorf("the others' list is %q", rest)
				}
			}
		})
	}
	for range 20 {
		if left, _ := k.Take(rest, keyfile.Source{Env: rootName}, keyfile.Source{Env: "OTHER"}); len(left) != 2 {
			t.Errorf("left %q", left)
		}
	}
	others.Wait()
}

func TestFilesAreReadOnce(t *testing.T) {
	f := key(t)
	f.Root = keyfile.Source{File: filepath.Join(t.TempDir(), "root")}
	write(t, f.Root.File, root, 0o600)
	k := new(keyfile.Keyring)
	first, err := k.Public(f.Key)
	if err != nil || first.PeerID != secpPeer {
		t.Fatalf("%+v, %v", first, err)
	}
	write(t, f.Root.File, strings.Repeat("another root, ", 5)+".", 0o600)
	if again, err := k.Public(f.Key); err != nil || again != first {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	k.Take(nil)
	if other, err := k.Public(f.Key); err != nil || other == first {
		t.Errorf("after a reload: %+v, %v", other, err)
	}
}

func TestWipe(t *testing.T) {
	f := key(t)
	k := ring()
	k.Wipe()
	if _, err := k.Public(f.Key); err == nil || errors.Is(err, keyfile.ErrNoRoot) {
		t.Errorf("after a wipe: %v", err)
	}
}

// fleet writes the identities of two pods beside f.
func fleet(t *testing.T, f keyfile.File) {
	t.Helper()
	var pods []keyfile.PodIdentities
	for _, pod := range []string{"vsl-rpc-0", "vsl-rpc-1"} {
		own := f.Key
		own.Identity.Pod = pod
		public, err := ring().Public(own)
		if err != nil {
			t.Fatal(err)
		}
		pods = append(pods, keyfile.PodIdentities{Pod: pod, Namespace: "vsl", Keys: []keyfile.KeyIdentity{{Name: f.Name, Public: public}}})
	}
	changed, err := keyfile.WriteIdentities(filepath.Dir(f.Path), pods)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
}

func TestIdentitiesFile(t *testing.T) {
	f := key(t)
	fleet(t, f)
	path := filepath.Join(filepath.Dir(f.Path), "identities.json")
	var got map[string]any
	if err := json.Unmarshal([]byte(read(t, path)), &got); err != nil {
		t.Fatal(err)
	}
	pod := got["pods"].([]any)[0].(map[string]any)
	first := pod["keys"].([]any)[0].(map[string]any)
	if got["version"] != 1.0 || pod["pod"] != "vsl-rpc-0" || pod["namespace"] != "vsl" || first["name"] != "node" ||
		first["type"] != "secp256k1" || first["peerID"] != secpPeer || first["publicKey"] == "" || first["enode"] == "" {
		t.Errorf("%v", got)
	}
	if _, ok := first["cometNodeID"]; ok {
		t.Error("a secp256k1 key has a CometBFT node ID")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestWithoutRootByIdentities(t *testing.T) {
	f := key(t)
	fleet(t, f)
	put(t, ring(), f)
	if err := os.Chmod(f.Path, 0o660); err != nil {
		t.Fatal(err)
	}
	k := new(keyfile.Keyring)
	own, err := k.Public(f.Key)
	if err != nil || own.PeerID != secpPeer {
		t.Errorf("%+v, %v", own, err)
	}
	other := f
	other.Pod, other.Identity.Pod = "vsl-rpc-1", "vsl-rpc-1"
	public, err := k.Public(other.Key)
	if err != nil || public == own {
		t.Errorf("%+v, %v", public, err)
	}
	if outcome := put(t, k, f); outcome.Written || outcome.Public != own {
		t.Errorf("%+v", outcome)
	}
	info, err := os.Stat(f.Path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestWithoutRootRefused(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, f *keyfile.File)
		words   []string
	}{
		"no list":    {func(t *testing.T, f *keyfile.File) {}, []string{rootName, "identities.json", "kubevali key write"}},
		"no key":     {func(t *testing.T, f *keyfile.File) { fleet(t, *f) }, []string{"no key at", "p2p.key", "kubevali key write"}},
		"empty file": {func(t *testing.T, f *keyfile.File) { fleet(t, *f); write(t, f.Path, "", 0o600) }, []string{"no key at"}},
		"another pod's key": {func(t *testing.T, f *keyfile.File) {
			fleet(t, *f)
			write(t, f.Path, foreignHex, 0o600)
		}, []string{"p2p.key", secpPeer, "16Uiu2", "first check, here", "of this pod alone"}},
		"another pod's key to be overwritten": {func(t *testing.T, f *keyfile.File) {
			fleet(t, *f)
			write(t, f.Path, foreignHex, 0o600)
			f.IfExists = keyfile.Overwrite
		}, []string{secpPeer}},
		"no key in the file": {func(t *testing.T, f *keyfile.File) {
			fleet(t, *f)
			write(t, f.Path, "nonsense", 0o600)
		}, []string{"something else", secpPeer}},
		"pod not in the list": {func(t *testing.T, f *keyfile.File) {
			fleet(t, *f)
			f.Pod = "vsl-rpc-2"
		}, []string{"vsl-rpc-2", "vsl-rpc-2 in namespace vsl; it has vsl/vsl-rpc-0, vsl/vsl-rpc-1 (", "for a fleet"}},
		"key not in the list": {func(t *testing.T, f *keyfile.File) { fleet(t, *f); f.Name = "other" }, []string{"key other", "it has of that pod only node ("}},
		"key of another type": {func(t *testing.T, f *keyfile.File) {
			fleet(t, *f)
			f.Type = keyderive.Ed25519
		}, []string{"secp256k1", "ed25519"}},
		"another version": {func(t *testing.T, f *keyfile.File) {
			write(t, filepath.Join(filepath.Dir(f.Path), "identities.json"), `{"version":2}`, 0o644)
		}, []string{"version 2"}},
		"no pods": {func(t *testing.T, f *keyfile.File) {
			write(t, filepath.Join(filepath.Dir(f.Path), "identities.json"), `{"version":1}`, 0o644)
		}, []string{"it has no pods"}},
		"many pods": {func(t *testing.T, f *keyfile.File) {
			write(t, filepath.Join(filepath.Dir(f.Path), "identities.json"), `{"version":1,"pods":[{"pod":"a"},{"pod":"b"},{"pod":"c"},
				{"namespace":"n","pod":"d"},{"namespace":"n","pod":"e"}]}`, 0o644)
		}, []string{"it has /a, /b, …, n/d, n/e ("}},
		"no JSON": {func(t *testing.T, f *keyfile.File) {
			write(t, filepath.Join(filepath.Dir(f.Path), "identities.json"), `x`, 0o644)
		}, []string{"identities.json", "not a list"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := key(t)
			c.prepare(t, &f)
			refused(t, new(keyfile.Keyring), f, c.words...)
		})
	}
}

func TestWithoutRootAnotherKeyIsKept(t *testing.T) {
	f := key(t)
	fleet(t, f)
	write(t, f.Path, foreignHex, 0o600)
	f.IfExists = keyfile.Keep
	outcome := put(t, new(keyfile.Keyring), f)
	if len(outcome.Warnings) != 1 || outcome.Public.PeerID == secpPeer || read(t, f.Path) != foreignHex {
		t.Errorf("%+v", outcome)
	}
}

func FuzzIdentities(f *testing.F) {
	f.Add([]byte(`{"version":1,"pods":[{"pod":"vsl-rpc-0","namespace":"vsl","keys":[{"name":"node","type":"secp256k1","peerID":"x"}]}]}`))
	f.Add([]byte(`{"version":1,"pods":[{"keys":[null]}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		file := key(t)
		write(t, filepath.Join(filepath.Dir(file.Path), "identities.json"), string(content), 0o644)
		public, err := new(keyfile.Keyring).Public(file.Key)
		if err == nil && (public.Type != keyderive.Secp256k1 || !bytes.Contains(content, []byte("pods"))) {
			t.Errorf("%+v from %q", public, content)
		}
		if _, err := new(keyfile.Keyring).Put(file); err == nil {
			t.Errorf("there is no key, but %q will do", content)
		}
	})
}
