package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/kubevali/kubevali/internal/backoff"
)

const (
	// manager is who kubevali is to the API (metadata.managedFields), and in what marks a Service as its own.
	manager             = "kubevali"
	managedByAnnotation = "kubeva.li/managed-by"
	managedByLabel      = "app.kubernetes.io/managed-by"
	// describedAnnotation names the labels and annotations that are there because they were described, so that they go when
	// they are no longer.
	describedAnnotation = "kubeva.li/described"
	// podNameLabel is what a StatefulSet's controller gives each of its pods.
	podNameLabel = "statefulset.kubernetes.io/pod-name"

	// maxLooks is how often Apply looks at a Service again that changed under its hands.
	maxLooks = 8
	// maxRounds is how often Apply adds to a Service what the cluster has chosen. One time is enough, unless ports that
	// were chosen already have to be made equal.
	maxRounds = 3
	// deletionTimeout is how long Apply waits for a Service that is being deleted; a load balancer takes its time.
	deletionTimeout = 2 * time.Minute
	deletionPoll    = time.Second
)

// What ServiceSpec.Type takes. Others occur in Services that something else made.
const (
	NodePort     = "NodePort"
	LoadBalancer = "LoadBalancer"
)

// What ServiceSpec.Owner takes.
const (
	// OwnedByStatefulSet is the pod's controller, whatever its kind: the Service, and with it the address, outlives the
	// pod and goes when the controller is deleted.
	OwnedByStatefulSet = "StatefulSet"
	// OwnedByPod deletes the Service with the pod, so also when the StatefulSet is scaled down.
	OwnedByPod = "Pod"
	// OwnedByNone leaves the Service until somebody deletes it.
	OwnedByNone = "None"
)

// ServiceSpec describes a pod's own Service, as it shall be.
type ServiceSpec struct {
	Namespace string `json:"-"`
	// Name is the pod's and the Service's. The pod must have the label statefulset.kubernetes.io/pod-name, which
	// StatefulSets give their pods.
	Name string `json:"name"`
	// Type is NodePort or LoadBalancer.
	Type string `json:"type"`
	// Ports are at least one; the pairs of port and protocol are different, and so are the names.
	Ports []ServicePort `json:"ports"`
	// Owner is with what the Service goes; "" is OwnedByNone.
	Owner string `json:"owner"`
	// ExternalTrafficPolicy is Local or Cluster; "" leaves it to the API (Cluster) and to others.
	ExternalTrafficPolicy string `json:"externalTrafficPolicy"`
	// IPFamilyPolicy is SingleStack, PreferDualStack or RequireDualStack; "" leaves it to the API and to others.
	IPFamilyPolicy string `json:"ipFamilyPolicy"`
	// LoadBalancerClass is for type LoadBalancer alone; "" is the cluster's default load balancer.
	LoadBalancerClass string `json:"loadBalancerClass"`
	// Labels and Annotations are in addition to those that say that kubevali manages the Service.
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	// ForceUpdate takes over a Service of that name that something else made.
	ForceUpdate bool `json:"forceUpdate"`
}

// Outcome says what Apply did.
type Outcome string

const (
	// Unchanged: the Service was as described.
	Unchanged Outcome = "unchanged"
	// Created: there was none.
	Created Outcome = "created"
	// Updated: it was changed.
	Updated Outcome = "updated"
	// Foreign: something else made it and ForceUpdate is not set, so it was left alone.
	Foreign Outcome = "foreign"
)

// Apply makes the pod's Service be as described and returns it as it is then. The outcome is empty with an error. It needs
// the verbs get on pods and get, create and patch on services in the namespace.
//
// It creates the Service, or sends one merge patch (RFC 7386) for the version of it that was looked at: what others set
// beyond the description stays, except for selector, owners and ports, of which the described are all. A Service that is
// being deleted is waited for. When the API refuses the description, the Service that is there stays as it was.
func (c *Client) Apply(ctx context.Context, s ServiceSpec) (Service, Outcome, error) {
	pod, err := c.pod(ctx, request{verb: "get", resource: "pods", namespace: s.Namespace, name: s.Name, forService: true})
	if err != nil {
		return Service{}, "", err
	}
	owners, err := s.owners(pod)
	if err != nil {
		return Service{}, "", err
	}
	a := application{client: c, spec: s, owners: owners, outcome: Unchanged}
	for waits := (backoff.Backoff{First: firstWait, Max: maxWait}); waits.Tries() < maxLooks; {
		live, err := a.look(ctx)
		switch {
		case err == nil:
			return live, a.outcome, nil
		case !isCode(err, http.StatusConflict):
			return Service{}, "", err
		case !sleep(ctx, waits.Next()):
			return Service{}, "", s.request("patch").ended(ctx, nil)
		}
	}
	return Service{}, "", s.request("patch").error(Error{
		Code:      http.StatusConflict,
		Message:   "something else changes it again and again",
		Remedy:    "kubectl get service --show-managed-fields -o yaml says what (metadata.managedFields)",
		temporary: true,
	})
}

func (s ServiceSpec) request(verb string) request {
	return request{verb: verb, resource: "services", namespace: s.Namespace, name: s.Name}
}

// owners checks that the Service would lead to the pod, and returns with what it goes.
func (s ServiceSpec) owners(pod Pod) ([]Owner, error) {
	switch {
	case pod.Labels[podNameLabel] != s.Name:
		return nil, s.request("patch").error(Error{
			Field:   "spec.selector",
			Message: fmt.Sprintf("the pod %q has no label %s: %[1]s, so the Service would lead nowhere", s.Name, podNameLabel),
			Remedy:  "run the pod in a StatefulSet, or give it that label in its manifest",
		})
	case s.Owner == OwnedByPod:
		return []Owner{{APIVersion: "v1", Kind: "Pod", Name: s.Name, UID: pod.UID}}, nil
	case s.Owner == OwnedByStatefulSet && pod.Controller == nil:
		return nil, s.request("patch").error(Error{
			Field:   "metadata.ownerReferences",
			Message: fmt.Sprintf("the pod %q belongs to no StatefulSet, with which the Service could go", s.Name),
		})
	case s.Owner == OwnedByStatefulSet:
		return []Owner{*pod.Controller}, nil
	}
	return []Owner{}, nil // not nil, which would leave those of before
}

// application is one Apply on its way.
type application struct {
	client  *Client
	spec    ServiceSpec
	owners  []Owner
	outcome Outcome
}

// look looks at the Service and changes it where it must. A conflict (409) says that it has changed since the look.
func (a *application) look(ctx context.Context) (live Service, err error) {
	if live, err = a.current(ctx); err != nil {
		return live, err
	}
	if live.exists() && !live.managed() && !a.spec.ForceUpdate {
		a.outcome = Foreign
		return live, nil
	}
	for range maxRounds {
		if live, err = a.write(ctx, live); err != nil {
			return live, err
		}
		// What follows from what the API has chosen only now is told to it in the next round.
		if slices.Equal(live.Ports, a.spec.resolve(live.Ports)) {
			break
		}
	}
	return live, nil
}

// current returns the Service once it is not being deleted. Where there is none, what it returns does not exist.
func (a *application) current(ctx context.Context) (Service, error) {
	for start := time.Now(); ; {
		live, err := a.client.Service(ctx, a.spec.Namespace, a.spec.Name)
		switch {
		case NotFound(err):
			return Service{}, nil
		case err != nil || !live.deleted:
			return live, err
		case time.Since(start) >= deletionTimeout:
			return live, a.spec.request("patch").error(Error{
				Message:   fmt.Sprintf("it has been in deletion for more than %s", deletionTimeout),
				Remedy:    "kubectl get service -o yaml shows the finalizers it waits for (metadata.finalizers)",
				temporary: true,
			})
		case !sleep(ctx, deletionPoll):
			return live, a.spec.request("patch").ended(ctx, nil)
		}
	}
}

// write creates the Service, provided that there still is none, or changes it, provided that it is still as in live, and
// returns what it has become.
func (a *application) write(ctx context.Context, live Service) (written Service, err error) {
	r := a.spec.request("patch")
	if !live.exists() {
		r.verb = "create"
	}
	r.query = url.Values{"fieldManager": {manager}}
	r.body, _ = json.Marshal(a.manifest(live)) // texts and numbers cannot fail
	written, err = a.client.service(ctx, r)
	switch {
	case NotFound(err) && live.exists(): // it was deleted since
		return live, r.error(Error{Code: http.StatusConflict, Message: "it was deleted"})
	case err != nil:
		return live, err
	case !live.exists():
		a.outcome = Created
	case a.outcome != Created && written.version != live.version:
		a.outcome = Updated
	}
	return written, nil
}

// manifest is what makes live a Service as it is described: the whole of it, or a merge patch, in which null takes away.
func (a *application) manifest(live Service) any {
	type object map[string]any
	labels, annotations := a.spec.marks(live)
	metadata := object{
		"name":            a.spec.Name,
		"labels":          labels,
		"annotations":     annotations,
		"ownerReferences": a.owners,
	}
	if live.exists() {
		// A precondition: the API answers 409 when the Service is no longer of this version.
		metadata["resourceVersion"] = live.version
	}
	spec := object{
		"type":     a.spec.Type,
		"selector": merged(slices.Collect(maps.Keys(live.selector)), map[string]string{podNameLabel: a.spec.Name}),
		"ports":    a.spec.resolve(live.Ports),
		// A node that still syncs needs its peers, too.
		"publishNotReadyAddresses": true,
	}
	for field, value := range map[string]string{
		"externalTrafficPolicy": a.spec.ExternalTrafficPolicy,
		"ipFamilyPolicy":        a.spec.IPFamilyPolicy,
		"loadBalancerClass":     a.spec.LoadBalancerClass,
	} {
		if value != "" {
			spec[field] = value
		}
	}
	return object{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
}

// described is the value of describedAnnotation: names of labels and annotations.
type described struct {
	Labels      []string `json:"labels,omitempty"`
	Annotations []string `json:"annotations,omitempty"`
}

// marks are the labels and annotations that the Service is to have, and null for those that it has from an earlier
// description.
func (s ServiceSpec) marks(live Service) (labels, annotations map[string]any) {
	var before described
	_ = json.Unmarshal([]byte(live.annotations[describedAnnotation]), &before) // if not, nothing is taken away
	now := described{slices.Sorted(maps.Keys(s.Labels)), slices.Sorted(maps.Keys(s.Annotations))}
	labels, annotations = merged(before.Labels, s.Labels), merged(before.Annotations, s.Annotations)
	labels[managedByLabel], annotations[managedByAnnotation] = manager, manager
	switch record, _ := json.Marshal(now); {
	case len(now.Labels)+len(now.Annotations) > 0:
		annotations[describedAnnotation] = string(record)
	case live.annotations[describedAnnotation] != "":
		annotations[describedAnnotation] = nil
	}
	return labels, annotations
}

// merged is what makes names of before those of now, in a merge patch.
func merged(before []string, now map[string]string) map[string]any {
	m := map[string]any{}
	for _, name := range before {
		m[name] = nil
	}
	for name, value := range now {
		m[name] = value
	}
	return m
}

// resolve puts in what the cluster chose: node ports, and target ports that follow them. What is not known yet stays 0.
func (s ServiceSpec) resolve(live []ServicePort) []ServicePort {
	ports := slices.Clone(s.Ports)
	for i := range ports {
		p := &ports[i]
		p.NodePort = s.nodePort(*p, live)
		p.TargetPort = cmp.Or(p.TargetPort, p.NodePort)
	}
	return ports
}

// nodePort returns the node port of p, or what the cluster chose in its place; 0: nothing yet. TCP and UDP on one port get
// one node port, since peers are told one number for both; the API sees to that only when it creates a Service. Of a load
// balancer peers do not see it.
func (s ServiceSpec) nodePort(p ServicePort, live []ServicePort) int {
	if p.NodePort != 0 {
		return p.NodePort
	}
	for _, q := range s.Ports {
		if q.Port != p.Port || s.Type == LoadBalancer && q.Protocol != p.Protocol {
			continue
		}
		if q.NodePort != 0 {
			return q.NodePort
		}
		for _, l := range live {
			if l.Port == q.Port && l.Protocol == q.Protocol && l.NodePort != 0 {
				return l.NodePort
			}
		}
	}
	return 0
}

// AwaitAddress waits until the load balancer of a Service has an address and returns the first: an IP address, or a host
// name where the cluster knows no IP address. It needs the verb get on services in the namespace. The API server may be
// away for a while within the timeout, whatever the client's patience.
func (c *Client) AwaitAddress(ctx context.Context, namespace, name string, timeout time.Duration) (string, error) {
	r := request{verb: "get", resource: "services", namespace: namespace, name: name}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for polls := (backoff.Backoff{First: time.Second, Max: 5 * time.Second}); ; {
		s, err := c.service(waiting, r)
		var e *Error
		switch {
		case err == nil && len(s.Ingress) > 0:
			return s.Ingress[0], nil
		case err == nil && s.Type != LoadBalancer:
			return "", r.error(Error{Message: fmt.Sprintf("it is of type %s, which gets no load balancer", s.Type)})
		case errors.As(err, &e) && !e.temporary:
			return "", err
		case sleep(waiting, polls.Next()):
		case ctx.Err() != nil:
			return "", r.ended(ctx, nil)
		case err != nil:
			return "", err
		default:
			return "", r.error(Error{
				Message: fmt.Sprintf("its load balancer has no address after %s", timeout),
				Remedy: "kubectl describe service shows what the load balancer's controller says; " +
					"without events there is none in the cluster",
				temporary: true, err: context.DeadlineExceeded,
			})
		}
	}
}
