// Package account reaches the AWS API of the eksact that runs here, as its admin.
package account

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/hint"
)

// Admin is what the SDK's clients need, and what the daemon was told. Whose data it has is in
// the configuration: a state directory that was named must be that.
func Admin(ctx context.Context, g *global.Options) (aws.Config, daemon.Config, error) {
	if err := daemon.Reach(g.RunDir); err != nil {
		return aws.Config{}, daemon.Config{}, fmt.Errorf("the account can't be asked: %w", err)
	}
	stateDir := daemon.DataOf(g.RunDir, g.StateDir)
	if g.StateDirGiven() && !same(stateDir, g.StateDir) {
		return aws.Config{}, daemon.Config{}, hint.New(fmt.Sprintf("the eksact that runs here has its data in %s, not in %s", stateDir, g.StateDir),
			"leave --state-dir out, or say --state-dir "+stateDir, "--run-dir names another that runs")
	}
	c, err := daemon.LoadConfig(stateDir, g.RunDir)
	if err != nil {
		return aws.Config{}, c, err
	}
	var admin control.Credentials
	if err := control.Dial(g.RunDir).Call(ctx, "/credentials", nil, &admin); err != nil {
		return aws.Config{}, c, hint.Wrap(fmt.Errorf("the account can't be asked: %w", err), "eksact status shows what runs")
	}
	return Config(c, admin), c, nil
}

// Config is what the SDK's clients need to call with these credentials.
func Config(c daemon.Config, as control.Credentials) aws.Config {
	return aws.Config{
		Region: c.Region, BaseEndpoint: aws.String(c.URL()), HTTPClient: client.New(nil),
		Credentials: credentials.NewStaticCredentialsProvider(as.AccessKeyID, as.SecretAccessKey, ""),
	}
}

// same says whether two paths are of one folder.
func same(a, b string) bool {
	if a == b {
		return true
	}
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
