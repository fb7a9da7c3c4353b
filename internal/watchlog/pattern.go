package watchlog

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// A pattern is a regular expression and what is known of the lines that it can match.
type pattern struct {
	re *regexp.Regexp
	// literals are such that each match contains at least one of them; empty: any line may match.
	literals []string
	// named is how many named groups there are.
	named int
}

func newPattern(re *regexp.Regexp) *pattern {
	p := &pattern{re: re}
	for _, name := range re.SubexpNames() {
		if name != "" {
			p.named++
		}
	}
	// A pattern that was compiled with other flags may not parse; it is evaluated on every line then.
	if tree, err := syntax.Parse(re.String(), syntax.Perl); err == nil {
		p.literals = requiredLiterals(tree.Simplify())
	}
	return p
}

// match reports whether line matches, and adds to values those of named groups that it does not have yet.
func (p *pattern) match(line []byte, values map[string]string) bool {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	line = line[:min(len(line), PatternLimit)]
	if len(values) == p.named {
		return p.re.Match(line)
	}
	found := p.re.FindSubmatchIndex(line)
	if found == nil {
		return false
	}
	for i, name := range p.re.SubexpNames() {
		if _, known := values[name]; name != "" && !known && found[2*i] >= 0 {
			values[name] = string(printable(line[found[2*i]:found[2*i+1]], ValueLimit))
		}
	}
	return true
}

// maxLiterals bounds the searches that one pattern costs.
const maxLiterals = 8

// requiredLiterals returns texts of which each match of re, which has been simplified, contains at least one; nil when
// there are none that help.
func requiredLiterals(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		text := string(re.Rune)
		// U+FFFD also matches each byte that is not UTF-8, and takes the place of what cannot be encoded.
		if re.Flags&syntax.FoldCase == 0 && !strings.ContainsRune(text, utf8.RuneError) {
			return []string{text}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredLiterals(re.Sub[0])
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if texts := requiredLiterals(sub); shortest(texts) > shortest(best) {
				best = texts
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			texts := requiredLiterals(sub)
			if texts == nil || len(all)+len(texts) > maxLiterals {
				return nil
			}
			all = append(all, texts...)
		}
		return all
	}
	return nil
}

// shortest returns the length of the shortest text, 0 when there is none.
func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	return len(slices.MinFunc(texts, func(a, b string) int { return len(a) - len(b) }))
}
