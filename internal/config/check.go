package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const (
	second = Duration(time.Second)
	minute = Duration(time.Minute)
	day    = Duration(24 * time.Hour)
)

// check reports values that are well-formed but make no sense, alone or together.
func (c *Config) check(f *findings) {
	c.NodeTemplate.check(f)
	c.checkKeys(f)
	c.Fleet.check(f)
	c.NodeService.check(f)
	c.Process.check(f)
	c.Watchlog.check(f)
	c.checkUnwatched(f)
	c.Healthchecks.check(f)
	c.Monitor.check(f)
}

func (n *NodeTemplate) check(f *findings) {
	const path = "nodeTemplate."
	switch {
	case len(n.Command) == 0:
		f.failAt(path+"command", &Error{Message: "needs at least one item, the program"})
	case n.Command[0].Text == "":
		f.failAt(path+"command[0]", &Error{Message: "the program is empty"})
	}
	n.Args.check(f)
	for _, name := range slices.Sorted(maps.Keys(n.Env)) {
		f.environmentName(join(path+"env", name), name)
	}
	for i, name := range n.UnsetEnv {
		at := index(path+"unsetEnv", i)
		f.environmentName(at, name)
		if _, ok := n.Env[name]; ok {
			f.failAt(at, &Error{Message: quote(name) + " is also in nodeTemplate.env", Hint: "remove it from one of them"})
		}
	}
	checkFiles(f, path+"files", n.Files)
}

func (as Args) check(f *findings) {
	byName := make(map[string]string, len(as))
	for _, a := range as {
		name := a.Dashed()
		switch {
		case strings.Trim(a.Flag, "-") == "":
			f.failAt(a.At.Path, &Error{Message: "a flag needs a name"})
		case strings.ContainsFunc(a.Flag, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
			f.failAt(a.At.Path, &Error{
				Message: "a flag's name has no blanks", Hint: "its value goes behind the colon; further arguments go into command",
			})
		case byName[name] != "":
			f.failAt(a.At.Path, &Error{
				Message: "the same flag as " + quote(byName[name]), Hint: "give a list to repeat a flag",
			})
		}
		byName[name] = a.Flag
	}
}

func checkFiles(f *findings, path string, files []File) {
	earlier := make(map[string]int, len(files))
	for i, file := range files {
		at := index(path, i) + ".path"
		if file.Path.Text == "" {
			f.failAt(at, &Error{Message: "the path is empty"})
			continue
		}
		if first, ok := earlier[file.Path.Text]; ok {
			f.failAt(at, &Error{Message: "the same path as " + index(path, first)})
			continue
		}
		earlier[file.Path.Text] = i
	}
}

func (p *Process) check(f *findings) {
	const path = "process."
	if s := syscall.Signal(p.StopSignal); s == syscall.SIGKILL || s == syscall.SIGSTOP {
		f.failAt(path+"stopSignal", &Error{
			Message: "a node cannot stop gracefully on " + p.StopSignal.String(),
			Hint:    "to kill it without a grace period, set stopGracePeriod: 0s",
		})
	}
	f.within(path+"stopGracePeriod", p.StopGracePeriod, 0, day)
	f.within(path+"restartBackoffMax", p.RestartBackoffMax, Duration(time.Millisecond), day)
	f.within(path+"restartBackoff", p.RestartBackoff, Duration(time.Millisecond), day)
	if p.RestartBackoff > p.RestartBackoffMax && f.sound(path+"restartBackoffMax") {
		message := fmt.Sprintf("%v is more than restartBackoffMax, %v", p.RestartBackoff, p.RestartBackoffMax)
		f.failAt(path+"restartBackoff", &Error{Message: message, Hint: "raise that, too"})
	}
	if p.RestartMaxTries < 0 {
		f.failAt(path+"restartMaxTries", &Error{Message: "expected 0 (no limit) or more, found " + strconv.Itoa(p.RestartMaxTries)})
	}
}

func (w *Watchlog) check(f *findings) {
	const path = "watchlog."
	f.within(path+"interval", w.Interval, second, day)
	if w.StartupThreshold != 0 {
		f.within(path+"startupThreshold", w.StartupThreshold, second, 365*day)
	}
	f.phrase(path+"keyword", w.Keyword)
	f.phrases(path+"keywords", w.Keywords)
	f.phrases(path+"failKeywords", w.FailKeywords)
	f.streams(path+"streams", w.Streams)
	for i, file := range w.Files {
		if file.Text == "" {
			f.failAt(index(path+"files", i), &Error{Message: "the path is empty"})
		}
	}
	if w.HealthcheckID.Text != "" && len(w.HealthcheckIDs) > 0 {
		f.failAt(path+"healthcheckID", &Error{Message: "healthcheckIDs is also set", Hint: "remove one of them"})
	}
	if w.Enabled {
		w.checkEnabled(f)
	}
}

// checkUnwatched warns of what needs a watchlog where there is none. Somebody who wrote enabled: false knows that the keys
// beside it have no effect; somebody who left it out most likely forgot it.
func (c *Config) checkUnwatched(f *findings) {
	w := &c.Watchlog
	if w.Enabled {
		return
	}
	const section, enabled, action = "watchlog", "watchlog.enabled", "process.onUnhealthy"
	if _, written := f.keys[enabled]; !written && w.configured() {
		f.warnAt(section, "nothing is watched, because watchlog.enabled is not true")
	}
	if c.Process.OnUnhealthy != UnhealthyNone {
		f.warnAt(action, "has no effect, because watchlog.enabled is not true")
	}
}

// configured says whether there is something to look for, to watch besides the streams, or to report to.
func (w *Watchlog) configured() bool {
	return w.Keyword != "" || len(w.Keywords) > 0 || len(w.FailKeywords) > 0 || w.Pattern.Regexp != nil || len(w.Files) > 0 ||
		w.HealthcheckID.Text != "" || len(w.HealthcheckIDs) > 0
}

// checkEnabled reports what does not matter as long as nothing is watched.
func (w *Watchlog) checkEnabled(f *findings) {
	const path = "watchlog."
	f.within(path+"lastThreshold", w.LastThreshold, second, 365*day)
	looks := []string{path + "keyword", path + "keywords", path + "failKeywords", path + "pattern"}
	nothing := w.Keyword == "" && len(w.Keywords) == 0 && len(w.FailKeywords) == 0 && w.Pattern.Regexp == nil
	if nothing && !slices.ContainsFunc(looks, func(at string) bool { return !f.sound(at) }) {
		f.failAt(path+"enabled", &Error{
			Message: "there is nothing to look for", Hint: "set keyword, keywords, pattern or failKeywords",
		})
	}
	if len(w.Streams) == 0 && len(w.Files) == 0 && f.sound(path+"files") {
		f.failAt(path+"streams", &Error{Message: "there is nothing to watch", Hint: "set streams or files"})
	}
}

func (h *Healthchecks) check(f *findings) {
	const path = "healthchecks."
	f.within(path+"timeout", h.Timeout, Duration(100*time.Millisecond), 10*minute)
	u, err := url.Parse(h.BaseURL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		f.failAt(path+"baseURL", &Error{
			Message: "expected a URL that begins with http:// or https:// and a host", Hint: "such as https://hc-ping.com",
		})
	case u.RawQuery != "", u.Fragment != "":
		f.failAt(path+"baseURL", &Error{Message: "expected a URL without ? and #", Hint: "such as https://hc-ping.com"})
	}
}

func (m *Monitor) check(f *findings) {
	if address := m.Listen.Text; address != "" && !strings.Contains(address, "{{") && !strings.Contains(address, ":") {
		f.failAt("monitor.listen", &Error{
			Message: "expected :port or host:port, found " + quote(address), Hint: `such as ":49944"`,
		})
	}
}

func (f *findings) within(path string, d, least, most Duration) {
	if d < least || d > most {
		f.failAt(path, &Error{Message: fmt.Sprintf("expected %v to %v, found %v", least, most, d)})
	}
}

func (f *findings) environmentName(path, name string) {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		f.failAt(path, &Error{Message: "not the name of an environment variable", Hint: "it cannot be empty or hold a ="})
	}
}

// phrases reports texts that cannot be looked for in a line.
func (f *findings) phrases(path string, texts []string) {
	for i, text := range texts {
		at := index(path, i)
		if text == "" {
			f.failAt(at, &Error{Message: "an empty text is in every line", Hint: "remove it"})
		}
		f.phrase(at, text)
	}
}

func (f *findings) phrase(path, text string) {
	if strings.ContainsAny(text, "\n\r") {
		f.failAt(path, &Error{Message: "no line holds a line break", Hint: "write one line; in a block, use |- instead of |"})
	}
}

func (f *findings) streams(path string, streams []Stream) {
	for i, s := range streams {
		switch at := index(path, i); {
		case s == "":
			f.failAt(at, &Error{Message: "expected " + orList(s.Words()) + ", found nothing"})
		case slices.Contains(streams[:i], s):
			f.failAt(at, &Error{Message: string(s) + " is there twice"})
		}
	}
}

// index appends the place in a list to a path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
