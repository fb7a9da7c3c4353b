package plan

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/render"
	"github.com/kubevali/kubevali/internal/secret"
)

// listen is the monitor's address. Probes render it, too, and ask nobody.
func (p *planner) listen() string {
	source := p.cfg.Monitor.Listen
	p.alone = true
	text, ok := p.execute(source)
	p.alone = false
	address := strings.TrimSpace(text)
	if !ok || address == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(address)
	if n, notNumber := strconv.Atoi(port); err != nil || notNumber != nil || n < 0 || n > maxPort {
		p.fail(source, "expected :port or host:port, but this is "+shortened(text), `such as ":49944"`)
		return ""
	}
	return address
}

// command is the node's argument vector: nodeTemplate.command, then nodeTemplate.args. Where a template gives nothing
// but blanks, the item or flag is left out: this is how a template decides whether there is one.
func (p *planner) command() []string {
	var argv []string
	for i, source := range p.cfg.NodeTemplate.Command {
		text, ok := p.argument(source)
		switch {
		case !ok:
		case i == 0 && strings.TrimSpace(text) == "":
			p.fail(source, "the program's name is empty", "")
		case !leftOut(source, text):
			argv = append(argv, text)
		}
	}
	return p.appendArgs(argv)
}

// appendArgs appends the flags in order of their names.
func (p *planner) appendArgs(argv []string) []string {
	equals := p.cfg.NodeTemplate.ArgStyle == config.ArgStyleEquals
	for _, arg := range p.cfg.NodeTemplate.Args {
		flag := arg.Dashed()
		switch {
		case arg.IsBool && equals:
			argv = append(argv, flag+"="+strconv.FormatBool(arg.Bool))
		case arg.Bool:
			argv = append(argv, flag)
		}
		for _, source := range arg.Values {
			value, ok := p.argument(source)
			switch {
			case !ok || value == "" || leftOut(source, value):
			case equals:
				argv = append(argv, flag+"="+value)
			default:
				argv = append(argv, flag, value)
			}
		}
	}
	return argv
}

// leftOut reports whether a template gave nothing. A blank that was written as such is meant.
func leftOut(source config.Template, text string) bool {
	return !render.IsPlain(source.Text) && strings.TrimSpace(text) == ""
}

func (p *planner) environment() map[string]string {
	env := make(map[string]string, len(p.cfg.NodeTemplate.Env))
	for _, name := range slices.Sorted(maps.Keys(p.cfg.NodeTemplate.Env)) {
		env[name], _ = p.argument(p.cfg.NodeTemplate.Env[name])
	}
	return env
}

// unsetEnv is what the configuration takes from the node, and what it must not have.
func (p *planner) unsetEnv() []string {
	names := append([]string{}, p.cfg.NodeTemplate.UnsetEnv...)
	for _, root := range p.hidden.env {
		if !slices.Contains(names, root) {
			names = append(names, root)
		}
	}
	return names
}

func (p *planner) files(keys []Key) []File {
	files := []File{}
	for _, source := range p.cfg.NodeTemplate.Files {
		path, ok := p.trimmed(source.Path)
		content, _ := p.execute(source.Content)
		switch {
		case !ok:
		case path == "":
			p.fail(source.Path, "the path is empty", "")
		case slices.ContainsFunc(files, func(f File) bool { return samePath(f.Path, path) }):
			p.fail(source.Path, "two files have the path "+path, "")
		case slices.ContainsFunc(keys, func(k Key) bool { return samePath(k.Path, path) }):
			p.fail(source.Path, "a P2P key has the path "+path, "")
		}
		files = append(files, File{path, []byte(content), source.Mode, source.IfNotExists})
	}
	return files
}

func samePath(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }

func (p *planner) watchlog() *Watchlog {
	cfg := p.cfg.Watchlog
	if !cfg.Enabled {
		return nil
	}
	w := &Watchlog{Watchlog: cfg, Files: []string{}, HealthcheckID: secret.Text(p.healthcheckID())}
	// What is rendered must not differ by its place in the file.
	w.Watchlog.Files, w.Watchlog.HealthcheckID, w.Watchlog.HealthcheckIDs = nil, config.Template{}, nil
	for _, source := range cfg.Files {
		if path, _ := p.trimmed(source); path != "" {
			w.Files = append(w.Files, path)
		}
	}
	return w
}

func (p *planner) healthcheckID() string {
	ids := p.cfg.Watchlog.HealthcheckIDs
	if len(ids) == 0 {
		id, _ := p.trimmed(p.cfg.Watchlog.HealthcheckID)
		return id
	}
	i, err := p.index()
	switch {
	case err != nil && err != render.ErrReported:
		p.failAt("watchlog.healthcheckIDs", err)
	case err != nil:
	case i >= len(ids):
		p.failAt("watchlog.healthcheckIDs", render.Fail(fmt.Sprintf("this pod has index %d, so it needs at least %d IDs, but has %d", i, i+1, len(ids)),
			"one ID per pod, in order of their indexes"))
	default:
		return ids[i]
	}
	return ""
}

// elsewhere is about a Service that does not answer where the node says that it does.
func (p *planner) elsewhere(s *Service) []string {
	if p.anyNode == "" || s == nil || s.Type != string(config.ServiceNodePort) || s.ExternalTrafficPolicy != string(config.TrafficLocal) {
		return nil
	}
	return []string{p.anyNode + " may name a Kubernetes node that does not lead to this pod: announce nodeExternalIP, or set " +
		"nodeService.externalTrafficPolicy: Cluster"}
}
