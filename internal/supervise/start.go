package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit codes of a command that could not be started, as shells and docker run give them.
const (
	CodeNotExecutable = 126
	CodeNotFound      = 127
)

// StartError says why a command could not be started: because of the program where Code is set, because of the working
// directory where Dir is, or else because of the system.
type StartError struct {
	Command string // Args[0]
	Dir     string // the Command's, if it is what is wrong
	Code    int    // CodeNotFound, CodeNotExecutable or 0
	Reason  string // in words
	Err     error  // the cause
	hint    string
}

func (e *StartError) Error() string {
	return fmt.Sprintf("cannot start %q: %s", e.Command, e.Reason)
}

func (e *StartError) Unwrap() error { return e.Err }

// Hint says what to do about it; it may be empty.
func (e *StartError) Hint() string { return e.hint }

// Check reports, with a *StartError, whether the command could be started, as far as can be told without starting it.
func (c Command) Check() error {
	_, err := c.find()
	return err
}

// find returns the path of the program that Args[0] names. A name without a slash is looked up in the PATH of Env, as
// env(1) does, not in this process's own.
func (c Command) find() (string, error) {
	if err := c.checkDir(); err != nil {
		return "", err
	}
	name := c.Args[0]
	if strings.Contains(name, "/") {
		return name, c.explain(c.executable(name))
	}
	reason := error(fs.ErrNotExist)
	for _, dir := range filepath.SplitList(lookupEnv(c.Env, "PATH")) {
		path := filepath.Join(dir, name)
		if dir == "" {
			path = "./" + name
		}
		switch err := c.executable(path); {
		case err == nil:
			return path, nil
		case errors.Is(err, errNoProgram):
			reason = err
		}
	}
	return "", c.explain(reason)
}

func (c Command) checkDir() error {
	if c.Dir == "" {
		return nil
	}
	info, err := os.Stat(c.Dir)
	switch {
	case err == nil && !info.IsDir():
		err = syscall.ENOTDIR
	case err == nil:
		err = mayExecute(c.Dir)
	}
	if err == nil {
		return nil
	}
	return &StartError{
		Command: c.Args[0], Dir: c.Dir, Err: err,
		Reason: fmt.Sprintf("cannot enter its working directory %s: %v", c.Dir, plain(err)),
		hint:   "the working directory must be a folder in this container: mount it, or name none",
	}
}

// errNoProgram is in the chain of errors about files that are there but cannot be executed.
var errNoProgram = errors.New("not a program")

func (c Command) executable(path string) error {
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Dir, path)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%w: %w", errNoProgram, syscall.EISDIR)
	}
	if err := mayExecute(path); err != nil {
		return fmt.Errorf("%w: %w", errNoProgram, err)
	}
	return nil
}

// mayExecute asks the kernel, which also knows of mounts with noexec; access(2).
func mayExecute(path string) error {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS)
}

// explain turns what the kernel says of a program into what the operator can do.
func (c Command) explain(err error) error {
	if err == nil {
		return nil
	}
	e := &StartError{Command: c.Args[0], Code: CodeNotExecutable, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		e.Code = CodeNotFound
		e.Reason = "no such file"
		e.hint = "give the program's full path, and check that the image is the node's"
		if !strings.Contains(e.Command, "/") {
			e.Reason = fmt.Sprintf("not found in PATH (%s)", lookupEnv(c.Env, "PATH"))
		}
	case errors.Is(err, syscall.EISDIR):
		e.Reason = "it is a folder"
		e.hint = "the first word of the command must be a program"
	case errors.Is(err, fs.ErrPermission):
		e.Reason = fmt.Sprintf("uid %d may not execute it", os.Geteuid())
		e.hint = "make it executable (chmod a+rx) and the folders above it, too; its volume must not be mounted noexec"
	case errors.Is(err, syscall.ENOEXEC):
		e.Reason = "not a program for this machine"
		e.hint = "is it built for another architecture, cut off, or a script without a #! line?"
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		e.Code = 0
		e.Reason = fmt.Sprintf("the system has no room for another process: %v", plain(err))
		e.hint = "raise the limit of processes (the kubelet's podPidsLimit, ulimit -u) or of memory"
	default:
		e.Reason = plain(err).Error()
	}
	return e
}

// explainExec does so for a program that was found: ENOENT of execve(2) then means its interpreter.
func (c Command) explainExec(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return c.explain(err)
	}
	return &StartError{
		Command: c.Args[0], Code: CodeNotExecutable, Err: err,
		Reason: "its interpreter or dynamic loader is missing",
		hint:   "a program built for glibc does not run in an Alpine or scratch image, nor a script without its shell",
	}
}

// plain is what the kernel said, without the system call and path that Go puts before it.
func plain(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func lookupEnv(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
