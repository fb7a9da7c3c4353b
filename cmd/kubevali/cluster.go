package main

import (
	"context"
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

// add adds the flag; when says where it is of use.
func (f *offlineFlag) add(c *cobra.Command, when string) {
	c.Flags().BoolVar((*bool)(f), "offline", false, when+"show placeholders such as 192.0.2.1 for what the Kubernetes API would answer")
}

// cluster answers what templates ask when nothing is to be changed. hint is for where there is none.
func (a *app) cluster(offline offlineFlag, hint string) render.Cluster {
	if offline {
		return render.Placeholders{}
	}
	return a.newCluster(userPatience, hint).Lookups(context.Background())
}

const offlineHint = "--offline shows placeholders for what the cluster would answer"

// newCluster returns the cluster of this pod or of KUBECONFIG. It is looked for when something is asked.
func (a *app) newCluster(patience time.Duration, hint string) *entrypoint.Cluster {
	return entrypoint.NewCluster(func() (*kube.Client, error) {
		found, err := kube.Locate(a.getenv)
		if errors.Is(err, kube.ErrNoCluster) {
			err = hinted{err, hint}
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
	}, a.log)
}
