package secret_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/secret"
)

func TestShown(t *testing.T) {
	const text = "d3a7c0de-1111-2222-3333-444455556666"
	s := secret.Text(text)
	marshalled, err := json.Marshal(map[string]secret.Text{"id": s})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprint(s), fmt.Sprintf("%s %v %+v %#v %q %x", s, s, s, s, s, s), fmt.Sprintf("%d", s), fmt.Sprintf("%+v", []any{s}),
		fmt.Sprintf("%#v", struct{ S secret.Text }{s}), string(marshalled),
	} {
		if strings.Contains(shown, text[:5]) || strings.Contains(shown, "6433613763") {
			t.Errorf("shown: %s", shown)
		}
	}
	if s.Reveal() != text {
		t.Error("Reveal gives another text")
	}
	for text, want := range map[secret.Text]string{"": "", "12345678": "…", "123456789": "1234…"} {
		if got := text.String(); got != want {
			t.Errorf("%q: got %q, want %q", text.Reveal(), got, want)
		}
	}
}
