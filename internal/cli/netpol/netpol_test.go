package netpol_test

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/cli/netpol"
	"github.com/eksact/eksact/internal/hint"
)

// TestMain lets scripts run eksact, with this verb alone.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"eksact": eksact})
}

// eksact ends as cmd/eksact does.
func eksact() {
	g := &global.Options{}
	root := &cobra.Command{
		Use: "eksact", SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return g.Check() },
	}
	g.AddTo(root.PersistentFlags())
	root.AddCommand(netpol.New(g, nil))
	err := root.Execute()
	var exit global.Exit
	switch {
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case err != nil:
		hint.Print(os.Stderr, "eksact", err)
		os.Exit(3)
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits STATUS COMMAND…: the command must end with that status.
func exits(s *testscript.TestScript, not bool, args []string) {
	if len(args) < 2 || not {
		s.Fatalf("usage: exits STATUS COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	s.Check(err)
	got := 0
	var ended *exec.ExitError
	if err := s.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		s.Check(err)
	}
	if got != want {
		s.Fatalf("exit status %d, want %d\n%s%s", got, want, s.ReadFile("stdout"), s.ReadFile("stderr"))
	}
}
