package kube

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net/http"
	"sync"
	"time"
)

// credentials say in each request who this is.
type credentials struct {
	cluster *Cluster
	stderr  io.Writer

	mu     sync.Mutex         // guards plugin's run, so that it runs once, and what follows
	plugin *pluginCredentials // nil: not asked yet, or no longer to be used
}

// authorize adds what the cluster's description says to a request's header.
func (c *credentials) authorize(ctx context.Context, header http.Header) error {
	token := c.cluster.token
	switch {
	case c.cluster.tokenFile != "":
		// Read anew each time: the kubelet replaces a service account's token about every hour.
		current, err := readToken(c.cluster.tokenFile)
		if err != nil && token == "" {
			return &ConfigError{Source: c.cluster.source, Message: err.Error(), err: err}
		}
		if err == nil {
			token = current
		}
	case c.cluster.plugin != nil:
		answer, err := c.ask(ctx)
		if err != nil {
			return err
		}
		token = answer.token
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	} else if c.cluster.username != "" || c.cluster.password != "" {
		pair := c.cluster.username + ":" + c.cluster.password
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	return nil
}

// ask returns the plugin's credentials, and runs it where it has not run yet or what it said has expired.
func (c *credentials) ask(ctx context.Context) (*pluginCredentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plugin != nil && (c.plugin.expiration.IsZero() || time.Now().Before(c.plugin.expiration)) {
		return c.plugin, nil
	}
	p := c.cluster.plugin
	answer, err := p.run(ctx, c.stderr)
	if err != nil {
		return nil, &ConfigError{
			Source:  c.cluster.source,
			Message: "the credential plugin " + err.Error(),
			Remedy:  p.hint(err),
			err:     err,
		}
	}
	c.plugin = answer
	return answer, nil
}

// forget makes the plugin be asked again, after the API server has not accepted what it said. It returns false where
// there is no plugin.
func (c *credentials) forget() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugin = nil
	return c.cluster.plugin != nil
}

// certificate is tls.Config.GetClientCertificate for a plugin's certificates.
func (c *credentials) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plugin == nil || c.plugin.certificate == nil {
		return &tls.Certificate{}, nil
	}
	return c.plugin.certificate, nil
}
