package plan_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/plan"
)

func TestShellCommand(t *testing.T) {
	tests := []struct {
		command []string
		want    string
	}{
		{[]string{"geth", "--http.addr", "0.0.0.0", "/ip4/1.2.3.4/tcp/30333", "a@b", "50%", "x:y,z+1", "--a=b"},
			"geth --http.addr 0.0.0.0 /ip4/1.2.3.4/tcp/30333 a@b 50% x:y,z+1 --a=b"},
		{[]string{"geth", ""}, "geth ''"},
		{[]string{"geth", "a b", "it's", `"`, "$HOME", "`id`", `\`, "*", "~", "#", "!x", "a\nb", "é", "=x", "a;b", "{a,b}"},
			`geth 'a b' 'it'\''s' '"' '$HOME' '` + "`id`" + `' '\' '*' '~' '#' '!x' 'a` + "\n" + `b' 'é' '=x' 'a;b' '{a,b}'`},
		{[]string{"if", "if"}, "'if' if"},
		{[]string{"A=b", "A=b"}, "'A=b' A=b"},
	}
	for _, test := range tests {
		made := plan.Plan{Command: test.command}
		if got := made.ShellCommand(); got != test.want {
			t.Errorf("%q: got %s, want %s", test.command, got, test.want)
		}
	}
}

// nastyArgs mean something to a shell unless they are quoted.
var nastyArgs = []string{"", " ", "\t", "\n", "a\n", "\r", "'", "''", "'\\''", `"`, `\`, `\\`, "$", "$$", "$(id)", "`id`", "${x}", "*", "?",
	"[a]", "~", "~root", "#", "a#b", "!", "!!", "&", "&&", "|", ";", "<", ">", ">&2", "(", ")", "{a,b}", "{", "}", "=", "=ls", "a=b",
	"-", "--", "-n", "%", "^", "é", "\x01", "\x1b[31m", "\xff\xfe", "if", "then", "2>1", "$'a'", "a\\\nb", "x y 'z' \"w\""}

func TestShellCommandRoundTrip(t *testing.T) {
	roundTrip(t, append([]string{"printf", "%s\\0"}, nastyArgs...))
	for _, arg := range nastyArgs {
		// As the first word: an alias or a path is what it is, but it must stay one word.
		made := plan.Plan{Command: []string{arg}}
		expectWords(t, "set -- "+made.ShellCommand(), []string{arg})
	}
}

func FuzzShellCommand(f *testing.F) {
	for i := range len(nastyArgs) - 1 {
		f.Add(nastyArgs[i], nastyArgs[i+1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ContainsAny(a+b, "\x00") {
			t.Skip("cannot be an argument")
		}
		roundTrip(t, []string{"printf", "%s\\0", a, b})
	})
}

// roundTrip runs a command that prints its arguments through a shell.
func roundTrip(t *testing.T, command []string) {
	t.Helper()
	made := plan.Plan{Command: command}
	got := runShell(t, made.ShellCommand())
	if want := command[2:]; !slices.Equal(got, want) {
		t.Errorf("the shell made %q of %q", got, want)
	}
}

func expectWords(t *testing.T, script string, want []string) {
	t.Helper()
	got := runShell(t, script+"\nprintf '%s\\0' \"$@\"")
	if !slices.Equal(got, want) {
		t.Errorf("the shell made %q of %q", got, want)
	}
}

func runShell(t *testing.T, script string) []string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", script).Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}
