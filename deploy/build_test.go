package deploy

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// examples are the folders that an operator applies.
var examples = []string{"examples/substrate", "examples/geth", "examples/optimism", "examples/cometbft"}

// deployments are all kustomizations: the examples, the base alone and with each component, and an operator's overlay.
var deployments = slices.Concat(examples, []string{
	"base", "testdata/nodeport", "testdata/loadbalancer", "testdata/keys", "testdata/hostnetwork", "testdata/overlay",
})

// manifests are what one kustomization builds to.
type manifests struct {
	yaml         string
	statefulSet  *appsv1.StatefulSet
	configMap    *corev1.ConfigMap
	account      *corev1.ServiceAccount
	budget       *policyv1.PodDisruptionBudget
	services     []*corev1.Service
	roles        []*rbacv1.Role
	bindings     []*rbacv1.RoleBinding
	nodeRoles    []*rbacv1.ClusterRole
	nodeBindings []*rbacv1.ClusterRoleBinding
}

// builds keeps what was built, as kustomize takes its time.
var builds sync.Map // folder → func() (*manifests, error)

// build builds a kustomization as kubectl apply -k does: within its restrictions, in its order.
func build(t *testing.T, folder string) *manifests {
	t.Helper()
	once, _ := builds.LoadOrStore(folder, sync.OnceValues(func() (*manifests, error) {
		options := krusty.MakeDefaultOptions()
		options.Reorder = krusty.ReorderOptionLegacy
		resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
		if err != nil {
			return nil, err
		}
		text, err := resources.AsYaml()
		if err != nil {
			return nil, err
		}
		return decode(string(text))
	}))
	m, err := once.(func() (*manifests, error))()
	if err != nil {
		t.Fatalf("%s: %v", folder, err)
	}
	return m
}

// decode decodes manifests strictly: unknown and repeated fields are errors, and so are kinds that none of these tests
// look at.
func decode(text string) (*manifests, error) {
	m := &manifests{yaml: text}
	for document := range strings.SplitSeq(text, "\n---\n") {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			return nil, err
		}
		var err error
		switch kind.APIVersion + " " + kind.Kind {
		case "apps/v1 StatefulSet":
			err = one(document, &m.statefulSet)
		case "v1 ConfigMap":
			err = one(document, &m.configMap)
		case "v1 ServiceAccount":
			err = one(document, &m.account)
		case "policy/v1 PodDisruptionBudget":
			err = one(document, &m.budget)
		case "v1 Service":
			err = more(document, &m.services)
		case "rbac.authorization.k8s.io/v1 Role":
			err = more(document, &m.roles)
		case "rbac.authorization.k8s.io/v1 RoleBinding":
			err = more(document, &m.bindings)
		case "rbac.authorization.k8s.io/v1 ClusterRole":
			err = more(document, &m.nodeRoles)
		case "rbac.authorization.k8s.io/v1 ClusterRoleBinding":
			err = more(document, &m.nodeBindings)
		default:
			err = fmt.Errorf("no test knows this kind")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.Kind, err)
		}
	}
	if m.statefulSet == nil || m.configMap == nil || m.account == nil || m.budget == nil {
		return nil, fmt.Errorf("expected a StatefulSet, a ConfigMap, a ServiceAccount and a PodDisruptionBudget")
	}
	return m, nil
}

func one[T any](document string, to **T) error {
	if *to != nil {
		return fmt.Errorf("there are two")
	}
	*to = new(T)
	return yaml.UnmarshalStrict([]byte(document), *to)
}

func more[T any](document string, to *[]*T) error {
	object := new(T)
	*to = append(*to, object)
	return yaml.UnmarshalStrict([]byte(document), object)
}

// golden compares text with a file in testdata/golden.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test . -update writes it)", err)
	}
	if text == string(want) {
		return
	}
	got, old := strings.Split(text, "\n"), strings.Split(string(want), "\n")
	for i := range got {
		if i >= len(old) || got[i] != old[i] {
			t.Fatalf("%s:%d: found %q; if that is as it should be: go test . -update", path, i+1, got[i])
		}
	}
	t.Fatalf("%s:%d: %q is missing; if that is as it should be: go test . -update", path, len(got)+1, old[len(got)])
}
