package render

import (
	"fmt"
	"io"
)

// fieldNames is what data has.
var fieldNames = []string{".Index", ".Pod.Name", ".Pod.Namespace", ".Node.Name", ".Env.NAME", ".Service.Address",
	".Service.NodePort NAME", ".Service.Port NAME"}

// data is what templates see as the dot.
type data struct {
	facts   *Facts
	lookups *lookups
	secrets *secrets
	index   func() (int, error)
	service func() (serviceData, error)
	env     map[string]any // nil until it is asked for
}

// Format keeps what the dot holds out of texts, where only addresses in memory would show.
func (data) Format(s fmt.State, _ rune) { io.WriteString(s, "the template's data") }

// Format is that of data.
func (podData) Format(s fmt.State, _ rune) { io.WriteString(s, "the pod's data") }

// Format is that of data.
func (nodeData) Format(s fmt.State, _ rune) { io.WriteString(s, "the Kubernetes node's data") }

// Index is the pod's index.
func (d *data) Index() (int, error) { return d.index() }

// Pod is the pod.
func (d *data) Pod() podData { return podData{d.facts.Pod, d.facts.Namespace} }

// Node is the Kubernetes node.
func (d *data) Node() nodeData { return nodeData{d.lookups} }

// Service is the pod's own Service.
func (d *data) Service() (serviceData, error) { return d.service() }

func serviceTooEarly() (serviceData, error) {
	return serviceData{}, &failure{"the Service cannot be asked for here", "it is settled after nodeTemplate.index, " +
		"monitor.listen, p2pKeys and nodeService itself"}
}

// Env is the environment without root secrets, in the type that sprig's functions for dictionaries take.
func (d *data) Env() map[string]any {
	if d.env == nil {
		d.env = make(map[string]any, len(d.facts.Env))
		for name, value := range d.facts.Env {
			d.env[name] = value
		}
		for _, name := range d.secrets.env {
			delete(d.env, name)
		}
	}
	return d.env
}

type podData struct{ name, namespace string }

func (p podData) Name() (string, error) {
	if p.name == "" {
		return "", &failure{"the pod's name is not known", "set POD_NAME from the field metadata.name"}
	}
	return p.name, nil
}

func (p podData) Namespace() string { return p.namespace }

type nodeData struct{ lookups *lookups }

func (n nodeData) Name() (string, error) { return n.lookups.node() }
