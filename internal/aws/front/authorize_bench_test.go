package front_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/iam"
)

// BenchmarkEnforcement is what asking the policies adds to a call: the same calls
// in turns through two front doors, of which one asks nobody. "share" is how much
// of a call the asking is, in percent; the goal is 5.
func BenchmarkEnforcement(b *testing.B) {
	for _, c := range []struct{ name, service, region, body string }{
		{"GetRole", "iam", "us-east-1", "Action=GetRole&RoleName=role-07&Version=2010-05-08"},
		{"ListRoles20", "iam", "us-east-1", "Action=ListRoles&Version=2010-05-08"},
	} {
		b.Run(c.name, func(b *testing.B) {
			asking, admin := account(b, 20)
			grant(b, asking.Authorizer.(*iam.IAM))
			config := asking.Config
			config.Authorizer = nobody{}
			silent, err := front.New(config)
			if err != nil {
				b.Fatal(err)
			}
			r := request(b, c.service, c.region, c.body, admin)
			body, w := bytes.NewReader(nil), &discard{header: http.Header{}}
			turn := func(door *front.Front, calls int) time.Duration {
				began := time.Now()
				for range calls {
					body.Reset([]byte(c.body))
					r.Body = io.NopCloser(body)
					clear(w.header)
					if door.ServeHTTP(w, r); w.status != http.StatusOK {
						b.Fatalf("answered %d", w.status)
					}
				}
				return time.Since(began)
			}
			const calls = 20
			best := map[*front.Front]time.Duration{}
			for b.Loop() {
				for _, door := range []*front.Front{asking, silent} {
					if took := turn(door, calls); best[door] == 0 || took < best[door] {
						best[door] = took
					}
				}
			}
			b.ReportMetric(float64(best[asking].Nanoseconds())/calls, "ns/asking")
			b.ReportMetric(float64(best[silent].Nanoseconds())/calls, "ns/silent")
			b.ReportMetric(100*float64(best[asking]-best[silent])/float64(best[asking]), "%share")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// grant gives the admin nine policies of twenty statements with wildcards and
// conditions, beside its own.
func grant(b *testing.B, i *iam.IAM) {
	b.Helper()
	ctx := context.Background()
	for n := range 9 {
		var statements []string
		for s := range 20 {
			statements = append(statements, fmt.Sprintf(`{"Effect":"Allow","Action":["iam:Get*","s3:Get*%d"],"Resource":"arn:aws:iam::*:role/team-%d-%d/*","Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}}`, s, n, s))
		}
		made, err := i.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: aws.String(fmt.Sprint("p", n)),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := i.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: aws.String("admin"), PolicyArn: made.Policy.Arn}); err != nil {
			b.Fatal(err)
		}
	}
}

// nobody is an authorizer that lets everyone through.
type nobody struct{}

func (nobody) AuthorizeCall(context.Context, *api.Caller, string, []string, api.Keys) error {
	return nil
}
