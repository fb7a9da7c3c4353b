//go:build linux

package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
)

const checkID = "5f0b6f3e-7f6f-4d0b-9d6c-2f1c8f1f0a11"

// configuration is a kubevali with all that watches a node turned on.
const configuration = `nodeTemplate:
  command: %s
%swatchlog:
  enabled: true
  keyword: Imported new potential chain segment
  pattern: %q
  healthcheckIDs: [%q]
healthchecks:
  baseURL: %q
monitor:
  listen: %q
`

// writeConfig writes a configuration that runs node, and returns its path. The pattern may be empty, and more is what the
// configuration has besides.
func (b *bench) writeConfig(node []string, pattern, more string) (string, error) {
	command, err := json.Marshal(node) // a JSON array is a YAML one
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf(configuration, command, more, pattern, checkID, b.checks.url, b.monitor)
	path := filepath.Join(b.dir, "kubevali.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// healthchecks is a healthchecks server behind TLS, as the public one is, that accepts every ping and counts the
// successes.
type healthchecks struct {
	url         string
	certificate string // the PEM file that makes clients trust it
	successes   atomic.Int64
	close       func()
}

func newHealthchecks(dir string) (*healthchecks, error) {
	h := &healthchecks{certificate: filepath.Join(dir, "ca.pem")}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/"+checkID {
			h.successes.Add(1)
		}
		w.Header().Set("Ping-Body-Limit", "100000")
		w.Write([]byte("OK"))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a supervisor that ends may hang up
	server.StartTLS()
	h.url, h.close = server.URL, server.Close
	block := pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(h.certificate, pem.EncodeToMemory(&block), 0o600); err != nil {
		server.Close()
		return nil, err
	}
	return h, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
