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

// pollInterval is how often the configuration file is read. The kubelet takes up to a minute to update a mounted
// ConfigMap anyway.
const pollInterval = time.Second

// watcher notices that the configuration file's content changed, and finds out what that means. It reads the file again and
// again: that sees an editor's rename, the kubelet's swap of the ..data link and a network file system alike, none of which
// inotify reports in the same way.
type watcher struct {
	loader  *loader
	path    string
	content []byte
}

func newWatcher(path string, l *loader) *watcher {
	w := &watcher{loader: l, path: path}
	w.content, _ = os.ReadFile(path)
	return w
}

// next waits until the configuration makes another plan than the present one, which can be started. Until then the node that
// runs by the present one is left alone, but for its Service. It returns nil when ctx is done.
func (w *watcher) next(ctx context.Context, present *plan.Plan) *loaded {
	var again <-chan time.Time
	for w.wait(ctx, again) == nil {
		again = nil
		next, err := w.loader.load(ctx, func(string) {}) // the probes are served already
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			again = w.refuse(err)
		case next.plan.Equal(present):
			w.updateService(ctx, next.plan.Service, present)
		default:
			return next
		}
		w.loader.service.cluster.rest()
	}
	return nil
}

// wait blocks until the content differs from what it was last, until again, or until ctx is done. A file that cannot be
// read is waited for: it may be on its way.
func (w *watcher) wait(ctx context.Context, again <-chan time.Time) error {
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
		content, err := os.ReadFile(w.path)
		if err == nil && !bytes.Equal(content, w.content) {
			w.content = content
			return nil
		}
	}
}

// refuse says why a configuration cannot be used, and returns when to try it again; nil: when it has changed.
func (w *watcher) refuse(err error) <-chan time.Time {
	w.loader.log.Error("The configuration changed but cannot be used, so the node goes on with the old one")
	for line := range strings.Lines(hint.Line(err)) {
		w.loader.log.Error(strings.TrimRight(line, "\n"))
	}
	if load := new(loadError); !errors.As(err, &load) || !load.passes {
		return nil
	}
	w.loader.log.Infof("It is tried again in %s", serviceRetry)
	return time.After(serviceRetry)
}

// updateService carries out what is left of a change that is nothing to the node.
func (w *watcher) updateService(ctx context.Context, next *plan.Service, present *plan.Plan) {
	if reflect.DeepEqual(w.loader.service.last, next) {
		w.loader.service.resume()
		w.loader.log.Info("The configuration changed, but the node's plan did not")
		return
	}
	w.loader.log.Info("The configuration changed, but only the Service's part of the plan did: the node goes on")
	switch err := w.loader.service.keep(ctx, next, false); {
	case err == nil:
		present.Service = next // which the node goes back to, should a later plan fail
	case ctx.Err() == nil:
		w.loader.log.Error(hint.Line(err))
	}
}
