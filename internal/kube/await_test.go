package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
)

func loadBalancer(ingress string) http.HandlerFunc {
	return answers(200, `{"metadata":{"name":"geth-0"},"spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{"ingress":`+ingress+`}}}`)
}

func TestAwaitAddress(t *testing.T) {
	none := loadBalancer("null")
	away := answers(503, "")
	for _, tc := range []struct {
		name            string
		steps           []http.HandlerFunc
		want            string
		atMost          time.Duration
		message, remedy string
		temporary       bool
	}{
		{name: "there at once", steps: []http.HandlerFunc{loadBalancer(`[{"ip":"198.51.100.9"}]`)}, want: "198.51.100.9"},
		{name: "later, with the API away in between", steps: []http.HandlerFunc{none, away, none, none, loadBalancer(`[{"ip":"2001:db8::9"}]`)},
			want: "2001:db8::9", atMost: 15 * time.Second},
		{name: "host name", steps: []http.HandlerFunc{loadBalancer(`[{}]`), loadBalancer(`[{"hostname":"lb.example.com"}]`)},
			want: "lb.example.com", atMost: time.Second},
		{name: "address and host name", steps: []http.HandlerFunc{loadBalancer(`[{"hostname":"lb.example.com","ip":"198.51.100.9"}]`)},
			want: "198.51.100.9"},
		{name: "never", steps: []http.HandlerFunc{none}, atMost: 5 * time.Minute,
			message: `cannot get service "chains/geth-0": its load balancer has no address after 5m0s`, remedy: "kubectl describe service",
			temporary: true},
		{name: "the API is away for good", steps: []http.HandlerFunc{none, away}, atMost: 5 * time.Minute,
			message: "503 Service Unavailable", temporary: true},
		{name: "of another type", steps: []http.HandlerFunc{answers(200, `{"spec":{"type":"NodePort"}}`)},
			message: `it is of type NodePort, which gets no load balancer`},
		{name: "not there", steps: []http.HandlerFunc{refuses(404, "NotFound", `services "geth-0" not found`)},
			message: "it does not exist"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := inlineClient(t, &script{steps: tc.steps}, kube.Options{})
				start := time.Now()
				got, err := c.AwaitAddress(t.Context(), "chains", "geth-0", 5*time.Minute)
				if took := time.Since(start); took > tc.atMost {
					t.Errorf("it took %v, want at most %v", took, tc.atMost)
				}
				if tc.message != "" {
					checkError(t, err, tc.message, tc.remedy)
					if e := (*kube.Error)(nil); !errors.As(err, &e) || e.Temporary() != tc.temporary {
						t.Errorf("temporary, or not: %#v", err)
					}
				} else if got != tc.want || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
	// The time is up just when the Service would be looked at once more.
	for _, timeout := range []time.Duration{1, 3, 7, 12, 17, 22, 27, 32} {
		synctest.Test(t, func(t *testing.T) {
			timeout *= time.Second
			client := inlineClient(t, none, kube.Options{})
			_, err := client.AwaitAddress(t.Context(), "chains", "geth-0", timeout)
			checkError(t, err, fmt.Sprintf("its load balancer has no address after %s", timeout), "kubectl describe service")
			checkTemporary(t, err)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		_, err := inlineClient(t, none, kube.Options{}).AwaitAddress(ctx, "chains", "geth-0", 5*time.Minute)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}
