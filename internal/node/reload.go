package node

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/plan"
)

// planChange is why a node is stopped, and what to go on with.
type planChange struct{ next *loaded }

func (*planChange) Error() string { return "the configuration changed" }

// pollInterval is how often the configuration file is read. The kubelet takes up to a minute to update a mounted
// ConfigMap anyway.
const pollInterval = time.Second

// configFile notices that a file's content changed. It reads the file again and again: that sees an editor's rename, the
// kubelet's swap of the ..data link and a network file system alike, none of which inotify reports in the same way.
type configFile struct {
	path    string
	content []byte
}

func newConfigFile(path string) *configFile {
	f := &configFile{path: path}
	f.content, _ = os.ReadFile(path)
	return f
}

// wait blocks until the content differs from what it was last, until again, or until ctx is done. A file that cannot be
// read is waited for: it may be on its way.
func (f *configFile) wait(ctx context.Context, again <-chan time.Time) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again:
			return nil
		case <-tick.C:
		}
		content, err := os.ReadFile(f.path)
		if err == nil && !bytes.Equal(content, f.content) {
			f.content = content
			return nil
		}
	}
}

// watchConfig ends the session once the configuration makes another plan that can be started.
func (s *session) watchConfig() {
	n := s.node
	var again <-chan time.Time
	for n.file.wait(s.ctx, again) == nil {
		again = nil
		next, err := n.load(s.ctx, func(string) {}) // the probes are served already
		if err == nil {
			err = check(next)
		}
		switch {
		case n.interrupted() != nil, s.ctx.Err() != nil:
			return
		case err != nil:
			again = s.refuse(err)
		case next.plan.Equal(s.plan):
			s.updateService(next.plan.Service)
			n.service.cluster.rest()
		default:
			n.log.Info("The configuration changed: stopping the node to start it anew")
			n.health.Stopping("the configuration changed")
			s.end(&planChange{next})
			return
		}
	}
}

// refuse says why a configuration cannot be used, and returns when to try it again; nil: when it has changed.
func (s *session) refuse(err error) <-chan time.Time {
	log := s.node.log
	log.Error("The configuration changed but cannot be used, so the node goes on with the old one")
	for line := range strings.Lines(hint.Line(err)) {
		log.Error(strings.TrimRight(line, "\n"))
	}
	s.node.service.cluster.rest()
	if load := new(loadError); !errors.As(err, &load) || !load.passes {
		return nil
	}
	log.Infof("It is tried again in %s", serviceRetry)
	return time.After(serviceRetry)
}

// updateService carries out what is left of a change that is nothing to the node.
func (s *session) updateService(next *plan.Service) {
	n := s.node
	if reflect.DeepEqual(n.service.last, next) {
		n.service.resume()
		n.log.Info("The configuration changed, but the node's plan did not")
		return
	}
	n.log.Info("The configuration changed, but only the Service's part of the plan did: the node goes on")
	switch err := n.service.keep(s.ctx, next); {
	case err == nil:
		s.plan.Service = next // which the node goes back to, should a later plan fail
	case s.ctx.Err() == nil:
		n.log.Error(hint.Line(err))
	}
}
