package token

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxLength is the size of the largest token looked at, in bytes.
	MaxLength = 4096
	// Lifetime is how long a token lives after its X-Amz-Date, whatever its
	// X-Amz-Expires says: STS ignores that parameter.
	Lifetime = 15 * time.Minute
	// MaxSkew is how far ahead of our clock a token's date may be; STS's limit.
	MaxSkew = 5 * time.Minute
	// ClusterHeader is the signed header that carries the cluster's name.
	ClusterHeader = "x-k8s-aws-id"

	prefix     = "k8s-aws-v1."
	dateLayout = "20060102T150405Z"
	apiVersion = "2011-06-15"
)

// Request is a presigned GetCallerIdentity call that was never sent: the parts
// its signature covers, but for the cluster's name, which the verifier adds.
// The method is GET, the path "/", the body empty.
type Request struct {
	Scheme string // "https" or "http"
	Host   string // as signed, with its port if it has one
	// RawQuery is the query as it came, X-Amz-Signature included.
	RawQuery string

	AccessKeyID  string // AKIA… or ASIA…
	Region       string // of the credential scope
	SessionToken string // "" with long-term credentials
	SignedAt     time.Time
	// SignedHeaders are the names that the client claims to have signed, in its
	// order and spelling.
	SignedHeaders []string
}

// Headers are the headers besides Host that may be signed, keyed as net/http
// keys them, in a call on behalf of the cluster so named. A signature over any
// other header cannot be verified, and STS would not accept it either:
// aws-iam-authenticator sends no other that a client could foresee.
func (r *Request) Headers(cluster string) map[string][]string {
	return map[string][]string{
		"X-K8s-Aws-Id": {cluster},
		"Accept":       {"application/json"},
	}
}

// allowed are the query parameters a token may have, in lower case.
var allowed = map[string]bool{
	"action":               true,
	"version":              true,
	"x-amz-algorithm":      true,
	"x-amz-credential":     true,
	"x-amz-date":           true,
	"x-amz-expires":        true,
	"x-amz-security-token": true,
	"x-amz-signature":      true,
	"x-amz-signedheaders":  true,
}

// Parse reads a bearer token at the instant now. It answers with an [*Error]
// whose Reason is the first rule broken, in aws-iam-authenticator's order.
// What Parse accepts is well-formed and fresh; nothing is proved until the
// signature over the Request is verified.
func Parse(token string, hosts Hosts, now time.Time) (*Request, error) {
	u, err := decode(token)
	if err != nil {
		return nil, err
	}
	if err := hosts.check(u.Scheme, u.Host); err != nil {
		return nil, err
	}
	// A fragment or a user name is not signed and no client makes one.
	if u.Path != "/" || u.Fragment != "" || u.User != nil {
		return nil, malformed(Path, "unexpected path in pre-signed URL")
	}
	params, err := parameters(u.RawQuery)
	if err != nil {
		return nil, err
	}
	if params["action"] != "GetCallerIdentity" {
		return nil, malformed(Action, "unexpected action parameter in pre-signed URL")
	}
	signed := strings.Split(params["x-amz-signedheaders"], ";")
	if !containsFold(signed, ClusterHeader) {
		return nil, malformed(Unsigned, fmt.Sprintf("client did not sign the %s header in the pre-signed URL", ClusterHeader))
	}
	signedAt, err := freshDate(params, now)
	if err != nil {
		return nil, err
	}
	key, region, err := credential(params["x-amz-credential"])
	if err != nil {
		return nil, err
	}
	// Upstream leaves this rule to STS, hence its place and its wording.
	if limit := now.UTC().Add(MaxSkew); signedAt.After(limit) {
		return nil, FromSTS(Future, region, 403, "SignatureDoesNotMatch", fmt.Sprintf(
			"Signature not yet current: %s is still later than %s (%s + 5 min.)",
			signedAt.Format(dateLayout), limit.Format(dateLayout), now.UTC().Format(dateLayout)))
	}
	return &Request{
		Scheme:        u.Scheme,
		Host:          u.Host,
		RawQuery:      u.RawQuery,
		AccessKeyID:   key,
		Region:        region,
		SessionToken:  params["x-amz-security-token"],
		SignedAt:      signedAt,
		SignedHeaders: signed,
	}, nil
}

// decode unwraps the URL.
func decode(token string) (*url.URL, error) {
	if len(token) > MaxLength {
		return nil, malformed(TooLarge, "token is too large")
	}
	body, ok := strings.CutPrefix(token, prefix)
	if !ok {
		return nil, malformed(Prefix, fmt.Sprintf("token is missing expected %q prefix", prefix))
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, malformed(Encoding, err.Error())
	}
	u, err := url.Parse(string(text))
	if err != nil {
		return nil, malformed(URL, err.Error())
	}
	return u, nil
}

// parameters reads the query into a map with names in lower case, each allowed
// and present once.
func parameters(rawQuery string) (map[string]string, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, malformed(Query, "malformed query parameter")
	}
	spelling := make(map[string]string, len(query))
	for name := range query {
		lower := strings.ToLower(name)
		if other, twice := spelling[lower]; twice {
			return nil, malformed(Duplicate, fmt.Sprintf("duplicate query parameter found: %q", max(name, other)))
		}
		spelling[lower] = name
	}
	params := make(map[string]string, len(query))
	for lower, name := range spelling {
		if !allowed[lower] {
			return nil, malformed(Parameter, fmt.Sprintf("non-whitelisted query parameter %q", name))
		}
		if len(query[name]) != 1 {
			return nil, malformed(Multiple, "query parameter with multiple values not supported")
		}
		params[lower] = query[name][0]
	}
	return params, nil
}

// freshDate reads X-Amz-Date and holds it against the clock. X-Amz-Expires must
// make sense but decides nothing.
func freshDate(params map[string]string, now time.Time) (time.Time, error) {
	expires, err := strconv.Atoi(params["x-amz-expires"])
	if err != nil || expires < 0 || expires > 900 {
		return time.Time{}, malformed(Expires, fmt.Sprintf("invalid X-Amz-Expires parameter in pre-signed URL: %d", expires))
	}
	date := params["x-amz-date"]
	if date == "" {
		return time.Time{}, malformed(Date, "X-Amz-Date parameter must be present in pre-signed URL")
	}
	signedAt, err := time.Parse(dateLayout, date)
	if err == nil && len(date) != len(dateLayout) { // time.Parse lets fractions of a second pass
		err = fmt.Errorf("parsing time %q: extra text", date)
	}
	if err != nil {
		return time.Time{}, malformed(Date, fmt.Sprintf("error parsing X-Amz-Date parameter %s into format %s: %s", date, dateLayout, err))
	}
	if now.After(signedAt.Add(Lifetime)) {
		return time.Time{}, malformed(Expired, fmt.Sprintf("X-Amz-Date parameter is expired (%.f minute expiration) %s", Lifetime.Minutes(), signedAt))
	}
	return signedAt, nil
}

// credential reads KEY/DATE/REGION/sts/aws4_request.
func credential(scope string) (key, region string, err error) {
	parts := strings.Split(scope, "/")
	if len(parts) != 5 || parts[0] == "" || parts[2] == "" {
		return "", "", malformed(Credential, "X-Amz-Credential parameter must be KEY/DATE/REGION/sts/aws4_request in pre-signed URL")
	}
	if parts[3] != "sts" || parts[4] != "aws4_request" {
		return "", "", malformed(Credential, "X-Amz-Credential parameter is not scoped to sts in pre-signed URL")
	}
	return parts[0], parts[2], nil
}

func containsFold(list []string, want string) bool {
	for _, s := range list {
		if strings.EqualFold(s, want) {
			return true
		}
	}
	return false
}
