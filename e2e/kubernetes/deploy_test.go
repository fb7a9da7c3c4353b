package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// statefulSet is the name that the example gives to its StatefulSet.
const statefulSet = "geth"

// geths are the pods of deploy/examples/geth in a namespace of their own, on a network of their own.
type geths struct {
	namespace
	root   string // the root secret of the P2P keys
	config string // kubevali.yaml, as this machine has it
	port   int    // the node port of the first pod; the others follow
}

// change is a change of the example beyond what all tests need.
type change struct {
	replicas int
	fleet    int // fleet.replicas in kubevali.yaml; 0: as many as replicas
	config   []edit
	patches  []patch
}

// edit replaces a part of kubevali.yaml.
type edit struct{ old, new string }

// patch is a JSON patch of all objects of a kind, see RFC 6902.
type patch struct{ kind, json string }

// faster makes a pod ready a second after it could be.
var faster = patch{"StatefulSet", `[
	{"op": "replace", "path": "/spec/template/spec/containers/0/startupProbe/periodSeconds", "value": 1},
	{"op": "replace", "path": "/spec/template/spec/containers/0/readinessProbe/periodSeconds", "value": 1}]`}

// newGeths prepares a namespace with the Secrets that the example asks for.
func newGeths(t *testing.T, name string) *geths {
	t.Helper()
	g := &geths{namespace: newNamespace(t, name), port: env.nextPort()}
	root, err := exec.CommandContext(t.Context(), env.kubevali, "key", "new").Output()
	if err != nil {
		t.Fatal(err)
	}
	g.root = strings.TrimSpace(string(root))
	g.kubectl(t, "create", "secret", "generic", "p2p-root", "--from-literal=root="+g.root)
	g.kubectl(t, "create", "secret", "generic", "geth-jwt", "--from-literal=jwt.hex="+strings.Repeat("1f", 32))
	return g
}

// deploy applies the example with the changes to it.
func (g *geths) deploy(t *testing.T, c change) {
	t.Helper()
	o := newOverlay(t, g.namespace, "geth")
	g.config = filepath.Join(o.dir, "kubevali.yaml")
	if err := os.WriteFile(g.config, []byte(g.configuration(t, c)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), env.kubevali, "validate", "-c", g.config).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	o.set("configMapGenerator", []object{{"name": statefulSet, "behavior": "replace", "files": []string{"kubevali.yaml"}}})
	o.set("replicas", []object{{"name": statefulSet, "count": c.replicas}})
	o.set("images", []object{
		replacement("ghcr.io/kubevali/kubevali", env.kubevaliImage),
		replacement("docker.io/ethereum/client-go", env.gethImage),
	})
	c.patches = append(c.patches, patch{"StatefulSet", `[
		{"op": "remove", "path": "/spec/volumeClaimTemplates"},
		{"op": "add", "path": "/spec/template/spec/volumes/-", "value": {"name": "data", "emptyDir": {}}},
		{"op": "replace", "path": "/spec/template/spec/containers/0/resources", "value": {}}]`})
	var patches []object
	for _, p := range c.patches {
		patches = append(patches, object{"target": object{"kind": p.kind}, "patch": p.json})
	}
	o.set("patches", patches)
	t.Cleanup(func() {
		// What belongs to no namespace would outlive the test.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		name := fmt.Sprintf("kubevali:%s:%s", g.namespace, statefulSet)
		if _, err := kubectl(ctx, "", "delete", "--ignore-not-found", "clusterrole/"+name, "clusterrolebinding/"+name); err != nil {
			t.Error(err)
		}
	})
	g.kubectl(t, "apply", "-k", o.write(t))
}

// object is a JSON object to write.
type object = map[string]any

// overlay is a kustomization in a folder of its own that takes over an example.
type overlay struct {
	dir    string
	fields object
}

func newOverlay(t *testing.T, n namespace, example string) *overlay {
	t.Helper()
	dir := resolved(t, t.TempDir())
	// Kustomize takes no absolute paths.
	deploy, err := filepath.Rel(dir, resolved(t, filepath.Join(env.repository, "deploy")))
	if err != nil {
		t.Fatal(err)
	}
	return &overlay{dir, object{
		"apiVersion":   "kustomize.config.k8s.io/v1beta1",
		"kind":         "Kustomization",
		"namespace":    n,
		"resources":    []string{filepath.Join(deploy, "examples", example)},
		"transformers": []string{filepath.Join(deploy, "components/node-address/names")},
	}}
}

func (o *overlay) set(field string, value any) { o.fields[field] = value }

// write returns the folder with the kustomization in it.
func (o *overlay) write(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(o.fields)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.dir, "kustomization.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return o.dir
}

// configuration is the example's kubevali.yaml for a network without a consensus client, where a geth that speaks to peers
// is all there is to see.
func (g *geths) configuration(t *testing.T, c change) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(env.repository, "deploy/examples/geth/kubevali.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	keywords := regexp.MustCompile(`(?m)^  keywords: .*$`).FindString(string(text))
	if c.fleet == 0 {
		c.fleet = c.replicas
	}
	edits := append(c.config,
		edit{"hoodi: true", "networkid: 4711\n    cache: 64"},
		edit{keywords, "  keywords: [Started P2P networking]"},
		edit{"replicas: 3", fmt.Sprint("replicas: ", c.fleet)},
		edit{"30303", fmt.Sprint(g.port)},
	)
	config := string(text)
	for _, e := range edits {
		if e.old == "" || !strings.Contains(config, e.old) {
			t.Fatalf("the example has changed, there is no %q to replace by %q", e.old, e.new)
		}
		config = strings.ReplaceAll(config, e.old, e.new)
	}
	if !env.external {
		config = strings.ReplaceAll(config, "nodeExternalIP", `nodeAddress "InternalIP"`)
	}
	return config
}

// replacement is the entry of a kustomization that puts another image in the place of one.
func replacement(name, reference string) object {
	i := strings.LastIndexByte(reference, ':')
	return object{"name": name, "newName": reference[:i], "newTag": reference[i+1:]}
}

func resolved(t *testing.T, dir string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// name is a pod's name.
func (g *geths) name(ordinal int) string { return fmt.Sprintf("%s-%d", statefulSet, ordinal) }

// awaitReady waits until all pods of the StatefulSet are ready.
func (g *geths) awaitReady(t *testing.T) {
	t.Helper()
	g.kubectl(t, "rollout", "status", "statefulset", statefulSet, "--timeout="+patience.String())
}

// checkSteady checks that the pod's main container has not been restarted, and returns its status.
func (g *geths) checkSteady(t *testing.T, ordinal int) containerStatus {
	t.Helper()
	status, _ := g.get(t, "pod", g.name(ordinal)).container(mainContainer)
	if status.RestartCount > 0 {
		t.Errorf("%s was restarted %d times; the log before:\n%s",
			g.name(ordinal), status.RestartCount, g.log(t, g.name(ordinal), "--previous"))
	}
	return status
}

// identity is the public identity of a pod, as kubevali foretells it.
type identity struct {
	PeerID string `json:"peerID"`
	Enode  string `json:"enode"`
}

// identities foretells who the pods are.
func (g *geths) identities(t *testing.T, replicas int) []identity {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), env.kubevali, "key", "id", "-c", g.config, "-o", "json",
		"--pod", statefulSet, "--namespace", string(g.namespace), "--replicas", fmt.Sprint(replicas))
	cmd.Env = append(os.Environ(), "P2P_ROOT_KEY="+g.root)
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pods []struct{ Keys []identity }
	if err := json.Unmarshal(text, &pods); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var ids []identity
	for _, pod := range pods {
		ids = append(ids, pod.Keys[0])
	}
	return ids
}
