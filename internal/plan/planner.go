package plan

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/render"
)

// planner renders the templates of one configuration for one pod after the other. Its methods report what is wrong and go
// on.
type planner struct {
	*render.Renderer
	cfg *config.Config
	dot any // what templates see

	facts    facts.Facts
	missing  facts.Missing
	guessed  bool           // what is being rendered rests on placeholders for what is missing
	alone    bool           // nothing may be asked for what is being rendered
	reported map[error]bool // errors of the facts that have been reported: once is enough, however many templates they are in the way of
	hidden   hidden
	index    func() (int, error) // the pod's index
	anyNode  string              // the function by which a template got the address of any Kubernetes node; empty: none did
}

// random gives each template numbers of its own, so that they stay the same when another template of the file changes. A
// seed that nobody knows makes values that nobody can guess: ChaCha8 is a cryptographic generator, see math/rand/v2.
func (p *planner) random(path string) *rand.ChaCha8 {
	mac := hmac.New(sha256.New, p.facts.Seed[:])
	mac.Write([]byte(p.facts.Namespace + "\x00" + p.facts.Pod + "\x00" + path))
	return rand.NewChaCha8([32]byte(mac.Sum(nil)))
}

// execute renders a template. Where that fails it is reported, unless it may be for what is missing.
func (p *planner) execute(source config.Template) (text string, ok bool) {
	p.guessed = false
	text, err := p.Run(source, p.dot)
	switch {
	case p.guessed && !errors.Is(err, errManyPods):
		return "", false
	case err != nil:
		p.ReportRun(source, err)
		return "", false
	}
	return text, true
}

// argument renders a text that the system ends with a NUL byte, so that it can hold none.
func (p *planner) argument(source config.Template) (text string, ok bool) {
	text, ok = p.execute(source)
	if ok && strings.Contains(text, "\x00") {
		p.fail(source, "contains a NUL byte", "no argument, variable or path can hold one")
		return "", false
	}
	return text, ok
}

// trimmed renders a text that has no meaningful blanks around it.
func (p *planner) trimmed(source config.Template) (text string, ok bool) {
	text, ok = p.argument(source)
	return strings.TrimSpace(text), ok
}

// number renders a number of at least low and at most high.
func (p *planner) number(source config.Template, low, high int, hint string) (n int, ok bool) {
	text, ok := p.execute(source)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < low || n > high {
		p.fail(source, fmt.Sprintf("expected a number from %d to %d, but this is %s", low, high, shortened(text)), hint)
		return 0, false
	}
	return n, true
}

// shortened quotes a text for an error. What was to be a number or an address is no secret, but may be long.
func shortened(text string) string {
	const longest = 40
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	return strconv.Quote(text)
}

// fail reports what is wrong with what a template has given.
func (p *planner) fail(source config.Template, message, hint string) {
	p.Report(source, 1, render.Fail(message, hint))
}

// failAt reports what is wrong with the value at a path of the configuration, which is no template.
func (p *planner) failAt(path string, err error) {
	p.Report(config.Template{At: p.cfg.At(path)}, 1, err)
}

// known is an error of the facts for the template that is in need of what it is about.
func (p *planner) known(err error) error {
	if p.reported[err] {
		return render.ErrReported
	}
	p.reported[err] = true
	return render.Because(err)
}

// need returns an answer of the cluster. Where nobody has asked for it yet it is noted as missing, and a placeholder takes
// its place.
func need[T any](p *planner, answer *facts.Known[T], missing *bool, placeholder T) (none T, err error) {
	switch {
	case answer == nil && p.alone:
		return none, errAlone
	case answer == nil:
		*missing, p.guessed = true, true
		return placeholder, nil
	case answer.Err != nil:
		return none, p.known(answer.Err)
	}
	return answer.Value, nil
}

var errAlone = render.Fail("the Kubernetes API cannot be asked here",
	"monitor.listen must be known to probes, which ask nobody: use the pod's ordinal, or a variable")

// ordinal is the pod's index until nodeTemplate.index has been rendered.
func (p *planner) ordinal() (int, error) {
	n, err := p.facts.Index()
	if err != nil {
		return 0, render.Because(err)
	}
	return n, nil
}

const maxIndex = 1<<31 - 1

// settleIndex makes .Index what nodeTemplate.index says, from here on.
func (p *planner) settleIndex() {
	source := p.cfg.NodeTemplate.Index
	if source.Text == "" {
		return
	}
	n, ok := p.number(source, 0, maxIndex, "without nodeTemplate.index, it is the ordinal of the pod's name")
	guessed := p.guessed
	p.index = func() (int, error) {
		switch {
		case guessed && p.alone:
			return 0, errAlone
		case !ok:
			return 0, render.ErrReported
		}
		return n, nil
	}
}
