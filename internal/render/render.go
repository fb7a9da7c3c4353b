// Package render turns a configuration and the facts about a pod into a plan: what this pod is to run, with every
// template rendered. It prints plans, but does not carry them out.
//
// Invariants:
//
//   - Rendering is pure: the same configuration and the same facts give the same plan, and nothing is changed by it. What
//     templates learn from outside, they learn through Facts, apart from the files that they read. (What tells them of
//     the cluster may have to make the pod's Service before it can; that is its own affair.)
//   - Rendering ends, and within bounded memory, whatever the templates do.
//   - Either there is a whole plan or an error of type config.Errors with everything that is wrong.
//   - Templates cannot read root secrets, and nothing here ever sees a private key.
//   - Neither errors nor printed plans show values of the environment, other than those that a template put into the
//     plan, nor healthcheck IDs, nor files that others may not read.
package render

import "github.com/kubevali/kubevali/internal/config"

// Render returns the plan for the pod that the facts are about. Errors are of type config.Errors, and complete.
func Render(cfg *config.Config, f Facts) (*Plan, error) {
	p := newPlanner(cfg, f, new(budget))
	if !p.compileAll(cfg) {
		return nil, p.errs.Err()
	}
	plan := p.plan()
	if err := p.errs.Err(); err != nil {
		return nil, err
	}
	return plan, nil
}

// RenderListen returns monitor.listen alone, as it is in the pod's plan.
func RenderListen(cfg *config.Config, f Facts) (string, error) {
	p := newPlanner(cfg, f, new(budget))
	if !p.compileKeys() || !p.compile(cfg.Monitor.Listen) {
		return "", p.errs.Err()
	}
	p.moveTo(f)
	listen := p.listen()
	return listen, p.errs.Err()
}

// Check reports what is wrong with a configuration for whatever pod: the syntax of its templates, functions and
// templates that they use and that do not exist, and P2P keys that no pod can have. Errors are of type config.Errors.
func Check(cfg *config.Config) error {
	p := newPlanner(cfg, Facts{}, new(budget))
	p.compileAll(cfg)
	p.checkKeys()
	return p.errs.Err()
}

// compileAll readies all templates. It returns false when none of them can be executed.
func (e *engine) compileAll(cfg *config.Config) (ok bool) {
	ok = e.define(cfg.CommonTemplate)
	for t := range cfg.Templates() {
		switch {
		case t == &cfg.CommonTemplate:
		case ok:
			e.compile(*t)
		default:
			// What it uses is not known, but its syntax can be checked.
			e.parse(*t)
		}
	}
	return ok
}
