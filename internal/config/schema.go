package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kubevali/kubevali/internal/healthcheck"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/secret"
)

// Config is a kubevali.yaml as its author wrote it: decoded strictly, defaulted and checked, with its templates not
// yet rendered.
//
// The comments on the fields of this and of the sections below it are what docs/kubevali.yaml and
// docs/kubevali.schema.json say of each key, and their code blocks are the examples: write them for operators. What the
// type shows (that a value is a template, that a key is required) is added to them; for the tags see isSection.
type Config struct {
	// Blocks ({{ define }}) that all other templates may use.
	//
	//	commonTemplate: |
	//	  {{- define "p2pPort" -}}
	//	  {{ add 30333 .Index }}
	//	  {{- end -}}
	CommonTemplate Template `yaml:"commonTemplate"`
	// What to run: the node's command line, environment and files.
	NodeTemplate NodeTemplate `yaml:"nodeTemplate" required:"true"`
	// The node's keys in its peer-to-peer network, by names of your choice. Each is derived from a root secret, which all
	// pods share, and the pod's namespace and name: so it is known before the pod exists, and outlives its disk. For that,
	// the namespace must be known, from POD_NAMESPACE or the pod's service account. A validator's signing keys have no
	// place here: paths that look like one are refused.
	//
	//	p2pKeys:
	//	  sentry:
	//	    rootSecret: {file: /secrets/p2p-root}
	//	    type: ed25519
	//	    format: cometbft-json
	//	    path: /data/cometbft/config/node_key.json
	//	    identity: {pod: 'old-name-{{ .Index }}'}
	P2PKeys map[string]P2PKey `yaml:"p2pKeys" item:"node"`
	// All pods of the StatefulSet together.
	Fleet Fleet `yaml:"fleet"`
	// A Service for this pod alone, so that peers outside the cluster reach it; docs/kubernetes.md tells when it takes one.
	// It has the pod's name. The pod's service account must be allowed to get pods, and to get, create and patch services.
	NodeService NodeService `yaml:"nodeService"`
	// How the node is stopped and restarted.
	Process Process `yaml:"process"`
	// What in the node's output tells that it is alive.
	Watchlog Watchlog `yaml:"watchlog"`
	// The healthchecks.io server, yours or theirs.
	Healthchecks Healthchecks `yaml:"healthchecks"`
	// The HTTP server with /livez, /readyz and /healthz for the pod's probes.
	Monitor Monitor `yaml:"monitor"`
	// Where the node's standard output goes: kubevali's own stdout or stderr.
	NodeStdout Stream `yaml:"nodeStdout" default:"stdout"`
	// Where the node's standard error goes: kubevali's own stdout or stderr.
	NodeStderr Stream `yaml:"nodeStderr" default:"stdout"`
	// Kubevali's own log, which goes to stderr. The flags --log-level and --log-format win over these.
	Logging Logging `yaml:"logging"`

	places    places
	templates []*Template
}

// Fleet describes all pods of the StatefulSet together.
type Fleet struct {
	// How many there are, a number. These are each other's peers; 0: not known.
	//
	//	replicas: 3
	Replicas Template `yaml:"replicas" default:"0"`
}

// Process describes how the node is stopped and restarted.
type Process struct {
	// The signal that makes the node stop. Empty: the one that kubevali got.
	//
	//	stopSignal: SIGINT
	StopSignal Signal `yaml:"stopSignal" json:"stopSignal"`
	// How long the node may take to stop before it is killed. Keep it below the pod's terminationGracePeriodSeconds, which
	// is 30 where nothing else is said.
	StopGracePeriod Duration `yaml:"stopGracePeriod" json:"stopGracePeriod" default:"25s"`
	// Send signals to the node's whole process group, not to its first process alone.
	SignalGroup bool `yaml:"signalGroup" json:"signalGroup"`
	// When to start the node again after it ended by itself: never, on-failure or always. With never, kubevali ends with
	// the node's exit code and the kubelet restarts the container.
	Restart RestartPolicy `yaml:"restart" json:"restart" default:"never"`
	// The wait before the first restart, which doubles with each further one up to restartBackoffMax.
	RestartBackoff Duration `yaml:"restartBackoff" json:"restartBackoff" default:"1s"`
	// The longest wait. A node that ran longer than this begins anew with restartBackoff.
	RestartBackoffMax Duration `yaml:"restartBackoffMax" json:"restartBackoffMax" default:"1m"`
	// How many restarts in a row until kubevali gives up and ends. 0: no limit.
	RestartMaxTries int `yaml:"restartMaxTries" json:"restartMaxTries" default:"10"`
	// What to do when the watchlog says unhealthy: none, restart (stop the node, start it anew) or exit (stop the node and
	// end).
	OnUnhealthy UnhealthyAction `yaml:"onUnhealthy" json:"onUnhealthy" default:"none"`
}

// Healthchecks describes the healthchecks.io server.
type Healthchecks struct {
	// Where pings go.
	BaseURL secret.URL `yaml:"baseURL" json:"baseURL" default:"https://hc-ping.com"`
	// How long one ping may take.
	Timeout Duration `yaml:"timeout" json:"timeout" default:"10s"`
	// Let the server create a check that it does not know; for <ping-key>/<slug>.
	Create bool `yaml:"create" json:"create"`
	// Send the node's last lines along, as the ping's body.
	LogLines bool `yaml:"logLines" json:"logLines" default:"true"`
}

// Monitor describes the HTTP server behind the pod's probes.
type Monitor struct {
	// The address to listen on, :port or host:port. Empty: no server. Pods on the host network share the host's ports.
	//
	//	listen: ':{{ add 49944 .Index }}'
	Listen Template `yaml:"listen" json:"-" default:":49944"`
}

// Logging describes kubevali's own log.
type Logging struct {
	// The lowest level that is logged: debug, info, warn or error.
	Level LogLevel `yaml:"level" json:"level" default:"info"`
	// How an entry looks: a line for people (console) or a JSON object (json).
	Encoding LogEncoding `yaml:"encoding" json:"encoding" default:"console"`
}

// Templates are all templates of the file, and the defaults of those that it does not have. They are to be read only:
// those in mappings are copies.
func (c *Config) Templates() []*Template { return c.templates }

// At returns where the key with the given path stands in the file, such as watchlog.healthcheckIDs or
// nodeTemplate.files[0].mode; for a key that the file does not have, where the nearest key around it stands.
func (c *Config) At(path string) Position { return c.places.at(path) }

// check reports values that are well-formed but make no sense, alone or together.
func (c *Config) check(f *findings) {
	c.NodeTemplate.check(f)
	c.checkKeys(f)
	f.number("fleet.replicas", c.Fleet.Replicas, "from 0", 0, math.MaxInt)
	c.NodeService.check(f)
	c.Process.check(f)
	c.Watchlog.check(f)
	c.checkUnwatched(f)
	c.Healthchecks.check(f)
	c.Monitor.check(f)
}

func (p *Process) check(f *findings) {
	const path = "process."
	if s := syscall.Signal(p.StopSignal); s == syscall.SIGKILL || s == syscall.SIGSTOP {
		f.failAt(path+"stopSignal", "a node cannot stop gracefully on "+p.StopSignal.String(),
			"to kill it without a grace period, set stopGracePeriod: 0s")
	}
	f.within(path+"stopGracePeriod", p.StopGracePeriod, 0, day)
	f.within(path+"restartBackoffMax", p.RestartBackoffMax, millisecond, day)
	f.within(path+"restartBackoff", p.RestartBackoff, millisecond, day)
	if p.RestartBackoff > p.RestartBackoffMax && f.sound(path+"restartBackoffMax") {
		f.failAt(path+"restartBackoff", fmt.Sprintf("%v is more than restartBackoffMax, %v", p.RestartBackoff, p.RestartBackoffMax),
			"raise that, too")
	}
	if p.RestartMaxTries < 0 {
		f.failAt(path+"restartMaxTries", "expected 0 (no limit) or more, found "+strconv.Itoa(p.RestartMaxTries), "")
	}
}

func (h *Healthchecks) check(f *findings) {
	const path = "healthchecks."
	f.within(path+"timeout", h.Timeout, 100*millisecond, 10*minute)
	if _, err := healthcheck.ParseBaseURL(h.BaseURL.Reveal()); err != nil {
		f.failAt(path+"baseURL", err.Error(), hint.Of(err))
	}
}

func (m *Monitor) check(f *findings) {
	if address := m.Listen.Text; address != "" && !strings.Contains(address, "{{") && !strings.Contains(address, ":") {
		f.failAt("monitor.listen", "expected :port or host:port, found "+quote(address), `such as ":49944"`)
	}
}

const (
	millisecond = Duration(time.Millisecond)
	second      = Duration(time.Second)
	minute      = Duration(time.Minute)
	day         = Duration(24 * time.Hour)
)

func (f *findings) within(path string, d, least, most Duration) {
	if d < least || d > most {
		f.failAt(path, fmt.Sprintf("expected %v to %v, found %v", least, most, d), "")
	}
}

// number reports a template that is a text and no such number. Of others that shows when they are rendered.
func (f *findings) number(path string, t Template, expected string, least, most int) {
	text := strings.TrimSpace(t.Text)
	if text == "" || strings.Contains(text, "{{") {
		return
	}
	if n, err := strconv.Atoi(text); err != nil || n < least || n > most {
		f.failAt(path, "expected a number "+expected+", found "+quote(text), "")
	}
}
