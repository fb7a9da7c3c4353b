#!/usr/bin/env bash
# Starts what the tests on a real cluster want, with kind (https://kind.sigs.k8s.io): two workers that have external
# addresses, as nodes in a cloud do. Writes the file that KUBECONFIG names.
set -euo pipefail

go install sigs.k8s.io/kind@v0.31.0
PATH=$PATH:$(go env GOPATH)/bin

# A kubelet without a cloud provider keeps writing its own list of addresses, in which nothing is external. One with an
# external provider leaves the list to that provider, and waits for it with a taint.
kind create cluster --wait 3m --config=- <<'YAML'
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
  - &worker
    role: worker
    kubeadmConfigPatches:
      - |
        kind: JoinConfiguration
        nodeRegistration:
          kubeletExtraArgs:
            cloud-provider: external
  - *worker
YAML

# From here on this script is the provider. The containers' addresses will do, as the machine that runs the tests can
# reach them.
for node in $(kubectl get nodes --selector='!node-role.kubernetes.io/control-plane' --output=name); do
	address=$(kubectl get "$node" --output=jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}')
	kubectl patch "$node" --subresource=status --type=json \
		--patch='[{"op": "add", "path": "/status/addresses/-", "value": {"type": "ExternalIP", "address": "'"$address"'"}}]'
	kubectl taint "$node" node.cloudprovider.kubernetes.io/uninitialized-
done
kubectl wait --for=condition=Ready --timeout=3m nodes --all
kubectl get nodes --output=wide
