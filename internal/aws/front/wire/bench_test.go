package wire

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// discard is a ResponseWriter that costs nothing but its headers.
type discard struct {
	h http.Header
	n int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { d.n += len(b); return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkGetCallerIdentity is the codec's whole part in a call.
func BenchmarkGetCallerIdentity(b *testing.B) {
	codec := newTestCodec(b)
	r, body := form("Action=GetCallerIdentity&Version=2011-06-15")
	w := &discard{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		call, err := codec.Route(r, body, "sts")
		if err != nil {
			b.Fatal(err)
		}
		in := &sts.GetCallerIdentityInput{}
		if err := call.Decode(in); err != nil {
			b.Fatal(err)
		}
		if err := call.Validate(in); err != nil {
			b.Fatal(err)
		}
		if err := call.Encode(w, identity, requestID); err != nil {
			b.Fatal(err)
		}
	}
}

func roles(n int) *iam.ListRolesOutput {
	out := &iam.ListRolesOutput{IsTruncated: true, Marker: aws.String("marker")}
	for i := range n {
		name := fmt.Sprintf("role-%03d", i)
		out.Roles = append(out.Roles, iamtypes.Role{
			Path: aws.String("/"), RoleName: aws.String(name), RoleId: aws.String("AROAIOSFODNN7EXAMPLE"), Arn: aws.String("arn:aws:iam::111122223333:role/" + name),
			CreateDate: aws.Time(time.Unix(1700000000, 0)), MaxSessionDuration: aws.Int32(3600), Description: aws.String("a role"),
			AssumeRolePolicyDocument: aws.String(url.QueryEscape(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}`)),
		})
	}
	return out
}

func BenchmarkListRoles100(b *testing.B) {
	codec := newTestCodec(b)
	r, body := form("Action=ListRoles&Version=2010-05-08&MaxItems=100")
	out := roles(100)
	w := &discard{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		call, err := codec.Route(r, body, "iam")
		if err != nil {
			b.Fatal(err)
		}
		in := &iam.ListRolesInput{}
		if err := call.Decode(in); err != nil {
			b.Fatal(err)
		}
		if err := call.Encode(w, out, requestID); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(w.n / b.N))
}

// BenchmarkPutLogEvents decodes 1000 events of 200 bytes.
func BenchmarkPutLogEvents(b *testing.B) {
	codec := newTestCodec(b)
	var sb strings.Builder
	sb.WriteString(`{"logGroupName":"g","logStreamName":"s","logEvents":[`)
	for i := range 1000 {
		if i > 0 {
			sb.WriteByte(',')
		}
		fmt.Fprintf(&sb, `{"timestamp":%d,"message":"%s"}`, 1700000000000+i, strings.Repeat("x", 200))
	}
	sb.WriteString("]}")
	r, body := form(sb.String(), "X-Amz-Target", "Logs_20140328.PutLogEvents")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		call, err := codec.Route(r, body, "logs")
		if err != nil {
			b.Fatal(err)
		}
		if err := call.Decode(&cloudwatchlogs.PutLogEventsInput{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNew is what the tables cost every start.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFirstCall is what the biggest table costs once: EC2's.
func BenchmarkFirstCall(b *testing.B) {
	for b.Loop() {
		codec := newTestCodec(b)
		r, body := form("Action=DescribeInstances&Version=2016-11-15")
		call, err := codec.Route(r, body, "ec2")
		if err != nil {
			b.Fatal(err)
		}
		if err := call.Decode(&ec2.DescribeInstancesInput{}); err != nil {
			b.Fatal(err)
		}
		if err := call.Encode(httptest.NewRecorder(), &ec2.DescribeInstancesOutput{}, requestID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkXMLText writes a trust policy as IAM's answers have it.
func BenchmarkXMLText(b *testing.B) {
	text := url.QueryEscape(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}`)
	var out []byte
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		out = appendXMLText(out[:0], text)
	}
}

// TestXMLTextInWords: what is looked at eight bytes at a time comes out as one
// byte at a time.
func TestXMLTextInWords(t *testing.T) {
	for c := range 256 {
		for at := range 9 {
			text := strings.Repeat("x", at) + string([]byte{byte(c)}) + strings.Repeat("x", 9-at)
			want := strings.Repeat("x", at) + string(appendXMLText(nil, string([]byte{byte(c)}))) + strings.Repeat("x", 9-at)
			if got := string(appendXMLText(nil, text)); got != want {
				t.Errorf("%q became %q, want %q", text, got, want)
			}
		}
	}
}
