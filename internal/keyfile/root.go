package keyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/kubevali/kubevali/internal/keyderive"
)

// maxFile is the size of the largest root secret or key file that is read, in bytes.
const maxFile = 64 << 10

// TakeEnv moves the values of the named variables from environ, a list of name=value, into the keyring. It returns what
// is left of environ. Of several values of one name the first counts, as in os.Getenv. Names that environ does not have
// are left out, so that values taken before stay.
func (k *Keyring) TakeEnv(environ []string, names ...string) (rest []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := make(map[string]bool, len(names))
	for _, name := range names {
		taken[name] = false
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		seen, named := taken[name]
		switch {
		case !named:
			rest = append(rest, entry)
		case !seen:
			taken[name] = true
			clear(k.env[name])
			k.env[name] = []byte(value)
		}
	}
	return rest
}

// root returns the root secret of a source, for use with scheme. The caller holds mu; the root belongs to the keyring.
func (k *Keyring) root(source Source, scheme keyderive.Scheme) (*keyderive.Root, error) {
	use := rootUse{source, scheme}
	if root := k.roots[use]; root != nil {
		return root, nil
	}
	secret, err := k.secret(source)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	root, err := keyderive.NewRoot(scheme, secret)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	k.roots[use] = root
	return root, nil
}

// secret returns a copy of what a source holds, which the caller wipes.
func (k *Keyring) secret(source Source) ([]byte, error) {
	if k.wiped {
		return nil, errors.New("the root secret has been wiped")
	}
	if k.standIn {
		return keyderive.GenerateRoot(), nil
	}
	if source.Env == "" {
		return readRoot(source.File)
	}
	secret, ok := k.env[source.Env]
	if !ok {
		return nil, fmt.Errorf("%w (variable %s is not set)", ErrNoRoot, source.Env)
	}
	return append([]byte(nil), secret...), nil
}

func readRoot(path string) ([]byte, error) {
	secret, err := readSmall(path)
	switch {
	case err == nil:
		return secret, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w (there is no file %s)", ErrNoRoot, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("cannot read the root secret in %s: %w; let user %d read it (a Secret's defaultMode, or the pod's "+
			"securityContext.fsGroup)", path, err, os.Geteuid())
	}
	return nil, fmt.Errorf("cannot read the root secret in %s: %w", path, err)
}

// readSmall returns the content of a regular file, which the caller wipes. It opens nothing else: a pipe could block.
// Errors do not name the file.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, plain(err)
	}
	if info.IsDir() {
		return nil, errors.New("it is a folder; name a file in it")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	defer file.Close()
	content := make([]byte, maxFile+1) // of the largest size at once: growing it would leave copies behind
	n, err := io.ReadFull(file, content)
	switch {
	case err == nil:
		err = fmt.Errorf("it is larger than %d KiB", maxFile>>10)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return content[:n], nil
	}
	clear(content)
	return nil, plain(err)
}

// plain is an error without the operation and the path.
func plain(err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) {
		return inner.Err
	}
	return err
}
