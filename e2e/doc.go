// Package e2e runs real chain nodes under a real kubevali and looks at both from outside: what the operator's log shows,
// what the healthchecks server is told, what the probes answer, how it all ends. It holds tests only. It is a module
// of its own so that what the nodes need stays out of kubevali's go.mod; the tool lines of its go.mod pin the nodes.
//
//	cd e2e && go test -count=1 ./...
//
// The first run builds the nodes, which takes some minutes; later ones find them in Go's build cache. Go's test cache
// (-count=1 turns it off) does not know that the tests build kubevali, and would repeat what an older one did.
package e2e
