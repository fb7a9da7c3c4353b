package node

import (
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus/hooks/test"

	"github.com/kubevali/kubevali/internal/config"
)

// fixture is a loader whose configuration a test writes, and the API that it asks.
type fixture struct {
	loader
	*testing.T
	api    api
	log    *test.Hook
	config string
}

// newFixture returns the fixture of the pod geth-0, for the present synctest bubble.
func newFixture(t *testing.T, environ ...string) *fixture {
	f := &fixture{T: t}
	service, hook := newTestService(t, f.api.answer)
	f.log = hook
	f.loader = loader{
		service: service, log: service.log,
		environ: append([]string{"POD_NAME=geth-0", "POD_NAMESPACE=chains", "PATH=/usr/bin:/bin"}, environ...),
		read: func() (*config.Config, error) {
			cfg, _, err := config.Parse("kubevali.yaml", []byte(f.config))
			return cfg, err
		},
	}
	return f
}

func (f *fixture) plan(config string) (*loaded, error) {
	f.config = config
	return f.load(f.Context(), func(string) {})
}

// run loads a configuration, and does as if the node ran by it.
func (f *fixture) run(config string) *loaded {
	f.Helper()
	l, err := f.plan(config)
	if err == nil {
		err = f.service.keep(f.Context(), l.plan.Service, false)
	}
	if err != nil {
		f.Fatal(err)
	}
	f.running = true
	return l
}

// chosenPort is a configuration whose node has the node port that the cluster chose, with more arguments.
func chosenPort(args string) string {
	return `
nodeTemplate:
  command: [sh]
  args: {port: '{{ .Service.NodePort "p2p" }}'` + args + `}
nodeService: {enabled: true, ports: {p2p: {port: 30303}}}
`
}

func TestServiceIsMadeForTheTemplateThatAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		l := f.run(chosenPort(""))
		if want := []string{"sh", "--port", "31000"}; !slices.Equal(l.plan.Command, want) {
			t.Errorf("command %q, want %q", l.plan.Command, want)
		}
		if l.plan.Service.NodePort != 31000 || f.api.writes() != 2 { // the target port follows the node port
			t.Errorf("node port %d, %d writes", l.plan.Service.NodePort, f.api.writes())
		}
	})
}

// What a changed configuration asks of the Service is answered by what it was, as long as nothing is known to work.
func TestReloadTouchesNoServiceBeforeItsPlanIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.run(chosenPort(""))
		before := f.api.writes()
		for name, c := range map[string]string{
			"a mistake":  strings.Replace(chosenPort(`, x: '{{ fail "a typo" }}'`), "30303", "30304", 1),
			"no program": strings.Replace(strings.Replace(chosenPort(""), "30303", "30304", 1), "[sh]", "[no-such-node]", 1),
			"a mistake that shows with the port alone": strings.Replace(
				chosenPort(`, x: '{{ if eq (.Service.NodePort "p2p") 31000 }}{{ fail "the old port" }}{{ end }}'`), "30303", "30304", 1),
		} {
			if _, err := f.plan(c); err == nil {
				t.Errorf("%s: no error", name)
			}
			synctest.Wait()
			if f.api.writes() != before {
				t.Errorf("%s: the Service was written", name)
			}
		}
	})
}

// What the Service was is still known after a configuration that could not be used.
func TestReloadAfterAMistakeKnowsWhatTheServiceWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.run(chosenPort(""))
		if _, err := f.plan(chosenPort(`, x: '{{ fail "a typo" }}'`)); err == nil {
			t.Fatal("no error")
		}
		l, err := f.plan(chosenPort(`, x: '{{ if ne (.Service.NodePort "p2p") 31000 }}{{ fail "another port" }}{{ end }}'`))
		if err != nil {
			t.Fatal(err)
		}
		if l.plan.Service.NodePort != 31000 {
			t.Errorf("%+v", l.plan.Service)
		}
	})
}

// A plan that comes to nothing after its Service was made gives the one of the node that runs back.
func TestServiceIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.run(chosenPort(""))
		_, err := f.plan(`
nodeTemplate: {command: [sh, '{{ .Service.Address }}']}
nodeService: {enabled: true, type: LoadBalancer, addressTimeout: 5s, ports: {p2p: {port: 30303}}}
`)
		checkError(t, err, "has no address after 5s", "")
		if load := new(loadError); !errors.As(err, &load) || load.passes {
			t.Error("another attempt would take the Service from the node once more")
		}
		synctest.Wait()
		f.service.pause()
		spec := f.api.service["spec"].(map[string]any)
		if spec["type"] != "NodePort" || f.api.nodePort() != 31000 {
			t.Errorf("the Service is %v", spec)
		}
	})
}

// Attempts for the Service of the node that runs go on after a configuration that could not be used.
func TestAttemptsGoOnAfterAMistake(t *testing.T) {
	const unasked = `
nodeTemplate: {command: [sh]}
nodeService: {enabled: true, ports: {p2p: {nodePort: 31000}}}
`
	synctest.Test(t, func(t *testing.T) {
		for name, next := range map[string]string{
			"a mistake":  strings.Replace(unasked, "[sh]", `['{{ fail "a typo" }}']`, 1),
			"no program": strings.Replace(unasked, "[sh]", "[no-such-node]", 1),
		} {
			f := newFixture(t)
			f.api.set(isAway)
			f.run(unasked)
			if _, err := f.plan(next); err == nil {
				t.Errorf("%s: no error", name)
			}
			f.api.set(nil)
			time.Sleep(2 * serviceRetry)
			f.service.pause()
			if f.api.nodePort() != 31000 {
				t.Errorf("%s: there is no Service", name)
			}
		}
	})
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		api    transport
		config string
		passes bool
	}{
		"the API is away":             {isAway, chosenPort(""), true},
		"it is away for addresses":    {isAway, "nodeTemplate: {command: [sh, '{{ nodeExternalIP }}']}", true},
		"a right is missing":          {forbids, chosenPort(""), false},
		"no right to addresses":       {forbids, "nodeTemplate: {command: [sh, '{{ getNodeIPWithIndex 0 }}']}", false},
		"a mistake, and API is away":  {isAway, chosenPort(`, x: '{{ fail "a typo" }}'`), false},
		"the API is away, no program": {isAway, "nodeTemplate: {command: [no-such-node, '{{ nodeExternalIP }}']}", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.api.set(c.api)
			f.running = true
			_, err := f.plan(c.config)
			if load := new(loadError); !errors.As(err, &load) || load.passes != c.passes {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// Questions may take long, so probes have to be answered before the first one.
func TestMonitorIsToldOfBeforeTheFirstQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for config, want := range map[string]string{
			"nodeTemplate: {command: [sh]}\nmonitor: {listen: ':1{{ .Index }}'}":                                                       "",
			chosenPort("") + "monitor: {listen: ':1{{ .Index }}'}":                                                                     ":10",
			"nodeTemplate: {command: [sh, '{{ nodeExternalIP }}', '{{ getNodeIPWithIndex 0 }}']}\nmonitor: {listen: ':1{{ .Index }}'}": ":10",
		} {
			f := newFixture(t)
			told := ""
			f.api.refuse = func(*http.Request) (int, string) {
				if told == "" {
					t.Errorf("asked before anybody was told of %s", config)
				}
				return forbids(nil)
			}
			f.config = config
			_, err := f.load(t.Context(), func(address string) { told += address })
			if told != want || (err == nil) != (want == "") {
				t.Errorf("told %q, want %q; error %v", told, want, err)
			}
		}
	})
}

func TestRandomValuesStayWhileTheNodeRuns(t *testing.T) {
	f := newFixture(t)
	const c = "nodeTemplate: {command: [sh, '{{ randHex 8 }}']}"
	first, err := f.plan(c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.plan(c + " # changed")
	if err != nil || !first.plan.Equal(again.plan) {
		t.Errorf("%q, then %q, error %v", first.plan.Command, again.plan.Command, err)
	}
	other, err := newFixture(t).plan(c)
	if err != nil || first.plan.Equal(other.plan) {
		t.Errorf("another process has the same values, error %v", err)
	}
}

// A root secret is taken out of the environment for good: neither templates nor the node see it, also by a configuration
// that names it no longer.
func TestRootSecretsLeaveTheEnvironment(t *testing.T) {
	root := strings.Repeat("root-secret-", 4)
	t.Setenv("ROOT", root)
	f := newFixture(t, "ROOT="+root, "OTHER=x")
	const nodes = "nodeTemplate: {command: [sh]}\n"
	keys := "p2pKeys: {node: {rootSecret: {env: ROOT}, type: ed25519, format: hex, path: " + filepath.Join(t.TempDir(), "key") + "}}\n"
	for _, config := range []string{nodes + keys, nodes, nodes + keys} {
		l, err := f.plan(config)
		if err != nil {
			t.Fatal(err)
		}
		if env := l.command().Env; slices.Contains(env, "ROOT="+root) || !slices.Contains(env, "OTHER=x") {
			t.Errorf("the node gets %q", env)
		}
		if _, err := f.plan(`nodeTemplate: {command: [sh, '{{ .Env.ROOT }}']}`); err == nil || strings.Contains(err.Error(), root) {
			t.Errorf("a template sees it: %v", err)
		}
	}
}

func TestConfigurationThatCannotBeRead(t *testing.T) {
	f := newFixture(t)
	_, err := f.plan("nodTemplate: {}")
	checkError(t, err, "did you mean", "")
	if load := new(loadError); errors.As(err, &load) {
		t.Error("it is to be tried again")
	}
}
