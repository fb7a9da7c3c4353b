// Command gate ends as soon as the Kubernetes API, having answered before, answers no more. As an init container it lets a
// pod that the API server has started come to its main container just when the API server is away.
package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	client := http.Client{
		Timeout: time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// Whether it answers is all that is asked. Nothing secret is sent.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
	}
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	url := "https://" + net.JoinHostPort(host, port) + "/readyz"
	answered := false
	for range time.Tick(200 * time.Millisecond) {
		resp, err := client.Get(url)
		switch {
		case err == nil:
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if !answered {
				log.Print("the API answers")
			}
			answered = true
		case answered:
			log.Printf("the API is away: %v", err)
			return
		}
	}
}
