package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
)

// Fleet is Complete for each of the named pods, which get what the fleet shares only once. It fails where pods would get
// in each other's way.
func Fleet(cfg *config.Config, f facts.Facts, pods []string, identities Identities, source Source) ([]*Plan, error) {
	m := newMaker(cfg)
	plans := make([]*Plan, 0, len(pods))
	for _, pod := range pods {
		own := f.ForPod(pod)
		plan, err := m.complete(&own, identities, source)
		if err != nil {
			return nil, fmt.Errorf("pod %s:\n%w", pod, err)
		}
		plans = append(plans, plan)
	}
	return plans, checkFleet(plans)
}

// PodKeys returns the keys of the pod's plan without their public identities, with nothing rendered but what they depend on;
// ExpectInLog is left empty. It is for those who write keys but do not know the node's environment.
func PodKeys(cfg *config.Config, f facts.Facts, source Source) ([]Key, error) {
	m := newMaker(cfg)
	if !m.keys.compile() {
		return nil, m.Err()
	}
	return m.keysOf(&f, source)
}

// Identify returns the public identities of the named pods, in their order. They must all be in the namespace of the
// facts. It fails where two pods would have the same key. No template but those that identities depend on is rendered.
func Identify(cfg *config.Config, f facts.Facts, pods []string, identities Identities, source Source) ([]keyfile.PodIdentities, error) {
	m := newMaker(cfg)
	if !m.keys.compile() {
		return nil, m.Err()
	}
	own, err := m.keysOf(&f, source)
	if err != nil {
		return nil, err
	}
	fleet := make([]keyfile.PodIdentities, 0, len(pods))
	for _, pod := range pods {
		theirs := f.ForPod(pod)
		keys, err := m.keysOf(&theirs, source)
		if err != nil {
			return nil, fmt.Errorf("pod %s:\n%w", pod, err)
		}
		known := keyfile.PodIdentities{Pod: pod, Namespace: f.Namespace, Keys: []keyfile.KeyIdentity{}}
		for i, key := range keys {
			key.Path = own[i].Path // beside this pod's own key stands what is known of others
			public, err := identities(key.Key)
			if err != nil {
				m.failAt("p2pKeys."+key.Name, unlisted(err))
				return nil, fmt.Errorf("pod %s:\n%w", pod, m.Err())
			}
			known.Keys = append(known.Keys, keyfile.KeyIdentity{Name: key.Name, Public: public})
		}
		fleet = append(fleet, known)
	}
	return fleet, checkIdentities(fleet)
}

// FleetPods returns the names of the fleet's pods, as many as fleet.replicas says, and of the pod that the facts are about,
// where it is none of these.
func FleetPods(cfg *config.Config, f facts.Facts) ([]string, error) {
	m := newMaker(cfg)
	replicas := 0
	if m.keys.compile() {
		m.moveTo(f)
		n, ok := m.keys.fleetSize()
		if replicas = n; !ok && m.Err() == nil {
			m.fail(cfg.Fleet.Replicas, "it depends on what the cluster answers, which is not asked here", "give a number, or a variable's")
		}
	}
	if err := m.Err(); err != nil {
		return nil, err
	}
	pods, err := f.Pods(replicas)
	if err == nil && !slices.Contains(pods, f.Pod) {
		pods = append(pods, f.Pod)
	}
	return pods, err
}

// checkFleet reports what would set pods of one fleet against each other: a P2P key of one pod must not be that of
// another, a node port is a port of every Kubernetes node, so there can be only one Service for it, and pods that report
// to one check hide each other's failures.
func checkFleet(plans []*Plan) error {
	var errs []error
	fleet := make([]keyfile.PodIdentities, len(plans))
	for i, p := range plans {
		fleet[i] = keyfile.PodIdentities{Pod: p.Pod, Namespace: p.Namespace}
		for _, key := range p.Keys {
			fleet[i].Keys = append(fleet[i].Keys, keyfile.KeyIdentity{Name: key.Name, Public: *key.Public})
		}
	}
	if err := checkIdentities(fleet); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, append(sharedPorts(plans), sharedChecks(plans)...)...)...)
}

// checkIdentities reports pods that have the same key, under whatever name.
func checkIdentities(fleet []keyfile.PodIdentities) error {
	type holder struct{ pod, key string }
	var errs []error
	holders := make(map[keyderive.Public]holder)
	for _, pod := range fleet {
		for _, key := range pod.Keys {
			first, taken := holders[key.Public]
			switch {
			case !taken:
				holders[key.Public] = holder{pod.Pod, key.Name}
			case first.pod != pod.Pod:
				errs = append(errs, fmt.Errorf("p2pKeys: key %s of pod %s is the same as key %s of pod %s (%s); "+
					"let its identity.pod depend on .Index", first.key, first.pod, key.Name, pod.Pod, key.PeerID))
			}
		}
	}
	return errors.Join(errs...)
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
		if holder := holders[id.Reveal()]; holder != nil {
			errs = append(errs, fmt.Errorf("watchlog.healthcheckID: pods %s and %s would both report to the check %s; "+
				"let it depend on .Pod.Name, or give each pod one of healthcheckIDs", holder.Pod, p.Pod, id))
			continue
		}
		holders[id.Reveal()] = p
	}
	return errs
}
