package sts_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/idp"
	"github.com/eksact/eksact/internal/aws/sts"
)

// issuer is an identity provider on this machine.
type issuer struct {
	url string
	mu  sync.Mutex
	key *ecdsa.PrivateKey
	id  string
}

const (
	idpURL = "oidc.eks.us-west-2.amazonaws.com/id/ABCDEF"
	idpARN = "arn:aws:iam::111122223333:oidc-provider/" + idpURL
)

// issuer makes one and registers it as a provider with the client id sts.amazonaws.com.
func (a *account) issuer(t testing.TB, url string) *issuer {
	t.Helper()
	i := &issuer{url: "https://" + url}
	i.rotate(t, "k1")
	if a.issuers == nil {
		a.issuers = idp.New(idp.Options{Now: func() time.Time { return a.now }})
		a.sts.UseIssuers(a.issuers)
	}
	a.issuers.Register(i.url, idp.Local{Keys: i.keys})
	if _, err := a.iam.CreateOpenIDConnectProvider(a.admin, &awsiam.CreateOpenIDConnectProviderInput{
		Url: &i.url, ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: []string{strings.Repeat("0", 40)},
	}); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *issuer) rotate(t testing.TB, id string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.key, i.id = key, id
	i.mu.Unlock()
}

func (i *issuer) keys() jose.JSONWebKeySet {
	i.mu.Lock()
	defer i.mu.Unlock()
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: i.id, Key: &i.key.PublicKey}}}
}

type claims = map[string]any

// token signs the usual claims with some changed; nil takes one away.
func (i *issuer) token(t testing.TB, now time.Time, changed claims) *string {
	t.Helper()
	said := claims{
		"iss": i.url, "aud": []string{"sts.amazonaws.com"}, "sub": "system:serviceaccount:default:app",
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nbf": now.Unix(),
	}
	maps.Copy(said, changed)
	maps.DeleteFunc(said, func(_ string, v any) bool { return v == nil })
	i.mu.Lock()
	defer i.mu.Unlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: i.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(said).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return &text
}

// trustsProvider is a trust policy for identities of the provider, under a condition.
func trustsProvider(arn, actions, condition string) string {
	if condition != "" {
		condition = `,"Condition":{` + condition + `}`
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + arn + `"},"Action":["` + strings.ReplaceAll(actions, ",", `","`) + `"]` + condition + `}]}`
}

const asWebIdentity = "sts:AssumeRoleWithWebIdentity"

// stranger is a caller without credentials.
func stranger(ctx context.Context) context.Context {
	return api.WithCaller(ctx, &api.Caller{Type: api.Anonymous, RequestedRegion: "us-west-2", TLS: true})
}

func TestWebIdentity(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	role := a.role(t, "app", trustsProvider(idpARN, asWebIdentity, `"StringEquals":{"`+idpURL+`:aud":"sts.amazonaws.com","`+idpURL+`:sub":"system:serviceaccount:default:app"},"Bool":{"aws:SecureTransport":"true"}`))
	a.grant(t, "app", allows("s3:GetObject", `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:FederatedProvider":"`+idpARN+`","`+idpURL+`:sub":"system:serviceaccount:default:app"}}`))
	out, err := a.sts.AssumeRoleWithWebIdentity(stranger(t.Context()), &awssts.AssumeRoleWithWebIdentityInput{
		RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: i.token(t, a.now, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	if *out.AssumedRoleUser.Arn != "arn:aws:sts::111122223333:assumed-role/app/pod" || *out.SubjectFromWebIdentityToken != "system:serviceaccount:default:app" ||
		*out.Audience != "sts.amazonaws.com" || *out.Provider != idpARN || out.Credentials.Expiration.Sub(a.now) != time.Hour {
		t.Errorf("%+v", out)
	}
	ctx := a.as(t, *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	who := api.CallerFrom(ctx)
	if who.Type != api.AssumedRole || who.Session.Chained || who.UserID != *out.AssumedRoleUser.AssumedRoleId {
		t.Errorf("%+v", who)
	}
	says(t, a.may(ctx, "s3:GetObject", "arn:aws:s3:::b/x"), "")
	says(t, a.may(ctx, "s3:PutObject", "arn:aws:s3:::b/x"), "because no identity-based policy allows the s3:PutObject action")
}

// Whoever calls it, with or without credentials of his own: the token alone counts.
func TestWebIdentityIsNotTheCallers(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	role := a.role(t, "app", trustAccount)
	in := &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: i.token(t, a.now, nil)}
	_, err := a.sts.AssumeRoleWithWebIdentity(a.admin, in) // whom the role trusts
	says(t, err, "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity")
	byArn := a.role(t, "by-arn", trustsProvider(idpARN, asWebIdentity, `"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/admin"}`))
	in.RoleArn = &byArn
	_, err = a.sts.AssumeRoleWithWebIdentity(a.admin, in)
	says(t, err, "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity")
}

func TestRefusalsOfWebIdentity(t *testing.T) {
	a := open(t)
	i, other := a.issuer(t, idpURL), a.issuer(t, "other.example/realm")
	trust := trustsProvider(idpARN, asWebIdentity, `"StringEquals":{"`+idpURL+`:sub":"system:serviceaccount:default:app"}`)
	role := a.role(t, "app", trust)
	missing, foreign := "arn:aws:iam::111122223333:role/none", "arn:aws:iam::999999999999:role/app"
	forged := &issuer{url: i.url, key: other.key, id: other.id} // says it is one, signs as the other
	now, stranger := a.now, stranger(t.Context())
	const jwtText = "InvalidIdentityToken: The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
	const noKey = "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	const notAuthorized = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
	for name, c := range map[string]struct {
		token *string
		in    awssts.AssumeRoleWithWebIdentityInput
		want  string
	}{
		"good":                  {i.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{}, ""},
		"not a token":           {aws.String("ya29.access-token"), awssts.AssumeRoleWithWebIdentityInput{}, jwtText},
		"no provider":           {i.token(t, now, claims{"iss": "https://nobody.example"}), awssts.AssumeRoleWithWebIdentityInput{}, "InvalidIdentityToken: No OpenIDConnect provider found in your account for https://nobody.example"},
		"without https":         {i.token(t, now, claims{"iss": idpURL}), awssts.AssumeRoleWithWebIdentityInput{}, "No OpenIDConnect provider found in your account for " + idpURL},
		"issuer's case":         {i.token(t, now, claims{"iss": strings.ToLower(i.url)}), awssts.AssumeRoleWithWebIdentityInput{}, "No OpenIDConnect provider found"},
		"issuer with a slash":   {i.token(t, now, claims{"iss": i.url + "/"}), awssts.AssumeRoleWithWebIdentityInput{}, "No OpenIDConnect provider found"},
		"another audience":      {i.token(t, now, claims{"aud": "https://kubernetes.default.svc"}), awssts.AssumeRoleWithWebIdentityInput{}, "InvalidIdentityToken: Incorrect token audience"},
		"no subject":            {i.token(t, now, claims{"sub": nil}), awssts.AssumeRoleWithWebIdentityInput{}, "InvalidIdentityToken: Missing a required claim: sub."},
		"no issue time":         {i.token(t, now, claims{"iat": nil}), awssts.AssumeRoleWithWebIdentityInput{}, "InvalidIdentityToken: Missing a required claim: iat."},
		"expired":               {i.token(t, now, claims{"exp": now.Unix() - 198}), awssts.AssumeRoleWithWebIdentityInput{}, fmt.Sprintf("ExpiredTokenException: Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), now.Unix()-198)},
		"not yet":               {i.token(t, now, claims{"nbf": now.Unix() + 301}), awssts.AssumeRoleWithWebIdentityInput{}, "InvalidIdentityToken: Token not yet valid"},
		"another issuer's key":  {forged.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{}, "InvalidIdentityToken: The ID Token provided has an invalid signature"},
		"another provider":      {other.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{}, notAuthorized},
		"another subject":       {i.token(t, now, claims{"sub": "system:serviceaccount:default:other"}), awssts.AssumeRoleWithWebIdentityInput{}, notAuthorized},
		"no such role":          {i.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{RoleArn: &missing}, notAuthorized},
		"another account's":     {i.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{RoleArn: &foreign}, notAuthorized},
		"no role, bad token":    {forged.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{RoleArn: &missing}, "invalid signature"},
		"provider id":           {i.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{ProviderId: aws.String("www.amazon.com")}, "ValidationError: ProviderId www.amazon.com is not supported"},
		"too short":             {i.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{DurationSeconds: aws.Int32(899)}, "Value '899' at 'durationSeconds'"},
		"longer than the role":  {i.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{DurationSeconds: aws.Int32(3601)}, "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		"session name":          {i.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{RoleSessionName: aws.String("a:b")}, "Value 'a:b' at 'roleSessionName'"},
		"malformed policy":      {i.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{Policy: aws.String("{")}, "MalformedPolicyDocument"},
		"huge token size":       {i.token(t, now, nil), awssts.AssumeRoleWithWebIdentityInput{MinimumSessionTokenSize: aws.Int32(4097)}, "Value '4097' at 'minimumSessionTokenSize' failed to satisfy constraint: Member must have value less than or equal to 4096"},
		"methods beyond bounds": {i.token(t, now, claims{"amr": []string{strings.Repeat("a", 1025)}}), awssts.AssumeRoleWithWebIdentityInput{}, "at most 1024 characters"},
		"subject beyond bounds": {i.token(t, now, claims{"sub": strings.Repeat("a", 256)}), awssts.AssumeRoleWithWebIdentityInput{}, "at most 255 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			in := c.in
			in.WebIdentityToken = c.token
			if in.RoleArn == nil {
				in.RoleArn = &role
			}
			if in.RoleSessionName == nil {
				in.RoleSessionName = aws.String("pod")
			}
			_, err := a.sts.AssumeRoleWithWebIdentity(stranger, &in)
			says(t, err, c.want)
		})
	}
	old := i.token(t, now, nil)
	i.rotate(t, "k2")
	try := func(token *string) error {
		_, err := a.sts.AssumeRoleWithWebIdentity(stranger, &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: token})
		return err
	}
	says(t, try(old), noKey)
	says(t, try(i.token(t, now, nil)), "")
	if _, err := a.iam.DeleteOpenIDConnectProvider(a.admin, &awsiam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String(idpARN)}); err != nil {
		t.Fatal(err)
	}
	says(t, try(i.token(t, now, nil)), "No OpenIDConnect provider found")
}

// source answers with an error, as an issuer elsewhere may.
type source struct{ err error }

func (s source) Keys(context.Context, idp.Provider, bool) (jose.JSONWebKeySet, error) {
	return jose.JSONWebKeySet{}, fmt.Errorf("%w: because", s.err)
}

func TestIssuersThatDoNotAnswer(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	role := a.role(t, "app", trustsProvider(idpARN, asWebIdentity, ""))
	for is, want := range map[error]string{
		idp.ErrUnreachable: "IDPCommunicationError: The identity provider could not be reached.",
		idp.ErrCertificate: "InvalidIdentityToken: OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
		idp.ErrNoKeys:      "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider,  please",
	} {
		a.sts.UseIssuers(source{is})
		_, err := a.sts.AssumeRoleWithWebIdentity(stranger(t.Context()), &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: i.token(t, a.now, nil)})
		says(t, err, want)
	}
}

// web assumes a role with a token and returns the context of the credentials.
func (a *account) web(t *testing.T, role string, token *string, in awssts.AssumeRoleWithWebIdentityInput) (context.Context, error) {
	t.Helper()
	in.RoleArn, in.WebIdentityToken = &role, token
	if in.RoleSessionName == nil {
		in.RoleSessionName = aws.String("me")
	}
	out, err := a.sts.AssumeRoleWithWebIdentity(stranger(t.Context()), &in)
	if err != nil {
		return nil, err
	}
	return a.as(t, *out.Credentials.AccessKeyId, *out.Credentials.SessionToken), nil
}

func TestTagsOfWebIdentities(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	tagged := func(value string) *string {
		return i.token(t, a.now, claims{"https://aws.amazon.com/tags": claims{"principal_tags": claims{"team": []string{value}, "cost": []string{"1"}}, "transitive_tag_keys": []string{"team"}}})
	}
	plain := a.role(t, "plain", trustsProvider(idpARN, asWebIdentity, ""))
	_, err := a.web(t, plain, tagged("red"), awssts.AssumeRoleWithWebIdentityInput{})
	says(t, err, "AccessDenied: Not authorized to perform sts:TagSession")

	role := a.role(t, "r", trustsProvider(idpARN, asWebIdentity+",sts:TagSession", `"StringEquals":{"aws:RequestTag/team":["red","blue"]},"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["team"],"aws:TagKeys":["team","cost"]}`))
	next := a.role(t, "next", trusts("sts:AssumeRole,sts:TagSession", ""))
	a.grant(t, "r", allows("sts:AssumeRole,sts:TagSession"))
	a.grant(t, "next", allows("s3:GetObject", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`))
	ctx, err := a.web(t, role, tagged("red"), awssts.AssumeRoleWithWebIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	chained := a.session(t, ctx, &awssts.AssumeRoleInput{RoleArn: &next})
	if s := api.CallerFrom(chained).Session; s.Tags["team"] != "red" || len(s.Tags) != 1 || !s.Chained || s.Federated != nil {
		t.Errorf("%+v", s)
	}
	says(t, a.may(chained, "s3:GetObject", "arn:aws:s3:::b/red/x"), "")
	says(t, a.may(chained, "s3:GetObject", "arn:aws:s3:::b/blue/x"), "no identity-based policy")
	says(t, a.try(ctx, &awssts.AssumeRoleInput{RoleArn: &next, Tags: []types.Tag{tag("team", "blue")}}), "conflicts with a transitive tag key")
	says(t, a.try(ctx, &awssts.AssumeRoleInput{RoleArn: &next, DurationSeconds: aws.Int32(3601)}), "1 hour session limit for roles assumed by role chaining")
	_, err = a.web(t, role, tagged("green"), awssts.AssumeRoleWithWebIdentityInput{})
	says(t, err, "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity")

	of := func(tags any) *string { return i.token(t, a.now, claims{"https://aws.amazon.com/tags": tags}) }
	many := claims{}
	for n := range 51 {
		many[fmt.Sprint("t", n)] = "x"
	}
	for name, c := range map[string]struct {
		tags any
		want string
	}{
		"malformed":            {[]string{"team"}, "not a valid JWT"},
		"a key twice":          {claims{"principal_tags": claims{"team": "red", "TEAM": "blue"}}, "InvalidParameterValue: Duplicate tag keys found."},
		"AWS's own":            {claims{"principal_tags": claims{"aws:team": "red"}}, "InvalidParameterValue: Tag keys that begin with aws: can't be set."},
		"transitive, not sent": {claims{"principal_tags": claims{"team": "red"}, "transitive_tag_keys": []string{"cost"}}, "The specified transitive tag key must be included in the requested tags."},
		"characters":           {claims{"principal_tags": claims{"te<am": "red"}}, "Value at 'tags.1.member.key' failed to satisfy constraint"},
		"a long value":         {claims{"principal_tags": claims{"team": strings.Repeat("x", 257)}}, "Value at 'tags.1.member.value' failed to satisfy constraint"},
		"too many":             {claims{"principal_tags": many}, "Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.web(t, role, of(c.tags), awssts.AssumeRoleWithWebIdentityInput{})
			says(t, err, c.want)
		})
	}
}

func TestSourceIdentityOfWebIdentities(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	of := func(identity any) *string {
		return i.token(t, a.now, claims{"https://aws.amazon.com/source_identity": identity})
	}
	plain := a.role(t, "plain", trustsProvider(idpARN, asWebIdentity, ""))
	_, err := a.web(t, plain, of("alice"), awssts.AssumeRoleWithWebIdentityInput{})
	says(t, err, "AccessDenied: Not authorized to perform sts:SetSourceIdentity")
	role := a.role(t, "r", trustsProvider(idpARN, asWebIdentity+",sts:SetSourceIdentity", `"StringEquals":{"sts:SourceIdentity":"alice"}`))
	ctx, err := a.web(t, role, of("alice"), awssts.AssumeRoleWithWebIdentityInput{})
	says(t, err, "")
	if api.CallerFrom(ctx).Session.SourceIdentity != "alice" {
		t.Errorf("%+v", api.CallerFrom(ctx).Session)
	}
	_, err = a.web(t, role, of("bob"), awssts.AssumeRoleWithWebIdentityInput{})
	says(t, err, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	_, err = a.web(t, role, of("a"), awssts.AssumeRoleWithWebIdentityInput{})
	says(t, err, "InvalidIdentityToken: The claim https://aws.amazon.com/source_identity must have 2 to 64 characters")
}

// azp goes before aud, and aud is then the key oaud; amr has many values.
func TestKeysOfWebIdentities(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	token := i.token(t, a.now, claims{"aud": []string{"api", "web"}, "azp": "sts.amazonaws.com", "amr": []string{"pwd", "otp"}})
	for name, c := range map[string]struct{ condition, want string }{
		"aud":          {`"StringEquals":{"` + idpURL + `:aud":"sts.amazonaws.com"}`, ""},
		"not aud":      {`"StringEquals":{"` + idpURL + `:aud":"api"}`, "Not authorized"},
		"oaud":         {`"ForAnyValue:StringEquals":{"` + idpURL + `:oaud":"api"}`, ""},
		"amr":          {`"ForAnyValue:StringLike":{"` + idpURL + `:amr":"otp"}`, ""},
		"not amr":      {`"ForAnyValue:StringLike":{"` + idpURL + `:amr":"sms"}`, "Not authorized"},
		"session name": {`"StringLike":{"sts:RoleSessionName":"me"}`, ""},
		"provider":     {`"StringEquals":{"aws:FederatedProvider":"` + idpARN + `"}`, ""},
		"region":       {`"StringEquals":{"aws:RequestedRegion":"us-west-2"}`, ""},
		"foreign":      {`"StringEquals":{"other.example:aud":"sts.amazonaws.com"}`, "Not authorized"},
	} {
		t.Run(name, func(t *testing.T) {
			role := a.role(t, strings.ReplaceAll(name, " ", "-"), trustsProvider(idpARN, asWebIdentity, c.condition))
			_, err := a.web(t, role, token, awssts.AssumeRoleWithWebIdentityInput{})
			says(t, err, strings.ReplaceAll(c.want, "'", ""))
		})
	}
}

// Session policies only take away, and a session ends with its role, whatever has the
// role's name later.
func TestSessionPoliciesOfWebIdentities(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	role := a.role(t, "r", trustsProvider(idpARN, asWebIdentity, ""))
	a.grant(t, "r", allows("s3:*"))
	ctx, err := a.web(t, role, i.token(t, a.now, nil), awssts.AssumeRoleWithWebIdentityInput{Policy: aws.String(allows("s3:GetObject,iam:*")), MinimumSessionTokenSize: aws.Int32(4096)})
	says(t, err, "")
	says(t, a.may(ctx, "s3:GetObject", "arn:aws:s3:::b/x"), "")
	says(t, a.may(ctx, "s3:PutObject", "arn:aws:s3:::b/x"), "no session policy allows")
	says(t, a.may(ctx, "iam:ListUsers", "*"), "no identity-based policy allows")
	ctx, err = a.web(t, role, i.token(t, a.now, nil), awssts.AssumeRoleWithWebIdentityInput{PolicyArns: []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}}})
	says(t, err, "")
	says(t, a.may(ctx, "s3:PutObject", "arn:aws:s3:::b/x"), "no session policy allows")
	// The role is deleted and another has its name: the session is nobody's.
	who := api.CallerFrom(ctx)
	for _, err := range []error{
		second(a.iam.DeleteRolePolicy(a.admin, &awsiam.DeleteRolePolicyInput{RoleName: aws.String("r"), PolicyName: aws.String("p")})),
		second(a.iam.DeleteRole(a.admin, &awsiam.DeleteRoleInput{RoleName: aws.String("r")})),
	} {
		says(t, err, "")
	}
	a.role(t, "r", trustsProvider(idpARN, asWebIdentity, ""))
	a.grant(t, "r", allows("*"))
	if err := a.iam.Authorize(ctx, who, "s3:GetObject", nil, nil); err == nil {
		t.Error("a session of a role that was deleted acts as its namesake")
	}
}

func second[T any](_ T, err error) error { return err }

// A token has at least the size asked for.
func TestTokenSizes(t *testing.T) {
	a := open(t)
	role := a.role(t, "r", trustAccount)
	for _, n := range []int32{0, 1, 500, 1001, 1002, 1003, 1004, 4095, 4096} {
		out, err := a.sts.AssumeRole(a.admin, &awssts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me"), MinimumSessionTokenSize: &n})
		if err != nil {
			t.Fatal(err)
		}
		got := int32(len(*out.Credentials.SessionToken))
		if got < n || n > 1000 && got > n+4 || *out.SessionTokenSize != got {
			t.Errorf("asked for %d, got %d, said %d", n, got, *out.SessionTokenSize)
		}
		a.as(t, *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	}
	_, err := a.sts.GetSessionToken(a.admin, &awssts.GetSessionTokenInput{MinimumSessionTokenSize: aws.Int32(-1)})
	says(t, err, "Member must have value greater than or equal to 0")
}

func BenchmarkAssumeRoleWithWebIdentity(b *testing.B) {
	a := open(b)
	i := a.issuer(b, idpURL)
	role := a.role(b, "app", trustsProvider(idpARN, asWebIdentity, `"StringEquals":{"`+idpURL+`:aud":"sts.amazonaws.com","`+idpURL+`:sub":"system:serviceaccount:default:app"}`))
	ctx := stranger(b.Context())
	in := &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: i.token(b, a.now, nil)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.sts.AssumeRoleWithWebIdentity(ctx, in); err != nil {
			b.Fatal(err)
		}
	}
}

var _ sts.Issuers = (*idp.Issuers)(nil)

// Why a web identity or a federated user was refused can be asked for by the refusal's
// id, as of anybody.
func TestRefusalsAreExplained(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	role := a.role(t, "r", trustsProvider(idpARN, asWebIdentity, `"StringEquals":{"`+idpURL+`:sub":"someone"}`))
	ctx := stranger(t.Context())
	_, err := a.sts.AssumeRoleWithWebIdentity(ctx, &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("me"), WebIdentityToken: i.token(t, a.now, nil)})
	says(t, err, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	federated, _, err := a.federate(root(t.Context()), t, awssts.GetFederationTokenInput{Policy: aws.String(allows("s3:GetObject"))})
	if err != nil {
		t.Fatal(err)
	}
	says(t, a.may(federated, "s3:PutObject", "*"), "no session policy")
	for id, want := range map[string]string{
		api.CallerFrom(ctx).AuthorizationID:       idpURL + ":sub",
		api.CallerFrom(federated).AuthorizationID: "111122223333:bob",
	} {
		d, ok := a.iam.Denial(id)
		if !ok {
			t.Errorf("no refusal %q", id)
			continue
		}
		text, err := json.Marshal(d.Explain())
		if err != nil || !strings.Contains(strings.ToLower(string(text)), strings.ToLower(want)) {
			t.Errorf("%s, %v", text, err)
		}
	}
}
