package node

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/footprint"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
)

// patience is how long a pod puts up with an API server that is away before it gives up and is restarted.
const patience = 2 * time.Minute

// cluster is the way to the Kubernetes API. It has a client only while something is asked. It is safe for concurrent use.
type cluster struct {
	where   kube.Cluster
	inPod   bool
	version string
	log     logrus.FieldLogger

	mu     sync.Mutex // guards what follows
	client *kube.Client
}

func newCluster(o Options) *cluster {
	getenv := func(name string) string {
		for _, entry := range o.Environ {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value
			}
		}
		return ""
	}
	where, inPod := kube.InPod(getenv, o.AccountDir)
	return &cluster{where: where, inPod: inPod, version: o.Version, log: o.Log}
}

// reach returns the client.
func (c *cluster) reach() (*kube.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.client != nil:
		return c.client, nil
	case !c.inPod:
		return nil, hint.With(errNoPod, "--dry-run and render ask the cluster of kubectl; a node of a laptop can have the "+
			"addresses that it announces written down")
	}
	c.shrink() // what came before need not be there beside what comes: TLS and the answers
	c.log.Debugf("Asking the Kubernetes API at %s", c.where.Server())
	client, err := kube.NewClient(c.where, kube.Options{UserAgent: "kubevali/" + c.version, Patience: patience, Log: c.log.Warnf})
	if err != nil {
		return nil, err
	}
	c.client = client
	return client, nil
}

var errNoPod = errors.New("no Kubernetes cluster at hand: this process runs in no pod")

// rest gives up what asking took, the client and memory, until something is asked again.
func (c *cluster) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		return
	}
	c.client.Close()
	c.client = nil
	c.shrink()
}

func (c *cluster) shrink() {
	if err := footprint.Shrink(); err != nil {
		c.log.Debugf("Cannot give back memory: %v", err)
	}
}
