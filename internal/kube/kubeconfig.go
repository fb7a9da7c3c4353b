package kube

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// kubeconfig is the part of a kubeconfig that is used, or refused by name.
// https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
type kubeconfig struct {
	CurrentContext string         `yaml:"current-context"`
	Clusters       []namedCluster `yaml:"clusters"`
	Users          []namedUser    `yaml:"users"`
	Contexts       []namedContext `yaml:"contexts"`
}

type namedCluster struct {
	Name    string        `yaml:"name"`
	Cluster clusterConfig `yaml:"cluster"`
}

type namedUser struct {
	Name string     `yaml:"name"`
	User userConfig `yaml:"user"`
}

type namedContext struct {
	Name    string        `yaml:"name"`
	Context contextConfig `yaml:"context"`
}

type contextConfig struct {
	Cluster string `yaml:"cluster"`
	User    string `yaml:"user"`

	file string
}

type clusterConfig struct {
	Server        string      `yaml:"server"`
	ServerName    string      `yaml:"tls-server-name"`
	Insecure      bool        `yaml:"insecure-skip-tls-verify"`
	Authority     string      `yaml:"certificate-authority"`
	AuthorityData string      `yaml:"certificate-authority-data"`
	ProxyURL      string      `yaml:"proxy-url"`
	Extensions    []extension `yaml:"extensions"`

	file string
}

type extension struct {
	Name      string `yaml:"name"`
	Extension any    `yaml:"extension"`
}

type userConfig struct {
	Token           string        `yaml:"token"`
	TokenFile       string        `yaml:"tokenFile"`
	Certificate     string        `yaml:"client-certificate"`
	CertificateData string        `yaml:"client-certificate-data"`
	Key             string        `yaml:"client-key"`
	KeyData         string        `yaml:"client-key-data"`
	Username        string        `yaml:"username"`
	Password        string        `yaml:"password"`
	Exec            *pluginConfig `yaml:"exec"`

	// What follows is refused.
	As           string              `yaml:"as"`
	AsUID        string              `yaml:"as-uid"`
	AsGroups     []string            `yaml:"as-groups"`
	AsUserExtra  map[string][]string `yaml:"as-user-extra"`
	AuthProvider *struct {
		Name string `yaml:"name"`
	} `yaml:"auth-provider"`

	file string
}

// merged is what several files say together: of two entries of one name the first counts.
type merged struct {
	current  string
	clusters map[string]clusterConfig
	users    map[string]userConfig
	contexts map[string]contextConfig
	files    []string
}

func newMerged() *merged {
	return &merged{
		clusters: map[string]clusterConfig{},
		users:    map[string]userConfig{},
		contexts: map[string]contextConfig{},
	}
}

// fromKubeconfig reads the files that kubectl would read, and describes the current context's cluster.
// https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
func fromKubeconfig(environ func(string) string) (*Cluster, error) {
	paths := filepath.SplitList(environ("KUBECONFIG"))
	if home := environ("HOME"); len(paths) == 0 && home != "" {
		paths = []string{filepath.Join(home, ".kube", "config")}
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return path == "" })
	m := newMerged()
	var missing []string
	for _, path := range paths {
		data, err := readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, path)
			continue
		}
		if err != nil {
			return nil, &ConfigError{Source: "kubeconfig", Message: err.Error(), err: err}
		}
		if err := m.add(path, data); err != nil {
			return nil, err
		}
	}
	if environ("KUBECONFIG") != "" && len(missing) > 0 && len(missing) == len(paths) {
		return nil, &noKubeconfig{missing}
	}
	if len(m.clusters)+len(m.users)+len(m.contexts) == 0 && m.current == "" {
		return nil, ErrNoCluster // no file, or one that kubectl, too, takes for none
	}
	return m.cluster()
}

// add merges one file in.
func (m *merged) add(path string, data []byte) error {
	var k kubeconfig
	if err := yaml.Unmarshal(data, &k); err != nil {
		return &ConfigError{Source: "kubeconfig " + path, Message: syntax(err)}
	}
	m.files = append(m.files, path)
	if m.current == "" {
		m.current = k.CurrentContext
	}
	one := newMerged()
	var err error
	for _, c := range k.Clusters {
		c.Cluster.file = path
		err = errors.Join(err, put(one.clusters, "clusters", c.Name, c.Cluster))
	}
	for _, u := range k.Users {
		u.User.file = path
		err = errors.Join(err, put(one.users, "users", u.Name, u.User))
	}
	for _, c := range k.Contexts {
		c.Context.file = path
		err = errors.Join(err, put(one.contexts, "contexts", c.Name, c.Context))
	}
	if err != nil {
		return &ConfigError{Source: "kubeconfig " + path, Message: strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	keepFirst(m.clusters, one.clusters)
	keepFirst(m.users, one.users)
	keepFirst(m.contexts, one.contexts)
	return nil
}

func put[T any](into map[string]T, list, name string, value T) error {
	if _, ok := into[name]; ok {
		return fmt.Errorf("two %s are called %q", list, name)
	}
	into[name] = value
	return nil
}

func keepFirst[T any](into, more map[string]T) {
	for name, value := range more {
		if _, ok := into[name]; !ok {
			into[name] = value
		}
	}
}

// syntax says where a file is wrong. What yaml says beyond that may quote a secret.
func syntax(err error) string {
	line := regexp.MustCompile(`line (\d+)`).FindStringSubmatch(err.Error())
	if line == nil {
		return "not a kubeconfig"
	}
	return "not a kubeconfig: wrong YAML or a value of the wrong type in line " + line[1]
}

// cluster describes the current context's.
func (m *merged) cluster() (*Cluster, error) {
	names := strings.Join(m.files, string(filepath.ListSeparator))
	if m.current == "" {
		return nil, &ConfigError{
			Source:  "kubeconfig " + names,
			Message: "no current-context",
			Remedy:  "choose one with kubectl config use-context; there are: " + list(m.contexts),
		}
	}
	context, ok := m.contexts[m.current]
	if !ok {
		return nil, &ConfigError{
			Source:  "kubeconfig " + names,
			Message: fmt.Sprintf("there is no context %q, which current-context names", m.current),
			Remedy:  "choose one with kubectl config use-context; there are: " + list(m.contexts),
		}
	}
	c := &Cluster{source: "kubeconfig " + context.file + ", context " + m.current}
	wrong := func(message string, args ...any) (*Cluster, error) {
		err := fmt.Errorf(message, args...)
		return nil, &ConfigError{Source: c.source, Message: err.Error(), err: err}
	}
	cluster, ok := m.clusters[context.Cluster]
	if !ok {
		return wrong("there is no cluster %q", context.Cluster)
	}
	user, ok := m.users[context.User]
	if !ok && context.User != "" {
		return wrong("there is no user %q", context.User)
	}
	if err := c.useCluster(cluster); err != nil {
		return wrong("cluster %q: %w", context.Cluster, err)
	}
	if c.server.Scheme != "https" {
		return c, nil // credentials are not for everybody on the way to read
	}
	if err := c.useUser(user, cluster); err != nil {
		return wrong("user %q: %w", context.User, err)
	}
	return c, nil
}

func list[T any](m map[string]T) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
