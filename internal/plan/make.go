package plan

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/render"
)

// A Source completes facts by what is missing of the cluster's answers: about Kubernetes nodes first and, where nothing of
// that is missing any more, about the pod's Service, since service, its description, may depend on them. It is nil as long as
// it is not known. What the Source cannot find it adds as an error.
type Source func(f *facts.Facts, m facts.Missing, service *Service)

// Placeholders is the Source for whoever has no cluster.
func Placeholders(f *facts.Facts, m facts.Missing, service *Service) { f.Assume(m, service.spec()) }

func (s *Service) spec() *kube.ServiceSpec {
	if s == nil {
		return nil
	}
	return &s.ServiceSpec
}

// Reading is the Source that asks the cluster and changes nothing there.
func Reading(answer func(f *facts.Facts, m facts.Missing, service *kube.ServiceSpec)) Source {
	return func(f *facts.Facts, m facts.Missing, service *Service) { answer(f, m, service.spec()) }
}

// Identities tells what the world may know of a key. Its errors are shown to the operator: they say what to do, and no
// secret. It may be asked for the same key again.
type Identities func(keyfile.Key) (keyderive.Public, error)

// PlaceholderIdentity is the Identities for whoever has no root secrets: it makes them of a root that everybody knows.
func PlaceholderIdentity(key keyfile.Key) (keyderive.Public, error) {
	root, err := keyderive.NewRoot(key.Scheme, []byte(strings.Repeat("placeholder", 3)))
	if err != nil {
		return keyderive.Public{}, err
	}
	derived, err := root.Derive(key.Type, key.Identity)
	if err != nil {
		return keyderive.Public{}, err
	}
	return derived.Public(), nil
}

// maxRounds bounds how often templates can ask for something new: there are only so many questions to the cluster, and each
// is answered once. Mostly one round or two are enough.
const maxRounds = 10

// Complete makes a plan, has what its templates ask for and the facts lack added to the facts, and makes it again, until
// nothing is missing: identities first, since they are at hand. Nothing is asked for a configuration that is wrong anyway,
// nor what no template asks for. Errors are of type config.Errors.
func Complete(cfg *config.Config, f *facts.Facts, identities Identities, source Source) (*Plan, error) {
	return newMaker(cfg).complete(f, identities, source)
}

func (m *maker) complete(f *facts.Facts, identities Identities, source Source) (*Plan, error) {
	if !m.compileAll() {
		return nil, m.Err()
	}
	for range maxRounds {
		plan, missing, err := m.make(*f)
		switch {
		case err != nil:
			return nil, err
		case missing.None():
			return plan, nil
		case len(missing.Keys) == 0:
			source(f, missing, plan.Service)
		default:
			if err := m.identify(f, missing, identities, source); err != nil {
				return nil, err
			}
		}
	}
	return nil, m.restless()
}

func (m *maker) restless() error {
	m.failAt("", errors.New("the templates ask for something new each time that they are answered"))
	return m.Err()
}

// Make makes the plan for the pod that the facts are about, as far as it can be known: where something is missing the plan
// is not whole. Errors are of type config.Errors, and complete.
func Make(cfg *config.Config, f facts.Facts) (*Plan, facts.Missing, error) {
	m := newMaker(cfg)
	if !m.compileAll() {
		return nil, facts.Missing{}, m.Err()
	}
	return m.make(f)
}

// make makes a plan with the templates compiled.
func (m *maker) make(f facts.Facts) (*Plan, facts.Missing, error) {
	m.moveTo(f)
	plan := m.plan()
	return plan, m.missing, m.Err()
}

// Check reports what is wrong with a configuration for whatever pod: the syntax of its templates, functions and
// templates that they use and that do not exist, and P2P keys that no pod can have. Errors are of type config.Errors.
func Check(cfg *config.Config) error {
	m := newMaker(cfg)
	m.compileAll()
	m.keys.check()
	return m.Err()
}

// Listen returns monitor.listen alone, as it is in the pod's plan. Nothing is asked for it.
func Listen(cfg *config.Config, f facts.Facts) (string, error) {
	m := newMaker(cfg)
	if !m.keys.compile() || !m.Compile(cfg.Monitor.Listen) {
		return "", m.Err()
	}
	m.moveTo(f)
	listen := m.listen()
	return listen, m.Err()
}

// compileAll readies all templates. It returns false when none of them can be run.
func (m *maker) compileAll() (ok bool) {
	ok = m.Define(m.cfg.CommonTemplate)
	for _, t := range m.cfg.Templates() {
		switch {
		case t == &m.cfg.CommonTemplate:
		case ok:
			m.Compile(*t)
		default:
			m.CheckSyntax(*t) // what it uses is not known
		}
	}
	return ok
}

// identify has the public identities that are missing added to the facts.
func (m *maker) identify(f *facts.Facts, missing facts.Missing, identities Identities, source Source) error {
	own, err := m.keysOf(f, source)
	if err != nil {
		return err
	}
	if f.Keys == nil {
		f.Keys = make(map[facts.KeyOf]facts.Known[facts.Key])
	}
	pods := make(map[string]bool)
	for of := range missing.Keys {
		pods[of.Pod] = true
	}
	for _, pod := range slices.Sorted(maps.Keys(pods)) {
		theirs := f.ForPod(pod)
		keys, err := m.keysOf(&theirs, source)
		if err != nil {
			return forPod(pod, err)
		}
		for i, key := range keys {
			of := facts.KeyOf{Pod: pod, Key: key.Name}
			if missing.Keys[of] {
				path := key.Path
				key.Path = own[i].Path // beside this pod's own key stands what is known of others
				public, err := identities(key.Key)
				f.Keys[of] = facts.Known[facts.Key]{Value: facts.Key{Path: path, Public: public}, Err: unlisted(err)}
			}
		}
	}
	return nil
}

// unlisted says which key of the configuration decides about who is listed.
func unlisted(err error) error {
	if errors.Is(err, keyfile.ErrUnlisted) {
		return hint.With(err, hint.Of(err)+"; fleet.replicas says how large that is")
	}
	return err
}

// forPod says in each finding which other pod it is about.
func forPod(pod string, err error) error {
	var found config.Errors
	if errors.As(err, &found) {
		for _, finding := range found {
			finding.Message = "for pod " + pod + ": " + finding.Message
		}
	}
	return err
}

// keysOf returns the keys of the pod that the facts are about, without their public identities, and with nothing rendered
// but what they depend on; ExpectInLog is left empty. What that needs of the cluster is added to the facts.
func (m *maker) keysOf(f *facts.Facts, source Source) ([]Key, error) {
	for range maxRounds {
		m.moveTo(*f)
		var keys []Key
		for _, name := range m.keys.names() {
			key, _ := m.keys.key(name)
			keys = append(keys, key)
		}
		m.keys.checkPaths()
		if err := m.Err(); err != nil || m.missing.None() {
			return keys, err
		}
		source(f, m.missing, nil)
	}
	return nil, m.restless()
}

// maker makes plans by templates that it has compiled, for one pod after the other.
type maker struct {
	*planner
	keys *keyring
	data data
}

func newMaker(cfg *config.Config) *maker {
	p := &planner{cfg: cfg}
	m := &maker{planner: p, keys: &keyring{planner: p}}
	p.Renderer = render.New(render.Options{
		Functions: m.functions,
		Random:    p.random,
		Fields:    fieldNames,
		Group:     isGroup,
		Unknown:   p.unknown,
		KeyHint:   peerHint,
		Hidden:    func() []string { return slices.Collect(maps.Values(p.facts.Env)) },
		Unquoted:  "watchlog.healthcheckID",
	})
	return m
}

// functions are what templates can call besides the functions that need no pod.
func (m *maker) functions() map[string]any {
	funcs := map[string]any{"env": m.env, "expandenv": m.expandenv, "readFile": m.readFile, "podOrdinal": podOrdinal}
	m.addCluster(funcs)
	m.keys.addTo(funcs)
	return funcs
}

// moveTo makes the maker one for the pod that the facts are about, as far as templates can use it for anything: its index
// and which files they cannot read.
func (m *maker) moveTo(f facts.Facts) {
	m.Restart()
	m.facts, m.missing, m.reported = f, facts.Missing{}, make(map[error]bool)
	m.hidden, m.anyNode, m.index = hiddenIn(m.cfg), "", m.ordinal
	m.data = data{planner: m.planner, service: serviceTooEarly}
	m.dot = &m.data
	*m.keys = keyring{planner: m.planner}
	m.settleIndex()
	m.keys.findFiles()
}

// plan makes the plan of the pod that the maker was moved to, section by section. What a section's templates may ask for
// is settled before it.
func (m *maker) plan() *Plan {
	plan := &Plan{Pod: m.facts.Pod, Namespace: m.facts.Namespace}
	if n, err := m.index(); err == nil {
		plan.Index = &n
	}
	plan.Monitor.Listen = m.listen() // without keys, which Listen does not have
	plan.Keys = m.keys.settle()
	plan.Service, m.data.service = m.settleService()
	plan.Command = m.command()
	plan.Env = m.environment()
	plan.UnsetEnv = m.unsetEnv()
	plan.WorkingDir, _ = m.trimmed(m.cfg.NodeTemplate.WorkingDir)
	plan.Files = m.files(plan.Keys)
	plan.Process = m.cfg.Process
	plan.Watchlog = m.watchlog()
	plan.Healthchecks = m.cfg.Healthchecks
	plan.NodeStdout, plan.NodeStderr = m.cfg.NodeStdout, m.cfg.NodeStderr
	plan.Warnings = append(m.keys.beyondFleet(plan), m.elsewhere(plan.Service)...)
	return plan
}
