package hint

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestPrintShowsTheErrorThenEveryHintOutermostFirst(t *testing.T) {
	err := Wrap(fmt.Errorf("cluster \"a\": %w", New("port 4600 is taken", "stop the other program")), "or choose another with --listen")
	var out strings.Builder
	Print(&out, "eksact", err)
	want := "eksact: cluster \"a\": port 4600 is taken\nhint: or choose another with --listen\nhint: stop the other program\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestWrapKeepsTheChain(t *testing.T) {
	cause := errors.New("cause")
	if !errors.Is(Wrap(cause, "a"), cause) {
		t.Error("the cause is lost")
	}
	if Wrap(nil, "a") != nil {
		t.Error("no error became one")
	}
}
