package kube_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
)

const node1 = `{"metadata":{"name":"node-1"},"status":{"addresses":[{"type":"ExternalIP","address":"198.51.100.7"}]}}`

// script answers each request with the next step, and goes on with the last one.
type script struct {
	steps []http.HandlerFunc
	times []time.Time
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	step := s.steps[min(len(s.times), len(s.steps)-1)]
	s.times = append(s.times, time.Now())
	step(w, r)
}

func answers(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func refuses(code int, reason, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answerStatus(w, code, reason, message) }
}

func retriesAfter(seconds int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", fmt.Sprint(seconds))
		answerStatus(w, 429, "TooManyRequests", "too many requests, please try again later")
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

var notYetAllowed = refuses(403, "Forbidden",
	`nodes "node-1" is forbidden: User "system:serviceaccount:chains:geth" cannot get resource "nodes" in API group "" at the cluster scope`)

func TestRetries(t *testing.T) {
	unavailable := refuses(503, "ServiceUnavailable", "apiserver not ready")
	ok := answers(200, node1)
	for _, tc := range []struct {
		name     string
		patience time.Duration
		steps    []http.HandlerFunc
		tries    int
		atLeast  time.Duration
		atMost   time.Duration
		message  string // "": it works
		remedy   string
	}{
		{name: "at once", steps: []http.HandlerFunc{ok}, tries: 1},
		{name: "impatient", steps: []http.HandlerFunc{unavailable, ok}, tries: 1,
			message: `cannot get node "node-1": the API server at https://10.96.0.1:443 answers: apiserver not ready`},
		{name: "busy and broken for a while", patience: time.Minute, tries: 7, atLeast: 3 * time.Second, atMost: 30 * time.Second,
			steps: []http.HandlerFunc{unavailable, answers(408, ""), refuses(500, "InternalError", ""), answers(502, "<html>"),
				answers(504, "upstream request timeout"), retriesAfter(0), ok}},
		{name: "Retry-After", patience: time.Minute, tries: 2, atLeast: 17 * time.Second, atMost: 17 * time.Second,
			steps: []http.HandlerFunc{retriesAfter(17), ok}},
		{name: "Retry-After is later than patience", patience: 30 * time.Second, tries: 1, atMost: time.Millisecond,
			steps: []http.HandlerFunc{retriesAfter(31), ok}, message: "too many requests, please try again later"},
		{name: "Retry-After is in a year", patience: 2 * time.Minute, tries: 2, atLeast: time.Minute, atMost: time.Minute,
			steps: []http.HandlerFunc{retriesAfter(1e9), ok}},
		{name: "away for longer than patience", patience: time.Minute, tries: -1, atLeast: time.Minute, atMost: time.Minute,
			steps: []http.HandlerFunc{unavailable}, message: "apiserver not ready (tried for 1m0s)"},
		{name: "it hangs once", patience: time.Minute, tries: 2, atLeast: 10 * time.Second, atMost: 11 * time.Second,
			steps: []http.HandlerFunc{hangs, ok}},
		{name: "it hangs", patience: 30 * time.Second, tries: 3, atLeast: 30 * time.Second, atMost: 40 * time.Second,
			steps:   []http.HandlerFunc{hangs},
			message: "no answer from the Kubernetes API at https://10.96.0.1:443: it took too long (tried for", remedy: "NetworkPolicy keeps the pod from 10.96.0.1:443"},
		{name: "the answer breaks off", patience: time.Minute, tries: 2, atMost: time.Second,
			steps: []http.HandlerFunc{answers(200, node1[:30]), ok}},
		{name: "forbidden", patience: time.Minute, tries: 1, steps: []http.HandlerFunc{notYetAllowed, ok},
			message: `cannot get node "node-1": the service account system:serviceaccount:chains:geth may not "get" "nodes" (cluster-wide)`,
			remedy: `it takes a ClusterRole with - {apiGroups: [""], resources: [nodes], verbs: [get]}, and a ClusterRoleBinding to it ` +
				`whose subject is ServiceAccount geth in namespace chains`},
		{name: "forbidden just after an outage", patience: time.Minute, tries: 4, atMost: 5 * time.Second,
			steps: []http.HandlerFunc{unavailable, notYetAllowed, refuses(401, "Unauthorized", "Unauthorized"), ok}},
		{name: "forbidden for good after an outage", patience: 10 * time.Minute, tries: -1, atLeast: 10 * time.Second, atMost: 20 * time.Second,
			steps: []http.HandlerFunc{unavailable, notYetAllowed}, message: `may not "get" "nodes"`, remedy: "ClusterRole"},
		{name: "not accepted", patience: time.Minute, tries: 1, steps: []http.HandlerFunc{refuses(401, "Unauthorized", "Unauthorized"), ok},
			message: "the API server at https://10.96.0.1:443 does not accept the credentials of the pod's service account", remedy: "ServiceAccount still exists"},
		{name: "bad request", patience: time.Minute, tries: 1, steps: []http.HandlerFunc{refuses(400, "BadRequest", "what?"), ok},
			message: `cannot get node "node-1": what?`},
		{name: "not Kubernetes", patience: time.Minute, tries: 1, steps: []http.HandlerFunc{answers(200, "<html>hello</html>"), ok},
			message: "https://10.96.0.1:443 does not answer as a Kubernetes API server does", remedy: "KUBERNETES_SERVICE_HOST"},
		{name: "not Kubernetes, 404", patience: time.Minute, tries: 1, steps: []http.HandlerFunc{answers(404, "page not found"), ok},
			message: "https://10.96.0.1:443 does not answer as a Kubernetes API server does (404)", remedy: "KUBERNETES_SERVICE_HOST"},
		{name: "redirect", patience: time.Minute, tries: 1,
			steps: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://login.example.com", http.StatusFound)
			}, ok},
			message: "answers with a redirect", remedy: "KUBERNETES_SERVICE_HOST"},
		{name: "an endless answer", patience: time.Minute, tries: 1,
			steps:   []http.HandlerFunc{answers(200, `{"metadata":{"name":"`+strings.Repeat("x", 8<<20)), ok},
			message: "the answer is larger than 8 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: tc.steps}
				c := inlineClient(t, s, kube.Options{Patience: tc.patience})
				start := time.Now()
				node, err := c.Node(t.Context(), "node-1")
				if took := time.Since(start); took < tc.atLeast || tc.atMost > 0 && took > tc.atMost {
					t.Errorf("it took %v, want %v to %v", took, tc.atLeast, tc.atMost)
				}
				if tc.tries >= 0 && len(s.times) != tc.tries {
					t.Errorf("%d tries, want %d", len(s.times), tc.tries)
				}
				if tc.message != "" {
					checkError(t, err, tc.message, tc.remedy)
					return
				}
				if err != nil || node.Name != "node-1" || !slices.Equal(node.Addresses, []kube.Address{{Type: "ExternalIP", Address: "198.51.100.7"}}) {
					t.Errorf("%+v, %v", node, err)
				}
			})
		})
	}
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []http.HandlerFunc{answers(503, "")}}
		c := inlineClient(t, s, kube.Options{Patience: time.Minute})
		_, err := c.Node(t.Context(), "node-1")
		if err == nil {
			t.Fatal("no error")
		}
		wait := 250 * time.Millisecond
		for i := range len(s.times) - 2 { // the last wait is what is left of the minute
			if got := s.times[i+1].Sub(s.times[i]); got < wait/2 || got > wait {
				t.Errorf("wait %d is %v, want %v to %v", i, got, wait/2, wait)
			}
			wait = min(2*wait, 5*time.Second)
		}
		if len(s.times) < 14 {
			t.Errorf("only %d tries", len(s.times))
		}
	})
}

func TestOutageIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		unavailable := refuses(503, "ServiceUnavailable", "apiserver not ready")
		ok := answers(200, node1)
		missing := refuses(404, "NotFound", `nodes "node-1" not found`)
		s := &script{steps: []http.HandlerFunc{unavailable, unavailable, unavailable, ok, ok, unavailable, missing, unavailable, ok}}
		c := inlineClient(t, s, kube.Options{Patience: time.Minute, Log: func(format string, args ...any) {
			lines = append(lines, fmt.Sprintf(format, args...))
		}})
		for range 4 {
			if _, err := c.Node(t.Context(), "node-1"); err != nil && !kube.NotFound(err) {
				t.Error(err)
			}
		}
		waiting := `Waiting for the Kubernetes API: cannot get node "node-1": the API server at https://10.96.0.1:443 answers: apiserver not ready`
		again := "The Kubernetes API answers again"
		if want := []string{waiting, again, waiting, again, waiting, again}; !slices.Equal(lines, want) {
			t.Errorf("%q\nwant %q", lines, want)
		}
	})
}

func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inlineClient(t, &script{steps: []http.HandlerFunc{answers(503, "")}}, kube.Options{Patience: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := c.Node(ctx, "node-1")
		checkError(t, err, "503 Service Unavailable", "")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is not DeadlineExceeded", err)
		}
		c = inlineClient(t, &script{steps: []http.HandlerFunc{answers(503, ""), notYetAllowed}}, kube.Options{Patience: time.Hour})
		brief, cancelBrief := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancelBrief()
		_, err = c.Node(brief, "node-1")
		checkError(t, err, "given up: context deadline exceeded", "")
		checkTemporary(t, err)

		c = inlineClient(t, http.HandlerFunc(hangs), kube.Options{Patience: time.Hour})
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		_, err = c.Node(ctx, "node-1")
		checkError(t, err, `cannot get node "node-1": given up: context canceled`, "")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v is not Canceled", err)
		}
	})
}

func TestTemporary(t *testing.T) {
	for code, want := range map[int]bool{400: false, 401: false, 403: false, 404: false, 409: false, 422: false, 429: true, 500: true, 503: true} {
		c := inlineClient(t, refuses(code, "Reason", "message"), kube.Options{})
		_, err := c.Node(t.Context(), "node-1")
		var e *kube.Error
		if !errors.As(err, &e) || e.Temporary() != want || e.Code != code || !strings.Contains(err.Error(), "node-1") {
			t.Errorf("%d: %#v", code, err)
		}
		if kube.NotFound(err) != (code == 404) {
			t.Errorf("%d: NotFound is %v", code, kube.NotFound(err))
		}
	}
}

func TestRequest(t *testing.T) {
	var got *http.Request
	c := inlineClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		answers(200, node1)(w, r)
	}), kube.Options{UserAgent: "kubevali/1.2"})
	if _, err := c.Node(t.Context(), "node-1.example.com"); err != nil {
		t.Fatal(err)
	}
	if got.URL.String() != "https://10.96.0.1:443/api/v1/nodes/node-1.example.com" || got.Method != "GET" ||
		got.Header.Get("Authorization") != "Bearer s3cret-token" || got.Header.Get("User-Agent") != "kubevali/1.2" {
		t.Errorf("%s %s %v", got.Method, got.URL, got.Header)
	}
}
