package access

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
)

// Config is for the SDK's clients that act as the account's admin, on this machine.
func Config(ctx context.Context, stateDir, runDir string) (aws.Config, error) {
	if err := daemon.Reach(runDir); err != nil {
		return aws.Config{}, err
	}
	c, err := daemon.LoadConfig(stateDir, runDir)
	if err != nil {
		return aws.Config{}, err
	}
	var admin control.Credentials
	if err := control.Dial(runDir).Call(ctx, "/credentials", nil, &admin); err != nil {
		return aws.Config{}, err
	}
	return aws.Config{
		Region: c.Region, BaseEndpoint: aws.String(c.URL()), HTTPClient: client.New(nil),
		Credentials: credentials.NewStaticCredentialsProvider(admin.AccessKeyID, admin.SecretAccessKey, ""),
	}, nil
}
