package deploy

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func TestGolden(t *testing.T) {
	for _, folder := range deployments {
		t.Run(folder, func(t *testing.T) {
			golden(t, filepath.Base(folder)+".yaml", build(t, folder).yaml)
		})
	}
}

// forbidden is why a namespace of that pod security level would not take the pods; empty when it takes them.
func forbidden(t *testing.T, m *manifests, level api.Level) string {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	template := m.statefulSet.Spec.Template
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(
		api.LevelVersion{Level: level, Version: api.LatestVersion()}, &template.ObjectMeta, &template.Spec))
	return result.ForbiddenDetail()
}

func TestPodSecurity(t *testing.T) {
	for _, folder := range deployments {
		t.Run(folder, func(t *testing.T) {
			m := build(t, folder)
			reason := forbidden(t, m, api.LevelRestricted)
			if folder == "testdata/hostnetwork" {
				if want := "host namespaces (hostNetwork=true)"; !strings.HasPrefix(reason, want) {
					t.Errorf("not restricted because %q, want %q", reason, want)
				}
				m.statefulSet = m.statefulSet.DeepCopy()
				m.statefulSet.Spec.Template.Spec.HostNetwork = false
				reason = forbidden(t, m, api.LevelRestricted)
			}
			if reason != "" {
				t.Errorf("not restricted: %s", reason)
			}
			spec := m.statefulSet.Spec.Template.Spec
			for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
				if readOnly := c.SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || !*readOnly {
					t.Errorf("container %s: the root file system can be written to", c.Name)
				}
				if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
					t.Errorf("container %s: no CPU requested or no limit to its memory", c.Name)
				}
			}
		})
	}
}

// kubectl describe pod shows why any of the containers failed.
func TestTerminationMessages(t *testing.T) {
	for _, folder := range deployments {
		spec := build(t, folder).statefulSet.Spec.Template.Spec
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			if policy := c.TerminationMessagePolicy; policy != corev1.TerminationMessageFallbackToLogsOnError {
				t.Errorf("%s: container %s: terminationMessagePolicy %q", folder, c.Name, policy)
			}
		}
	}
}

// Everything that stands in two places is the same in both.
func TestReferences(t *testing.T) {
	for _, folder := range deployments {
		t.Run(folder, func(t *testing.T) {
			m := build(t, folder)
			set := m.statefulSet
			pod := labels.Set(set.Spec.Template.Labels)
			for what, selector := range map[string]*metav1.LabelSelector{
				"StatefulSet":               set.Spec.Selector,
				"PodDisruptionBudget":       m.budget.Spec.Selector,
				"topologySpreadConstraints": set.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector,
			} {
				s, err := metav1.LabelSelectorAsSelector(selector)
				if err != nil || s.Empty() || !s.Matches(pod) {
					t.Errorf("the selector of %s, %v, is not that of the pods, %v (%v)", what, selector, pod, err)
				}
			}
			headless := 0
			for _, service := range m.services {
				if len(service.Spec.Selector) == 0 || !labels.SelectorFromSet(service.Spec.Selector).Matches(pod) {
					t.Errorf("Service %s does not select the pods", service.Name)
				}
				for _, port := range service.Spec.Ports {
					if name := port.TargetPort.StrVal; name != "" && !hasPort(set.Spec.Template.Spec, name) {
						t.Errorf("Service %s: no container has the port %s", service.Name, name)
					}
				}
				if service.Name == set.Spec.ServiceName && service.Spec.ClusterIP == corev1.ClusterIPNone {
					headless++
				}
			}
			if headless != 1 {
				t.Errorf("%d headless Services are called %s, want 1", headless, set.Spec.ServiceName)
			}
			if name := set.Spec.Template.Spec.ServiceAccountName; name != m.account.Name {
				t.Errorf("the pods' service account is %s, the one here %s", name, m.account.Name)
			}
			checkVolumes(t, m)
		})
	}
}

func hasPort(spec corev1.PodSpec, name string) bool {
	return slices.ContainsFunc(spec.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == name })
	})
}

func checkVolumes(t *testing.T, m *manifests) {
	spec := m.statefulSet.Spec.Template.Spec
	var volumes []string
	for _, v := range spec.Volumes {
		volumes = append(volumes, v.Name)
		if v.ConfigMap != nil && v.ConfigMap.Name != m.configMap.Name {
			t.Errorf("volume %s is of the ConfigMap %s, the one here is %s", v.Name, v.ConfigMap.Name, m.configMap.Name)
		}
	}
	for _, claim := range m.statefulSet.Spec.VolumeClaimTemplates {
		volumes = append(volumes, claim.Name)
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, mount := range c.VolumeMounts {
			if !slices.Contains(volumes, mount.Name) {
				t.Errorf("container %s mounts %s, which is no volume", c.Name, mount.Name)
			}
			if mount.SubPath != "" {
				t.Errorf("container %s mounts a part of %s, which never changes", c.Name, mount.Name)
			}
		}
	}
}

// The rights of kubevali, as its documentation has them.
var (
	getPods     = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}
	putServices = rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"get", "create", "patch"},
	}
	getNodes = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get"}}
)

// checkRights checks that the pods have exactly these rights in their namespace and in the cluster, and a token where
// they have any.
func checkRights(t *testing.T, m *manifests, namespace, cluster []rbacv1.PolicyRule) {
	t.Helper()
	set := m.statefulSet
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Name: m.account.Name, Namespace: set.Namespace}}
	var inNamespace, inCluster []rbacv1.PolicyRule
	for i, role := range m.roles {
		inNamespace = append(inNamespace, role.Rules...)
		want := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}
		b := m.bindings[i]
		if b.RoleRef != want || !reflect.DeepEqual(b.Subjects, subjects) || b.Namespace != role.Namespace {
			t.Errorf("Role %s is bound by %v to %v, want %v", role.Name, b.RoleRef, b.Subjects, subjects)
		}
	}
	for i, role := range m.nodeRoles {
		inCluster = append(inCluster, role.Rules...)
		if want := "kubevali:" + set.Namespace + ":" + set.Name; role.Name != want {
			t.Errorf("the ClusterRole is called %s, want %s, which nobody else's is", role.Name, want)
		}
		want := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}
		b := m.nodeBindings[i]
		if b.RoleRef != want || !reflect.DeepEqual(b.Subjects, subjects) || b.Name != role.Name {
			t.Errorf("ClusterRole %s is bound by %s, %v, to %v, want %v", role.Name, b.Name, b.RoleRef, b.Subjects, subjects)
		}
	}
	if !reflect.DeepEqual(inNamespace, namespace) {
		t.Errorf("rights in the namespace:\n%v\nwant\n%v", inNamespace, namespace)
	}
	if !reflect.DeepEqual(inCluster, cluster) {
		t.Errorf("rights in the cluster:\n%v\nwant\n%v", inCluster, cluster)
	}
	token := *set.Spec.Template.Spec.AutomountServiceAccountToken
	if want := len(namespace)+len(cluster) > 0; token != want {
		t.Errorf("automountServiceAccountToken = %v, want %v", token, want)
	}
}

func TestComponentRights(t *testing.T) {
	services := []rbacv1.PolicyRule{getPods, putServices}
	nodes := []rbacv1.PolicyRule{getNodes}
	checkRights(t, build(t, "base"), nil, nil)
	checkRights(t, build(t, "testdata/keys"), nil, nil)
	checkRights(t, build(t, "testdata/nodeport"), services, nodes)
	checkRights(t, build(t, "testdata/loadbalancer"), services, nil)
	checkRights(t, build(t, "testdata/hostnetwork"), nil, nodes)
}

// One version of kubevali in all of them, so that a release changes all or none.
func TestVersion(t *testing.T) {
	found := map[string]string{}
	for _, folder := range append([]string{"base"}, examples...) {
		spec := build(t, folder).statefulSet.Spec.Template.Spec
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			name, tag, _ := strings.Cut(c.Image, ":")
			if tag == "" || tag == "latest" {
				t.Errorf("%s: container %s: image %s has no version", folder, c.Name, c.Image)
			}
			if name == "ghcr.io/kubevali/kubevali" {
				found[tag] = folder
			}
		}
	}
	if len(found) != 1 {
		t.Errorf("several versions of kubevali, each with a folder that has it: %v", found)
	}
}
