package plan

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// WriteText writes the plan for people: what a comment can say, and then the command, so that the whole is a shell script
// that runs nothing but the command. Secrets are left out as in JSON.
func (p *Plan) WriteText(w io.Writer) error {
	var b bytes.Buffer
	pod, index := "unknown", "none"
	if p.Pod != "" {
		pod = printed(p.Pod)
	}
	if p.Index != nil {
		index = strconv.Itoa(*p.Index)
	}
	fmt.Fprintf(&b, "# pod %s, namespace %s, index %s\n", pod, printed(p.Namespace), index)
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		fmt.Fprintf(&b, "# env %s=%s\n", printed(name), strconv.Quote(p.Env[name]))
	}
	for _, name := range p.UnsetEnv {
		fmt.Fprintf(&b, "# without env %s\n", printed(name))
	}
	if p.WorkingDir != "" {
		fmt.Fprintf(&b, "# in %s\n", printed(p.WorkingDir))
	}
	for _, f := range p.Files {
		f.writeText(&b)
	}
	for _, k := range p.Keys {
		k.writeText(&b)
	}
	p.Service.writeText(&b)
	p.Watchlog.writeText(&b)
	if p.Monitor.Listen != "" {
		fmt.Fprintf(&b, "# probes at %s\n", printed(p.Monitor.Listen))
	}
	b.WriteString(p.ShellCommand() + "\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (f File) writeText(b *bytes.Buffer) {
	once := ""
	if f.IfNotExists {
		once = ", only if there is none"
	}
	fmt.Fprintf(b, "# file %s (%s, %d bytes%s)\n", printed(f.Path), f.Mode, len(f.Content), once)
	if f.private() {
		return
	}
	for line := range strings.Lines(string(f.Content)) {
		fmt.Fprintf(b, "#   | %s\n", printed(strings.TrimSuffix(line, "\n")))
	}
}

func (k Key) writeText(b *bytes.Buffer) {
	fmt.Fprintf(b, "# key %s in %s (%s, %s, %s", printed(k.Name), printed(k.Path), k.Type, k.Format, k.Mode)
	if k.Owner.IsSet {
		fmt.Fprintf(b, ", %s", k.Owner)
	}
	b.WriteString(")")
	if k.PublicID != "" {
		fmt.Fprintf(b, " for peer ID %s", k.PublicID)
	}
	if k.ExpectInLog != "" {
		fmt.Fprintf(b, ", expecting %q", k.ExpectInLog)
	}
	b.WriteString("\n")
}

func (s *Service) writeText(b *bytes.Buffer) {
	if s == nil {
		return
	}
	fmt.Fprintf(b, "# service %s (%s):", printed(s.Name), s.Type)
	for i, port := range s.Ports {
		if i > 0 {
			b.WriteString(",")
		}
		nodePort := "a node port that the cluster chooses"
		if port.NodePort != 0 {
			nodePort = fmt.Sprintf("node port %d", port.NodePort)
		}
		fmt.Fprintf(b, " %s %d/%s on %s", port.Name, port.Port, port.Protocol, nodePort)
	}
	b.WriteString("\n")
}

func (w *Watchlog) writeText(b *bytes.Buffer) {
	if w == nil {
		return
	}
	b.WriteString("# watchlog")
	for _, keyword := range w.Keywords {
		fmt.Fprintf(b, " %q", keyword)
	}
	if w.Pattern != "" {
		fmt.Fprintf(b, " matching %q", w.Pattern)
	}
	for _, keyword := range w.FailKeywords {
		fmt.Fprintf(b, ", failing on %q", keyword)
	}
	fmt.Fprintf(b, ", at least every %s", w.LastThreshold)
	if w.HealthcheckID != "" {
		fmt.Fprintf(b, ", healthcheck %s", printed(w.HealthcheckID.String()))
	}
	b.WriteString("\n")
}

// printed is a text as part of a comment: as it is, unless a control character or the like would end the comment or
// upset the terminal.
func printed(text string) string {
	unprintable := func(r rune) bool { return r != '\t' && !strconv.IsPrint(r) }
	if strings.ContainsFunc(text, unprintable) || !utf8.ValidString(text) {
		return strconv.Quote(text)
	}
	return text
}

// ShellCommand is the command as one would type it into a POSIX shell, with quotes only where they are needed.
func (p *Plan) ShellCommand() string {
	words := make([]string, len(p.Command))
	for i, arg := range p.Command {
		words[i] = shellQuote(arg)
	}
	// As the first word, what would be a reserved word or an assignment must be quoted.
	if first := p.Command[0]; words[0] == first && (slices.Contains(reservedWords, first) || strings.Contains(first, "=")) {
		words[0] = singleQuote(first)
	}
	return strings.Join(words, " ")
}

// QuotedCommand is the command with every argument quoted as in Go, on one line.
func (p *Plan) QuotedCommand() string {
	words := make([]string, len(p.Command))
	for i, arg := range p.Command {
		words[i] = strconv.Quote(arg)
	}
	return strings.Join(words, " ")
}

// reservedWords are those of IEEE Std 1003.1-2017, Shell Command Language, section 2.4, and of the usual shells, as far
// as they consist of letters.
var reservedWords = []string{"case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "foreach", "function",
	"if", "in", "namespace", "repeat", "select", "then", "time", "until", "while"}

// unquotedSafe are the characters that stand for themselves everywhere in a word of every usual shell. A = at a word's
// begin means something to zsh.
const unquotedSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+="

func shellQuote(word string) string {
	if word == "" || word[0] == '=' || strings.Trim(word, unquotedSafe) != "" {
		return singleQuote(word)
	}
	return word
}

func singleQuote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
