package entrypoint

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/kubevali/kubevali/internal/render"
)

// planChange is why a node is stopped, and what to go on with.
type planChange struct{ next *render.Plan }

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
	var again <-chan time.Time
	for s.config.wait(s.ctx, again) == nil {
		again = nil
		next, err := s.load(s.ctx, func(string) {}) // the probes are served already
		if err == nil {
			err = s.check(next)
		}
		switch {
		case s.interrupted() != nil, s.ctx.Err() != nil:
			return
		case err != nil:
			s.Log.Error("The configuration changed but cannot be used, so the node goes on with the old one")
			for line := range strings.Lines(err.Error()) {
				s.Log.Error(strings.TrimRight(line, "\n"))
			}
			if load := new(loadError); errors.As(err, &load) && load.passes {
				s.Log.Infof("It is tried again in %s", serviceRetry)
				again = time.After(serviceRetry)
			}
			s.Cluster.rest()
		case next.Equal(s.plan):
			s.updateService(next.Service)
			s.Cluster.rest()
		default:
			s.Log.Info("The configuration changed: stopping the node to start it anew")
			s.state.Stopping("the configuration changed")
			s.end(&planChange{next})
			return
		}
	}
}

// updateService carries out what is left of a change that is nothing to the node.
func (s *session) updateService(next *render.Service) {
	if reflect.DeepEqual(s.service.last, next) {
		s.service.resume()
		s.Log.Info("The configuration changed, but the node's plan did not")
		return
	}
	s.Log.Info("The configuration changed, but only the Service's part of the plan did: the node goes on")
	switch err := s.service.keep(s.ctx, next); {
	case err == nil:
		s.plan.Service = next // which the node goes back to, should a later plan fail
	case s.ctx.Err() == nil:
		s.Log.Error(withHint(err))
	}
}
