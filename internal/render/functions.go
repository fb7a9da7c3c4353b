package render

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// withheld are sprig functions that templates do not get: each call gives something else, so that a dry run could not
// show what a run does.
var withheld = []string{"bcrypt", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert",
	"genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "htpasswd"}

// builtins are the functions that Go's templates bring along and that need no guard: they copy nothing.
var builtins = []string{"and", "call", "eq", "ge", "gt", "index", "le", "len", "lt", "ne", "not", "or"}

// library returns all functions that templates may call, apart from builtins. Rendering is pure, so whatever in sprig
// asks the clock, the environment, the network or chance, or depends on the order of a map, asks the facts here.
func (e *engine) library() map[string]any {
	funcs := sprig.TxtFuncMap()
	for _, name := range withheld {
		delete(funcs, name)
	}
	round := funcs["durationRound"].(func(any) string)
	maps.Copy(funcs, map[string]any{
		"print": fmt.Sprint, "printf": printf, "println": fmt.Sprintln,
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,

		"env":           e.env,
		"expandenv":     e.expandenv,
		"getHostByName": e.hostByName,
		"keys":          sortedKeys,
		"values":        sortedValues,

		"now":            func() time.Time { return e.facts.Now },
		"ago":            e.ago,
		"durationRound":  func(duration any) string { return round(e.sinceNow(duration)) },
		"date":           func(layout string, date any) (string, error) { return dateInZone(layout, date, "Local") },
		"dateInZone":     dateInZone,
		"date_in_zone":   dateInZone,
		"htmlDate":       func(date any) (string, error) { return dateInZone(time.DateOnly, date, "Local") },
		"htmlDateInZone": func(date any, zone string) (string, error) { return dateInZone(time.DateOnly, date, zone) },

		"include":    e.include,
		"required":   required,
		"fail":       func(message string) (string, error) { return "", &failure{message: message} },
		"podOrdinal": ordinal,
		"readFile":   e.readFile,
	})
	e.addRandom(funcs)
	e.addKeys(funcs)
	e.addCluster(funcs)
	return funcs
}

// printf is fmt.Sprintf, but fails where that would put an error such as %!d(string=2) into the text.
func printf(format string, args ...any) (string, error) {
	const mark = "%!"
	text := fmt.Sprintf(format, args...)
	if strings.Contains(text, mark) && !strings.Contains(format+fmt.Sprint(args...), mark) {
		return "", &failure{"printf: the arguments do not fit the format", "%d takes a number; int makes one of a text"}
	}
	return text, nil
}

func (e *engine) env(name string) (string, error) {
	if e.secrets.isVariable(name) {
		return "", refuseVariable(name)
	}
	return e.facts.Env[name], nil
}

func (e *engine) expandenv(text string) (expanded string, err error) {
	expanded = os.Expand(text, func(name string) string {
		value, problem := e.env(name)
		if problem != nil {
			err = problem
		}
		return value
	})
	return expanded, err
}

// hostByName is the first of a host's addresses in their order, so that it stays the same as long as they do.
func (e *engine) hostByName(host string) (string, error) {
	if e.facts.LookupHost == nil {
		return "", &failure{message: "host names cannot be looked up here"}
	}
	addresses, err := e.facts.LookupHost(host)
	if err != nil {
		return "", &failure{message: fmt.Sprintf("cannot look up the host: %v", err)}
	}
	if len(addresses) == 0 {
		return "", &failure{message: fmt.Sprintf("host %q has no address", host)}
	}
	return slices.Min(addresses), nil
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

func (e *engine) ago(date any) (string, error) {
	t, err := moment(date)
	return e.facts.Now.Sub(t).Round(time.Second).String(), err
}

// sinceNow turns a time into how long ago it was and leaves other values as they are.
func (e *engine) sinceNow(value any) any {
	if t, ok := value.(time.Time); ok {
		return int64(e.facts.Now.Sub(t))
	}
	return value
}

func dateInZone(layout string, date any, zone string) (string, error) {
	t, err := moment(date)
	if err != nil {
		return "", err
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return "", &failure{message: fmt.Sprintf("there is no time zone %q here", zone)}
	}
	return t.In(location).Format(layout), nil
}

func moment(date any) (time.Time, error) {
	switch date := date.(type) {
	case time.Time:
		return date, nil
	case int:
		return time.Unix(int64(date), 0), nil
	case int32:
		return time.Unix(int64(date), 0), nil
	case int64:
		return time.Unix(date, 0), nil
	}
	return time.Time{}, &failure{message: fmt.Sprintf("expected a date or the seconds since 1970, not a %T", date)}
}

// required is Helm's: it gives the value, or fails with the message when there is none.
func required(message string, value any) (any, error) {
	if value == nil || value == "" {
		return nil, &failure{message: message}
	}
	return value, nil
}

// readFile returns the content of a regular file of at most maxOutput bytes that holds no secret of p2pKeys.
func (e *engine) readFile(path string) (string, error) {
	if e.secrets.unsettled {
		return "", &failure{"readFile cannot be used here, as it is not known yet which files hold keys and root secrets",
			"write the paths in p2pKeys without templates"}
	}
	content, err := readRegular(path, e.secrets.refuseFile)
	if inner := new(fs.PathError); errors.As(err, &inner) {
		err = inner.Err
	}
	if err != nil {
		return "", &failure{message: fmt.Sprintf("cannot read %s: %v", path, err)}
	}
	return string(content), nil
}

// readRegular opens nothing but a regular file: a pipe could block. It reads it unless refuse returns an error.
func readRegular(path string, refuse func(path string, open fs.FileInfo) error) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, err
	}
	if err := refuse(path, info); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(file, maxOutput+1))
	if err == nil && len(content) > maxOutput {
		err = fmt.Errorf("it is larger than %d MiB", maxOutput>>20)
	}
	return content, err
}
