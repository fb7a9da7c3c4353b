package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
)

func TestArgs(t *testing.T) {
	tests := []struct{ name, args, space, equals string }{
		{"in order of their names", "{cc: 1, bb: 2, aa: 3}", "--aa 3 --bb 2 --cc 1", "--aa=3 --bb=2 --cc=1"},
		{"case and dots kept", "{WS.Api.v2: x, wsApi: y}", "--WS.Api.v2 x --wsApi y", "--WS.Api.v2=x --wsApi=y"},
		{"one letter", "{v: 3, V: 1}", "-V 1 -v 3", "-V=1 -v=3"},
		{"dashes kept", "{-vv: 1, --name: x, -http: y}", "--name x -http y -vv 1", "--name=x -http=y -vv=1"},
		{"template", "{aa: '{{ add 1 .Index }}'}", "--aa 3", "--aa=3"},
		{"numbers as spelled", "{aa: 0x10, bb: 1e3, cc: 007, dd: 1_000, ee: -1, ff: 0.50}",
			"--aa 0x10 --bb 1e3 --cc 007 --dd 1_000 --ee -1 --ff 0.50", "--aa=0x10 --bb=1e3 --cc=007 --dd=1_000 --ee=-1 --ff=0.50"},
		{"true", "{aa: true}", "--aa", "--aa=true"},
		{"false", "{aa: false}", "", "--aa=false"},
		{"null", "{aa: null, bb: ~, cc: }", "", ""},
		{"empty", "{aa: '', bb: '{{ env \"NONE\" }}', cc: '{{ if false }}x{{ end }}'}", "", ""},
		{"blank template", "{aa: ' {{ env \"NONE\" }}\n'}", "", ""},
		{"blank on purpose", "{aa: ' '}", "--aa ' '", "'--aa= '"},
		{"words for booleans", "{aa: 'true', bb: '{{ true }}'}", "--aa true --bb true", "--aa=true --bb=true"},
		{"list", "{aa: [x, '{{ .Index }}', 3], bb: []}", "--aa x --aa 2 --aa 3", "--aa=x --aa=2 --aa=3"},
		{"list with empty items", "{aa: ['{{ env \"NONE\" }}', x, '']}", "--aa x", "--aa=x"},
		{"value with a dash", "{aa: --b}", "--aa --b", "--aa=--b"},
		{"value with blanks", "{aa: 'b  c'}", "--aa 'b  c'", "'--aa=b  c'"},
	}
	for _, test := range tests {
		for style, want := range map[string]string{"space": test.space, "equals": test.equals} {
			t.Run(test.name+"/"+style, func(t *testing.T) {
				file := fmt.Sprintf("nodeTemplate:\n  command: [node, sub]\n  argStyle: %s\n  args: %s\n", style, test.args)
				want := strings.TrimSpace("node sub " + want)
				if got := mustMake(t, file, sts2()).ShellCommand(); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
}

func TestCommand(t *testing.T) {
	tests := []struct{ command, want string }{
		{"[node]", "node"},
		{"['{{ .Env.COLOUR }}', '']", "blue ''"},
		{"[node, '{{ if .Index }}--follower{{ end }}', '{{ if not .Index }}--leader{{ end }}', last]", "node --follower last"},
		{"[sh, -c, 'exec \"$0\" \"$@\"', a b]", `sh -c 'exec "$0" "$@"' 'a b'`},
	}
	for _, test := range tests {
		if got := mustMake(t, "nodeTemplate: {command: "+test.command+"}", sts2()).ShellCommand(); got != test.want {
			t.Errorf("%s: got %s, want %s", test.command, got, test.want)
		}
	}
}

// FuzzArgs assembles three flags with any names and texts and takes the result apart again.
func FuzzArgs(f *testing.F) {
	f.Add("port", "30333", "v", "", "--x.Y", " a=b ", false)
	f.Add("a", "x", "a-b", "true", "B", "--", true)
	f.Add("ws", "{", "-x", "'", "é", "\n", true)
	f.Fuzz(func(t *testing.T, flag1, value1, flag2, value2, flag3, value3 string, equals bool) {
		given := map[string]string{flag1: value1, flag2: value2, flag3: value3}
		cfg := parse(t, "nodeTemplate: {command: [node]}")
		cfg.NodeTemplate.ArgStyle = config.ArgStyleSpace
		if equals {
			cfg.NodeTemplate.ArgStyle = config.ArgStyleEquals
		}
		var flags []string
		for flag, value := range given {
			if strings.Trim(flag, "-") == "" || strings.ContainsAny(flag+value, "\x00") || strings.Contains(value, "{{") {
				t.Skip("refused elsewhere")
			}
			flags = append(flags, flag)
		}
		slices.Sort(flags)
		for _, flag := range flags {
			cfg.NodeTemplate.Args = append(cfg.NodeTemplate.Args,
				config.Arg{Flag: flag, Values: []config.Template{{Text: given[flag]}}})
		}
		made, err := nowhere().make(cfg)
		if err != nil {
			t.Fatal(err)
		}
		rest := made.Command[1:]
		for _, arg := range cfg.NodeTemplate.Args {
			name, value := arg.Dashed(), given[arg.Flag]
			var want []string
			switch {
			case value == "":
			case equals:
				want = []string{name + "=" + value}
			default:
				want = []string{name, value}
			}
			if len(rest) < len(want) || !slices.Equal(rest[:len(want)], want) {
				t.Fatalf("flag %q: got %q, want %q first", arg.Flag, rest, want)
			}
			rest = rest[len(want):]
		}
		if len(rest) > 0 {
			t.Fatalf("more arguments than flags: %q", rest)
		}
	})
}
