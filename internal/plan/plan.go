// Package plan turns a configuration and the facts about a pod into the answer to what this pod is to run, and how: its
// [Plan], with nothing left to render. It prints plans and compares them, but does not carry them out.
//
// Making a plan also tells what its templates asked for and the facts lack, see [Complete].
//
// Invariants:
//
//   - Making a plan is pure: the same configuration and the same facts give the same plan, and nothing is changed or asked
//     by it. Templates may read files, and those alone.
//   - Either there is a whole plan or an error of type config.Errors with everything that is wrong.
//   - Templates cannot read root secrets, and nothing here ever sees a private key.
//   - Neither errors nor printed plans show values of the environment, other than those that a template put into the
//     plan, nor healthcheck IDs, nor files that others may not read.
package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/secret"
)

// Plan is what one pod is to run and how. As JSON no key is ever missing, no list is null, and secrets are left out or cut
// short.
type Plan struct {
	Pod          string              `json:"pod"`
	Namespace    string              `json:"namespace"`
	Index        *int                `json:"index"`    // nil when the pod has no ordinal and the configuration gives it no index
	Command      []string            `json:"command"`  // program and arguments, at least one
	Env          map[string]string   `json:"env"`      // what the node gets besides kubevali's own environment
	UnsetEnv     []string            `json:"unsetEnv"` // names of variables that it does not get
	WorkingDir   string              `json:"workingDir"`
	Files        []File              `json:"files"`
	Keys         []Key               `json:"keys"`    // by name
	Service      *Service            `json:"service"` // nil when there is to be none
	Process      config.Process      `json:"process"`
	Watchlog     *Watchlog           `json:"watchlog"` // nil when nothing is watched
	Healthchecks config.Healthchecks `json:"healthchecks"`
	Monitor      Monitor             `json:"monitor"`
	NodeStdout   config.Stream       `json:"nodeStdout"`
	NodeStderr   config.Stream       `json:"nodeStderr"`

	// Warnings say what works, but most likely not as it is meant.
	Warnings []string `json:"-"`
}

// File is a file to write before the node starts.
type File struct {
	Path        string
	Content     []byte
	Mode        config.FileMode
	IfNotExists bool // leave a file alone that exists
}

// private reports whether a file's content must not be shown: it can be a secret, since it is random or kept from others.
func (f File) private() bool { return f.IfNotExists || f.Mode&0o004 == 0 || !utf8.Valid(f.Content) }

// MarshalJSON leaves private content out.
func (f File) MarshalJSON() ([]byte, error) {
	shown := struct {
		Path        string          `json:"path"`
		Mode        config.FileMode `json:"mode"`
		IfNotExists bool            `json:"ifNotExists"`
		Size        int             `json:"size"`
		Content     *string         `json:"content,omitempty"`
	}{f.Path, f.Mode, f.IfNotExists, len(f.Content), nil}
	if content := string(f.Content); !f.private() {
		shown.Content = &content
	}
	return json.Marshal(shown)
}

// Format prints no content, whatever the verb.
func (f File) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "%s (%d bytes)", f.Path, len(f.Content)) }

// Key is a P2P key to write, or to check, before the node starts. It is never the private key.
type Key struct {
	keyfile.Key
	Mode        config.FileMode   `json:"mode"`
	Owner       config.Owner      `json:"owner"`    // not set: left as it is
	PublicID    string            `json:"publicID"` // the one that keys of both types have
	Public      *keyderive.Public `json:"public"`   // nil where it is not known
	ExpectInLog string            `json:"expectInLog"`
}

// Service is the Service of this pod alone, as it is to be. It has the pod's name; its namespace is empty where that is
// not known.
type Service struct {
	kube.ServiceSpec
	NodePort       int             `json:"nodePort"`       // of the first port; 0: the cluster chooses
	AddressTimeout config.Duration `json:"addressTimeout"` // how long a load balancer's address is waited for
}

// Pinned is the Service with the node ports that the cluster has chosen, by names of ports, so that whoever makes it again
// asks for the same ones: the node has them on its command line.
func (s *Service) Pinned(ports map[string]int) *Service {
	pinned := *s
	pinned.Ports = slices.Clone(s.Ports)
	for i := range pinned.Ports {
		port := &pinned.Ports[i]
		if chosen := ports[port.Name]; port.NodePort == 0 && chosen != 0 {
			port.NodePort = chosen
			if port.TargetPort == 0 {
				port.TargetPort = chosen
			}
		}
	}
	pinned.NodePort = pinned.Ports[0].NodePort
	return &pinned
}

// Watchlog is config.Watchlog with its templates rendered.
type Watchlog struct {
	config.Watchlog
	Files         []string    `json:"files"`
	HealthcheckID secret.Text `json:"healthcheckID"` // empty: nothing is reported
}

// Monitor is the HTTP server behind the pod's probes.
type Monitor struct {
	Listen string `json:"listen"` // ":port" or "host:port"; empty: no server
}

// Equal reports whether both plans run the same node in the same way. The content of files that are written only once
// does not count: it may be random. Neither do warnings, nor the Service: what the node knows of it is in its command and
// files, and the rest can change while it runs.
func (p *Plan) Equal(q *Plan) bool { return reflect.DeepEqual(p.compared(), q.compared()) }

// compared is a copy of the plan without what Equal does not compare.
func (p *Plan) compared() Plan {
	plan := *p
	plan.Service, plan.Warnings = nil, nil
	plan.Files = slices.Clone(p.Files)
	for i := range plan.Files {
		if plan.Files[i].IfNotExists {
			plan.Files[i].Content = nil
		}
	}
	return plan
}

// Environ returns the node's environment: base, a list of name=value as os.Environ returns it, with the plan's variables
// set and its UnsetEnv removed.
func (p *Plan) Environ(base []string) []string {
	environ := make([]string, 0, len(base)+len(p.Env))
	for _, entry := range base {
		name, _, _ := strings.Cut(entry, "=")
		if _, set := p.Env[name]; !set && !slices.Contains(p.UnsetEnv, name) {
			environ = append(environ, entry)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		if !slices.Contains(p.UnsetEnv, name) {
			environ = append(environ, name+"="+p.Env[name])
		}
	}
	return environ
}
