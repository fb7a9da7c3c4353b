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
	"strconv"
	"time"
)

const (
	// manager is who kubevali is to the API (metadata.managedFields), and in what marks a Service as its own.
	manager             = "kubevali"
	managedByAnnotation = "kubeva.li/managed-by"
	managedByLabel      = "app.kubernetes.io/managed-by"
	// noVersion is a resource version that no object has: it is etcd's revision before the first write. An apply that
	// names it creates an object, and is refused (409) where there is one.
	noVersion = "1"
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

// Ownership says with what a Service goes.
type Ownership string

const (
	// OwnedByStatefulSet is the pod's controller, whatever its kind: the Service, and with it the address, outlives the
	// pod and goes when the controller is deleted.
	OwnedByStatefulSet Ownership = "StatefulSet"
	// OwnedByPod deletes the Service with the pod, so also when the StatefulSet is scaled down.
	OwnedByPod Ownership = "Pod"
	// OwnedByNone leaves the Service until somebody deletes it.
	OwnedByNone Ownership = "None"
)

// ServiceSpec describes a pod's own Service, as it shall be.
type ServiceSpec struct {
	Namespace string
	// Name is the Service's, usually the pod's.
	Name string
	// Pod is the name of the pod that the Service leads to. It must have the label statefulset.kubernetes.io/pod-name,
	// which StatefulSets give their pods.
	Pod string
	// Type is NodePort or LoadBalancer; "" is NodePort.
	Type ServiceType
	// Ports are at least one; the pairs of port and protocol are different, and so are the names.
	Ports []ServicePort
	// Labels and Annotations are in addition to those that say that kubevali manages the Service.
	Labels      map[string]string
	Annotations map[string]string
	// Owner is with what the Service goes; "" is OwnedByNone.
	Owner Ownership
	// ExternalTrafficPolicy is Local or Cluster; "" leaves it to the API (Cluster).
	ExternalTrafficPolicy string
	// IPFamilyPolicy is SingleStack, PreferDualStack or RequireDualStack; "" leaves it to the API and to others.
	IPFamilyPolicy string
	// LoadBalancerClass is for type LoadBalancer alone; "" is the cluster's default load balancer.
	LoadBalancerClass string
	// ForceUpdate takes over a Service of that name that something else made.
	ForceUpdate bool
}

// Outcome says what Apply did.
type Outcome int

const (
	// Unchanged: the Service was as described.
	Unchanged Outcome = iota
	// Created: there was none.
	Created
	// Updated: it was changed.
	Updated
	// Foreign: something else made it and ForceUpdate is not set, so it was left alone.
	Foreign
)

func (o Outcome) String() string {
	return [...]string{"unchanged", "created", "updated", "foreign"}[o]
}

// Apply makes the pod's Service be as described and returns it as it is then. It needs the verbs get on pods and get,
// create and patch on services in the namespace.
//
// It is a server-side apply by the field manager kubevali: what others set beyond the description stays, except for the
// selector and for ports, of which the described are all. A Service that is being deleted is waited for. When the API
// refuses the description, the Service that is there stays as it was.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/
func (c *Client) Apply(ctx context.Context, s ServiceSpec) (Service, Outcome, error) {
	if s.Type == "" {
		s.Type = NodePort
	}
	if err := s.checkPorts(); err != nil {
		return Service{}, Unchanged, err
	}
	pod, err := c.pod(ctx, request{verb: "get", resource: "pods", namespace: s.Namespace, name: s.Pod, forService: true})
	if err != nil {
		return Service{}, Unchanged, err
	}
	owner, err := s.owner(pod)
	if err != nil {
		return Service{}, Unchanged, err
	}
	a := application{client: c, spec: s, owner: owner}
	for look := range maxLooks {
		svc, foreign, err := a.look(ctx)
		switch {
		case err == nil:
			return svc, a.outcome(foreign), nil
		case !conflict(err):
			return Service{}, Unchanged, err
		case sleep(ctx, time.Duration(look)*firstWait) != nil:
			return Service{}, Unchanged, s.request("patch").cancelled(ctx)
		}
	}
	e := s.request("patch").error("something else changes it again and again")
	e.Remedy = "kubectl get service --show-managed-fields -o yaml says what (metadata.managedFields)"
	e.Code, e.temporary = http.StatusConflict, true
	return Service{}, Unchanged, e
}

func conflict(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == http.StatusConflict
}

func (s ServiceSpec) request(verb string) request {
	return request{verb: verb, resource: "services", namespace: s.Namespace, name: s.Name}
}

// checkPorts refuses what the API answers with an internal error.
func (s ServiceSpec) checkPorts() error {
	for i, p := range s.Ports {
		if hasKey(s.Ports[:i], p) {
			return s.request("patch").error(fmt.Sprintf("the port %d/%s is there twice; give one of the two another port", p.Port, p.Protocol))
		}
	}
	return nil
}

// owner checks that the Service would lead to the pod, and returns with what it goes, nil for nothing.
func (s ServiceSpec) owner(pod Pod) (*Owner, error) {
	wrong := func(message, hint string) (*Owner, error) {
		e := s.request("patch").error(message)
		e.Remedy = hint
		return nil, e
	}
	if pod.Labels[podNameLabel] != pod.Name {
		return wrong(fmt.Sprintf("the pod %q has no label %s: %[1]s, so the Service would lead nowhere", pod.Name, podNameLabel),
			"run the pod in a StatefulSet, or give it that label in its manifest")
	}
	switch s.Owner {
	case OwnedByPod:
		return &Owner{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}, nil
	case OwnedByStatefulSet:
		if pod.Controller == nil {
			return wrong(fmt.Sprintf("the pod %q belongs to no StatefulSet, with which the Service could go", pod.Name),
				"set nodeService.owner to Pod or None")
		}
		return pod.Controller, nil
	}
	return nil, nil
}

// application is one Apply on its way.
type application struct {
	client *Client
	spec   ServiceSpec
	owner  *Owner

	created, changed bool
}

func (a *application) outcome(foreign bool) Outcome {
	switch {
	case foreign:
		return Foreign
	case a.created:
		return Created
	case a.changed:
		return Updated
	}
	return Unchanged
}

// look looks at the Service and changes it where it must. A conflict (409) says that it has changed since the look.
func (a *application) look(ctx context.Context) (svc Service, foreign bool, err error) {
	live, err := a.settled(ctx)
	if err != nil {
		return Service{}, false, err
	}
	if found := live.service(); live.exists() {
		if !found.Managed && !a.spec.ForceUpdate {
			return found, true, nil
		}
		if ports := live.clinging(a.spec.Ports); len(ports) > 0 {
			if live, err = a.claim(ctx, live, ports); err != nil {
				return Service{}, false, err
			}
		}
	}
	for range maxRounds {
		ports := resolve(a.spec.Ports, a.spec.Type, live.service().Ports)
		if live, err = a.apply(ctx, ports, live); err != nil {
			return Service{}, false, err
		}
		// What the API has chosen only now is told to it in the next round.
		if slices.Equal(ports, resolve(a.spec.Ports, a.spec.Type, live.service().Ports)) {
			break
		}
	}
	return live.service(), false, nil
}

// settled returns the Service once it is not being deleted. Where there is none, what it returns does not exist.
func (a *application) settled(ctx context.Context) (*wireService, error) {
	for start := time.Now(); ; {
		w, err := a.client.service(ctx, a.spec.Namespace, a.spec.Name)
		if NotFound(err) {
			return &wireService{}, nil
		}
		if err != nil || w.Metadata.DeletionTimestamp == "" {
			return w, err
		}
		if time.Since(start) >= deletionTimeout {
			e := a.spec.request("patch").error(fmt.Sprintf("it has been in deletion for more than %s", deletionTimeout))
			e.Remedy = "kubectl get service -o yaml shows the finalizers it waits for (metadata.finalizers)"
			e.temporary = true
			return nil, e
		}
		if sleep(ctx, deletionPoll) != nil {
			return nil, a.spec.request("patch").cancelled(ctx)
		}
	}
}

// apply applies the description with these ports, provided that the Service is still as in live, or still not there, and
// returns what it has become.
func (a *application) apply(ctx context.Context, ports []ServicePort, live *wireService) (*wireService, error) {
	version := cmp.Or(live.Metadata.ResourceVersion, noVersion)
	body, err := json.Marshal(a.spec.manifest(version, ports, a.owner))
	if err != nil {
		return nil, err
	}
	return a.patch(ctx, live, "application/apply-patch+yaml", url.Values{"fieldManager": {manager}, "force": {"true"}}, body)
}

func (a *application) patch(
	ctx context.Context, live *wireService, contentType string, query url.Values, body []byte,
) (*wireService, error) {
	r := a.spec.request("patch")
	r.method, r.contentType, r.query, r.body = http.MethodPatch, contentType, query, body
	var w wireService
	code, err := a.client.do(ctx, r, &w)
	if err != nil {
		return nil, err
	}
	a.created = a.created || code == http.StatusCreated
	a.changed = a.changed || w.Metadata.ResourceVersion != live.Metadata.ResourceVersion
	return &w, nil
}

// claim makes ports belong to Apply, which then takes them away. That changes who manages them and nothing else, so that
// the Service works as before when the apply that follows is refused.
func (a *application) claim(ctx context.Context, live *wireService, ports []portKey) (*wireService, error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	body, err := json.Marshal([]operation{
		{"replace", "/metadata/resourceVersion", live.Metadata.ResourceVersion},
		{"add", "/metadata/managedFields", claimed(live.Metadata.ManagedFields, ports)},
	})
	if err != nil {
		return nil, err
	}
	return a.patch(ctx, live, "application/json-patch+json", url.Values{"fieldManager": {manager}}, body)
}

// manifest is the Service as it is applied. resourceVersion is of what the decision is based on.
func (s ServiceSpec) manifest(resourceVersion string, ports []ServicePort, owner *Owner) any {
	type object map[string]any
	metadata := object{
		"name":        s.Name,
		"namespace":   s.Namespace,
		"labels":      with(s.Labels, managedByLabel, manager),
		"annotations": with(s.Annotations, managedByAnnotation, manager),
		// A precondition: the API answers 409 when the Service is not, or no longer, of this version.
		"resourceVersion": resourceVersion,
	}
	if owner != nil {
		metadata["ownerReferences"] = []Owner{*owner}
	}
	spec := object{
		"type":     s.Type,
		"selector": object{podNameLabel: s.Pod},
		"ports":    manifestPorts(ports),
		// A node that still syncs needs its peers, too.
		"publishNotReadyAddresses": true,
	}
	if s.ExternalTrafficPolicy != "" {
		spec["externalTrafficPolicy"] = s.ExternalTrafficPolicy
	}
	if s.IPFamilyPolicy != "" {
		spec["ipFamilyPolicy"] = s.IPFamilyPolicy
	}
	if s.LoadBalancerClass != "" {
		spec["loadBalancerClass"] = s.LoadBalancerClass
	}
	return object{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
}

func manifestPorts(ports []ServicePort) []wirePort {
	var wire []wirePort
	for _, p := range ports {
		w := wirePort{Name: p.Name, Protocol: p.Protocol, Port: p.Port, NodePort: p.NodePort}
		if p.TargetPort != 0 {
			w.TargetPort = json.RawMessage(strconv.Itoa(p.TargetPort))
		}
		wire = append(wire, w)
	}
	return wire
}

func with(m map[string]string, key, value string) map[string]string {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}
