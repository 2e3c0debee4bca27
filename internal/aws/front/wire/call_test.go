package wire

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/api"
)

func newTestCodec(t testing.TB) *Codec {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// form posts a query call.
func form(text string, header ...string) (*http.Request, []byte) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(text))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r, []byte(text)
}

const requestID = "c6104cbe-af31-11e0-8154-cbc7ccf896c7"

var identity = &sts.GetCallerIdentityOutput{Account: aws.String("111122223333"), Arn: aws.String("arn:aws:iam::111122223333:user/admin"), UserId: aws.String("AIDAIOSFODNN7EXAMPLE")}

func TestAnswersByteForByte(t *testing.T) {
	codec := newTestCodec(t)
	created := time.Date(2019, 6, 17, 20, 31, 59, 0, time.UTC)
	for _, c := range []struct {
		name        string
		request     func() (*http.Request, []byte)
		signing     string
		out         any
		contentType string
		body        string
	}{
		{"query", func() (*http.Request, []byte) { return form("Action=GetCallerIdentity&Version=2011-06-15") }, "sts", identity, "text/xml",
			`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <UserId>AIDAIOSFODNN7EXAMPLE</UserId>
    <Account>111122223333</Account>
    <Arn>arn:aws:iam::111122223333:user/admin</Arn>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>` + requestID + `</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>
`},
		{"query as JSON", func() (*http.Request, []byte) {
			return form("Action=GetCallerIdentity&Version=2011-06-15", "Accept", "application/json")
		}, "sts", identity, "application/json",
			`{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"UserId":"AIDAIOSFODNN7EXAMPLE","Account":"111122223333","Arn":"arn:aws:iam::111122223333:user/admin"},"ResponseMetadata":{"RequestId":"` + requestID + `"}}}`},
		{"query without output", func() (*http.Request, []byte) {
			return form("Action=DeleteRole&Version=2010-05-08&RoleName=r")
		}, "iam", &iam.DeleteRoleOutput{}, "text/xml",
			`<DeleteRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
  <ResponseMetadata>
    <RequestId>` + requestID + `</RequestId>
  </ResponseMetadata>
</DeleteRoleResponse>
`},
		{"query lists", func() (*http.Request, []byte) { return form("Action=ListRoles&Version=2010-05-08") }, "iam",
			&iam.ListRolesOutput{Roles: []iamtypes.Role{{Path: aws.String("/"), RoleName: aws.String("a<b"), RoleId: aws.String("AROA"), Arn: aws.String("arn"), CreateDate: &created, Tags: []iamtypes.Tag{}}}}, "text/xml",
			`<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
  <ListRolesResult>
    <Roles>
      <member>
        <Path>/</Path>
        <RoleName>a&lt;b</RoleName>
        <RoleId>AROA</RoleId>
        <Arn>arn</Arn>
        <CreateDate>2019-06-17T20:31:59Z</CreateDate>
        <Tags/>
      </member>
    </Roles>
    <IsTruncated>false</IsTruncated>
  </ListRolesResult>
  <ResponseMetadata>
    <RequestId>` + requestID + `</RequestId>
  </ResponseMetadata>
</ListRolesResponse>
`},
		{"EC2", func() (*http.Request, []byte) { return form("Action=DescribeInstances&Version=2016-11-15") }, "ec2", &ec2.DescribeInstancesOutput{NextToken: aws.String("n")}, "text/xml;charset=UTF-8",
			`<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>` + requestID + `</requestId>
    <nextToken>n</nextToken>
</DescribeInstancesResponse>`},
		{"EC2 without output", func() (*http.Request, []byte) {
			return form("Action=DeleteVpc&Version=2016-11-15&VpcId=vpc-1")
		}, "ec2", nil, "text/xml;charset=UTF-8",
			`<?xml version="1.0" encoding="UTF-8"?>
<DeleteVpcResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>` + requestID + `</requestId>
    <return>true</return>
</DeleteVpcResponse>`},
		{"REST-JSON", func() (*http.Request, []byte) { return httptest.NewRequest("GET", "/clusters/c", nil), nil }, "eks",
			&eks.DescribeClusterOutput{Cluster: &ekstypes.Cluster{Name: aws.String("c"), CreatedAt: aws.Time(created.Add(5 * time.Millisecond))}}, "application/json",
			`{"cluster":{"name":"c","createdAt":1560803519.005}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, body := c.request()
			call, err := codec.Route(r, body, c.signing)
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			if err := call.Encode(rec, c.out, requestID); err != nil {
				t.Fatal(err)
			}
			if got := rec.Body.String(); got != c.body {
				t.Errorf("body:\n%s\nnot:\n%s", got, c.body)
			}
			if got := rec.Header().Get("Content-Type"); got != c.contentType {
				t.Errorf("content type %q, not %q", got, c.contentType)
			}
			if rec.Header()["Content-Length"][0] != fmt.Sprint(len(c.body)) {
				t.Errorf("Content-Length %v of %d bytes", rec.Header()["Content-Length"], len(c.body))
			}
		})
	}
}

func TestErrorsByteForByte(t *testing.T) {
	codec := newTestCodec(t)
	denied := api.Errorf(403, "AccessDenied", "User: x is not authorized")
	for _, c := range []struct {
		name    string
		request func() (*http.Request, []byte)
		signing string
		err     error
		status  int
		body    string
		header  string // x-amzn-ErrorType
	}{
		{"query, modelled", func() (*http.Request, []byte) {
			return form("Action=GetRole&Version=2010-05-08&RoleName=x")
		}, "iam",
			fmt.Errorf("iam: %w", &iamtypes.NoSuchEntityException{Message: aws.String("The role with name x cannot be found.")}), 404,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
  <Error>
    <Type>Sender</Type>
    <Code>NoSuchEntity</Code>
    <Message>The role with name x cannot be found.</Message>
  </Error>
  <RequestId>` + requestID + `</RequestId>
</ErrorResponse>
`, ""},
		{"query, JSON", func() (*http.Request, []byte) {
			return form("Action=GetCallerIdentity&Version=2011-06-15", "Accept", "application/json")
		}, "sts", denied, 403,
			`{"Error":{"Code":"AccessDenied","Message":"User: x is not authorized","Type":"Sender"},"RequestId":"` + requestID + `"}`, ""},
		{"EC2", func() (*http.Request, []byte) { return form("Action=DescribeVpcs&Version=2016-11-15") }, "ec2", api.Errorf(400, "InvalidVpcID.NotFound", "The vpc ID 'x' does not exist"), 400,
			`<?xml version="1.0" encoding="UTF-8"?>
<Response>
<Errors>
<Error>
<Code>InvalidVpcID.NotFound</Code>
<Message>The vpc ID 'x' does not exist</Message>
</Error>
</Errors>
<RequestID>` + requestID + `</RequestID>
</Response>`, ""},
		{"REST-JSON, modelled, with members", func() (*http.Request, []byte) { return httptest.NewRequest("GET", "/clusters/x", nil), nil }, "eks",
			&ekstypes.ResourceNotFoundException{Message: aws.String("No cluster found for name: x."), ClusterName: aws.String("x")}, 404,
			`{"message":"No cluster found for name: x.","clusterName":"x"}`, "ResourceNotFoundException"},
		{"JSON 1.1, modelled", func() (*http.Request, []byte) {
			return form("{}", "X-Amz-Target", "Logs_20140328.DescribeLogGroups")
		}, "logs", &logstypes.ResourceNotFoundException{Message: aws.String("no")}, 400,
			`{"__type":"ResourceNotFoundException","message":"no"}`, "ResourceNotFoundException"},
		{"anything else", func() (*http.Request, []byte) { return httptest.NewRequest("GET", "/clusters/x", nil), nil }, "eks",
			errors.New("etcd at /run/eksact/etcd.sock: secret detail"), 500,
			`{"message":"The request processing has failed because of an unknown error, exception or failure."}`, "InternalFailure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, body := c.request()
			call, err := codec.Route(r, body, c.signing)
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			call.Fail(rec, c.err, requestID)
			if rec.Code != c.status {
				t.Errorf("status %d, not %d", rec.Code, c.status)
			}
			if got := rec.Body.String(); got != c.body {
				t.Errorf("body:\n%s\nnot:\n%s", got, c.body)
			}
			if got := strings.Join(asSent(rec.Header(), "x-amzn-ErrorType"), ""); got != c.header {
				t.Errorf("x-amzn-ErrorType %q, not %q", got, c.header)
			}
		})
	}
}

func TestRoute(t *testing.T) {
	codec := newTestCodec(t)
	arn := url.PathEscape("arn:aws:iam::111122223333:role/eng/x")
	rest := func(method, path string) func() (*http.Request, []byte) {
		return func() (*http.Request, []byte) { return httptest.NewRequest(method, path, nil), nil }
	}
	query := func(text string, header ...string) func() (*http.Request, []byte) {
		return func() (*http.Request, []byte) { return form(text, header...) }
	}
	for _, c := range []struct {
		name    string
		request func() (*http.Request, []byte)
		signing string
		want    string // service.operation, or the error
	}{
		{"signed query", query("Action=CreateRole&Version=2010-05-08"), "iam", "iam.CreateRole"},
		{"no version is the newest", query("Action=CreateRole"), "iam", "iam.CreateRole"},
		{"unsigned query, by version", query("Action=AssumeRoleWithWebIdentity&Version=2011-06-15"), "", "sts.AssumeRoleWithWebIdentity"},
		{"presigned GET", rest("GET", "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60"), "sts", "sts.GetCallerIdentity"},
		{"EC2", query("Action=DescribeInstances&Version=2016-11-15"), "ec2", "ec2.DescribeInstances"},
		{"target", query("{}", "X-Amz-Target", "Logs_20140328.PutLogEvents"), "logs", "cloudwatchlogs.PutLogEvents"},
		{"unsigned target", query("{}", "X-Amz-Target", "Logs_20140328.PutLogEvents"), "", "cloudwatchlogs.PutLogEvents"},
		{"path", rest("GET", "/clusters"), "eks", "eks.ListClusters"},
		{"path with label", rest("GET", "/clusters/c"), "eks", "eks.DescribeCluster"},
		{"an ARN in a path is one segment", rest("GET", "/clusters/c/access-entries/"+arn), "eks", "eks.DescribeAccessEntry"},
		{"literal before label", rest("GET", "/clusters/c/updates"), "eks", "eks.ListUpdates"},
		{"load balancers", query("Action=DescribeLoadBalancers&Version=2015-12-01"), "elasticloadbalancing", "elasticloadbalancingv2.DescribeLoadBalancers"},
		{"classic load balancers", query("Action=DescribeLoadBalancers&Version=2012-06-01"), "elasticloadbalancing", "elasticloadbalancing.DescribeLoadBalancers"},

		{"no such action", query("Action=Nope&Version=2010-05-08"), "iam", "400 InvalidAction: Could not find operation Nope for version 2010-05-08"},
		{"another version", query("Action=CreateRole&Version=2009-01-01"), "iam", "400 InvalidAction: Could not find operation CreateRole for version 2009-01-01"},
		{"another service's version", query("Action=CreateRole&Version=2011-06-15"), "iam", "400 InvalidAction: Could not find operation CreateRole for version 2011-06-15"},
		{"no version, nothing known", query("Action=Nope"), "", "400 InvalidAction: Could not find operation Nope for version NO_VERSION_SPECIFIED"},
		{"no such EC2 action", query("Action=Nope&Version=2016-11-15"), "ec2", "400 InvalidAction: The action Nope is not valid for this web service."},
		{"no action", query("Version=2010-05-08"), "iam", "400 MissingAction: The request is missing an action or a required parameter"},
		{"no such target", query("{}", "X-Amz-Target", "Logs_20140328.Nope"), "logs", "400 UnknownOperationException: The operation Nope is not known"},
		{"another service's target", query("{}", "X-Amz-Target", "Logs_20140328.PutLogEvents"), "iam", "400 UnknownOperationException: The operation Logs_20140328.PutLogEvents is not known"},
		{"a service not here", query("{}", "X-Amz-Target", "DynamoDB_20120810.GetItem"), "dynamodb", "400 UnknownOperationException: The operation DynamoDB_20120810.GetItem is not known"},
		{"a REST service not here", rest("GET", "/2015-03-31/functions"), "lambda", "404 UnknownOperationException: The service lambda is not offered here"},
		{"no such path", rest("GET", "/nope"), "eks", "404 UnknownOperationException: Unknown operation"},
		{"no such method", rest("PATCH", "/clusters"), "eks", "404 UnknownOperationException: Unknown operation"},
		{"broken escape", query("Action=%zz"), "iam", "400 MalformedQueryString: The query string contains a syntax error"},
		{"nothing at all", rest("GET", "/"), "", "400 MissingAction: The request is missing an action or a required parameter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, body := c.request()
			call, err := codec.Route(r, body, c.signing)
			got := ""
			if err != nil {
				var e *api.Error
				if !errors.As(err, &e) {
					t.Fatalf("not an AWS error: %v", err)
				}
				got = fmt.Sprintf("%d %v", e.Status, e)
				rec := httptest.NewRecorder()
				call.Fail(rec, err, requestID)
				if rec.Code != e.Status || !strings.Contains(rec.Body.String()+rec.Header().Get("x-amzn-errortype")+strings.Join(asSent(rec.Header(), "x-amzn-ErrorType"), ""), e.Code) {
					t.Errorf("failed with %d %s", rec.Code, rec.Body)
				}
			} else {
				got = call.Service.ID() + "." + call.Operation.Name
			}
			if got != c.want {
				t.Errorf("%s, not %s", got, c.want)
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	codec := newTestCodec(t)
	deep := strings.Repeat("[", 10000)
	for _, c := range []struct {
		name, signing, body, target, want string
		in                                any
	}{
		{"integer", "iam", "Action=ListRoles&Version=2010-05-08&MaxItems=abc", "", "MalformedInput: MaxItems must be an Integer", &iam.ListRolesInput{}},
		{"integer too big", "iam", "Action=ListRoles&Version=2010-05-08&MaxItems=99999999999", "", "MalformedInput: MaxItems must be an Integer", &iam.ListRolesInput{}},
		{"structure for a string", "iam", "Action=GetRole&Version=2010-05-08&RoleName.x=abc", "", "MalformedInput: Start of structure or map found where not expected.", &iam.GetRoleInput{}},
		{"list without member", "iam", "Action=TagRole&Version=2010-05-08&RoleName=r&Tags.1.Key=k", "", "MalformedInput: Start of list found where not expected", &iam.TagRoleInput{}},
		{"huge index is no allocation", "iam", "Action=TagRole&Version=2010-05-08&RoleName=r&Tags.member.999999999999.Key=k", "", "MalformedInput: 999999999999 is not a valid index", &iam.TagRoleInput{}},
		{"unknown EC2 parameter", "ec2", "Action=DescribeVpcs&Version=2016-11-15&Nope=1", "", "UnknownParameter: The parameter Nope is not recognized", &ec2.DescribeVpcsInput{}},
		{"JSON kind", "logs", `{"logGroupName":1}`, "Logs_20140328.CreateLogGroup", "SerializationException: NUMBER_VALUE can not be converted to a String", &struct{ LogGroupName *string }{}},
		{"JSON list", "logs", `{"logGroupName":[]}`, "Logs_20140328.CreateLogGroup", "SerializationException: Start of list found where not expected", &struct{ LogGroupName *string }{}},
		{"JSON object", "logs", `{"logGroupName":{}}`, "Logs_20140328.CreateLogGroup", "SerializationException: Start of structure or map found where not expected.", &struct{ LogGroupName *string }{}},
		{"JSON cut off", "logs", `{"logGroupName":"a`, "Logs_20140328.CreateLogGroup", "SerializationException: Unterminated string at offset 18", &struct{ LogGroupName *string }{}},
		{"JSON and more", "logs", `{} {}`, "Logs_20140328.CreateLogGroup", "SerializationException: Unexpected text after the document at offset 3", &struct{ LogGroupName *string }{}},
		{"JSON nested deep", "logs", `{"x":` + deep, "Logs_20140328.CreateLogGroup", "SerializationException: Nesting is too deep at offset 68", &struct{ LogGroupName *string }{}},
		{"not UTF-8", "logs", "{\"logGroupName\":\"\xff\"}", "Logs_20140328.CreateLogGroup", "SerializationException: The body is not UTF-8", &struct{ LogGroupName *string }{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, body := form(c.body)
			if c.target != "" {
				r.Header.Set("X-Amz-Target", c.target)
			}
			call, err := codec.Route(r, body, c.signing)
			if err != nil {
				t.Fatal(err)
			}
			err = call.Decode(c.in)
			if err == nil || err.Error() != c.want {
				t.Errorf("%v, not %s", err, c.want)
			}
		})
	}
}

// asSent is a header by the very name it is sent with, for clients that compare
// names by case.
func asSent(h http.Header, name string) []string { return h[name] }
