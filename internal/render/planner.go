package render

import (
	"fmt"
	"io/fs"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kubevali/kubevali/internal/config"
)

// planner makes a plan from what the engine renders. Its methods report what is wrong and go on.
type planner struct {
	*engine
	cfg      *config.Config
	keyFiles map[string]keyFiles // by the keys' names
}

func newPlanner(cfg *config.Config, f Facts, b *budget) *planner {
	return &planner{engine: newEngine(cfg, f, b), cfg: cfg}
}

func (p *planner) plan() *Plan {
	plan := &Plan{Pod: p.facts.Pod, Namespace: p.facts.Namespace}
	plan.Index = p.index() // before everything that may ask for it
	p.settleFiles()
	plan.Monitor = Monitor{Listen: p.listen()} // without keys, which RenderListen does not have
	plan.Keys = p.settleKeys()                 // before everything that may ask for them
	p.expect(plan.Keys)
	plan.Service = p.settleService()
	plan.Command = p.command()
	plan.Env = p.environment()
	plan.UnsetEnv = p.unsetEnv()
	plan.WorkingDir = p.word(p.cfg.NodeTemplate.WorkingDir)
	plan.Files = p.files(plan.Keys)
	plan.Process = process(p.cfg.Process)
	plan.Watchlog = p.watchlog()
	plan.Healthchecks = Healthchecks{
		BaseURL:  p.cfg.Healthchecks.BaseURL,
		Timeout:  time.Duration(p.cfg.Healthchecks.Timeout),
		Create:   p.cfg.Healthchecks.Create,
		LogLines: p.cfg.Healthchecks.LogLines,
	}
	plan.Stdout, plan.Stderr = p.cfg.NodeStdout, p.cfg.NodeStderr
	plan.Warnings = p.warnings(plan)
	return plan
}

// argument renders a text that the system ends with a NUL byte, so that it can hold none.
func (p *planner) argument(source config.Template) (text string, ok bool) {
	text, ok = p.execute(source)
	if ok && strings.Contains(text, "\x00") {
		p.report(source, 1, &failure{"contains a NUL byte", "no argument, variable or path can hold one"})
		return "", false
	}
	return text, ok
}

// word renders a text that has no meaningful blanks around it. It is empty where rendering fails.
func (p *planner) word(source config.Template) string {
	text, _ := p.trimmed(source)
	return text
}

// trimmed is word, but also says whether rendering failed.
func (p *planner) trimmed(source config.Template) (text string, ok bool) {
	text, ok = p.argument(source)
	return strings.TrimSpace(text), ok
}

// number renders a number of at least low and at most high.
func (p *planner) number(source config.Template, low, high int, hint string) (n int, ok bool) {
	text, ok := p.execute(source)
	if !ok {
		return 0, false
	}
	return p.numberIn(source, text, low, high, hint)
}

// numberIn reads the number that a source has rendered to.
func (p *planner) numberIn(source config.Template, text string, low, high int, hint string) (n int, ok bool) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < low || n > high {
		p.report(source, 1, &failure{fmt.Sprintf("expected a number from %d to %d, but this is %s", low, high, shortened(text)), hint})
		return 0, false
	}
	return n, true
}

// shortened quotes a text for an error. What was to be a number or an address is no secret, but may be long.
func shortened(text string) string {
	const longest = 40
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	return strconv.Quote(text)
}

// index is the pod's index and settles what .Index is from here on. In nodeTemplate.index itself it is the ordinal.
func (p *planner) index() *int {
	source := p.cfg.NodeTemplate.Index
	if source.Text == "" {
		n, err := ordinal(p.facts.Pod)
		if err != nil {
			return nil
		}
		return &n
	}
	n, ok := p.number(source, 0, maxIndex, "without nodeTemplate.index, it is the ordinal of the pod's name")
	p.data.index = func() (int, error) {
		if !ok {
			return 0, errReported
		}
		return n, nil
	}
	return &n
}

const maxIndex = 1<<31 - 1

func (p *planner) environment() []EnvVar {
	var env []EnvVar
	for _, name := range slices.Sorted(maps.Keys(p.cfg.NodeTemplate.Env)) {
		value, _ := p.argument(p.cfg.NodeTemplate.Env[name])
		env = append(env, EnvVar{name, value})
	}
	return env
}

// unsetEnv is what the configuration takes from the node, and what it must not have.
func (p *planner) unsetEnv() []string {
	names := p.cfg.NodeTemplate.UnsetEnv
	for _, root := range p.secrets.env {
		if !slices.Contains(names, root) {
			names = append(slices.Clip(names), root)
		}
	}
	return names
}

func (p *planner) files(keys []Key) []File {
	var files []File
	for _, source := range p.cfg.NodeTemplate.Files {
		path, ok := p.argument(source.Path)
		path = strings.TrimSpace(path)
		content, _ := p.execute(source.Content)
		switch {
		case !ok:
		case path == "":
			p.report(source.Path, 1, &failure{message: "the path is empty"})
		case slices.ContainsFunc(files, func(f File) bool { return samePath(f.Path, path) }):
			p.report(source.Path, 1, &failure{message: "two files have the path " + path})
		case slices.ContainsFunc(keys, func(k Key) bool { return samePath(k.Path, path) }):
			p.report(source.Path, 1, &failure{message: "a P2P key has the path " + path})
		}
		files = append(files, File{path, []byte(content), mode(source.Mode), source.IfNotExists})
	}
	return files
}

func samePath(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }

func mode(m config.FileMode) fs.FileMode {
	if m == 0 {
		m = 0o600
	}
	return fs.FileMode(m)
}

func process(cfg config.Process) Process {
	return Process{
		StopSignal:        syscall.Signal(cfg.StopSignal),
		StopGracePeriod:   time.Duration(cfg.StopGracePeriod),
		SignalGroup:       cfg.SignalGroup,
		Restart:           cfg.Restart,
		RestartBackoff:    time.Duration(cfg.RestartBackoff),
		RestartBackoffMax: time.Duration(cfg.RestartBackoffMax),
		RestartMaxTries:   cfg.RestartMaxTries,
		OnUnhealthy:       cfg.OnUnhealthy,
	}
}

func (p *planner) watchlog() *Watchlog {
	cfg := p.cfg.Watchlog
	if !cfg.Enabled {
		return nil
	}
	w := &Watchlog{
		Keywords:         slices.Clone(cfg.Keywords),
		FailKeywords:     cfg.FailKeywords,
		Pattern:          cfg.Pattern.Regexp(),
		LastThreshold:    time.Duration(cfg.LastThreshold),
		StartupThreshold: time.Duration(cfg.StartupThreshold),
		Interval:         time.Duration(cfg.Interval),
		Streams:          cfg.Streams,
		HealthcheckID:    p.healthcheckID(),
	}
	if cfg.Keyword != "" {
		w.Keywords = slices.Insert(w.Keywords, 0, cfg.Keyword)
	}
	for _, source := range cfg.Files {
		if path := p.word(source); path != "" {
			w.Files = append(w.Files, path)
		}
	}
	return w
}

func (p *planner) healthcheckID() string {
	ids := p.cfg.Watchlog.HealthcheckIDs
	if len(ids) == 0 {
		return p.word(p.cfg.Watchlog.HealthcheckID)
	}
	i, err := p.data.index()
	switch {
	case err != nil:
		p.reportAt("watchlog.healthcheckIDs", err)
	case i >= len(ids):
		p.reportAt("watchlog.healthcheckIDs", &failure{fmt.Sprintf("this pod has index %d, so it needs at least %d IDs, but has %d", i, i+1, len(ids)),
			"one ID per pod, in order of their indexes"})
	default:
		return ids[i]
	}
	return ""
}

// reportAt collects an error about the value at a path of the configuration, which is no template.
func (p *planner) reportAt(path string, err error) {
	if err != errReported {
		p.report(config.Template{At: p.cfg.At(path)}, 1, err)
	}
}

func (p *planner) listen() string {
	source := p.cfg.Monitor.Listen
	answers := p.lookups
	p.lookUpBy(newLookups(&Facts{Pod: p.facts.Pod, Node: p.facts.Node})) // probes render it, too, and ask nobody
	text, ok := p.execute(source)
	p.lookUpBy(answers)
	address := strings.TrimSpace(text)
	if !ok || address == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(address)
	if n, notNumber := strconv.Atoi(port); err != nil || notNumber != nil || n < 0 || n > maxPort {
		p.report(source, 1, &failure{"expected :port or host:port, but this is " + shortened(text), `such as ":49944"`})
		return ""
	}
	return address
}
