package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// withheld are sprig's functions that templates do not get, and why: a dry run must show what a run does.
var withheld = map[string]string{
	"bcrypt": eachOther, "encryptAES": eachOther, "genCA": eachOther, "genCAWithKey": eachOther, "genPrivateKey": eachOther,
	"genSelfSignedCert": eachOther, "genSelfSignedCertWithKey": eachOther, "genSignedCert": eachOther,
	"genSignedCertWithKey": eachOther, "htpasswd": eachOther,

	"now": noClock, "ago": noClock, "date": noClock, "dateInZone": noClock, "date_in_zone": noClock, "htmlDate": noClock,
	"htmlDateInZone": noClock, "durationRound": noClock,

	"getHostByName": "templates do not reach the network",
}

const (
	eachOther = "each call gives something else, so a dry run could not show what a run does"
	noClock   = "templates cannot tell the time, as a dry run could not show what a run does"
)

// builtins are the functions that Go's templates bring along and that are left as they are.
var builtins = []string{"and", "call", "eq", "ge", "gt", "index", "le", "len", "lt", "ne", "not", "or"}

// library returns all functions that templates may call, apart from builtins. Whatever in sprig depends on chance or on
// the order of a map is replaced.
func (r *Renderer) library() map[string]any {
	funcs := sprig.TxtFuncMap()
	for name := range withheld {
		delete(funcs, name)
	}
	delete(funcs, "env") // of this process: whoever renders decides what of that may be seen
	delete(funcs, "expandenv")
	limitCalls(funcs)
	r.addRandom(funcs)
	maps.Copy(funcs, map[string]any{
		"print": fmt.Sprint, "printf": printf, "println": fmt.Sprintln,
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,

		"keys":     sortedKeys,
		"values":   sortedValues,
		"include":  r.include,
		"required": required,
		"fail":     func(message string) (string, error) { return "", Fail(message, "") },
	})
	if r.options.Functions != nil {
		maps.Copy(funcs, r.options.Functions())
	}
	return funcs
}

// printf is fmt.Sprintf, but fails where that would put an error such as %!d(string=2) into the text.
func printf(format string, args ...any) (string, error) {
	const mark = "%!"
	if formatted(format, args) > MaxText {
		return "", ErrValue
	}
	text := fmt.Sprintf(format, args...)
	if strings.Contains(text, mark) && !strings.Contains(format+fmt.Sprint(args...), mark) {
		return "", Fail("printf: the arguments do not fit the format", "%d takes a number; int makes one of a text")
	}
	return text, nil
}

func sortedKeys(dicts ...map[string]any) []string {
	var keys []string
	for _, dict := range dicts {
		keys = append(keys, slices.Sorted(maps.Keys(dict))...)
	}
	return keys
}

func sortedValues(dict map[string]any) []any {
	var values []any
	for _, key := range slices.Sorted(maps.Keys(dict)) {
		values = append(values, dict[key])
	}
	return values
}

// required is Helm's: it gives the value, or fails with the message when there is none.
func required(message string, value any) (any, error) {
	if value == nil || value == "" {
		return nil, Fail(message, "")
	}
	return value, nil
}
