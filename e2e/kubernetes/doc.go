// Package kubernetes shows kubevali in pods of a real cluster: the manifests of the folder deploy as they are, an
// untouched geth in an image of its own, node ports that answer from outside, RBAC as the API server enforces it. It holds
// tests only, which drive kubectl.
//
//	KUBECONFIG=… KUBEVALI_E2E_LOAD=… go test -count=1 ./kubernetes
//
// The environment says which cluster, and what it can do:
//
//   - KUBECONFIG: the cluster, with the rights of an administrator. It needs two nodes that take pods. Where they have no
//     ExternalIP, their InternalIP stands for it. Unset: all tests are skipped.
//   - KUBEVALI_E2E_LOAD: the shell command that imports an image archive, whose path is added to it, into all nodes, such
//     as `kind load image-archive`.
//   - KUBEVALI_E2E_API_PAUSE and KUBEVALI_E2E_API_RESUME: shell commands that stop the API server and let it go on. Unset:
//     the test of an outage is skipped.
//
// Node addresses and node ports must be reachable from where the tests run. On two cores all of it takes about two and a
// half minutes, once geth is in Go's build cache.
package kubernetes
