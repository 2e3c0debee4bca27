package s3_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func setPolicy(t *testing.T, c *s3.Client, document string) error {
	_, err := c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("bkt"), Policy: &document})
	return err
}

func open3(t *testing.T) *account {
	a := open(t)
	a.bucket(t, "bkt")
	put(t, a.admin, "bkt", "k", "x")
	return a
}

const anyone = `"Principal":"*"`

func TestMalformedPolicies(t *testing.T) {
	a := open3(t)
	a.user(t, "ann", "")
	ann := `"Principal":{"AWS":"arn:aws:iam::` + number + `:user/ann"}`
	const bucket, objects = "arn:aws:s3:::bkt", "arn:aws:s3:::bkt/*"
	for name, tc := range map[string]struct{ document, text string }{
		"text":                {`no`, "Policies must be valid JSON and the first byte must be '{'"},
		"JSON":                {`{"a"`, "This policy contains invalid Json"},
		"no statement":        {`{"Version":"2012-10-17"}`, "Missing required field Statement"},
		"empty":               {`{"Version":"2012-10-17","Statement":[]}`, "Could not parse the policy: Statement is empty!"},
		"version":             {strings.Replace(document(statement("Allow", "s3:GetObject", objects, ann)), "2012", "2013", 1), "The policy must contain a valid version string"},
		"effect":              {document(statement("allow", "s3:GetObject", objects, ann)), "Invalid effect: allow"},
		"no principal":        {document(statement("Allow", "s3:GetObject", objects)), "Missing required field Principal"},
		"unknown principal":   {document(statement("Allow", "s3:GetObject", objects, `"Principal":{"AWS":"arn:aws:iam::`+number+`:user/bob"}`)), "Invalid principal in policy"},
		"principal's form":    {document(statement("Allow", "s3:GetObject", objects, `"Principal":{"AWS":"ann"}`)), "Invalid principal in policy"},
		"wildcard principal":  {document(statement("Allow", "s3:GetObject", objects, `"Principal":{"AWS":"arn:aws:iam::`+number+`:user/*"}`)), "Invalid principal in policy"},
		"another bucket":      {document(statement("Allow", "s3:GetObject", "arn:aws:s3:::other/*", ann)), "Policy has invalid resource"},
		"a longer name":       {document(statement("Allow", "s3:GetObject", "arn:aws:s3:::bkt2/*", ann)), "Policy has invalid resource"},
		"no ARN":              {document(statement("Allow", "s3:GetObject", "*", ann)), "Policy has invalid resource"},
		"another service":     {document(statement("Allow", "ec2:RunInstances", objects, ann)), "Policy has invalid action"},
		"unknown action":      {document(statement("Allow", "s3:Nothing", objects, ann)), "Policy has invalid action"},
		"action's form":       {document(statement("Allow", "GetObject", objects, ann)), "Policy has invalid action"},
		"bucket's on objects": {document(statement("Allow", "s3:ListBucket", objects, ann)), "Action does not apply to any resource(s) in statement"},
		"objects' on bucket":  {document(statement("Allow", "s3:GetObject", bucket, ann)), "Action does not apply to any resource(s) in statement"},
		"operator":            {document(statement("Allow", "s3:GetObject", objects, ann, `"Condition":{"Nope":{"a":"b"}}`)), "Invalid Condition type : Nope"},
		"size":                {document(statement("Allow", "s3:GetObject", objects, ann, `"Sid":"`+strings.Repeat("x", 20<<10)+`"`)), "Policy exceeds the maximum allowed document size."},
	} {
		t.Run(name, func(t *testing.T) { refused(t, setPolicy(t, a.admin, tc.document), "MalformedPolicy", tc.text) })
	}
	for name, doc := range map[string]string{
		"both":    document(statement("Allow", "s3:GetObject,s3:ListBucket", objects+","+bucket, ann)),
		"all":     document(statement("Allow", "s3:*", objects, ann)),
		"get":     document(statement("Deny", "s3:Get*", bucket, ann)),
		"account": document(statement("Allow", "s3:GetObject", objects, `"Principal":{"AWS":"`+number+`"}`)),
	} {
		if err := setPolicy(t, a.admin, doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBucketPolicy: a grant to a user serves, names it by what it is, and outlives
// neither it nor the policy.
func TestBucketPolicy(t *testing.T) {
	a := open3(t)
	ann := a.user(t, "ann", "")
	read := func() error {
		_, err := ann.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
		return err
	}
	const sentence = `User: arn:aws:iam::111122223333:user/ann is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::bkt/k" because no identity-based policy allows the s3:GetObject action`
	refused(t, read(), "AccessDenied", sentence)
	arn := `arn:aws:iam::` + number + `:user/ann`
	doc := document(statement("Allow", "s3:GetObject", "arn:aws:s3:::bkt/*", `"Principal":{"AWS":"`+arn+`"}`))
	must(t)(nil, setPolicy(t, a.admin, doc))
	if err := read(); err != nil {
		t.Errorf("with a grant: %v", err)
	}
	got, err := a.admin.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("bkt")})
	if err != nil || *got.Policy != doc {
		t.Errorf("the policy is shown as %v, %v", aws.ToString(got.Policy), err)
	}
	status, err := a.admin.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{Bucket: aws.String("bkt")})
	if err != nil || *status.PolicyStatus.IsPublic {
		t.Errorf("status %v, %v", status, err)
	}
	must(t)(nil, setPolicy(t, a.admin, document(
		statement("Allow", "s3:GetObject", "arn:aws:s3:::bkt/*", `"Principal":{"AWS":"`+arn+`"}`),
		statement("Deny", "s3:GetObject", "arn:aws:s3:::bkt/k", `"Principal":{"AWS":"`+arn+`"}`))))
	refused(t, read(), "AccessDenied", `"arn:aws:s3:::bkt/k" with an explicit deny in a resource-based policy`)
	must(t)(a.admin.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("bkt")}))
	refused(t, read(), "AccessDenied", sentence)
}

// TestNamesake: who has a deleted user's name has not its grants.
func TestNamesake(t *testing.T) {
	a := open3(t)
	must(t)(a.iam.CreateUser(t.Context(), &awsiam.CreateUserInput{UserName: aws.String("ann")}))
	must(t)(nil, setPolicy(t, a.admin, document(statement("Allow", "s3:GetObject", "arn:aws:s3:::bkt/*", `"Principal":{"AWS":"arn:aws:iam::`+number+`:user/ann"}`))))
	must(t)(a.iam.DeleteUser(t.Context(), &awsiam.DeleteUserInput{UserName: aws.String("ann")}))
	namesake := a.user(t, "ann", "")
	_, err := namesake.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	refused(t, err, "AccessDenied", "because no identity-based policy allows")
	got, err := a.admin.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("bkt")})
	if err != nil || !strings.Contains(*got.Policy, `"AWS":"AIDA`) {
		t.Errorf("the policy is shown as %v, %v", aws.ToString(got.Policy), err)
	}
}

// TestPublic: anonymous callers are served only by a public policy that nothing
// blocks.
func TestPublic(t *testing.T) {
	a := open3(t)
	read := func() error {
		_, err := a.anonymous().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
		return err
	}
	doc := document(statement("Allow", "s3:GetObject", "arn:aws:s3:::bkt/*", anyone))
	refused(t, read(), "AccessDenied", "Access Denied")
	refused(t, setPolicy(t, a.admin, doc), "AccessDenied", `s3:PutBucketPolicy on resource: "arn:aws:s3:::bkt" because public policies are blocked by the BlockPublicPolicy block public access setting.`)
	block := func(policy, restrict bool) {
		must(t)(a.admin.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{Bucket: aws.String("bkt"), PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicPolicy: &policy, RestrictPublicBuckets: &restrict,
		}}))
	}
	block(false, true)
	must(t)(nil, setPolicy(t, a.admin, doc))
	refused(t, read(), "AccessDenied", "Access Denied")
	block(false, false)
	if err := read(); err != nil {
		t.Errorf("from a public bucket: %v", err)
	}
	status, err := a.admin.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{Bucket: aws.String("bkt")})
	if err != nil || !*status.PolicyStatus.IsPublic {
		t.Errorf("status %v, %v", status, err)
	}
	for name, call := range map[string]func(*s3.Client) error{
		"put": func(c *s3.Client) error {
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Body: strings.NewReader("y")})
			return err
		},
		"list": func(c *s3.Client) error {
			_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bkt")})
			return err
		},
		"missing": func(c *s3.Client) error {
			_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("none")})
			return err
		},
		"policy": func(c *s3.Client) error {
			_, err := c.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("bkt")})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { refused(t, call(a.anonymous()), "AccessDenied", "Access Denied") })
	}
	for condition, public := range map[string]bool{
		`{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`:                 false,
		`{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`:                      true,
		`{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`:              true,
		`{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`:                      false,
		`{"StringLike":{"aws:SourceVpc":"*"}}`:                            true,
		`{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}`:              true,
		`{"StringEquals":{"aws:UserAgent":"x"}}`:                          true,
		`{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`:                   false,
		`{"StringEquals":{"aws:PrincipalArn":"${aws:PrincipalTag/x}"}}`:   true,
		`{"ForAllValues:StringEquals":{"aws:SourceVpc":["vpc-1"]}}`:       true,
		`{"Bool":{"aws:SecureTransport":"true"},"Null":{"aws:x":"true"}}`: true,
	} {
		must(t)(nil, setPolicy(t, a.admin, document(statement("Allow", "s3:GetObject", "arn:aws:s3:::bkt/*", anyone, `"Condition":`+condition))))
		status, err := a.admin.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{Bucket: aws.String("bkt")})
		if err != nil || *status.PolicyStatus.IsPublic != public {
			t.Errorf("%s: public %v, want %v (%v)", condition, *status.PolicyStatus.IsPublic, public, err)
		}
	}
}

// TestDenyPlainHTTP is the policy of CDK's bootstrap bucket: over plain HTTP nobody
// gets in, the account's admin neither.
func TestDenyPlainHTTP(t *testing.T) {
	a := open3(t)
	must(t)(nil, setPolicy(t, a.admin, document(statement("Deny", "s3:*", "arn:aws:s3:::bkt,arn:aws:s3:::bkt/*", anyone, `"Condition":{"Bool":{"aws:SecureTransport":"false"}}`))))
	_, err := a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	refused(t, err, "AccessDenied", `"arn:aws:s3:::bkt/k" with an explicit deny in a resource-based policy`)
	_, err = a.anonymous().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	refused(t, err, "AccessDenied", "Access Denied")
}
