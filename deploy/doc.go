// Package deploy holds nothing but the tests of the manifests next to it: that they build, are what the API types say,
// fit together, and fit the kubevali.yaml that they carry; and that README.md's commands run. What they build to is in
// testdata/golden; after a change, look at
//
//	go test . -update && git diff testdata
package deploy
