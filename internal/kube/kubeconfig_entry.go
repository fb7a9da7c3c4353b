package kube

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// useCluster takes over where the server is and how to know it.
func (c *Cluster) useCluster(k clusterConfig) (err error) {
	if c.roots, err = material(k.file, "certificate-authority", k.Authority, k.AuthorityData); err != nil {
		return err
	}
	c.insecure, c.serverName = k.Insecure, k.ServerName
	if c.insecure && c.roots != nil {
		return errors.New("insecure-skip-tls-verify and certificate-authority exclude each other")
	}
	if c.server, err = parseServer(k.Server); err != nil {
		return err
	}
	if k.ProxyURL == "" {
		return nil
	}
	// Errors of url.Parse quote what they read, which may hold a password.
	c.proxy, err = url.Parse(k.ProxyURL)
	if err != nil || c.proxy.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, c.proxy.Scheme) {
		return errors.New("proxy-url is not the URL of a proxy (http, https, socks5)")
	}
	return nil
}

func parseServer(server string) (*url.URL, error) {
	if server == "" {
		return nil, errors.New("no server")
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("server is not a URL (https://HOST:PORT)")
	}
	if u.User != nil {
		return nil, errors.New("server holds a user; put username and password below users")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/")}, nil
}

// useUser takes over how to show who this is.
func (c *Cluster) useUser(k userConfig, of clusterConfig) (err error) {
	switch {
	case k.AuthProvider != nil:
		return fmt.Errorf("auth-provider (%s) is not supported, nor does kubectl know it any more; use exec", k.AuthProvider.Name)
	case k.As != "" || k.AsUID != "" || len(k.AsGroups) > 0 || len(k.AsUserExtra) > 0:
		return errors.New("impersonation (as, as-uid, as-groups, as-user-extra) is not supported")
	case k.Token+k.TokenFile != "" && k.Username+k.Password != "":
		return errors.New("token and username exclude each other")
	case !fitForHeader(strings.TrimSpace(k.Token)):
		return errors.New("token holds characters that no token has")
	}
	if c.certificate, err = material(k.file, "client-certificate", k.Certificate, k.CertificateData); err != nil {
		return err
	}
	if c.key, err = material(k.file, "client-key", k.Key, k.KeyData); err != nil {
		return err
	}
	if (c.certificate == nil) != (c.key == nil) {
		return errors.New("client-certificate and client-key belong together; one is missing")
	}
	c.token, c.tokenFile = strings.TrimSpace(k.Token), relativeTo(k.file, k.TokenFile)
	c.username, c.password = k.Username, k.Password
	if k.Exec == nil || c.token+c.tokenFile+c.username+c.password != "" || c.certificate != nil {
		return nil // a plugin is asked only where nothing else shows who this is, as by kubectl
	}
	c.plugin = k.Exec
	if strings.ContainsRune(c.plugin.Command, filepath.Separator) {
		c.plugin.Command = relativeTo(k.file, c.plugin.Command)
	}
	if err := c.plugin.check(); err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	if c.plugin.ProvideClusterInfo {
		c.plugin.cluster = c.pluginCluster(of)
	}
	return nil
}

// material returns what a key of a kubeconfig holds itself (KEY-data, base64) or by the name of a file, nil for neither.
func material(kubeconfig, key, path, data string) ([]byte, error) {
	if data != "" && path != "" {
		return nil, fmt.Errorf("%s and %[1]s-data exclude each other", key)
	}
	if data != "" {
		decoded, err := base64.StdEncoding.DecodeString(data)
		if err != nil || len(decoded) == 0 {
			return nil, fmt.Errorf("%s-data is not base64", key) // the decoder's own words could quote a secret
		}
		return decoded, nil
	}
	if path == "" {
		return nil, nil
	}
	content, err := readFile(relativeTo(kubeconfig, path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if len(content) == 0 {
		return nil, fmt.Errorf("%s: %s is empty", key, relativeTo(kubeconfig, path))
	}
	return content, nil
}

// relativeTo resolves a path in a kubeconfig against the folder of the kubeconfig.
func relativeTo(kubeconfig, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(kubeconfig), path)
}
