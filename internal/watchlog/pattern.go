package watchlog

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// A pattern evaluates a regular expression on lines, as seldom as it can: first the literals that every match must
// contain rule out almost all lines, then for many expressions a shape proves a match for a fraction of the price.
type pattern struct {
	re *regexp.Regexp
	// literals are such that each match contains at least one of them; empty: any line may match.
	literals []finder
	shape    shape
	// leading is set when the shape begins with the only literal.
	leading bool
	// names are the named groups, by number; "" for the others.
	names []string
	named bool
	// steady is set when each named group has a value in each match, so that the last match has all last values.
	steady bool
}

func newPattern(re *regexp.Regexp) *pattern {
	p := &pattern{re: re, names: re.SubexpNames()}
	for _, name := range p.names {
		p.named = p.named || name != ""
	}
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return p // compiled with other flags: correct all the same, only slower
	}
	p.steady = alwaysCaptures(tree)
	tree = tree.Simplify()
	p.literals = finders(requiredLiterals(tree))
	p.shape = newShape(tree)
	p.leading = len(p.literals) == 1 && len(p.shape) > 0 && string(p.shape[0].literal) == p.literals[0].text
	return p
}

// literal returns where in line the first of the literals is, 0 when the pattern has none, -1 when none is found.
func (p *pattern) literal(line []byte) int {
	if len(p.literals) == 0 {
		return 0
	}
	first := -1
	for i := range p.literals {
		if at := p.literals[i].index(line); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// match reports whether line matches. In front of literal there is none of the literals.
func (p *pattern) match(line []byte, literal int) bool {
	from := 0
	if p.leading {
		from = literal
	}
	return p.shape.accepts(line[from:]) || p.re.Match(line)
}

// values adds the named groups of line's match to into, which may be nil, and returns it.
func (p *pattern) values(into map[string]string, line []byte) map[string]string {
	found := p.re.FindSubmatchIndex(line)
	for i, name := range p.names {
		if name == "" || found == nil || found[2*i] < 0 {
			continue
		}
		if into == nil {
			into = make(map[string]string)
		}
		into[name] = string(printable(line[found[2*i]:found[2*i+1]], ValueLimit))
	}
	return into
}

// maxLiterals bounds the searches that one pattern costs.
const maxLiterals = 8

// requiredLiterals returns texts of which each match of re contains at least one; nil when there are none that help.
func requiredLiterals(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if text, ok := literalText(re); ok {
			return []string{text}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredLiterals(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return requiredLiterals(re.Sub[0])
		}
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

// literalText returns the text that re, a literal, stands for; false when it stands for several.
func literalText(re *syntax.Regexp) (string, bool) {
	text := string(re.Rune)
	// U+FFFD also matches each byte that is not UTF-8, and takes the place of what cannot be encoded.
	return text, re.Flags&syntax.FoldCase == 0 && !strings.ContainsRune(text, utf8.RuneError)
}

// shortest returns the length of the shortest text, 0 when there is none.
func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	n := len(texts[0])
	for _, text := range texts {
		n = min(n, len(text))
	}
	return n
}

// alwaysCaptures reports whether each named group of re takes part in each match of re.
func alwaysCaptures(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpAlternate, syntax.OpStar, syntax.OpQuest:
		return !hasNames(re)
	case syntax.OpRepeat:
		return re.Min > 0 && alwaysCaptures(re.Sub[0]) || !hasNames(re)
	}
	for _, sub := range re.Sub {
		if !alwaysCaptures(sub) {
			return false
		}
	}
	return true
}

func hasNames(re *syntax.Regexp) bool {
	for _, name := range re.CapNames() {
		if name != "" {
			return true
		}
	}
	return false
}

// A shape is a cheap proof of a match, in parts that must follow each other at any distance. It never accepts a line
// that its expression does not match, but may reject one that it does: it never goes back on what it took, and of
// character classes it knows the ASCII part only. An empty shape accepts nothing.
type shape []part

// A part is a literal followed by bytes of certain sets.
type part struct {
	literal []byte
	rest    []step
}

// A step takes one byte of a set; any number from none (optional) upwards (repeated).
type step struct {
	set                asciiSet
	optional, repeated bool
}

type asciiSet [128]bool

// newShape returns the shape of re, which must be simplified; empty when it has none.
func newShape(re *syntax.Regexp) shape {
	s := shape{{}}
	if !s.add(re) {
		return nil
	}
	for _, p := range s {
		if len(p.literal) == 0 && len(p.rest) > 0 {
			return nil // nothing to jump to
		}
	}
	return s
}

// add appends what re matches, and reports whether it could.
func (s *shape) add(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return true
	case syntax.OpCapture:
		return s.add(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !s.add(sub) {
				return false
			}
		}
		return true
	case syntax.OpLiteral:
		return s.addLiteral(re)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		return s.addRepeat(re)
	}
	set, ok := setOf(re)
	if ok {
		s.addStep(step{set: set})
	}
	return ok
}

func (s *shape) addLiteral(re *syntax.Regexp) bool {
	text, ok := literalText(re)
	if !ok {
		return false
	}
	last := &(*s)[len(*s)-1]
	if len(last.rest) == 0 {
		last.literal = append(last.literal, text...)
		return true
	}
	for _, r := range re.Rune {
		if r >= 128 {
			return false
		}
		var set asciiSet
		set[r] = true
		s.addStep(step{set: set})
	}
	return true
}

func (s *shape) addRepeat(re *syntax.Regexp) bool {
	set, ok := setOf(re.Sub[0])
	if !ok {
		return false
	}
	if re.Sub[0].Op != syntax.OpCharClass { // any character: what follows may be anywhere behind
		switch re.Op {
		case syntax.OpPlus:
			s.addStep(step{set: set})
			fallthrough
		case syntax.OpStar:
			*s = append(*s, part{})
		default:
			return false
		}
		return true
	}
	s.addStep(step{set: set, optional: re.Op != syntax.OpPlus, repeated: re.Op != syntax.OpQuest})
	return true
}

func (s *shape) addStep(st step) {
	last := &(*s)[len(*s)-1]
	last.rest = append(last.rest, st)
}

// setOf returns the ASCII characters that re, a class of characters, matches; false when re is no class.
func setOf(re *syntax.Regexp) (set asciiSet, ok bool) {
	ranges := re.Rune
	switch re.Op {
	case syntax.OpCharClass:
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL: // a line has no newline
		ranges = []rune{0, 127}
	default:
		return set, false
	}
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], 127); r++ {
			set[r] = true
		}
	}
	return set, true
}

// accepts reports whether the shape proves that line matches.
func (s shape) accepts(line []byte) bool {
	for i := range s {
		end := s[i].end(line)
		if end < 0 {
			return false
		}
		line = line[end:]
	}
	return len(s) > 0
}

// end returns where the first occurrence of the part in line ends, or -1.
func (p *part) end(line []byte) int {
	for from := 0; ; from++ {
		at := bytes.Index(line[from:], p.literal)
		if at < 0 {
			return -1
		}
		from += at
		if n := p.restLen(line[from+len(p.literal):]); n >= 0 {
			return from + len(p.literal) + n
		}
		if len(p.literal) == 0 {
			return -1
		}
	}
}

// restLen returns how many bytes at the start of s the steps take, or -1.
func (p *part) restLen(s []byte) int {
	n := 0
	for i := range p.rest {
		st := &p.rest[i]
		taken := 0
		for n < len(s) && s[n] < 128 && st.set[s[n]] && (taken == 0 || st.repeated) {
			n++
			taken++
		}
		if taken == 0 && !st.optional {
			return -1
		}
	}
	return n
}
