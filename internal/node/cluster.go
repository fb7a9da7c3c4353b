package node

import (
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
	connect func() (*kube.Client, error)
	log     logrus.FieldLogger

	mu     sync.Mutex // guards what follows
	client *kube.Client
}

// newCluster returns the way to the cluster of the pod that this process, which has that environment, runs in.
func newCluster(environ []string, accountDir, version string, log logrus.FieldLogger) *cluster {
	where, inPod := kube.InPod(environ, accountDir)
	return &cluster{log: log, connect: func() (*kube.Client, error) {
		if !inPod {
			return nil, hint.New("no Kubernetes cluster at hand: this process runs in no pod (KUBERNETES_SERVICE_HOST is not set)",
				"in a pod, leave that variable to the container; elsewhere, write down the address to announce and set "+
					"nodeService.enabled: false; --dry-run and render ask kubectl's cluster")
		}
		log.Debugf("Asking the Kubernetes API at %s", where.Server())
		return kube.NewClient(where, kube.Options{UserAgent: "kubevali/" + version, Patience: patience, Log: log.Warnf})
	}}
}

// reach returns the client. A cluster that was not found is looked for again.
func (c *cluster) reach() (*kube.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client, nil
	}
	c.shrink() // what came before need not be there beside what comes: TLS and the answers
	client, err := c.connect()
	if err != nil {
		return nil, err
	}
	c.client = client
	return client, nil
}

// rest gives up what asking took, the client and memory, until something is asked again.
func (c *cluster) rest() {
	if c.close() {
		c.shrink()
	}
}

// close gives up the client, and reports whether there was one.
func (c *cluster) close() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		return false
	}
	c.client.Close()
	c.client = nil
	return true
}

func (c *cluster) shrink() {
	if err := footprint.Shrink(); err != nil {
		c.log.Debugf("Cannot give back memory: %v", err)
	}
}
