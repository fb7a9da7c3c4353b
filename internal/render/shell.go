package render

import (
	"slices"
	"strconv"
	"strings"
)

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
