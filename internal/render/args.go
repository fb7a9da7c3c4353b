package render

import (
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
)

// command is the node's argument vector: nodeTemplate.command, then nodeTemplate.args. Where a template gives nothing
// but blanks, the item or flag is left out: this is how a template decides whether there is one.
func (p *planner) command() []string {
	var argv []string
	for i, source := range p.cfg.NodeTemplate.Command {
		text, ok := p.argument(source)
		switch {
		case !ok:
		case i == 0 && strings.TrimSpace(text) == "":
			p.report(source, 1, &failure{message: "the program's name is empty"})
		case !leftOut(source, text):
			argv = append(argv, text)
		}
	}
	return p.appendArgs(argv)
}

// appendArgs appends the flags in order of their names.
func (p *planner) appendArgs(argv []string) []string {
	equals := p.cfg.NodeTemplate.ArgStyle == config.ArgStyleEquals
	for _, arg := range p.cfg.NodeTemplate.Args {
		flag := arg.Dashed()
		switch {
		case arg.Kind == config.ArgBool && equals:
			argv = append(argv, flag+"="+strconv.FormatBool(arg.Bool))
		case arg.Kind == config.ArgBool && arg.Bool:
			argv = append(argv, flag)
		}
		for _, source := range arg.Values {
			value, ok := p.argument(source)
			switch {
			case !ok || value == "" || leftOut(source, value):
			case equals:
				argv = append(argv, flag+"="+value)
			default:
				argv = append(argv, flag, value)
			}
		}
	}
	return argv
}

// leftOut reports whether a template gave nothing. A blank that was written as such is meant.
func leftOut(source config.Template, text string) bool {
	return !isPlain(source.Text) && strings.TrimSpace(text) == ""
}
