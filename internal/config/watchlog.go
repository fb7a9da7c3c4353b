package config

import (
	"slices"
	"strings"

	"github.com/kubevali/kubevali/internal/hint"
)

// Watchlog describes what in the node's logs tells that it is alive. A line is a sign of life when it contains one of the
// keywords or matches the pattern.
type Watchlog struct {
	// Watch the node's logs. Needs at least one of keyword, keywords, pattern and failKeywords.
	Enabled bool `yaml:"enabled" json:"-"`
	// Plain text; a line that holds it is a sign of life.
	//
	//	keyword: Prepared block
	Keyword string `yaml:"keyword" json:"-"` // after loading, the first of Keywords
	// More of them; any one will do.
	//
	//	keywords: [Imported, Syncing]
	Keywords []string `yaml:"keywords" json:"keywords"`
	// Plain texts that make the node unhealthy at once, until the next sign of life.
	//
	//	failKeywords: ["database corrupted", "out of disk space"]
	FailKeywords []string `yaml:"failKeywords" json:"failKeywords"`
	// A regular expression (RE2) for a sign of life. Its named groups go into the health report with their last values.
	//
	//	pattern: 'Imported #(?P<best_block>\d+)'
	Pattern Pattern `yaml:"pattern" json:"pattern"`
	// How old the last sign of life may be before the node counts as unhealthy.
	LastThreshold Duration `yaml:"lastThreshold" json:"lastThreshold" default:"10m"`
	// How long the node may take until its first sign of life. 0s: as long as it wants, say, to sync.
	StartupThreshold Duration `yaml:"startupThreshold" json:"startupThreshold"`
	// How often the health is reported.
	Interval Duration `yaml:"interval" json:"interval" default:"1m"`
	// Which of the node's outputs to watch: stdout, stderr or both.
	Streams []Stream `yaml:"streams" json:"streams" default:"stdout,stderr"`
	// Log files to watch besides. They may be rotated, and need not be there yet.
	//
	//	files: [/data/logs/node.log]
	Files []Template `yaml:"files" json:"-"`
	// The check at healthchecks.io: a UUID, or <ping-key>/<slug>. Empty: nothing is sent.
	//
	//	healthcheckID: '{{ .Env.HEALTHCHECK_ID }}'
	HealthcheckID Template `yaml:"healthcheckID" json:"-"`
	// Or the checks of all pods: the pod with index 0 takes the first, and so on.
	//
	//	healthcheckIDs:
	//	  - 00000000-0000-0000-0000-000000000000
	//	  - 11111111-1111-1111-1111-111111111111
	HealthcheckIDs []string `yaml:"healthcheckIDs" json:"-"`
}

// foldKeyword makes keyword the first of keywords, so that nobody else needs to know both.
func (w *Watchlog) foldKeyword() {
	if w.Keyword != "" {
		w.Keywords = slices.Insert(w.Keywords, 0, w.Keyword)
		w.Keyword = ""
	}
}

// hasSign says whether there can be a sign of life.
func (w *Watchlog) hasSign() bool {
	return w.Keyword != "" || len(w.Keywords) > 0 || w.Pattern != ""
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
			f.failAt(index(path+"files", i), "the path is empty", "")
		}
	}
	if w.HealthcheckID.Text != "" && len(w.HealthcheckIDs) > 0 {
		f.failAt(path+"healthcheckID", "healthcheckIDs is also set", "remove one of them")
	}
	if !w.Enabled {
		return // what follows does not matter
	}
	f.within(path+"lastThreshold", w.LastThreshold, second, 365*day)
	if !w.hasSign() && len(w.FailKeywords) == 0 && f.sound(path+"keyword", path+"keywords", path+"failKeywords", path+"pattern") {
		f.failAt(path+"enabled", "there is nothing to look for", "set keyword, keywords, pattern or failKeywords")
	}
	if len(w.Streams) == 0 && len(w.Files) == 0 && f.sound(path+"files") {
		f.failAt(path+"streams", "there is nothing to watch", "set streams or files")
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
	configured := w.hasSign() || len(w.FailKeywords) > 0 || len(w.Files) > 0 || w.HealthcheckID.Text != "" || len(w.HealthcheckIDs) > 0
	if _, written := f.keys[enabled]; !written && configured {
		f.warn(f.at(section), "nothing is watched, because watchlog.enabled is not true")
	}
	if c.Process.OnUnhealthy != UnhealthyNone {
		f.warn(f.at(action), "has no effect, because watchlog.enabled is not true")
	}
}

// checkExpectation reports a text that the log must show, but where nothing looks for it.
func (w *Watchlog) checkExpectation(f *findings, path, text string) {
	f.phrase(path, strings.TrimSpace(text))
	switch {
	case !w.Enabled && f.sound("watchlog.enabled"):
		f.failAt(path, "nothing watches the log", "set watchlog.enabled: true")
	case w.Enabled && !w.hasSign() && f.sound("watchlog.keyword", "watchlog.keywords", "watchlog.pattern"):
		f.failAt(path, "must be seen before the first sign of life, but nothing is one", "set watchlog.keyword, keywords or pattern")
	}
}

// phrases reports texts that cannot be looked for in a line.
func (f *findings) phrases(path string, texts []string) {
	for i, text := range texts {
		at := index(path, i)
		if text == "" {
			f.failAt(at, "an empty text is in every line", "remove it")
		}
		f.phrase(at, text)
	}
}

func (f *findings) phrase(path, text string) {
	if strings.ContainsAny(text, "\n\r") {
		f.failAt(path, "no line holds a line break", "write one line; in a block, use |- instead of |")
	}
}

func (f *findings) streams(path string, streams []Stream) {
	for i, s := range streams {
		switch at := index(path, i); {
		case s == "":
			f.failAt(at, "expected "+hint.OneOf(s.Words())+", found nothing", "")
		case slices.Contains(streams[:i], s):
			f.failAt(at, string(s)+" is there twice", "")
		}
	}
}
