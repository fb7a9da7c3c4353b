package kube

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// pluginTimeout is how long a plugin may take; some wait until somebody has logged in.
	pluginTimeout = 2 * time.Minute
	// pluginGrace is how long after a plugin's end its output may be held open by its children.
	pluginGrace = 2 * time.Second
	pluginGroup = "client.authentication.k8s.io/"
	// pluginExtension is the name of a cluster's extension that is for plugins.
	pluginExtension = "client.authentication.k8s.io/exec"
)

// pluginConfig is a program that knows credentials, as a kubeconfig describes it.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
type pluginConfig struct {
	Command            string      `yaml:"command"`
	Args               []string    `yaml:"args"`
	Env                []pluginEnv `yaml:"env"`
	APIVersion         string      `yaml:"apiVersion"`
	InstallHint        string      `yaml:"installHint"`
	ProvideClusterInfo bool        `yaml:"provideClusterInfo"`
	InteractiveMode    string      `yaml:"interactiveMode"`

	cluster *pluginCluster // nil unless ProvideClusterInfo
}

type pluginEnv struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

func (p *pluginConfig) check() error {
	switch {
	case p.Command == "":
		return errors.New("no command")
	case p.APIVersion != pluginGroup+"v1" && p.APIVersion != pluginGroup+"v1beta1":
		return fmt.Errorf("apiVersion %q is not supported; there are %sv1 and %[2]sv1beta1", p.APIVersion, pluginGroup)
	case p.InteractiveMode == "Always":
		return errors.New("interactiveMode Always is not supported, since nobody is there to be asked")
	case p.InteractiveMode != "" && p.InteractiveMode != "Never" && p.InteractiveMode != "IfAvailable",
		p.InteractiveMode == "" && p.APIVersion == pluginGroup+"v1":
		return fmt.Errorf("interactiveMode %q is not one of Never, IfAvailable", p.InteractiveMode)
	}
	return nil
}

// pluginCluster is what a plugin is told about the cluster.
type pluginCluster struct {
	Server        string `json:"server"`
	ServerName    string `json:"tls-server-name,omitempty"`
	Insecure      bool   `json:"insecure-skip-tls-verify,omitempty"`
	AuthorityData []byte `json:"certificate-authority-data,omitempty"`
	ProxyURL      string `json:"proxy-url,omitempty"`
	Config        any    `json:"config,omitempty"`
}

func (c *Cluster) pluginCluster(k clusterConfig) *pluginCluster {
	p := &pluginCluster{
		Server:        k.Server,
		ServerName:    k.ServerName,
		Insecure:      k.Insecure,
		AuthorityData: c.roots,
		ProxyURL:      k.ProxyURL,
	}
	for _, e := range k.Extensions {
		if e.Name == pluginExtension {
			p.Config = e.Extension
		}
	}
	return p
}

// execCredential is what goes to a plugin, in KUBERNETES_EXEC_INFO, and what comes back from its standard output.
type execCredential struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Spec       execSpec    `json:"spec"`
	Status     *execStatus `json:"status,omitempty"`
}

type execSpec struct {
	Cluster     *pluginCluster `json:"cluster,omitempty"`
	Interactive bool           `json:"interactive"`
}

type execStatus struct {
	Expiration  time.Time `json:"expirationTimestamp,omitzero"`
	Token       string    `json:"token,omitempty"`
	Certificate string    `json:"clientCertificateData,omitempty"`
	Key         string    `json:"clientKeyData,omitempty"`
}

// pluginCredentials are a plugin's answer.
type pluginCredentials struct {
	token       string
	certificate *tls.Certificate
	expiration  time.Time // zero: none
}

// run asks the plugin. It gets this process's environment, and no standard input. No error quotes what it printed.
func (p *pluginConfig) run(ctx context.Context, stderr io.Writer) (*pluginCredentials, error) {
	ctx, cancel := context.WithTimeout(ctx, pluginTimeout)
	defer cancel()
	info, err := json.Marshal(execCredential{
		APIVersion: p.APIVersion,
		Kind:       "ExecCredential",
		Spec:       execSpec{Cluster: p.cluster},
	})
	if err != nil {
		return nil, fmt.Errorf("the cluster's extension %s cannot be passed on: %w", pluginExtension, err)
	}
	var answer limitedBuffer
	cmd := exec.CommandContext(ctx, p.Command, p.Args...)
	cmd.Env = os.Environ()
	for _, e := range p.Env {
		cmd.Env = append(cmd.Env, e.Name+"="+e.Value)
	}
	cmd.Env = append(cmd.Env, "KUBERNETES_EXEC_INFO="+string(info))
	cmd.Stdout, cmd.Stderr = &answer, stderr
	cmd.WaitDelay = pluginGrace
	// A process that reaps orphans may have taken the exit status; then the answer says whether it worked.
	if err := cmd.Run(); err != nil && !errors.Is(err, syscall.ECHILD) {
		switch {
		case answer.full:
			return nil, fmt.Errorf("%s printed more than 1 MiB", p.Command)
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s did not answer: %w", p.Command, ctx.Err())
		}
		return nil, fmt.Errorf("%s: %w", p.Command, err)
	}
	return p.parse(answer.data)
}

func (p *pluginConfig) parse(answer []byte) (*pluginCredentials, error) {
	var c execCredential
	if err := json.Unmarshal(answer, &c); err != nil || c.Kind != "ExecCredential" {
		return nil, fmt.Errorf("%s did not print an ExecCredential", p.Command)
	}
	switch s := c.Status; {
	case c.APIVersion != p.APIVersion:
		return nil, fmt.Errorf("%s printed apiVersion %q in place of %s", p.Command, c.APIVersion, p.APIVersion)
	case s == nil || s.Token == "" && s.Certificate == "" && s.Key == "":
		return nil, fmt.Errorf("%s printed neither a token nor a certificate", p.Command)
	case !fitForHeader(s.Token):
		return nil, fmt.Errorf("%s printed a token with characters that no token has", p.Command)
	case (s.Certificate == "") != (s.Key == ""):
		return nil, fmt.Errorf("%s printed a certificate or its key, but not both", p.Command)
	}
	creds := &pluginCredentials{token: c.Status.Token, expiration: c.Status.Expiration}
	if c.Status.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(c.Status.Certificate), []byte(c.Status.Key))
		if err != nil {
			return nil, fmt.Errorf("%s printed a certificate and a key that do not fit each other", p.Command)
		}
		creds.certificate = &pair
	}
	return creds, nil
}

// hint says what to do when the plugin does not work.
func (p *pluginConfig) hint(err error) string {
	if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, os.ErrNotExist) {
		return "see whether kubectl works with the same kubeconfig"
	}
	if p.InstallHint == "" {
		return "install " + p.Command
	}
	printable := func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}
	return strings.Join(strings.Fields(strings.Map(printable, p.InstallHint)), " ")
}

// limitedBuffer keeps up to maxFile bytes and refuses more.
type limitedBuffer struct {
	data []byte
	full bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > maxFile {
		b.full = true
		return 0, io.ErrShortWrite
	}
	b.data = append(b.data, p...)
	return len(p), nil
}
