// Package kube talks to the Kubernetes API about the few things a node's pod needs: where its node can be reached, and a
// Service of its own that makes it reachable.
//
// It finds the cluster as other tools do (the pod's service account, else a kubeconfig with all usual kinds of
// credentials), and puts up with an API server that is away for a while. What goes wrong is said in the operator's
// terms, with the rule, field or setting that is missing.
//
// It is no general client: it knows pods (get), nodes (get, list) and services (get, create, patch), JSON and HTTP/1.1,
// and no watches. It knows none of kubevali's other packages, renders nothing and decides nothing about the node.
//
// Invariants: nothing is sent before the first look-up; every request has a deadline and every answer a size limit; a
// Service that something else made is not touched without being told to, and none is left half changed when the API
// refuses a change; credentials never reach logs or errors.
package kube
