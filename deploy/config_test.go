package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// root is a root secret for tests alone.
const root = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

var kubevali string // built by TestMain

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "kubevali")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folder)
		kubevali = filepath.Join(folder, "kubevali")
		build := exec.Command("go", "build", "-o", kubevali, "./cmd/kubevali")
		build.Dir, build.Stderr = "..", os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "go build:", err)
			return 1
		}
		return m.Run()
	}())
}

// run runs kubevali on a laptop: without a cluster, with the root secret.
func run(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(kubevali, args...)
	cmd.Env = []string{"P2P_ROOT_KEY=" + root, "PING_KEY=ping-key-of-the-tests"}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubevali %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return stdout.String()
}

// plan is what the tests want to know of kubevali render -o json.
type plan struct {
	Pod     string
	Command []string
	Files   []struct{ Content string }
	Keys    []struct{ PublicID string }
	Service *struct {
		Ports []struct {
			Protocol                   string
			Port, NodePort, TargetPort int
		}
	}
	Process struct{ StopGracePeriod string }
	Monitor struct{ Listen string }
}

// configured is a container whose command is kubevali, and what its configuration makes of its pods.
type configured struct {
	container corev1.Container
	file      string // the configuration's name in the ConfigMap
	text      string // its content
	path      string // a copy of it, as it is deployed
	plans     []plan
}

// configurations renders all pods of a deployment.
func configurations(t *testing.T, m *manifests) []configured {
	t.Helper()
	var all []configured
	for _, container := range m.statefulSet.Spec.Template.Spec.Containers {
		file, found := strings.CutPrefix(strings.Join(container.Command, " "), "/kubevali/kubevali --config=/config/")
		if !found {
			t.Fatalf("container %s: command %q, want kubevali and its configuration", container.Name, container.Command)
		}
		c := configured{container: container, file: file}
		c.text = m.configMap.Data[c.file]
		c.path = filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(c.path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		text := run(t, append(render(m, c.path), "-o", "json")...)
		if err := json.Unmarshal([]byte(text), &c.plans); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func render(m *manifests, path string) []string {
	return []string{
		"render", "--offline", "-c", path, "--namespace", m.statefulSet.Namespace, "--pod", m.statefulSet.Name + "-0",
		"--replicas", fmt.Sprint(*m.statefulSet.Spec.Replicas),
	}
}

func TestRender(t *testing.T) {
	for _, folder := range append([]string{"base"}, examples...) {
		t.Run(folder, func(t *testing.T) {
			m := build(t, folder)
			for _, c := range configurations(t, m) {
				name := strings.TrimSuffix(filepath.Base(folder)+"-"+strings.TrimSuffix(c.file, ".yaml"), "-kubevali")
				golden(t, name+".txt", run(t, render(m, c.path)...))
			}
		})
	}
}

// What the manifests say fits what the configuration says.
func TestConfigurationFits(t *testing.T) {
	for _, folder := range deployments {
		t.Run(folder, func(t *testing.T) {
			m := build(t, folder)
			spec := m.statefulSet.Spec.Template.Spec
			for _, c := range configurations(t, m) {
				if len(c.plans) != int(*m.statefulSet.Spec.Replicas) {
					t.Fatalf("%s: %d pods, want %d", c.file, len(c.plans), *m.statefulSet.Spec.Replicas)
				}
				stop, err := time.ParseDuration(c.plans[0].Process.StopGracePeriod)
				if err != nil {
					t.Fatal(err)
				}
				// The last lines and the last ping come after the node has ended.
				const rest = 10 * time.Second
				if grace := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second; grace < stop+rest {
					t.Errorf("%s: the pod gets %v to stop, want %v for the node and %v more", c.file, grace, stop, rest)
				}
				checkProbes(t, c)
			}
		})
	}
}

func checkProbes(t *testing.T, c configured) {
	for kind, probe := range map[string]*corev1.Probe{
		"startup": c.container.StartupProbe, "live": c.container.LivenessProbe, "ready": c.container.ReadinessProbe,
	} {
		if probe == nil {
			t.Errorf("container %s: no %s probe", c.container.Name, kind)
			continue
		}
		question := map[string]string{"startup": "live", "live": "live", "ready": "ready"}[kind]
		if probe.Exec != nil {
			want := []string{"/kubevali/kubevali", "probe", question, "--config=/config/" + c.file}
			if !slices.Equal(probe.Exec.Command, want) {
				t.Errorf("container %s: %s probe runs %q, want %q", c.container.Name, kind, probe.Exec.Command, want)
			}
			continue
		}
		if want := "/" + question + "z"; probe.HTTPGet.Path != want {
			t.Errorf("container %s: %s probe asks for %s, want %s", c.container.Name, kind, probe.HTTPGet.Path, want)
		}
		i := slices.IndexFunc(c.container.Ports, func(p corev1.ContainerPort) bool { return p.Name == probe.HTTPGet.Port.StrVal })
		if i < 0 {
			t.Errorf("container %s: %s probe asks at %v, none of its ports", c.container.Name, kind, probe.HTTPGet.Port)
			continue
		}
		asks, listens := fmt.Sprintf(":%d", c.container.Ports[i].ContainerPort), c.plans[0].Monitor.Listen
		if asks != listens {
			t.Errorf("container %s: %s probe asks at %s, kubevali listens at %s", c.container.Name, kind, asks, listens)
		}
	}
}

// asksForNode finds what needs the Kubernetes node's address, where the Service is no load balancer.
var asksForNode = regexp.MustCompile(`\b(nodeExternalIP6?|nodeAddress)\b|\.Service\.Address\b`)

// The examples have exactly the rights that their configuration needs.
func TestExampleRights(t *testing.T) {
	for _, folder := range append([]string{"testdata/overlay"}, examples...) {
		t.Run(folder, func(t *testing.T) {
			m := build(t, folder)
			var namespace, cluster []rbacv1.PolicyRule
			for _, c := range configurations(t, m) {
				if c.plans[0].Service != nil {
					if namespace != nil {
						t.Errorf("two configurations keep the Service of one pod")
					}
					namespace = []rbacv1.PolicyRule{getPods, putServices}
				}
				if asksForNode.MatchString(c.text) {
					cluster = []rbacv1.PolicyRule{getNodes}
				}
			}
			checkRights(t, m, namespace, cluster)
		})
	}
}

// All examples together fit into one cluster and one namespace: node ports and keys are each one's own, and node ports
// are those that a cluster gives out where nothing else is configured.
func TestExamplesTogether(t *testing.T) {
	owners := map[string]string{}
	claim := func(what, pod string) {
		if other, taken := owners[what]; taken {
			t.Errorf("%s has the %s of %s", pod, what, other)
		}
		owners[what] = pod
	}
	for _, folder := range examples {
		for _, c := range configurations(t, build(t, folder)) {
			for _, p := range c.plans {
				for _, key := range p.Keys {
					claim("key "+key.PublicID, p.Pod)
				}
				if p.Service == nil {
					continue
				}
				for _, port := range p.Service.Ports {
					claim(fmt.Sprintf("node port %d/%s", port.NodePort, port.Protocol), p.Pod)
					if port.NodePort < 30000 || port.NodePort > 32767 {
						t.Errorf("%s: node port %d, want one from 30000 to 32767", p.Pod, port.NodePort)
					}
					if port.TargetPort != port.NodePort {
						t.Errorf("%s announces %d and listens on %d", p.Pod, port.NodePort, port.TargetPort)
					}
				}
			}
		}
	}
}

// listensAt finds the flag or the setting of the examples' nodes that has them listen at a port for their peers.
func listensAt(port int) *regexp.Regexp {
	const flag, setting = `--(p2p\.listen\.tcp|port) %[1]d `, `\nladdr = "tcp://0\.0\.0\.0:%[1]d"`
	return regexp.MustCompile(fmt.Sprintf(flag+"|"+setting, port))
}

// The Service of each pod leads to ports that one of the pod's nodes is told of.
func TestTargetPorts(t *testing.T) {
	for _, folder := range examples {
		t.Run(folder, func(t *testing.T) {
			told := map[string]string{} // by pod
			all := configurations(t, build(t, folder))
			for _, c := range all {
				for _, p := range c.plans {
					told[p.Pod] += " " + strings.Join(p.Command, " ") + " "
					for _, file := range p.Files {
						told[p.Pod] += file.Content
					}
				}
			}
			checked := 0
			for _, c := range all {
				for _, p := range c.plans {
					if p.Service == nil {
						continue
					}
					for _, port := range p.Service.Ports {
						if !listensAt(port.TargetPort).MatchString(told[p.Pod]) {
							t.Errorf("%s: the Service leads to %d, where nothing listens", p.Pod, port.TargetPort)
						}
						checked++
					}
				}
			}
			if checked == 0 {
				t.Error("no Service has a port")
			}
		})
	}
}

// An init container writes the keys of every configuration that has some.
func TestKeys(t *testing.T) {
	for _, folder := range examples {
		t.Run(folder, func(t *testing.T) {
			m := build(t, folder)
			spec := m.statefulSet.Spec.Template.Spec
			for _, c := range configurations(t, m) {
				if len(c.plans[0].Keys) == 0 {
					t.Errorf("%s: no key, want one", c.file)
				}
				want := []string{"key", "write", "--config=/config/" + c.file}
				if !slices.ContainsFunc(spec.InitContainers, func(c corev1.Container) bool { return slices.Equal(c.Args, want) }) {
					t.Errorf("%s: no init container runs kubevali %s", c.file, strings.Join(want, " "))
				}
				if slices.ContainsFunc(c.container.Env, func(e corev1.EnvVar) bool { return e.Name == "P2P_ROOT_KEY" }) {
					t.Errorf("container %s gets the root secret", c.container.Name)
				}
			}
		})
	}
}
