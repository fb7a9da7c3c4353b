package plan

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/render"
)

// fieldNames is what data has.
var fieldNames = []string{".Index", ".Pod.Name", ".Pod.Namespace", ".Node.Name", ".Env.NAME", ".Service.Address",
	".Service.NodePort NAME", ".Service.Port NAME"}

// data is what templates see as the dot.
type data struct {
	planner *planner
	service func() (serviceData, error)
	env     map[string]any // nil until it is asked for
}

// podData is the pod as templates see it.
type podData struct{ name, namespace string }

// nodeData is the Kubernetes node as templates see it.
type nodeData struct{ planner *planner }

func isGroup(value any) bool {
	switch value.(type) {
	case *data, podData, nodeData, serviceData:
		return true
	}
	return false
}

// Format keeps what the dot holds out of texts, where only addresses in memory would show.
func (data) Format(s fmt.State, _ rune) { io.WriteString(s, "the template's data") }

// Format is that of data.
func (podData) Format(s fmt.State, _ rune) { io.WriteString(s, "the pod's data") }

// Format is that of data.
func (nodeData) Format(s fmt.State, _ rune) { io.WriteString(s, "the Kubernetes node's data") }

// Index is the pod's index.
func (d *data) Index() (int, error) { return d.planner.index() }

// Pod is the pod.
func (d *data) Pod() podData { return podData{d.planner.facts.Pod, d.planner.facts.Namespace} }

// Node is the Kubernetes node.
func (d *data) Node() nodeData { return nodeData{d.planner} }

// Service is the pod's own Service.
func (d *data) Service() (serviceData, error) { return d.service() }

// Env is the environment without root secrets, in the type that sprig's functions for dictionaries take.
func (d *data) Env() map[string]any {
	if d.env == nil {
		d.env = make(map[string]any, len(d.planner.facts.Env))
		for name, value := range d.planner.facts.Env {
			if !d.planner.hidden.isVariable(name) {
				d.env[name] = value
			}
		}
	}
	return d.env
}

// Name is the pod's name.
func (p podData) Name() (string, error) {
	if p.name == "" {
		return "", render.Fail("the pod's name is not known", "set POD_NAME from the field metadata.name")
	}
	return p.name, nil
}

// Namespace is the pod's namespace.
func (p podData) Namespace() string { return p.namespace }

// Name is the Kubernetes node's name.
func (n nodeData) Name() (string, error) { return n.planner.node() }

// unknown explains a key that a map or, by its Go type, a part of the data does not have.
func (p *planner) unknown(action, key, goType string) error {
	switch {
	case p.hidden.isVariable(key):
		return refuseVariable(key)
	case strings.HasSuffix(action, ".Env."+key):
		return render.Fail("the environment variable "+key+" is not set", `{{ env "`+key+`" }} gives an empty text instead`)
	case strings.HasPrefix(strings.TrimPrefix(goType, "*"), "plan."):
		return render.Fail("there is no "+action, cmp.Or(hint.DidYouMean(action, fieldNames), "there are "+strings.Join(fieldNames, ", ")))
	}
	return nil
}

func podOrdinal(pod string) (int, error) {
	n, err := facts.Ordinal(pod)
	if err != nil {
		return 0, render.Because(err)
	}
	return n, nil
}

func (p *planner) env(name string) (string, error) {
	if p.hidden.isVariable(name) {
		return "", refuseVariable(name)
	}
	return p.facts.Env[name], nil
}

func (p *planner) expandenv(text string) (expanded string, err error) {
	expanded = os.Expand(text, func(name string) string {
		value, problem := p.env(name)
		if problem != nil {
			err = problem
		}
		return value
	})
	return expanded, err
}

// readFile returns the content of a regular file of at most render.MaxText bytes that holds no secret of p2pKeys.
func (p *planner) readFile(path string) (string, error) {
	if p.hidden.unsettled != nil {
		return "", p.hidden.unsettled
	}
	content, err := atomicfile.Read(path, render.MaxText, func(open fs.FileInfo) error { return p.hidden.refuseFile(path, open) })
	if err != nil {
		return "", render.Fail(fmt.Sprintf("cannot read %s: %v", path, err), hint.Of(err))
	}
	return string(content), nil
}
