package config

// Template is a text with template actions, and where it stands in its file. The zero Template is the empty text.
type Template struct {
	Text string
	At   Position // where the value begins; for an alias, where the text itself stands
	// FirstLine is the line of the file that holds the first line of Text: the value's own line, or the one after it for
	// a literal block (|). 0: Text's lines do not stand one to one in the file (a folded or quoted text over many lines).
	FirstLine int

	// indent is how many columns stand before each line of a literal block.
	indent int
}

// Position returns where in the file the given line of Text stands; lines count from 1. The column is where the line,
// or the value, begins. Where Text's lines do not stand one to one in the file it is the begin of the value.
func (t Template) Position(line int) Position {
	at := t.At
	if t.FirstLine == 0 || line < 1 || t.FirstLine+line-1 == at.Line {
		return at
	}
	at.Line = t.FirstLine + line - 1
	at.Column = t.indent + 1
	return at
}

// Arg is one flag of nodeTemplate.args.
type Arg struct {
	Flag         string // as written, with its case, dots and leading dashes, if any
	At           Position
	IsBool, Bool bool       // whether the value is true or false, and which
	Values       []Template // of all others: one, or those of a list; numbers keep their spelling. None for null
}

// Dashed is the flag as the node gets it: one dash before a name of one letter, two before a longer one, none before a
// name that was written with its dashes.
func (a Arg) Dashed() string {
	switch {
	case len(a.Flag) > 0 && a.Flag[0] == '-':
		return a.Flag
	case len(a.Flag) == 1:
		return "-" + a.Flag
	default:
		return "--" + a.Flag
	}
}

// Args are the flags of nodeTemplate.args, in order of Flag.
type Args []Arg
