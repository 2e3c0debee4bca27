package front

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/front/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "111122223333"

// keyring is a Credentials of fixed keys.
type keyring struct{}

var (
	admin   = aws.Credentials{AccessKeyID: "AKIAADMIN", SecretAccessKey: "admin-secret"}
	nobody  = aws.Credentials{AccessKeyID: "AKIANOBODY", SecretAccessKey: "nobody-secret"}
	session = aws.Credentials{AccessKeyID: "ASIASESSION", SecretAccessKey: "session-secret", SessionToken: "good+/token=="}
)

func (keyring) Resolve(_ context.Context, key, token string, now time.Time) (string, api.Caller, error) {
	user := func(name string) api.Caller {
		arn := "arn:aws:iam::" + account + ":user/" + name
		return api.Caller{Type: api.User, Partition: "aws", AccountID: account, ARN: arn, PrincipalARN: arn, UserID: "AIDA" + strings.ToUpper(name), PrincipalID: "AIDA" + strings.ToUpper(name), Name: name}
	}
	switch {
	case key == admin.AccessKeyID && token == "":
		return admin.SecretAccessKey, user("admin"), nil
	case key == nobody.AccessKeyID && token == "":
		return nobody.SecretAccessKey, user("nobody"), nil
	case key == session.AccessKeyID && token == session.SessionToken:
		return session.SecretAccessKey, api.Caller{
			Type: api.AssumedRole, Partition: "aws", AccountID: account, UserID: "AROAX:s", Name: "r",
			ARN: "arn:aws:sts::" + account + ":assumed-role/r/s", PrincipalARN: "arn:aws:iam::" + account + ":role/r", PrincipalID: "AROAX",
			Session: &api.Session{Name: "s", IssuedAt: now, Expires: now.Add(time.Hour), Tags: map[string]string{"team": "a"}},
		}, nil
	case key == session.AccessKeyID && token == "old":
		return "", api.Caller{}, ErrExpiredToken
	case key == session.AccessKeyID:
		return "", api.Caller{}, ErrBadToken
	case key == "AKIABROKEN":
		return "", api.Caller{}, errors.New("the store is away")
	}
	return "", api.Caller{}, ErrUnknownKey
}

// gate allows all but nobody, and remembers what it was asked.
type gate struct {
	mu   sync.Mutex
	last []string // action, resources
	who  api.Caller
}

func (g *gate) AuthorizeCall(_ context.Context, who *api.Caller, action string, resources []string, _ api.Keys) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last, g.who = append([]string{action}, resources...), *who
	if who.Name == "nobody" {
		return fmt.Errorf("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action", who.ARN, action, resources[0], action)
	}
	return nil
}

func testServices() []*api.Service {
	stsService := &api.Service{ID: "sts", Action: "sts"}
	identity := api.Op(func(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
		c := api.CallerFrom(ctx)
		return &sts.GetCallerIdentityOutput{Account: &c.AccountID, Arn: &c.ARN, UserId: &c.UserID}, nil
	}, nil)
	identity.Open = true
	web := api.Op(func(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput) (*sts.AssumeRoleWithWebIdentityOutput, error) {
		if api.CallerFrom(ctx).Type != api.Anonymous {
			return nil, errors.New("not anonymous")
		}
		return &sts.AssumeRoleWithWebIdentityOutput{Audience: aws.String("sts.amazonaws.com")}, nil
	}, nil)
	web.Unsigned = true
	stsService.Operations = map[string]api.Operation{"GetCallerIdentity": identity, "AssumeRoleWithWebIdentity": web}

	iamService := &api.Service{ID: "iam", Action: "iam"}
	api.Add(iamService, "ListRoles", func(context.Context, *iam.ListRolesInput) (*iam.ListRolesOutput, error) {
		now := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
		return &iam.ListRolesOutput{Roles: []iamtypes.Role{{RoleName: aws.String("r"), Path: aws.String("/"), RoleId: aws.String("AROAX"), Arn: aws.String("arn:aws:iam::" + account + ":role/r"), CreateDate: &now}}}, nil
	}, nil)
	api.Add(iamService, "CreateRole", func(_ context.Context, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
		switch aws.ToString(in.RoleName) {
		case "panic":
			panic("a handler's fault")
		case "exists":
			return nil, &iamtypes.EntityAlreadyExistsException{Message: aws.String("Role with name exists already exists.")}
		case "broken":
			return nil, errors.New("secret details of the store")
		}
		return &iam.CreateRoleOutput{Role: &iamtypes.Role{RoleName: in.RoleName}}, nil
	}, func(_ context.Context, in *iam.CreateRoleInput) []string {
		return []string{"arn:aws:iam::" + account + ":role/" + aws.ToString(in.RoleName)}
	})

	eksService := &api.Service{ID: "eks", Action: "eks"}
	api.Add(eksService, "ListClusters", func(context.Context, *eks.ListClustersInput) (*eks.ListClustersOutput, error) {
		return &eks.ListClustersOutput{Clusters: []string{"cluster"}}, nil
	}, nil)
	api.Add(eksService, "ListTagsForResource", func(_ context.Context, in *eks.ListTagsForResourceInput) (*eks.ListTagsForResourceOutput, error) {
		return &eks.ListTagsForResourceOutput{Tags: map[string]string{"arn": *in.ResourceArn}}, nil
	}, nil)
	ec2Service := &api.Service{ID: "ec2", Action: "ec2"}
	api.Add(ec2Service, "DescribeVpcs", func(context.Context, *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
		return &ec2.DescribeVpcsOutput{}, nil
	}, nil)
	logsService := &api.Service{ID: "cloudwatchlogs", Action: "logs"}
	api.Add(logsService, "DescribeLogGroups", func(context.Context, *cloudwatchlogs.DescribeLogGroupsInput) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
		return &cloudwatchlogs.DescribeLogGroupsOutput{}, nil
	}, nil)
	return []*api.Service{stsService, iamService, eksService, ec2Service, logsService}
}

// door is a Front behind a real HTTP server.
type door struct {
	url   string
	front *Front
	gate  *gate
	trail *cloudtrail.Trail
	dir   string
	log   *bytes.Buffer

	mu  sync.Mutex
	now time.Time // zero: the real time
}

func (d *door) set(now time.Time) { d.mu.Lock(); d.now = now; d.mu.Unlock() }

func open(t testing.TB) *door {
	t.Helper()
	codec, err := wire.New()
	if err != nil {
		t.Fatal(err)
	}
	d := &door{gate: &gate{}, dir: t.TempDir(), log: &bytes.Buffer{}}
	if d.trail, err = cloudtrail.Open(d.dir, cloudtrail.Options{}); err != nil {
		t.Fatal(err)
	}
	d.front, err = New(Config{
		Place: api.Place{Partition: "aws", AccountID: account, Region: "us-west-2"},
		Codec: Wire(codec), Credentials: keyring{}, Authorizer: d.gate, Recorder: d.trail, Services: testServices(),
		Log: slog.New(slog.NewTextHandler(d.log, nil)),
		Now: func() time.Time {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.now.IsZero() {
				return time.Now()
			}
			return d.now
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(d.front)
	d.url = server.URL
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		server.Close()
		if err := d.trail.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// config is an SDK configuration that tries once.
func (d *door) config(creds aws.Credentials) aws.Config {
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: &d.url, RetryMaxAttempts: 1, HTTPClient: client.New(nil),
		Credentials: credentials.StaticCredentialsProvider{Value: creds},
	}
}

// calls make one call with each protocol's SDK client.
var calls = map[string]func(context.Context, aws.Config) error{
	"query": func(ctx context.Context, c aws.Config) error {
		_, err := iam.NewFromConfig(c).ListRoles(ctx, nil)
		return err
	},
	"ec2": func(ctx context.Context, c aws.Config) error {
		_, err := ec2.NewFromConfig(c).DescribeVpcs(ctx, nil)
		return err
	},
	"rest-json": func(ctx context.Context, c aws.Config) error {
		_, err := eks.NewFromConfig(c).ListClusters(ctx, nil)
		return err
	},
	"json": func(ctx context.Context, c aws.Config) error {
		_, err := cloudwatchlogs.NewFromConfig(c).DescribeLogGroups(ctx, nil)
		return err
	},
}

// unknownCalls call operations that the APIs know and no service registered.
var unknownCalls = map[string]func(context.Context, aws.Config) error{
	"query": func(ctx context.Context, c aws.Config) error {
		_, err := iam.NewFromConfig(c).ListUsers(ctx, nil)
		return err
	},
	"ec2": func(ctx context.Context, c aws.Config) error {
		_, err := ec2.NewFromConfig(c).DescribeHosts(ctx, nil)
		return err
	},
	"rest-json": func(ctx context.Context, c aws.Config) error {
		_, err := eks.NewFromConfig(c).DescribeClusterVersions(ctx, nil)
		return err
	},
	"json": func(ctx context.Context, c aws.Config) error {
		_, err := cloudwatchlogs.NewFromConfig(c).DescribeQueries(ctx, nil)
		return err
	},
}

// TestRefusals: every way to be refused, through the real SDK of each
// protocol, with the code and text its users know.
func TestRefusals(t *testing.T) {
	d := open(t)
	mismatch := "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	invalid := "The security token included in the request is invalid."
	expired := "The security token included in the request is expired"
	validate := "AWS was not able to validate the provided access credentials"
	with := func(c aws.Credentials, change func(*aws.Credentials)) aws.Credentials { change(&c); return c }
	type want struct {
		status     int
		code, text string
	}
	for _, c := range []struct {
		name  string
		creds aws.Credentials
		skew  time.Duration
		tweak func(*aws.Config)
		calls map[string]func(context.Context, aws.Config) error
		want  map[string]want
	}{
		{name: "allowed", creds: admin, calls: calls, want: map[string]want{"query": {}, "ec2": {}, "rest-json": {}, "json": {}}},
		{name: "allowed with a session token", creds: session, calls: calls, want: map[string]want{"query": {}, "ec2": {}, "rest-json": {}, "json": {}}},
		{name: "wrong secret key", creds: with(admin, func(c *aws.Credentials) { c.SecretAccessKey += "x" }), calls: calls, want: map[string]want{
			"query": {403, "SignatureDoesNotMatch", mismatch}, "ec2": {401, "AuthFailure", validate},
			"rest-json": {403, "InvalidSignatureException", mismatch}, "json": {400, "InvalidSignatureException", mismatch}}},
		{name: "unknown access key", creds: with(admin, func(c *aws.Credentials) { c.AccessKeyID = "AKIAOTHER" }), calls: calls, want: map[string]want{
			"query": {403, "InvalidClientTokenId", invalid}, "ec2": {401, "AuthFailure", validate},
			"rest-json": {403, "UnrecognizedClientException", invalid}, "json": {400, "UnrecognizedClientException", invalid}}},
		{name: "expired session token", creds: with(session, func(c *aws.Credentials) { c.SessionToken = "old" }), calls: calls, want: map[string]want{
			"query": {403, "ExpiredToken", expired}, "ec2": {400, "RequestExpired", "Request has expired."},
			"rest-json": {403, "ExpiredTokenException", expired}, "json": {400, "ExpiredTokenException", expired}}},
		{name: "forged session token", creds: with(session, func(c *aws.Credentials) { c.SessionToken = "forged" }), calls: calls, want: map[string]want{
			"query": {403, "InvalidClientTokenId", invalid}, "ec2": {401, "AuthFailure", validate},
			"rest-json": {403, "UnrecognizedClientException", invalid}, "json": {400, "UnrecognizedClientException", invalid}}},
		{name: "no session token", creds: with(session, func(c *aws.Credentials) { c.SessionToken = "" }), calls: calls, want: map[string]want{
			"query": {403, "InvalidClientTokenId", invalid}, "ec2": {401, "AuthFailure", validate},
			"rest-json": {403, "UnrecognizedClientException", invalid}, "json": {400, "UnrecognizedClientException", invalid}}},
		{name: "ten minutes late", creds: admin, skew: 10 * time.Minute, calls: calls, want: map[string]want{
			"query": {403, "SignatureDoesNotMatch", "Signature expired: "}, "ec2": {400, "RequestExpired", "Request has expired."},
			"rest-json": {403, "InvalidSignatureException", "Signature expired: "}, "json": {400, "InvalidSignatureException", "Signature expired: "}}},
		{name: "ten minutes early", creds: admin, skew: -10 * time.Minute, calls: calls, want: map[string]want{
			"query": {403, "SignatureDoesNotMatch", "Signature not yet current: "}, "ec2": {400, "RequestExpired", "Request has expired."},
			"rest-json": {403, "InvalidSignatureException", "Signature not yet current: "}, "json": {400, "InvalidSignatureException", "Signature not yet current: "}}},
		{name: "no rights", creds: nobody, calls: calls, want: map[string]want{
			"query":     {403, "AccessDenied", "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: iam:ListRoles on resource: * because no identity-based policy allows the iam:ListRoles action"},
			"ec2":       {403, "UnauthorizedOperation", "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: ec2:DescribeVpcs"},
			"rest-json": {403, "AccessDeniedException", "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: eks:ListClusters"},
			"json":      {400, "AccessDeniedException", "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: logs:DescribeLogGroups"}}},
		{name: "unknown operation", creds: admin, calls: unknownCalls, want: map[string]want{
			"query": {400, "InvalidAction", "Could not find operation ListUsers"}, "ec2": {400, "InvalidAction", "The action DescribeHosts is not valid for this web service."},
			"rest-json": {404, "UnknownOperationException", "The operation DescribeClusterVersions"}, "json": {400, "UnknownOperationException", "The operation DescribeQueries"}}},
		{name: "another region", creds: admin, tweak: func(c *aws.Config) { c.Region = "eu-west-1" }, calls: calls, want: map[string]want{
			"query": {}, // IAM is global
			"ec2":   {401, "AuthFailure", "Credential should be scoped to a valid region."}, "rest-json": {403, "InvalidSignatureException", "Credential should be scoped to a valid region."},
			"json": {400, "InvalidSignatureException", "Credential should be scoped to a valid region."}}},
		{name: "the store is away", creds: with(admin, func(c *aws.Credentials) { c.AccessKeyID = "AKIABROKEN" }), calls: calls, want: map[string]want{
			"query": {500, "InternalFailure", "The request processing"}, "ec2": {500, "InternalError", "The request processing"},
			"rest-json": {500, "InternalFailure", "The request processing"}, "json": {500, "InternalFailure", "The request processing"}}},
	} {
		for protocol, call := range c.calls {
			t.Run(c.name+"/"+protocol, func(t *testing.T) {
				d.set(time.Time{})
				if c.skew != 0 {
					d.set(time.Now().Add(c.skew))
				}
				config := d.config(c.creds)
				if c.tweak != nil {
					c.tweak(&config)
				}
				err := call(t.Context(), config)
				w := c.want[protocol]
				if w.code == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				var e smithy.APIError
				var http interface{ HTTPStatusCode() int }
				if !errors.As(err, &e) || !errors.As(err, &http) {
					t.Fatalf("no AWS error: %v", err)
				}
				if e.ErrorCode() != w.code || !strings.HasPrefix(e.ErrorMessage(), w.text) || http.HTTPStatusCode() != w.status {
					t.Errorf("%d %s: %s\nwant %d %s: %s", http.HTTPStatusCode(), e.ErrorCode(), e.ErrorMessage(), w.status, w.code, w.text)
				}
			})
		}
	}
	d.set(time.Time{})
}

// send makes one raw request, signed unless creds are empty.
func (d *door) send(t *testing.T, method, target, body string, header http.Header, creds aws.Credentials, service string, change func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, d.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	if creds.AccessKeyID != "" {
		if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, bodyHash(body), service, "us-west-2", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(r)
	}
	return roundTrip(t, r)
}

func roundTrip(t *testing.T, r *http.Request) (int, string, http.Header) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer), resp.Header
}

var form = http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}

const identityForm = "Action=GetCallerIdentity&Version=2011-06-15"

// TestTampered: a request changed on its way is refused.
func TestTampered(t *testing.T) {
	d := open(t)
	if status, body, _ := d.send(t, "POST", "/", identityForm, form, admin, "sts", nil); status != 200 || !strings.Contains(body, "user/admin") {
		t.Fatalf("untampered: %d %s", status, body)
	}
	for name, change := range map[string]func(*http.Request){
		"header": func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"date": func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().Add(time.Minute).UTC().Format("20060102T150405Z"))
		},
		"query":     func(r *http.Request) { r.URL.RawQuery = "x=1" },
		"path":      func(r *http.Request) { r.URL.Path = "/x" },
		"method":    func(r *http.Request) { r.Method = "PUT" },
		"host":      func(r *http.Request) { r.Host = "sts.amazonaws.com" },
		"new x-amz": func(r *http.Request) { r.Header.Set("X-Amz-Meta", "x") },
		"signature": func(r *http.Request) {
			h := r.Header.Get("Authorization")
			r.Header.Set("Authorization", h[:len(h)-1]+flip(h[len(h)-1]))
		},
		"body": func(r *http.Request) {
			changed := strings.Replace(identityForm, "Action", "action", 1)
			r.Body = io.NopCloser(strings.NewReader(changed))
		},
	} {
		status, body, _ := d.send(t, "POST", "/", identityForm, form, admin, "sts", change)
		if status != 403 || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func flip(ch byte) string {
	if ch == '0' {
		return "1"
	}
	return "0"
}

// TestPresigned: a GetCallerIdentity URL works for fifteen minutes, whatever
// its X-Amz-Expires, and no longer.
func TestPresigned(t *testing.T) {
	d := open(t)
	out, err := sts.NewPresignClient(sts.NewFromConfig(d.config(session))).PresignGetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	get := func(after time.Duration, target string) (int, string) {
		d.set(time.Now().Add(after))
		defer d.set(time.Time{})
		r, err := http.NewRequest("GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = out.SignedHeader.Clone()
		status, body, _ := roundTrip(t, r)
		return status, body
	}
	for _, after := range []time.Duration{0, 14 * time.Minute} {
		if status, body := get(after, out.URL); status != 200 || !strings.Contains(body, "<Arn>arn:aws:sts::111122223333:assumed-role/r/s</Arn>") {
			t.Errorf("after %v: %d %s", after, status, body)
		}
	}
	if status, body := get(15*time.Minute+2*time.Second, out.URL); status != 403 || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") || !strings.Contains(body, "Signature expired: ") || !strings.Contains(body, " - 15 min.)") {
		t.Errorf("replayed: %d %s", status, body)
	}
	if status, body := get(0, strings.Replace(out.URL, "GetCallerIdentity", "ListRoles", 1)); status != 403 || !strings.Contains(body, "SignatureDoesNotMatch") {
		t.Errorf("another action: %d %s", status, body)
	}
}

// TestUnsigned: what carries no signature is refused, but for the operations
// that need none.
func TestUnsigned(t *testing.T) {
	d := open(t)
	none := aws.Credentials{}
	for _, c := range []struct {
		name, method, target, body string
		header                     http.Header
		status                     int
		want                       string
	}{
		{"a probe", "GET", "/", "", nil, 403, "<Code>MissingAuthenticationToken</Code>"},
		{"a query", "POST", "/", identityForm, form, 403, "<Message>Request is missing Authentication Token</Message>"},
		{"rest-json", "GET", "/clusters", "", nil, 403, `"message":"Missing Authentication Token"`},
		{"json", "POST", "/", "{}", http.Header{"X-Amz-Target": {"Logs_20140328.DescribeLogGroups"}, "Content-Type": {"application/x-amz-json-1.1"}}, 400, `"__type":"MissingAuthenticationTokenException"`},
		{"ec2", "POST", "/", "Action=DescribeVpcs&Version=2016-11-15", form, 400, "<Code>MissingAuthenticationToken</Code>"},
		{"no operation of ours", "POST", "/", "Action=DeleteEverything&Version=2011-06-15", form, 403, "MissingAuthenticationToken"},
		{"a bearer token", "POST", "/", identityForm, http.Header{"Authorization": {"Bearer eyJ"}, "Content-Type": form["Content-Type"]}, 400, "<Code>IncompleteSignature</Code>"},
		{"web identity", "POST", "/", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/r&RoleSessionName=s1&WebIdentityToken=" + strings.Repeat("t", 40), form, 200, "<Audience>sts.amazonaws.com</Audience>"},
	} {
		status, body, _ := d.send(t, c.method, c.target, c.body, c.header, none, "", nil)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s\nwant %d %s", c.name, status, body, c.status, c.want)
		}
	}
}

// TestScope: a signature for another service is told so.
func TestScope(t *testing.T) {
	d := open(t)
	status, body, _ := d.send(t, "POST", "/", identityForm, form, admin, "iam", nil)
	if status != 403 || !strings.Contains(body, "Credential should be scoped to correct service: &apos;sts&apos;.") && !strings.Contains(body, "Credential should be scoped to correct service: 'sts'.") && !strings.Contains(body, "Credential should be scoped to correct service: &#39;sts&#39;.") {
		t.Errorf("%d %s", status, body)
	}
	// It is told in the words of the service that it called.
	status, body, _ = d.send(t, "POST", "/", "Action=DescribeVpcs&Version=2016-11-15", form, admin, "sts", nil)
	if status != 401 || !strings.Contains(body, "<Code>AuthFailure</Code>") || !strings.Contains(body, "</Errors>") {
		t.Errorf("EC2, signed for STS: %d %s", status, body)
	}
	status, body, _ = d.send(t, "GET", "/clusters", "", nil, admin, "iam", nil)
	if status != 403 || !strings.HasPrefix(body, `{"message":"Credential should be scoped to correct service`) {
		t.Errorf("EKS, signed for IAM: %d %s", status, body)
	}
	status, body, _ = d.send(t, "GET", "/clusters", "", nil, admin, "lambda", nil)
	if status < 400 {
		t.Errorf("a service there isn't: %d %s", status, body)
	}
}

// TestBodies: limits, chunks, 100-continue, HEAD.
func TestBodies(t *testing.T) {
	d := open(t)
	d.front.MaxBody = 300 << 10
	padded := identityForm + "&x=" + strings.Repeat("y", 290<<10)
	if status, body, _ := d.send(t, "POST", "/", padded, form, admin, "sts", nil); status == 413 {
		t.Errorf("a body within the limit: %d %s", status, body)
	}
	if status, body, _ := d.send(t, "POST", "/", padded+strings.Repeat("y", 20<<10), form, admin, "sts", nil); status != 413 || !strings.Contains(body, "RequestEntityTooLarge") {
		t.Errorf("a body over the limit: %d %s", status, body)
	}
	if status, _, _ := d.send(t, "POST", "/", padded, form, aws.Credentials{}, "", nil); status != 413 {
		t.Errorf("a large unsigned body: %d", status)
	}
	chunked := func(r *http.Request) { r.ContentLength = -1; r.TransferEncoding = []string{"chunked"} }
	unsized, _ := http.NewRequest("POST", d.url+"/", nil)
	unsized.Header = form.Clone()
	if err := v4.NewSigner().SignHTTP(t.Context(), admin, unsized, bodyHash(identityForm), "sts", "us-west-2", time.Now()); err != nil {
		t.Fatal(err)
	}
	unsized.Body = io.NopCloser(strings.NewReader(identityForm))
	chunked(unsized)
	if status, body, _ := roundTrip(t, unsized); status != 200 {
		t.Errorf("chunked: %d %s", status, body)
	}
	if status, body, _ := d.send(t, "POST", "/", identityForm, form, admin, "sts", func(r *http.Request) { r.Header.Set("Expect", "100-continue") }); status != 200 {
		t.Errorf("100-continue: %d %s", status, body)
	}
	if status, body, _ := d.send(t, "HEAD", "/?"+identityForm, "", nil, admin, "sts", nil); status != 200 || body != "" {
		t.Errorf("HEAD: %d %q", status, body)
	}
}

// TestFaults: a panic and a foreign error answer InternalFailure, tell nothing
// and are logged; a modelled error keeps its code.
func TestFaults(t *testing.T) {
	d := open(t)
	client := iam.NewFromConfig(d.config(admin))
	create := func(name string) error {
		_, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String("{}")})
		return err
	}
	for name, want := range map[string]string{"panic": "InternalFailure", "broken": "InternalFailure", "exists": "EntityAlreadyExists"} {
		var e smithy.APIError
		if err := create(name); !errors.As(err, &e) || e.ErrorCode() != want || strings.Contains(e.ErrorMessage(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := create("fine"); err != nil {
		t.Error(err)
	}
	if log := d.log.String(); !strings.Contains(log, "a handler's fault") || !strings.Contains(log, "secret details of the store") {
		t.Errorf("the log lacks the faults: %s", log)
	}
}

// TestRecorded: what the trail holds after calls of each kind.
func TestRecorded(t *testing.T) {
	d := open(t)
	began := time.Now()
	_ = calls["query"](t.Context(), d.config(admin))
	_ = calls["ec2"](t.Context(), d.config(nobody))
	_ = unknownCalls["json"](t.Context(), d.config(session))
	wrong := admin
	wrong.SecretAccessKey = "x"
	_ = calls["rest-json"](t.Context(), d.config(wrong))
	_, _ = iam.NewFromConfig(d.config(admin)).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("fine"), AssumeRolePolicyDocument: aws.String("{}")})
	if err := d.trail.Flush(); err != nil {
		t.Fatal(err)
	}
	records, err := cloudtrail.Read(d.dir, began)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, fmt.Sprintf("%s %s %s %s read=%v", r.EventSource, r.EventName, r.UserIdentity["type"], r.ErrorCode, r.ReadOnly))
		if r.RequestID == "" || r.EventID == "" || r.SourceIPAddress != "127.0.0.1" || !strings.Contains(r.UserAgent, "aws-sdk-go-v2") || r.RecipientAccount != account {
			t.Errorf("%s", r.Raw)
		}
	}
	want := []string{
		"iam.amazonaws.com ListRoles IAMUser  read=true",
		"ec2.amazonaws.com DescribeVpcs IAMUser Client.UnauthorizedOperation read=true",
		"logs.amazonaws.com DescribeQueries AssumedRole UnknownOperationException read=true",
		"iam.amazonaws.com CreateRole IAMUser  read=false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("recorded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if last := records[len(records)-1]; last.RequestParameters["roleName"] != "fine" || last.ResponseElements["role"] == nil {
		t.Errorf("%s", last.Raw)
	}
}

// deaf is a Recorder that cannot record.
type deaf struct{}

func (deaf) Record(cloudtrail.Event) {}
func (deaf) Err() error              { return errors.New("no space left on device") }

// TestUnrecordedIsRefused: without a trail there are no calls.
func TestUnrecordedIsRefused(t *testing.T) {
	d := open(t)
	d.front.Recorder = deaf{}
	var e smithy.APIError
	if err := calls["query"](t.Context(), d.config(admin)); !errors.As(err, &e) || e.ErrorCode() != "ServiceUnavailable" {
		t.Errorf("%v", err)
	}
}

// TestAuthorizerIsAsked: what, of which resource, and for whom: the caller holds
// all that the global condition keys are made of.
func TestAuthorizerIsAsked(t *testing.T) {
	d := open(t)
	if _, err := iam.NewFromConfig(d.config(session)).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("new"), AssumeRolePolicyDocument: aws.String("{}")}); err != nil {
		t.Fatal(err)
	}
	d.gate.mu.Lock()
	asked, who := d.gate.last, d.gate.who
	d.gate.mu.Unlock()
	if !slices.Equal(asked, []string{"iam:CreateRole", "arn:aws:iam::111122223333:role/new"}) {
		t.Errorf("asked %q", asked)
	}
	if who.PrincipalARN != "arn:aws:iam::111122223333:role/r" || who.UserID != "AROAX:s" || who.Session.Tags["team"] != "a" ||
		who.SourceIP.String() != "127.0.0.1" || who.TLS || who.UserAgent == "" || who.RequestedRegion != "us-east-1" {
		t.Errorf("for %+v", who)
	}
	if err := calls["ec2"](t.Context(), d.config(admin)); err != nil {
		t.Fatal(err)
	}
	d.gate.mu.Lock()
	defer d.gate.mu.Unlock()
	if d.gate.who.RequestedRegion != "us-west-2" || d.gate.who.AccessKeyID != admin.AccessKeyID {
		t.Errorf("a regional call is for %+v", d.gate.who)
	}
}

// TestARNInPath: an escaped ARN in a path is one segment, and is signed so.
func TestARNInPath(t *testing.T) {
	d := open(t)
	arn := "arn:aws:eks:us-west-2:111122223333:cluster/cluster"
	out, err := eks.NewFromConfig(d.config(admin)).ListTagsForResource(t.Context(), &eks.ListTagsForResourceInput{ResourceArn: &arn})
	if err != nil || out.Tags["arn"] != arn {
		t.Errorf("%v, %v", out, err)
	}
}

// answersLongHeaders: headers beyond the door's limit get an answer that can be read to
// its end, not a connection that breaks.
func answersLongHeaders(t *testing.T, client *http.Client, url string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Security-Token", strings.Repeat("x", 200<<10))
	resp, err := client.Do(request)
	if err != nil {
		t.Errorf("%s: %v", url, err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s: %s, %v", url, resp.Status, err)
	}
}

// TestBothOnOnePort: TLS, with h2 and HTTP/1.1, and plain HTTP on one listener.
func TestBothOnOnePort(t *testing.T) {
	d := open(t)
	listener := listen(t)
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	pool := certs.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	config := &tls.Config{Certificates: certs.TLS.Certificates}
	certs.Close()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, listener, config, d.front, nil, time.Second) }()

	// A connection that says nothing holds up no other.
	silent := dial(t, listener.Addr().String())
	defer silent.Close()

	for _, c := range []struct {
		scheme, want string
		h2           bool
	}{{"http", "HTTP/1.1", false}, {"https", "HTTP/1.1", false}, {"https", "HTTP/2.0", true}} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "example.com"}, ForceAttemptHTTP2: c.h2}
		client := client.New(transport)
		config := d.config(admin)
		url := c.scheme + "://" + listener.Addr().String()
		config.BaseEndpoint = &url
		config.HTTPClient = client
		if err := calls["query"](t.Context(), config); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		resp, err := client.Get(url)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		resp.Body.Close()
		if resp.Proto != c.want || resp.StatusCode != 403 {
			t.Errorf("%+v: %s %d", c, resp.Proto, resp.StatusCode)
		}
		if !c.h2 { // whose clients know the limit, and send none
			answersLongHeaders(t, client, url)
		}
		transport.CloseIdleConnections()
	}
	if err := d.trail.Flush(); err != nil {
		t.Fatal(err)
	}
	records, _ := cloudtrail.Read(d.dir, time.Time{})
	secure := 0
	for _, r := range records {
		if r.TLSDetails["tlsVersion"] == "TLSv1.3" {
			secure++
		}
	}
	if len(records) != 3 || secure != 2 {
		t.Errorf("%d events, %d over TLS", len(records), secure)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
