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

// newCluster returns the cluster of this pod, or that of kubectl. It is asked when something is to be known.
func (a *app) newCluster(patience time.Duration, hintText string) *entrypoint.Cluster {
	found, inPod := kube.InPod(a.getenv, a.accountDir)
	return entrypoint.NewCluster(func() (entrypoint.Reader, error) {
		if !inPod {
			return desk{kube.NewKubectl(nil), hintText}, nil
		}
		return kube.NewClient(found, kube.Options{
			UserAgent: "kubevali/" + version(),
			Patience:  patience,
			Log:       a.log.Warnf,
		})
	}, a.log)
}

// desk is kubectl with a hint for where there is no cluster.
type desk struct {
	*kube.Kubectl
	hint string
}

func (d desk) hinted(err error) error {
	if errors.Is(err, kube.ErrNoCluster) {
		return hinted{err, d.hint}
	}
	return err
}

func (d desk) Pod(ctx context.Context, namespace, name string) (kube.Pod, error) {
	p, err := d.Kubectl.Pod(ctx, namespace, name)
	return p, d.hinted(err)
}

func (d desk) Node(ctx context.Context, name string) (kube.Node, error) {
	n, err := d.Kubectl.Node(ctx, name)
	return n, d.hinted(err)
}

func (d desk) Nodes(ctx context.Context) ([]kube.Node, error) {
	n, err := d.Kubectl.Nodes(ctx)
	return n, d.hinted(err)
}

func (d desk) Service(ctx context.Context, namespace, name string) (kube.Service, error) {
	s, err := d.Kubectl.Service(ctx, namespace, name)
	return s, d.hinted(err)
}
