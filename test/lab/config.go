package lab

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/eksact/eksact/internal/aws/client"
)

// Env is what eval "$(eksact env)" sets, by name.
func (l *Lab) Env(t testing.TB) map[string]string {
	t.Helper()
	var env map[string]string
	if err := json.Unmarshal([]byte(l.Eksact(t, "env", "-o", "json")), &env); err != nil {
		t.Fatal(err)
	}
	return env
}

// Config is the AWS SDK's, as the account's admin, by plain HTTP.
func (l *Lab) Config(t testing.TB) aws.Config {
	t.Helper()
	env := l.Env(t)
	return aws.Config{
		Region: env["AWS_REGION"], BaseEndpoint: aws.String(Plain(env["AWS_ENDPOINT_URL"])), HTTPClient: client.New(nil),
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
	}
}
