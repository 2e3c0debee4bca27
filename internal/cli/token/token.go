// Package token prints a cluster token for kubectl, as aws eks get-token does,
// in a hundredth of the time.
package token

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/token"
	"github.com/eksact/eksact/internal/hint"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	var cluster string
	cmd := &cobra.Command{
		Use:   "token --cluster NAME",
		Short: "Print a token for kubectl, of the AWS_* credentials or else the admin's",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cluster == "" {
				return hint.New("no cluster is named", "say which with --cluster; eksact status shows them")
			}
			c, err := daemon.LoadConfig(g.StateDir, g.RunDir)
			if err != nil {
				return err
			}
			keys := token.Credentials{
				AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
				SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
				SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
			}
			if keys.AccessKeyID == "" {
				if err := daemon.Reach(g.RunDir); err != nil {
					return err
				}
				var admin control.Credentials
				if err := control.Dial(g.RunDir).Call(cmd.Context(), "/credentials", nil, &admin); err != nil {
					return err
				}
				keys = token.Credentials{AccessKeyID: admin.AccessKeyID, SecretAccessKey: admin.SecretAccessKey}
			}
			t, err := token.New(keys, "https://sts."+c.Region+".amazonaws.com", c.Region, cluster, time.Now())
			if err != nil {
				return err
			}
			text, err := t.ExecCredential("v1beta1")
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(append(text, '\n'))
			return err
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "name of the cluster")
	return cmd
}
