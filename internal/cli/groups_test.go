package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/hint"
)

// works are those of these commands that do something without a subcommand.
var works = map[string]bool{"alerts": true}

// TestUnknownSubcommand: every command with subcommands refuses others, and shows
// its help when there is none.
func TestUnknownSubcommand(t *testing.T) {
	groups := 0
	for _, group := range Root().Commands() {
		if !group.HasSubCommands() {
			continue
		}
		groups++
		if err := run(group.Name(), "nonsense"); err == nil || !strings.Contains(err.Error(), `eksact `+group.Name()+` has no command "nonsense"`) {
			t.Errorf("%s nonsense: %v", group.Name(), err)
		}
		if err := run(group.Name()); err != nil && !works[group.Name()] {
			t.Errorf("%s: %v", group.Name(), err)
		}
	}
	if groups == 0 {
		t.Error("no command has subcommands")
	}
	err := run("iam", "explane")
	if lines := hint.Lines(err); len(lines) != 2 || lines[0] != "is it eksact iam explain?" {
		t.Errorf("iam explane: %v, hints %q", err, lines)
	}
}

func run(args ...string) error {
	root := Root()
	root.SetArgs(args)
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	return root.Execute()
}
