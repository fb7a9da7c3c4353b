package main

import (
	"context"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/plan"
)

// patience is how long somebody who waits for an answer puts up with an API server that is away.
const patience = 5 * time.Second

// offlineFlag says whether placeholders take the place of what the cluster would answer.
type offlineFlag bool

// add adds the flag; when says where it is of use.
func (f *offlineFlag) add(c *cobra.Command, when string) {
	c.Flags().BoolVar((*bool)(f), "offline", false, when+"show placeholders such as 192.0.2.1 for what the Kubernetes API would answer")
}

// needless is what helps who only wants keys where the cluster cannot be asked.
const needless = "key paths and scopes need no cluster where they ask for no address"

// instead is what helps who only wants to see a plan.
const instead = "--offline shows placeholders for what the cluster would answer"

// source answers what templates ask, and changes nothing: by placeholders, in a pod by its service account, and elsewhere by
// kubectl. remedy is what to do where an answer cannot be had.
func (a *app) source(offline offlineFlag, remedy string) plan.Source {
	if offline {
		return plan.Placeholders
	}
	reader := &facts.Reader{
		Hint: remedy,
		Cluster: sync.OnceValues(func() (facts.Cluster, error) {
			where, inPod := kube.InPod(a.environ, a.accountDir)
			if !inPod {
				return kube.NewKubectl(a.environ), nil
			}
			return kube.NewClient(where, kube.Options{UserAgent: "kubevali/" + version(), Patience: patience, Log: a.log.Warnf})
		}),
	}
	return plan.Reading(func(f *facts.Facts, m facts.Missing, service *kube.ServiceSpec) {
		reader.Answer(context.Background(), f, m, service)
	})
}
