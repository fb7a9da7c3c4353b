package secret_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/secret"
)

func TestURL(t *testing.T) {
	for text, want := range map[secret.URL]string{
		"":                                    "",
		"https://hc-ping.com":                 "https://hc-ping.com",
		"https://hc.example.com:8443/ping":    "https://hc.example.com:8443/ping",
		"https://me:hunter2@hc.example.com/a": "https://…@hc.example.com/a",
		"https://hunter2@[::1]:1/a":           "https://…@[::1]:1/a",
		"https://hunter2:@h":                  "https://…@h",
		"https://hunter2@h:port":              "…",
	} {
		marshalled, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, shown := range []string{fmt.Sprint(text), fmt.Sprintf("%s", text), fmt.Sprintf("%#v", text), strings.Trim(string(marshalled), `"`)} {
			if shown != want {
				t.Errorf("%q is shown as %q, want %q", text.Reveal(), shown, want)
			}
		}
		if strings.Contains(fmt.Sprintf("%q %x %+v", text, text, []any{text}), "hunter2") {
			t.Errorf("%q is shown", text.Reveal())
		}
	}
}
