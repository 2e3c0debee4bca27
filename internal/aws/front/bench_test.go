package front_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/front"
)

// BenchmarkCall is the whole way through the front door, without the network:
// routed, signature verified, policies asked, handled, answered, recorded.
// (bench/frontdoor has the network, and peers.)
func BenchmarkCall(b *testing.B) {
	for _, c := range []struct{ name, service, region, body string }{
		{"GetCallerIdentity", "sts", "us-west-2", "Action=GetCallerIdentity&Version=2011-06-15"},
		{"ListRoles20", "iam", "us-east-1", "Action=ListRoles&Version=2010-05-08"},
		{"GetRole", "iam", "us-east-1", "Action=GetRole&RoleName=role-07&Version=2010-05-08"},
	} {
		b.Run(c.name, func(b *testing.B) {
			door, admin := account(b, 20)
			r := request(b, c.service, c.region, c.body, admin)
			body := bytes.NewReader(nil)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset([]byte(c.body))
				r.Body = io.NopCloser(body)
				clear(w.header)
				door.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatalf("answered %d", w.status)
				}
			}
		})
	}
}

// account is a front door to an account with an admin and some roles.
func account(b *testing.B, roles int) (*front.Front, aws.Credentials) {
	a := doortest.New(b)
	key := a.AdminKey(b)
	_, who, err := a.STS.Resolve(b.Context(), key.AccessKeyID, "", time.Now())
	if err != nil {
		b.Fatal(err)
	}
	ctx := api.WithCaller(b.Context(), &who)
	for i := range roles {
		_, err := a.IAM.CreateRole(ctx, &awsiam.CreateRoleInput{
			RoleName: aws.String(fmt.Sprintf("role-%02d", i)), Description: aws.String("what an application may do"),
			AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return a.Front(b), key
}

// request is a signed call as a server sees it.
func request(b *testing.B, service, region, body string, who aws.Credentials) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://127.0.0.1:4566/", bytes.NewReader([]byte(body)))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.47.7 os/linux lang/go")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Amz-Sdk-Invocation-Id", "4ae0e5c9-6a0c-4b8e-a8fd-1d8c7d0a2b11")
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(b.Context(), who, r, hex.EncodeToString(hash[:]), service, region, time.Now()); err != nil {
		b.Fatal(err)
	}
	r.Host, r.RequestURI, r.RemoteAddr = r.URL.Host, "/", "127.0.0.1:50000"
	return r
}

// discard is a ResponseWriter that costs nothing but its headers.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
