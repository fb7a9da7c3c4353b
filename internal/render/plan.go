package render

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kubevali/kubevali/internal/config"
)

// Plan is what one pod is to run and how, with nothing left to render.
type Plan struct {
	Pod, Namespace string
	Index          *int     // nil when the pod has no ordinal and the configuration gives it no index
	Command        []string // program and arguments, at least one
	Env            []EnvVar // what the node gets besides kubevali's own environment, by name
	UnsetEnv       []string // names of variables that it does not get
	WorkingDir     string   // empty: kubevali's own
	Files          []File
	Keys           []Key    // by name
	Service        *Service // nil when there is to be none
	Process        Process
	Watchlog       *Watchlog // nil when nothing is watched
	Healthchecks   Healthchecks
	Monitor        Monitor
	Stdout, Stderr config.Stream // where the node's streams go

	// Warnings say what works, but most likely not as it is meant.
	Warnings []string
}

// EnvVar is an environment variable.
type EnvVar struct{ Name, Value string }

// File is a file to write before the node starts.
type File struct {
	Path        string
	Content     []byte
	Mode        fs.FileMode
	IfNotExists bool // leave a file alone that exists
}

// private reports whether a file's content must not be shown: it can be a secret, since it is random or kept from others.
func (f File) private() bool { return f.IfNotExists || f.Mode&0o004 == 0 }

// Process says how the node is stopped and restarted, see config.Process.
type Process struct {
	StopSignal        syscall.Signal // 0: the one that kubevali got
	StopGracePeriod   time.Duration
	SignalGroup       bool
	Restart           config.RestartPolicy
	RestartBackoff    time.Duration
	RestartBackoffMax time.Duration
	RestartMaxTries   int // 0: no limit
	OnUnhealthy       config.UnhealthyAction
}

// Watchlog says what in the node's logs is a sign of life, see config.Watchlog.
type Watchlog struct {
	Keywords         []string
	FailKeywords     []string
	Pattern          *regexp.Regexp // nil: none
	LastThreshold    time.Duration
	StartupThreshold time.Duration // 0: none
	Interval         time.Duration
	Streams          []config.Stream
	Files            []string
	HealthcheckID    string // empty: nothing is reported
}

// Healthchecks is the healthchecks.io server.
type Healthchecks struct {
	BaseURL  string
	Timeout  time.Duration
	Create   bool
	LogLines bool
}

// Monitor is the HTTP server behind the pod's probes.
type Monitor struct {
	Listen string // ":port" or "host:port"; empty: no server
}

// Equal reports whether both plans run the same node in the same way. The content of files that are written only once
// does not count: it may be random. Neither do warnings, nor the Service: what the node knows of it is in its command and
// files, and the rest can change while it runs.
func (p *Plan) Equal(q *Plan) bool {
	a, patternA := p.compared()
	b, patternB := q.compared()
	return patternA == patternB && reflect.DeepEqual(a, b)
}

// compared is a copy of the plan without what Equal does not compare, and the pattern, which it compares as a text.
func (p *Plan) compared() (plan Plan, pattern string) {
	plan = *p
	plan.Service, plan.Warnings = nil, nil
	plan.Files = slices.Clone(p.Files)
	for i := range plan.Files {
		if plan.Files[i].IfNotExists {
			plan.Files[i].Content = nil
		}
	}
	if p.Watchlog != nil && p.Watchlog.Pattern != nil {
		watchlog := *p.Watchlog
		pattern, watchlog.Pattern = watchlog.Pattern.String(), nil
		plan.Watchlog = &watchlog
	}
	return plan, pattern
}

// Environ returns the node's environment: base, a list of name=value as os.Environ returns it, with the plan's variables
// set and its UnsetEnv removed.
func (p *Plan) Environ(base []string) []string {
	dropped := make(map[string]bool, len(p.Env)+len(p.UnsetEnv))
	for _, v := range p.Env {
		dropped[v.Name] = true
	}
	for _, name := range p.UnsetEnv {
		dropped[name] = true
	}
	environ := make([]string, 0, len(base)+len(p.Env))
	for _, entry := range base {
		if name, _, _ := strings.Cut(entry, "="); !dropped[name] {
			environ = append(environ, entry)
		}
	}
	for _, v := range p.Env {
		if !slices.Contains(p.UnsetEnv, v.Name) {
			environ = append(environ, v.Name+"="+v.Value)
		}
	}
	return environ
}

// CheckFleet reports what would set pods of one fleet against each other: a P2P key of one pod must not be that of
// another, a node port is a port of every Kubernetes node, so there can be only one Service for it, and pods that report
// to one check hide each other's failures.
func CheckFleet(plans []*Plan) error {
	var errs []error
	if err := checkIdentities(identitiesOf(plans)); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, append(sharedPorts(plans), sharedChecks(plans)...)...)...)
}

func sharedPorts(plans []*Plan) (errs []error) {
	holders := make(map[int]*Plan)
	for _, p := range plans {
		if p.Service == nil {
			continue
		}
		for _, port := range p.Service.Ports {
			// TCP and UDP of one Service may share a number, but those of two may not.
			if holder := holders[port.NodePort]; holder != nil && holder != p {
				errs = append(errs, fmt.Errorf("nodeService: pods %s and %s would both get node port %d; let it depend on .Index",
					holder.Pod, p.Pod, port.NodePort))
			} else if port.NodePort != 0 {
				holders[port.NodePort] = p
			}
		}
	}
	return errs
}

func sharedChecks(plans []*Plan) (errs []error) {
	holders := make(map[string]*Plan)
	for _, p := range plans {
		if p.Watchlog == nil || p.Watchlog.HealthcheckID == "" {
			continue
		}
		id := p.Watchlog.HealthcheckID
		if holder := holders[id]; holder != nil {
			errs = append(errs, fmt.Errorf("watchlog.healthcheckID: pods %s and %s would both report to the check %s; "+
				"let it depend on .Pod.Name, or give each pod one of healthcheckIDs", holder.Pod, p.Pod, masked(id)))
			continue
		}
		holders[id] = p
	}
	return errs
}

func identitiesOf(plans []*Plan) []PodIdentities {
	fleet := make([]PodIdentities, len(plans))
	for i, p := range plans {
		fleet[i] = PodIdentities{Pod: p.Pod, Namespace: p.Namespace}
		for _, key := range p.Keys {
			fleet[i].Keys = append(fleet[i].Keys, KeyIdentity{key.Name, key.Public})
		}
	}
	return fleet
}
