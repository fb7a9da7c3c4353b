package hint_test

import (
	"testing"

	"github.com/kubevali/kubevali/internal/hint"
)

func TestDidYouMean(t *testing.T) {
	words := []string{"keyword", "lastThreshold", "on-failure", "SIGTERM", "startupThreshold"}
	for word, want := range map[string]string{
		"keywrod":        `did you mean "keyword"?`,
		"last_threshold": `did you mean "lastThreshold"?`,
		"OnFailure":      `did you mean "on-failure"?`,
		"startup":        `did you mean "startupThreshold"?`,
		"SIGTREM":        `did you mean "SIGTERM"?`,
		"sta":            "", // too short to begin like one
		"thresholds":     "",
		"":               "",
	} {
		if got := hint.DidYouMean(word, words); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
	if got := hint.Closest("abc", []string{"abcd", "abd", "ABC"}); got != "ABC" {
		t.Errorf("got %s, which is not alike", got)
	}
}

func TestOneOf(t *testing.T) {
	for want, words := range map[string][]string{"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := hint.OneOf(words); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
