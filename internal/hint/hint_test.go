package hint_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kubevali/kubevali/internal/hint"
)

func TestOf(t *testing.T) {
	plain := errors.New("it broke")
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, ""},
		{"none", plain, ""},
		{"own", hint.New("it broke", "mend it"), "mend it"},
		{"wrapped", fmt.Errorf("outside: %w", hint.With(plain, "mend it")), "mend it"},
		{"outermost first", hint.With(hint.With(plain, "inner"), "outer"), "outer"},
		{"empty", hint.With(plain, ""), ""},
		{"joined", errors.Join(plain, hint.With(plain, "mend it")), "mend it"},
	} {
		if got := hint.Of(test.err); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	if hint.With(nil, "mend it") != nil {
		t.Error("a hint made an error of nil")
	}
	if err := hint.With(plain, "mend it"); !errors.Is(err, plain) {
		t.Error("a hint hides its error")
	}
}

func TestLine(t *testing.T) {
	if got, want := hint.Line(hint.New("it broke", "mend it")), "it broke (mend it)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := hint.Line(errors.New("it broke")), "it broke"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
