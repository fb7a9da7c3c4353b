package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/kubevali/kubevali/internal/hint"
)

const (
	// kubectlTimeout is how long one run of kubectl may take. A connection that does not come up takes it 30 s; the rest is
	// for programs that it asks for credentials.
	kubectlTimeout = time.Minute
	// kubectlGrace is how long after kubectl's end its output may be held open by its children.
	kubectlGrace = 2 * time.Second
	// maxComplaint bounds what kubectl may write to its standard error, in bytes.
	maxComplaint = 64 << 10
)

// Kubectl looks things up through the operator's own kubectl, in the cluster of its current context, however that is
// reached. It changes nothing. It is safe for concurrent use.
type Kubectl struct {
	reader
	env     []string
	timeout time.Duration
}

// NewKubectl returns a Kubectl that finds kubectl in PATH when something is asked, and gives it these variables; nil: this
// process's.
func NewKubectl(env []string) *Kubectl {
	k := &Kubectl{env: env, timeout: kubectlTimeout}
	k.reader = reader{k.ask}
	return k
}

// ask sends the request that a Client would send, by kubectl get --raw: unlike other ways it asks for nothing else, and
// leaves no cache behind.
func (k *Kubectl) ask(ctx context.Context, r request, out any) error {
	if err := r.check(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	answer, complaint := limitedBuffer{max: maxAnswer}, limitedBuffer{max: maxComplaint}
	cmd := exec.CommandContext(limited, "kubectl", "get", "--raw", r.url().String())
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = k.env, &answer, &complaint, kubectlGrace
	err := cmd.Run()
	switch {
	case err == nil:
		if err = json.Unmarshal(answer.data, out); err != nil {
			return r.error(Error{Message: "kubectl does not answer as a Kubernetes API server does: " + err.Error()})
		}
		return nil
	case ctx.Err() != nil:
		return r.ended(ctx, nil)
	case limited.Err() != nil:
		return r.error(Error{
			Message:   fmt.Sprintf("kubectl did not answer within %s", k.timeout),
			Remedy:    "run kubectl get nodes by hand: the cluster may be out of reach, or kubectl wait for somebody to log in",
			temporary: true, err: limited.Err(),
		})
	case answer.full:
		return r.error(Error{Message: tooLarge})
	case errors.Is(err, exec.ErrNotFound):
		return noCluster("there is no kubectl in PATH", "install kubectl, through which clusters are asked outside of a pod")
	}
	return r.complained(string(complaint.data), err)
}

// noCluster is the same for all requests, so that it does not name one.
func noCluster(message, remedy string) error {
	return hint.With(fmt.Errorf("%w: %s", ErrNoCluster, message), remedy)
}

// complained is a kubectl that failed. Its words are those of kubectl's cmdutil.CheckErr.
// https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/kubectl/pkg/cmd/util/helpers.go
func (r request) complained(text string, failure error) error {
	line := complaint(text)
	if said, ok := strings.CutPrefix(line, "Error from server ("); ok {
		reason, message, _ := strings.Cut(said, "): ")
		switch {
		case reason == "NotFound" && !strings.HasPrefix(message, "the server could not find"): // which no API server says of an object
			return r.refusal(http.StatusNotFound, status{Message: message})
		case reason == "Forbidden":
			return r.refusal(http.StatusForbidden, status{Message: message})
		case reason == "Expired":
			return r.refusal(http.StatusGone, status{Message: message})
		}
	}
	switch {
	case strings.Contains(line, "(Unauthorized)"):
		return r.error(Error{
			Code:    http.StatusUnauthorized,
			Message: "the API server does not accept the credentials of kubectl's current context",
			Remedy:  "log in again, or choose another context",
		})
	case strings.HasPrefix(line, "The connection to the server localhost:8080 was refused"): // asked where none is known
		return noCluster("kubectl finds nothing at localhost:8080, where it asks without a current context",
			"see which file and context it takes: kubectl config current-context; KUBECONFIG names another file")
	case line == "":
		line = failure.Error()
	}
	return r.error(Error{
		Message: "kubectl: " + line,
		Remedy:  "see whether kubectl get nodes works; kubectl config current-context says which cluster it asks",
	})
}

// complaint is the line of kubectl's standard error that says what is wrong; before it there may be warnings, after it
// explanations.
func complaint(text string) string {
	text = strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	said := regexp.MustCompile(`(?m)^ *(Error|error:|Unable to connect|The connection to the server).*`).FindString(text)
	if said == "" {
		said, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	}
	return explain(said)
}

// limitedBuffer takes up to max bytes and refuses more.
type limitedBuffer struct {
	data []byte
	max  int
	full bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > b.max {
		b.full = true
		return 0, io.ErrShortWrite
	}
	b.data = append(b.data, p...)
	return len(p), nil
}
