package iam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/engine/policy"
)

// taking is a call that takes a document.
type taking struct {
	name   string
	quota  int
	full   string // what is said of a document longer than that
	put    func(document string) error
	absent func(document string) error // the same for an entity that isn't there; nil of those that make one
	gone   string
}

// identityCalls are the calls that take an identity policy, managed ones first.
func identityCalls(t *testing.T, a *account) []taking {
	ctx, p := t.Context(), aws.String("p")
	a.user(t, "u", "")
	a.role(t, "r", trustEC2)
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: aws.String("g")}))
	managed := a.policy(t, "m", allow("s3:*"))
	version := func(arn *string) func(string) error {
		return func(document string) error {
			_, err := a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: &document})
			return err
		}
	}
	user := func(name string) func(string) error {
		return func(d string) error {
			_, err := a.admin.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: &name, PolicyName: p, PolicyDocument: &d})
			return err
		}
	}
	group := func(name string) func(string) error {
		return func(d string) error {
			_, err := a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: &name, PolicyName: p, PolicyDocument: &d})
			return err
		}
	}
	role := func(name string) func(string) error {
		return func(d string) error {
			_, err := a.admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: &name, PolicyName: p, PolicyDocument: &d})
			return err
		}
	}
	create := func(document string) error {
		name := "n" + time.Now().Format("150405.000000000")
		_, err := a.admin.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: aws.String(strings.ReplaceAll(name, ".", "")), PolicyDocument: &document})
		return err
	}
	none := arn("policy/none")
	return []taking{
		{"CreatePolicy", 6144, "Cannot exceed quota for PolicySize: 6144", create, nil, ""},
		{"CreatePolicyVersion", 6144, "Cannot exceed quota for PolicySize: 6144", version(managed), version(&none), "Policy " + none + " was not found."},
		{"PutUserPolicy", 2048, "Maximum policy size of 2048 bytes exceeded for user u", user("u"), user("none"), "The user with name none cannot be found."},
		{"PutGroupPolicy", 5120, "Maximum policy size of 5120 bytes exceeded for group g", group("g"), group("none"), "The group with name none cannot be found."},
		{"PutRolePolicy", 10240, "Maximum policy size of 10240 bytes exceeded for role r", role("r"), role("none"), "The role with name none cannot be found."},
	}
}

func trustCalls(t *testing.T, a *account) []taking {
	ctx := t.Context()
	a.role(t, "trusted", trustEC2)
	update := func(name string) func(string) error {
		return func(d string) error {
			_, err := a.admin.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: &d})
			return err
		}
	}
	create := func(d string) error {
		name := aws.String("n" + strings.ReplaceAll(time.Now().Format("150405.000000000"), ".", ""))
		_, err := a.admin.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: &d})
		return err
	}
	return []taking{
		{"CreateRole", 2048, "Cannot exceed quota for ACLSizePerRole: 2048", create, nil, ""},
		{"UpdateAssumeRolePolicy", 2048, "Cannot exceed quota for ACLSizePerRole: 2048", update("trusted"), update("none"), "The role with name none cannot be found."},
	}
}

// with puts elements into a statement that is otherwise good.
func with(elements string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + elements + `}]}`
}

const good = `"Action":"s3:GetObject","Resource":"*"`

// Malformed documents are refused in AWS's words by every call that takes one, and
// nothing of them stays.
func TestMalformedIdentityPolicies(t *testing.T) {
	a := open(t)
	for _, call := range identityCalls(t, a) {
		isManaged := strings.HasPrefix(call.name, "Create")
		for name, c := range map[string]struct{ document, want string }{
			"no JSON":                  {`{"Version"`, "Syntax errors in policy."},
			"a list":                   {`[]`, "Syntax errors in policy."},
			"two documents":            {allow("s3:*") + allow("s3:*"), "Syntax errors in policy."},
			"an element twice":         {with(`"Effect":"Deny",` + good), "Syntax errors in policy."},
			"statements twice":         {`{"Version":"2012-10-17","Statement":[],"Statement":[{"Effect":"Allow",` + good + `}]}`, "Syntax errors in policy."},
			"an unknown element":       {with(good + `,"Extra":"x"`), "Syntax errors in policy."},
			"action and no action":     {with(good + `,"NotAction":"s3:*"`), "Syntax errors in policy."},
			"an unknown operator":      {with(good + `,"Condition":{"MadeUp":{"aws:username":"a"}}`), "Syntax errors in policy."},
			"a condition without keys": {with(good + `,"Condition":{"StringEquals":"x"}`), "Syntax errors in policy."},
			"a principal":              {with(good + `,"Principal":"*"`), "Policy document should not specify a principal."},
			"an effect in lower case":  {strings.Replace(with(good), "Allow", "allow", 1), "The policy failed legacy parsing"},
			"no date":                  {with(good + `,"Condition":{"DateGreaterThan":{"aws:CurrentTime":"yesterday"}}`), "The policy failed legacy parsing"},
			"a Sid twice": {`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow",` + good + `},{"Sid":"a","Effect":"Deny",` + good + `}]}`,
				"Statement IDs (SID) in a single policy must be unique."},
			"a Sid with a space":    {with(good + `,"Sid":"a sid"`), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
			"no action":             {with(`"Resource":"*"`), "Policy statement must contain actions."},
			"no resource":           {with(`"Action":"s3:*"`), "Policy statement must contain resources."},
			"a name for a resource": {with(`"Action":"s3:*","Resource":"bucket"`), `Resource bucket must be in ARN format or "*".`},
			"another partition":     {with(`"Action":"s3:*","Resource":"arn:aw:s3:::b"`), `Partition "aw" is not valid for resource "arn:aw:s3:::b".`},
			"a region of IAM's":     {with(`"Action":"s3:*","Resource":"arn:aws:iam:us-east-1:1:role/r"`), "cannot contain region information."},
			"a path of IAM's":       {with(`"Action":"s3:*","Resource":"arn:aws:iam::1:thing/x"`), `IAM resource path must either be "*" or start with user/`},
			"no vendor":             {with(`"Action":"GetObject","Resource":"*"`), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
			"two colons":            {with(`"Action":"s3:Get:Object","Resource":"*"`), "Actions/Condition can contain only one colon."},
			"a vendor of two words": {with(`"Action":"a a:x","Resource":"*"`), "Vendor a a is not valid"},
			"nested without end":    {with(good + `,"Condition":{"StringEquals":{"aws:username":` + strings.Repeat("[", 50000) + strings.Repeat("]", 50000) + `}}`), "Syntax errors in policy."},
			"nested objects":        {strings.Repeat(`{"Statement":`, 9000) + "1" + strings.Repeat("}", 9000), "Syntax errors in policy."},
		} {
			begin := time.Now()
			refused(t, call.put(c.document), "MalformedPolicyDocument", c.want)
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("%s, %s: it took %s", call.name, name, took)
			}
			if call.absent != nil {
				refused(t, call.absent(c.document), "NoSuchEntity", call.gone) // an unknown entity wins over a bad document
			}
		}
		for _, old := range []string{`{"Version":"2008-10-17","Statement":{"Effect":"Allow",` + good + `}}`, `{"Statement":{"Effect":"Allow",` + good + `}}`} {
			if err := call.put(old); isManaged {
				refused(t, err, "MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater.")
			} else if err != nil {
				t.Errorf("%s: %v", call.name, err)
			}
		}
	}
}

func TestMalformedTrustPolicies(t *testing.T) {
	a := open(t)
	who := `"Principal":{"AWS":"` + number + `"},"Action":"sts:AssumeRole"`
	for _, call := range trustCalls(t, a) {
		for name, c := range map[string]struct{ document, want string }{
			"no JSON":            {`{"Version"`, "This policy contains invalid Json"},
			"no statement":       {`{"Version":"2012-10-17","Statement":[]}`, "Could not parse the policy: Statement is empty!"},
			"a strange version":  {strings.Replace(with(who), "2012", "2013", 1), "The policy must contain a valid version string"},
			"no effect":          {`{"Version":"2012-10-17","Statement":[{` + who + `}]}`, "Missing required field Effect"},
			"no principal":       {with(`"Action":"sts:AssumeRole"`), "Missing required field Principal"},
			"no action":          {with(`"Principal":{"AWS":"` + number + `"}`), "Missing required field Action"},
			"a strange effect":   {strings.Replace(with(who), "Allow", "Permit", 1), "Invalid effect: Permit"},
			"everyone but one":   {with(`"NotPrincipal":{"AWS":"` + number + `"},"Action":"sts:AssumeRole"`), "Allow with NotPrincipal is not allowed."},
			"another action":     {with(`"Principal":{"AWS":"` + number + `"},"Action":"s3:GetObject"`), "AssumeRole policy may only specify STS AssumeRole actions."},
			"a resource":         {with(who + `,"Resource":"*"`), "Has prohibited field Resource"},
			"nobody":             {with(`"Principal":{"AWS":"` + arn("user/none") + `"},"Action":"sts:AssumeRole"`), `Invalid principal in policy: "AWS":"` + arn("user/none") + `"`},
			"the bare star":      {with(`"Principal":"*","Action":"sts:AssumeRole"`), `AssumeRolepolicy contained an invalid principal: "STAR":"*".`},
			"a Sid twice":        {`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow",` + who + `},{"Sid":"a","Effect":"Deny",` + who + `}]}`, "The Statement Ids in the policy are not unique"},
			"an element twice":   {with(`"Effect":"Deny",` + who), "This policy contains invalid Json"},
			"nested without end": {with(who + `,"Condition":{"StringEquals":{"aws:username":` + strings.Repeat("[", 50000) + strings.Repeat("]", 50000) + `}}`), "This policy contains invalid Json"},
		} {
			if call.put(c.document) == nil {
				t.Errorf("%s, %s: it succeeded", call.name, name)
			}
			refused(t, call.put(c.document), "MalformedPolicyDocument", c.want)
			if call.absent != nil {
				refused(t, call.absent(c.document), "NoSuchEntity", call.gone)
			}
		}
	}
}

// A document of just its quota is good, white space aside; one byte more is not.
func TestSizesOfDocuments(t *testing.T) {
	a := open(t)
	sized := func(document string, n int) string {
		const filler = "s3:GetObject"
		return strings.Replace(document, filler, filler+strings.Repeat("x", n-policy.Size(document)), 1)
	}
	for _, call := range identityCalls(t, a) {
		ok(t)(nil, call.put(sized(with(good), call.quota)))
		ok(t)(nil, call.put(strings.ReplaceAll(sized(with(good), call.quota), ",", ",\n"+strings.Repeat(" ", 500))))
		refused(t, call.put(sized(with(good), call.quota+1)), "LimitExceeded", call.full)
		if call.absent != nil {
			refused(t, call.absent(sized(with(good), call.quota+1)), "NoSuchEntity", call.gone)
		}
	}
	trust := with(`"Principal":{"AWS":"` + number + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:username":"s3:GetObject"}}`)
	for _, call := range trustCalls(t, a) {
		ok(t)(nil, call.put(sized(trust, call.quota)))
		refused(t, call.put(sized(trust, call.quota+1)), "LimitExceeded", call.full)
	}
	// Longer than any: the API's own limit.
	_, err := a.admin.CreatePolicy(t.Context(), &awsiam.CreatePolicyInput{PolicyName: aws.String("long"), PolicyDocument: aws.String(with(good) + strings.Repeat(" ", 131072))})
	refused(t, err, "ValidationError", "Member must have length less than or equal to 131072")
}

// Long conditions and characters beyond ASCII: kept as they came, or refused by the
// API's own pattern.
func TestUnusualDocuments(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.role(t, "r", trustEC2)
	put := func(d string) error {
		_, err := a.admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: aws.String("r"), PolicyName: aws.String("p"), PolicyDocument: &d})
		return err
	}
	long := with(good + `,"Condition":{"StringLike":{"aws:username":"` + strings.Repeat("a*", 5000) + `"}}`)
	latin := with(good + `,"Condition":{"StringEquals":{"aws:PrincipalTag/team":["é","ÿ","\u4e2d"]}}`)
	for _, document := range []string{long, latin} {
		ok(t)(nil, put(document))
		details, err := a.admin.GetAccountAuthorizationDetails(ctx, &awsiam.GetAccountAuthorizationDetailsInput{})
		if err != nil {
			t.Fatal(err)
		}
		if got := unescaped(t, details.RoleDetailList[0].RolePolicyList[0].PolicyDocument); got != document {
			t.Errorf("it came back as %s", got)
		}
	}
	refused(t, put(with(good+`,"Sid":"中"`)), "ValidationError", "policyDocument")
	refused(t, put("\x00"+with(good)), "ValidationError", "policyDocument")
}
