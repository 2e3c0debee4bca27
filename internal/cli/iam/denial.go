package iam

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	awsaccount "github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/hint"
)

// explainDenial asks the daemon about a call that was refused: by its authorization
// id or request id, or the last one.
func explainDenial(cmd *cobra.Command, g *global.Options, args []string) error {
	id := strings.Join(args, "")
	if len(args) > 0 && id == "" {
		return hint.New("the id of a refused call is empty", "eksact trail --errors shows them; without one, the last refusal is explained")
	}
	if err := daemon.Reach(g.RunDir); err != nil {
		return err
	}
	return askDenial(cmd.Context(), control.Dial(g.RunDir), cmd.OutOrStdout(), id, g.JSON())
}

func askDenial(ctx context.Context, c *control.Client, w io.Writer, id string, asJSON bool) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var d awsaccount.Explanation
	if err := c.Call(ctx, "/denial", id, &d); err != nil {
		return unreached(err)
	}
	d.DeniesFirst()
	if asJSON {
		return global.Print(w, d)
	}
	showDenial(w, &d)
	return nil
}

// unreached is the error of a call to the daemon: when none came back, without what
// only the socket's two ends care about.
func unreached(err error) error {
	var broken *url.Error
	switch {
	case !errors.As(err, &broken):
		return err
	case broken.Timeout():
		return hint.New("the daemon does not answer", "eksact status shows what runs")
	}
	return hint.New("the daemon went away before it answered", "eksact status shows whether it runs, eksact up starts it")
}

func showDenial(w io.Writer, d *awsaccount.Explanation) {
	showExplanation(w, "", &d.Explanation)
	if d.Because != "" {
		line(w, "because: %s", d.Because)
	}
	if d.DecidedBy != nil {
		line(w, "decided by: %s", statementText(d.DecidedBy))
	}
	line(w, "when: %s, request %s, authorization %s", d.Time.Local().Format(time.DateTime), d.RequestID, d.AuthorizationID)
	fmt.Fprintln(w, "the call's condition keys:")
	for _, key := range slices.Sorted(maps.Keys(d.Context)) {
		line(w, "  %s = %s", key, quoted(d.Context[key]))
	}
}
