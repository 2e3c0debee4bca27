package refusals

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/cbor"
)

// protocol is one way to speak to AWS, and how it says each refusal.
type protocol struct {
	name    string
	service string // of the credential scope
	request func() (method, path, body string, header map[string]string)
	unknown func() (method, path, body string, header map[string]string)
	says    map[string]string // "STATUS CODE" by what is wrong
}

const form = "application/x-www-form-urlencoded; charset=utf-8"

func query(action, version string) func() (string, string, string, map[string]string) {
	return func() (string, string, string, map[string]string) {
		return "POST", "/", "Action=" + action + "&Version=" + version, map[string]string{"Content-Type": form}
	}
}

func target(name string) func() (string, string, string, map[string]string) {
	return func() (string, string, string, map[string]string) {
		return "POST", "/", "{}", map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": name}
	}
}

func get(path string) func() (string, string, string, map[string]string) {
	return func() (string, string, string, map[string]string) { return "GET", path, "", nil }
}

// What can be wrong with a request.
const (
	nothing       = "nothing"
	wrongSecret   = "a wrong secret key"
	unknownKey    = "an unknown access key"
	expired       = "an expired session token"
	tampered      = "a tampered session token"
	missing       = "no session token with a session's key"
	late          = "a signature six minutes old"
	early         = "a signature six minutes ahead"
	changedHeader = "a signed header changed on the way"
	addedHeader   = "an X-Amz header added on the way"
	changedBody   = "a body changed on the way"
	otherService  = "a signature for another service"
	otherRegion   = "a signature for another region"
	unsigned      = "no signature"
	noOperation   = "an unknown operation"
)

// protocols are those of the services there are. Sources of the answers: the
// common errors in each service's API reference.
var protocols = []protocol{
	{
		name: "query, of IAM", service: "iam",
		request: query("ListRoles", "2010-05-08"), unknown: query("ListNothing", "2010-05-08"),
		says: map[string]string{
			nothing: "200 ", wrongSecret: "403 SignatureDoesNotMatch", unknownKey: "403 InvalidClientTokenId",
			expired: "403 ExpiredToken", tampered: "403 InvalidClientTokenId", missing: "403 InvalidClientTokenId",
			late: "403 SignatureDoesNotMatch", early: "403 SignatureDoesNotMatch", changedHeader: "403 SignatureDoesNotMatch",
			addedHeader: "403 SignatureDoesNotMatch", changedBody: "403 SignatureDoesNotMatch", otherService: "403 SignatureDoesNotMatch",
			unsigned: "403 MissingAuthenticationToken", noOperation: "400 InvalidAction",
		},
	},
	{
		name: "EC2 query, of EC2", service: "ec2",
		request: query("DescribeVpcs", "2016-11-15"), unknown: query("DescribeNothing", "2016-11-15"),
		says: map[string]string{
			nothing: "200 ", wrongSecret: "401 AuthFailure", unknownKey: "401 AuthFailure",
			expired: "400 RequestExpired", tampered: "401 AuthFailure", missing: "401 AuthFailure",
			late: "400 RequestExpired", early: "400 RequestExpired", changedHeader: "401 AuthFailure",
			addedHeader: "401 AuthFailure", changedBody: "401 AuthFailure", otherService: "401 AuthFailure", otherRegion: "401 AuthFailure",
			unsigned: "400 MissingAuthenticationToken", noOperation: "400 InvalidAction",
		},
	},
	{
		name: "REST-JSON, of EKS", service: "eks",
		request: get("/clusters"), unknown: get("/nothings"),
		says: map[string]string{
			nothing: "200 ", wrongSecret: "403 InvalidSignatureException", unknownKey: "403 UnrecognizedClientException",
			expired: "403 ExpiredTokenException", tampered: "403 UnrecognizedClientException", missing: "403 UnrecognizedClientException",
			late: "403 InvalidSignatureException", early: "403 InvalidSignatureException", changedHeader: "403 InvalidSignatureException",
			addedHeader: "403 InvalidSignatureException", otherService: "403 InvalidSignatureException", otherRegion: "403 InvalidSignatureException",
			unsigned: "403 MissingAuthenticationTokenException", noOperation: "404 UnknownOperationException",
		},
	},
	{
		name: "JSON 1.1, of CloudWatch Logs", service: "logs",
		request: target("Logs_20140328.DescribeLogGroups"), unknown: target("Logs_20140328.DescribeNothings"),
		says: map[string]string{
			wrongSecret: "400 InvalidSignatureException", unknownKey: "400 UnrecognizedClientException",
			expired: "400 ExpiredTokenException", tampered: "400 UnrecognizedClientException", missing: "400 UnrecognizedClientException",
			late: "400 InvalidSignatureException", early: "400 InvalidSignatureException", changedHeader: "400 InvalidSignatureException",
			addedHeader: "400 InvalidSignatureException", changedBody: "400 InvalidSignatureException", otherRegion: "400 InvalidSignatureException",
			unsigned: "400 MissingAuthenticationTokenException", noOperation: "400 UnknownOperationException",
		},
	},
	{
		name: "CBOR, of CloudWatch", service: "monitoring",
		request: func() (string, string, string, map[string]string) {
			return "POST", "/service/GraniteServiceVersion20100801/operation/DescribeNothing", "\xa0",
				map[string]string{"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor"}
		},
		says: map[string]string{
			wrongSecret: "403 InvalidSignatureException", unknownKey: "403 UnrecognizedClientException", expired: "403 ExpiredTokenException",
			unsigned: "403 MissingAuthenticationTokenException", noOperation: "404 UnknownOperationException",
		},
	},
}

func (p *place) frontDoor(t *testing.T) {
	for _, proto := range protocols {
		for wrong, want := range proto.says {
			t.Run(proto.name+"/"+wrong, func(t *testing.T) {
				if got := p.send(t, proto, wrong); !strings.HasPrefix(got, want) {
					t.Errorf("answered %q, want %q", got, want)
				}
			})
		}
	}
	t.Run("STS/presigned", p.presigned)
	t.Run("STS/TLS", p.overTLS)
	t.Run("AWS CLI", p.cli)
	t.Run("sessions", p.sessions)
}

// send makes the protocol's request, spoilt in one way, and returns the answer's
// status and error code.
func (p *place) send(t *testing.T, proto protocol, wrong string) string {
	t.Helper()
	build := proto.request
	if wrong == noOperation && proto.unknown != nil {
		build = proto.unknown
	}
	method, path, body, header := build()
	req, err := http.NewRequest(method, p.door+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	req.Header.Set("X-Amz-Meta", "signed")

	keys, when, service, where := p.admin, time.Now(), proto.service, region
	switch wrong {
	case wrongSecret:
		keys.SecretAccessKey = strings.Repeat("x", 40)
	case unknownKey:
		keys.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
	case expired:
		keys = p.old
	case tampered:
		keys = p.fresh
		keys.SessionToken = flip(keys.SessionToken)
	case missing:
		keys = p.fresh
		keys.SessionToken = ""
	case late:
		when = when.Add(-6 * time.Minute)
	case early:
		when = when.Add(6 * time.Minute)
	case otherService:
		service = "sts"
	case otherRegion:
		where = "eu-west-1"
	}
	if wrong != unsigned {
		sum := sha256.Sum256([]byte(body))
		if err := v4.NewSigner().SignHTTP(context.Background(), keys, req, hex.EncodeToString(sum[:]), service, where, when); err != nil {
			t.Fatal(err)
		}
	}
	switch wrong {
	case changedHeader:
		req.Header.Set("X-Amz-Meta", "changed")
	case addedHeader:
		req.Header.Set("X-Amz-More", "unsigned")
	case changedBody:
		body += " "
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	return exchange(t, http.DefaultClient, req)
}

// flip changes one character in the middle of a token.
func flip(token string) string {
	b := []byte(token)
	i := len(b) / 2
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

var inXML = regexp.MustCompile(`<Code>([^<]*)</Code>`)

// exchange sends a request and returns the status, the error's code and the rest
// of the answer: "403 AccessDenied …".
func exchange(t *testing.T, client *http.Client, req *http.Request) string {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	code := resp.Header.Get("X-Amzn-Errortype")
	if m := inXML.FindSubmatch(body); m != nil {
		code = string(m[1])
	}
	if resp.Header.Get("Content-Type") == "application/cbor" {
		if v, err := cbor.Decode(body); err == nil {
			code = fmt.Sprint(v.(cbor.Map)["__type"])
		}
	}
	if resp.StatusCode >= 400 && !bytes.Contains(body, []byte(code)) && code == "" {
		t.Errorf("no error code in %q", body)
	}
	return fmt.Sprintf("%d %s %s", resp.StatusCode, code, body)
}

// presign makes a URL of GetCallerIdentity, signed so long ago.
func presign(t *testing.T, keys aws.Credentials, endpoint string, ago time.Duration, header map[string]string) string {
	t.Helper()
	return presignFor(t, keys, endpoint, ago, header, 60)
}

// presignFor asks for a lifetime in seconds, which STS ignores.
func presignFor(t *testing.T, keys aws.Credentials, endpoint string, ago time.Duration, header map[string]string, lifetime int) string {
	t.Helper()
	req, err := http.NewRequest("GET", fmt.Sprintf("%s/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=%d", endpoint, lifetime), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	empty := sha256.Sum256(nil)
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), keys, req, hex.EncodeToString(empty[:]), "sts", region, time.Now().Add(-ago))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (p *place) presigned(t *testing.T) {
	for _, c := range []struct {
		name string
		url  string
		want string
	}{
		{"fourteen minutes old", presign(t, p.admin, p.door, 14*time.Minute, nil), "200 "},
		{"replayed after sixteen minutes", presign(t, p.admin, p.door, 16*time.Minute, nil), "403 SignatureDoesNotMatch"},
		{"six minutes ahead", presign(t, p.admin, p.door, -6*time.Minute, nil), "403 SignatureDoesNotMatch"},
		{"of a session", presign(t, p.fresh, p.door, 0, nil), "200 "},
		{"of an expired session", presign(t, p.old, p.door, 0, nil), "403 ExpiredToken"},
		{"with another action", strings.Replace(presign(t, p.admin, p.door, 0, nil), "GetCallerIdentity", "GetSessionToken", 1), "403 SignatureDoesNotMatch"},
		{"made to last longer", strings.Replace(presign(t, p.admin, p.door, 0, nil), "X-Amz-Expires=60", "X-Amz-Expires=604800", 1), "403 SignatureDoesNotMatch"},
		{"with a younger date", redated(t, presign(t, p.admin, p.door, 16*time.Minute, nil)), "403 SignatureDoesNotMatch"},
		{"with half a signature", halved(presign(t, p.admin, p.door, 0, nil)), "403 SignatureDoesNotMatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequest("GET", c.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := exchange(t, http.DefaultClient, req); !strings.HasPrefix(got, c.want) {
				t.Errorf("answered %q, want %q", got, c.want)
			}
		})
	}
}

// redated writes the present over the date that a URL was signed with.
func redated(t *testing.T, signed string) string {
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
	u.RawQuery = q.Encode()
	return u.String()
}

func halved(signed string) string { return signed[:len(signed)-32] }
