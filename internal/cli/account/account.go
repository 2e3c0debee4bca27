// Package account reaches the AWS API of the eksact that runs here, as its admin.
package account

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/hint"
)

// Admin is what the SDK's clients need, and what the daemon was told.
func Admin(ctx context.Context, g *global.Options) (aws.Config, daemon.Config, error) {
	if err := daemon.Reach(g.RunDir); err != nil {
		return aws.Config{}, daemon.Config{}, fmt.Errorf("the account can't be asked: %w", err)
	}
	c, err := daemon.LoadConfig(g.StateDir, g.RunDir)
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
