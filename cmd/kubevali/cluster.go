package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/entrypoint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/render"
)

const (
	// podPatience is how long a pod puts up with an API server that is away before it gives up and is restarted.
	podPatience = 2 * time.Minute
	// userPatience is the same for somebody who waits for an answer.
	userPatience = 5 * time.Second
)

// offlineFlag says whether placeholders take the place of what the cluster would answer.
type offlineFlag bool

func (f *offlineFlag) add(c *cobra.Command) {
	c.Flags().BoolVar((*bool)(f), "offline", false, "show placeholders such as 192.0.2.1 for what the Kubernetes API would answer")
}

// cluster answers what templates ask when nothing is to be changed.
func (a *app) cluster(offline offlineFlag) render.Cluster {
	if offline {
		return render.Placeholders{}
	}
	return a.newCluster(entrypoint.ReadOnly, userPatience)
}

// newCluster returns the cluster of this pod or of KUBECONFIG. It is looked for when something is asked.
func (a *app) newCluster(access entrypoint.Access, patience time.Duration) *entrypoint.Cluster {
	return &entrypoint.Cluster{Access: access, Log: a.log, Connect: func() (*kube.Client, error) {
		found, err := kube.Locate(a.getenv)
		if errors.Is(err, kube.ErrNoCluster) && access == entrypoint.ReadOnly {
			err = hinted{err, "--offline shows placeholders for what the cluster would answer"}
		}
		if err != nil {
			return nil, err
		}
		a.log.Debugf("Asking the Kubernetes API at %s, found by %s", found.Server(), found.Source())
		return kube.NewClient(found, kube.Options{
			UserAgent: "kubevali/" + version(),
			Patience:  patience,
			Log:       a.log.Warnf,
			Stderr:    a.stderr,
		})
	}}
}
