package wire

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
)

// Decoders meet bytes of strangers: they may refuse, with an AWS error, and
// nothing else.

func fuzzDecode(t *testing.T, codec *Codec, service, op string, p protocol, body string, in any) {
	svc := codec.Service(service)
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	call := &Call{Service: svc, Operation: svc.Operation(op), r: r, body: []byte(body), proto: p}
	if p == queryProtocol || p == ec2Protocol {
		if err := call.readForm(); err != nil {
			return
		}
	}
	err := call.Decode(in)
	if _, ok := err.(*api.Error); err != nil && !ok {
		t.Errorf("not an AWS error: %T %v", err, err)
	}
	if err == nil {
		_ = call.Validate(in) // must not panic
	}
}

func FuzzQuery(f *testing.F) {
	codec := newTestCodec(f)
	for _, s := range []string{
		"Action=TagRole&RoleName=r&Tags.member.1.Key=k&Tags.member.1.Value=v&Tags.member.10.Key=x&Tags.member.2.Key=y",
		"Tags=&Tags.member=&Tags.member.1=&Tags.member.1.Key", "Tags-x=1&Tags=&Tags.member.1.Key=2", "a=%41+b&&=&=x&%3d=",
		strings.Repeat("PolicyExclusionList.member.1.", 100) + "=x", "Filter.1.Name=n&Filter.1.Value.2=b&Filter.1.Value.1=a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fuzzDecode(t, codec, "iam", "SimulatePrincipalPolicy", queryProtocol, body, &iam.SimulatePrincipalPolicyInput{})
		fuzzDecode(t, codec, "iam", "TagRole", queryProtocol, body, &iam.TagRoleInput{})
		fuzzDecode(t, codec, "ec2", "RunInstances", ec2Protocol, body, &ec2.RunInstancesInput{})
	})
}

func FuzzJSON(f *testing.F) {
	codec := newTestCodec(f)
	for _, s := range []string{
		`{"name":"c","resourcesVpcConfig":{"subnetIds":["a",null,"b"]},"tags":{"a":"b"},"logging":{"clusterLogging":[{"types":["api"],"enabled":true}]}}`,
		`{"name":"\ud83d\ude00\u00e9\n"}`, `{"name":"\ud83d"}`, `[1,2.5e3,-0,true,null]`, `{"a":{}}x`, `01`, `"\x"`, ` `,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fuzzDecode(t, codec, "eks", "CreateCluster", restJSON, body, &eks.CreateClusterInput{})
		fuzzDecode(t, codec, "cloudwatchlogs", "PutIntegration", jsonRPC, body, &cloudwatchlogs.PutIntegrationInput{})

		// The reader takes what encoding/json takes, but for deep nesting.
		d := &jsonReader{text: body}
		err := d.skip()
		if err == nil {
			err = d.end()
		}
		if (err == nil) != json.Valid([]byte(body)) && (err == nil || !strings.Contains(err.Error(), "too deep")) {
			t.Errorf("%q: %v, encoding/json says %v", body, err, json.Valid([]byte(body)))
		}
		if len(body) > 0 && body[0] == '"' && err == nil {
			d := &jsonReader{text: body}
			got, _ := d.str()
			var want string
			if json.Unmarshal([]byte(body), &want) == nil && strings.ToValidUTF8(got, "\uFFFD") != strings.ToValidUTF8(want, "\uFFFD") {
				// encoding/json replaces invalid bytes one by one.
				if !strings.Contains(want, "\uFFFD") {
					t.Errorf("%s: %q, not %q", body, got, want)
				}
			}
			var back string
			if err := json.Unmarshal(appendJSONString(nil, got), &back); err != nil {
				t.Errorf("%q is written as no JSON: %v", got, err)
			} else if back != got && strings.ToValidUTF8(got, "") == got {
				t.Errorf("%q comes back as %q", got, back)
			}
		}
	})
}

func FuzzXMLAndCBOR(f *testing.F) {
	f.Add([]byte(`<CreateCluster xmlns="x"><name>c</name><tags><entry><key>a</key><value>b</value></entry></tags></CreateCluster>`))
	f.Add([]byte("\xa1\x64name\x61c"))
	f.Add([]byte("\xbf\x64name\x7f\x61a\x61b\xff\xff"))
	f.Add([]byte(strings.Repeat("\x81", 1000)))
	f.Add([]byte("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte(strings.Repeat("<name>", 1000)))
	codec := newTestCodec(f)
	svc := codec.Service("eks")
	op := svc.Operation("CreateCluster")
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, p := range []protocol{restXML, cborRPC} {
			call := &Call{Service: svc, Operation: op, r: httptest.NewRequest("POST", "/", nil), body: body, proto: p}
			in := &eks.CreateClusterInput{}
			if err := call.Decode(in); err != nil {
				if _, ok := err.(*api.Error); !ok {
					t.Errorf("not an AWS error: %T %v", err, err)
				}
			}
		}
	})
}

func FuzzRoute(f *testing.F) {
	codec := newTestCodec(f)
	f.Add("GET", "/clusters/a%2Fb/updates?x=1", "", "", "eks")
	f.Add("POST", "/", "Action=CreateRole&Version=2010-05-08", "", "iam")
	f.Add("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", "", "Logs_20140328.X", "logs")
	f.Fuzz(func(t *testing.T, method, target, body, amz, signing string) {
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		u, err := r.URL.Parse(target)
		if err != nil {
			t.Skip()
		}
		r.Method, r.URL = method, u
		r.Header.Set("X-Amz-Target", amz)
		call, err := codec.Route(r, []byte(body), signing)
		if call == nil {
			t.Fatal("no call")
		}
		if err != nil {
			call.Fail(httptest.NewRecorder(), err, "id")
		} else if call.Operation == nil {
			t.Error("neither an operation nor an error")
		}
	})
}

// TestMemoryIsBoundByTheBody: no few bytes may make the decoders allocate much.
func TestMemoryIsBoundByTheBody(t *testing.T) {
	codec := newTestCodec(t)
	for name, c := range map[string]struct {
		service, op string
		p           protocol
		body        string
		in          any
	}{
		"index":      {"iam", "TagRole", queryProtocol, "Tags.member.999999999.Key=k", &iam.TagRoleInput{}},
		"EC2 index":  {"ec2", "DescribeInstances", ec2Protocol, "InstanceId.999999999=i-1", &ec2.DescribeInstancesInput{}},
		"CBOR array": {"eks", "CreateCluster", cborRPC, "\xa1\x64tags\x9b\x00\x00\x00\xff\xff\xff\xff\xff", &eks.CreateClusterInput{}},
		"CBOR text":  {"eks", "CreateCluster", cborRPC, "\xa1\x64name\x7b\x00\x00\x00\xff\xff\xff\xff\xff", &eks.CreateClusterInput{}},
	} {
		fuzzDecode(t, codec, c.service, c.op, c.p, c.body, reflect.New(reflect.TypeOf(c.in).Elem()).Interface()) // plans are made once
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fuzzDecode(t, codec, c.service, c.op, c.p, c.body, c.in)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes of request made %d bytes", name, len(c.body), n)
		}
	}
}
