package config

import (
	"net/url"
	"strconv"
	"strings"
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

// Healthchecks describes the healthchecks.io server.
type Healthchecks struct {
	// Where pings go.
	BaseURL string `yaml:"baseURL" json:"baseURL" default:"https://hc-ping.com"`
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
	c.Fleet.check(f)
	c.NodeService.check(f)
	c.Process.check(f)
	c.Watchlog.check(f)
	c.checkUnwatched(f)
	c.Healthchecks.check(f)
	c.Monitor.check(f)
}

func (fl *Fleet) check(f *findings) {
	text := strings.TrimSpace(fl.Replicas.Text)
	if strings.Contains(text, "{{") || text == "" {
		return
	}
	if n, err := strconv.Atoi(text); err != nil || n < 0 {
		f.failAt("fleet.replicas", "expected a number from 0, found "+quote(text), "")
	}
}

func (h *Healthchecks) check(f *findings) {
	const path, example = "healthchecks.", "such as https://hc-ping.com"
	f.within(path+"timeout", h.Timeout, 100*millisecond, 10*minute)
	u, err := url.Parse(h.BaseURL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		f.failAt(path+"baseURL", "expected a URL that begins with http:// or https:// and a host", example)
	case u.RawQuery != "", u.Fragment != "":
		f.failAt(path+"baseURL", "expected a URL without ? and #", example)
	}
}

func (m *Monitor) check(f *findings) {
	if address := m.Listen.Text; address != "" && !strings.Contains(address, "{{") && !strings.Contains(address, ":") {
		f.failAt("monitor.listen", "expected :port or host:port, found "+quote(address), `such as ":49944"`)
	}
}
