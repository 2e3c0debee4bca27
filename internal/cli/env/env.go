// Package env prints the shell exports that point unmodified AWS tools and
// kubectl at this machine.
package env

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/access"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/hint"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	var root bool
	cmd := &cobra.Command{
		Use:   "env [--root]",
		Short: `Print exports for aws, eksctl, SDKs and kubectl: eval "$(eksact env)"`,
		Long: `Print exports that point aws, eksctl, SDKs and kubectl at this account, as its user
admin: eval "$(eksact env)".

With --root the tools are the account's root user for an hour, whom no policy in the
account limits: so that an account can be mended whose admin can do nothing more.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			vars, err := access.Host(cmd.Context(), g.StateDir, g.RunDir, as(root))
			if err != nil {
				return err
			}
			if g.JSON() {
				// A program sets variables as they are.
				vars["PATH"] += ":" + os.Getenv("PATH")
				return global.Print(cmd.OutOrStdout(), vars)
			}
			show(cmd.OutOrStdout(), vars)
			silent, err := access.Silent(cmd.Context(), g.StateDir, g.RunDir)
			for _, why := range silent {
				hint.Print(cmd.ErrOrStderr(), "eksact", why)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&root, "root", false, "as the account's root user, for an hour")
	return cmd
}

func as(root bool) access.Identity {
	if root {
		return access.Root
	}
	return access.Admin
}

func show(w io.Writer, vars map[string]string) {
	names := make([]string, 0, len(vars))
	for name := range vars {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintf(w, "unset %s\n", strings.Join(access.Foreign, " "))
	for _, name := range names {
		if name == "PATH" {
			// The shell's own, with ours before it.
			fmt.Fprintf(w, "export PATH=%s:\"$PATH\"\n", quote(vars[name]))
			continue
		}
		fmt.Fprintf(w, "export %s=%s\n", name, quote(vars[name]))
	}
}

// quote writes s as a POSIX shell reads it back.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
