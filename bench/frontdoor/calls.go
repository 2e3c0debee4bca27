package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// The calls measured.
const (
	identity = "GetCallerIdentity"
	roles    = "ListRoles"
)

const (
	region    = "us-west-2"
	roleCount = 20
	// distinct is how many requests of a call are signed: SDKs sign an id of
	// each call, so no two have the same signature.
	distinct = 64
)

// call is one operation with requests for it, as bytes to send.
type call struct {
	name     string
	requests [][]byte
	answers  []byte // what the answer must contain
}

// callsOf signs the calls for a server.
func callsOf(ctx context.Context, address string, who aws.Credentials) ([]call, error) {
	list := []call{{name: identity, answers: []byte(":user/ci</Arn>")}, {name: roles, answers: []byte("role/app-19</Arn>")}}
	for i, form := range []struct{ service, region, body string }{
		{"sts", region, "Action=GetCallerIdentity&Version=2011-06-15"},
		{"iam", "us-east-1", "Action=ListRoles&Version=2010-05-08"},
	} {
		for range distinct {
			request, err := signed(ctx, address, form.service, form.region, form.body, who)
			if err != nil {
				return nil, err
			}
			list[i].requests = append(list[i].requests, request)
		}
	}
	return list, nil
}

// signed is a request as AWS's SDKs for Go send it.
func signed(ctx context.Context, address, service, region, body string, who aws.Credentials) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.47.7 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/"+service+"#1.51.8")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Amz-Sdk-Invocation-Id", rand.Text())
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, who, r, hex.EncodeToString(hash[:]), service, region, time.Now()); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", address, len(body))
	if err := r.Header.Write(&b); err != nil {
		return nil, err
	}
	b.WriteString("\r\n" + body)
	return b.Bytes(), nil
}

// allows and denies are the caller's policies: what a team's deployer has. The
// call asked is allowed by the last statement of the last policy.
const (
	allowsOne = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ec2:Describe*","ecr:Get*","ecr:BatchGetImage","logs:*"],"Resource":"*"},
		{"Effect":"Allow","Action":["eks:*"],"Resource":"arn:aws:eks:us-west-2:*:cluster/team-*"},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/team/*","Condition":{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}}]}`
	deniesOne = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","NotAction":["iam:*","sts:*","support:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-west-2","us-east-1"]}}},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["127.0.0.0/8","10.0.0.0/8","198.18.0.0/15"]},"Bool":{"aws:ViaAWSService":"false"}}},
		{"Effect":"Deny","Action":["iam:Create*","iam:Put*","iam:Attach*"],"Resource":["arn:aws:iam::*:role/admin/*","arn:aws:iam::*:user/*"]}]}`
	readsIAM = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::team-${aws:username}","arn:aws:s3:::team-${aws:username}/*"]},
		{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/ci"}}}]}`
	trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},` +
		`{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
)

// furnish fills an account, through its own API, with the roles and with the
// user who will call, and returns that user's key.
func furnish(ctx context.Context, address string, admin aws.Credentials) (aws.Credentials, error) {
	var none aws.Credentials
	api := iam.New(iam.Options{
		Region: region, BaseEndpoint: aws.String("http://" + address),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return admin, nil }),
	})
	for i := range roleCount {
		_, err := api.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: aws.String(fmt.Sprintf("app-%02d", i)), Description: aws.String("what an application may do"),
			AssumeRolePolicyDocument: aws.String(trust),
		})
		if err != nil {
			return none, err
		}
	}
	user := aws.String("ci")
	if _, err := api.CreateUser(ctx, &iam.CreateUserInput{UserName: user}); err != nil {
		return none, err
	}
	for name, text := range map[string]string{"team": allowsOne, "guardrails": deniesOne} {
		p, err := api.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: &text})
		if err != nil {
			return none, err
		}
		if _, err := api.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: p.Policy.Arn}); err != nil {
			return none, err
		}
	}
	if _, err := api.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("reads"), PolicyDocument: aws.String(readsIAM)}); err != nil {
		return none, err
	}
	key, err := api.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user})
	if err != nil {
		return none, err
	}
	return aws.Credentials{AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey}, nil
}

// answer is what the bare server says.
type answer struct {
	Header http.Header
	Body   []byte
}

// firstAnswer asks once.
func firstAnswer(address string, c call) (answer, error) {
	k := &client{address: address, answers: c.answers}
	defer k.close()
	raw, err := k.ask(c.requests[0])
	if err != nil {
		return answer{}, err
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
	if err != nil {
		return answer{}, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	r.Header.Del("Date") // net/http's own
	return answer{r.Header, body}, err
}
