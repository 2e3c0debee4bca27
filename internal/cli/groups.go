package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/hint"
)

// refuseUnknown makes an unknown subcommand of any command an error: cobra alone
// shows help for it, and succeeds.
func refuseUnknown(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		refuseUnknown(sub)
	}
	if !cmd.HasParent() || !cmd.HasSubCommands() {
		return
	}
	cmd.SuggestionsMinimumDistance = 2
	if cmd.Runnable() { // it does something without a subcommand
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknown(cmd, args[0])
		}
		return
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknown(cmd, args[0])
	}
}

func unknown(cmd *cobra.Command, name string) error {
	lines := []string{cmd.CommandPath() + " --help shows those there are"}
	if like := cmd.SuggestionsFor(name); len(like) > 0 {
		lines = append([]string{"is it " + cmd.CommandPath() + " " + strings.Join(like, " or ") + "?"}, lines...)
	}
	return hint.New(fmt.Sprintf("%s has no command %q", cmd.CommandPath(), name), lines...)
}
