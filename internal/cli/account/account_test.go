package account

import (
	"os"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/spf13/pflag"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/node/keep"
)

// TestWhoseAccount: a state directory that is named must be that of what runs here; without
// one it is whoever's runs.
func TestWhoseAccount(t *testing.T) {
	mine, other, runDir := t.TempDir(), t.TempDir(), t.TempDir()
	lock := flock.New(keep.Lock(runDir))
	if held, err := lock.TryLock(); err != nil || !held {
		t.Fatal(held, err)
	}
	defer lock.Unlock()
	if err := (daemon.Config{StateDir: mine, RunDir: runDir}).Claim(); err != nil {
		t.Fatal(err)
	}
	link := other + "/link"
	if err := os.Symlink(mine, link); err != nil {
		t.Fatal(err)
	}
	const unasked = "the account can't be asked" // nobody listens
	for _, test := range []struct{ args, want string }{
		{"--state-dir " + other, "has its data in " + mine + ", not in " + other},
		{"--state-dir " + other + "/nothing", "has its data in " + mine},
		{"--state-dir " + mine, unasked}, {"--state-dir " + link, unasked}, {"", unasked},
	} {
		g := &global.Options{}
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		g.AddTo(flags)
		if err := flags.Parse(append(strings.Fields(test.args), "--run-dir", runDir)); err != nil {
			t.Fatal(err)
		}
		_, c, err := Admin(t.Context(), g)
		if err == nil || !strings.Contains(err.Error(), test.want) || len(hint.Lines(err)) == 0 {
			t.Errorf("%s: %v, %v", test.args, err, hint.Lines(err))
		}
		if test.want == unasked && c.StateDir != mine {
			t.Errorf("%s: the data are in %s", test.args, c.StateDir)
		}
	}
}
