package supervise

import "os"

// childFiles are the descriptors that a child gets as its 0, 1 and 2.
type childFiles struct {
	fds  []uintptr
	open []*os.File // those to close once the child has them
}

func (f *childFiles) close() {
	for _, file := range f.open {
		file.Close()
	}
}

// open makes the pumps that the command's output needs. The result is to be closed also with an error.
func (c *child) open() (files childFiles, err error) {
	files.fds = []uintptr{0, 1, 2}
	for i, out := range []*Output{c.cmd.Stdout, c.cmd.Stderr} {
		fd := &files.fds[1+i]
		switch {
		case out == nil:
		case out.Watch == nil:
			*fd = out.To.Fd()
		case i == 1 && out == c.cmd.Stdout:
			*fd = files.fds[1]
		default:
			p, w, err := newPump(out, c.log, c.progress)
			if err != nil {
				return files, err
			}
			c.pumps = append(c.pumps, p)
			files.open = append(files.open, w)
			*fd = w.Fd()
		}
	}
	return files, nil
}
