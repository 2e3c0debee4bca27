package s3

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// mostOfPolicy is the size of a bucket policy in bytes.
const mostOfPolicy = 20 << 10

// bucketPolicy is a bucket's policy, compiled, and what blocks it.
type bucketPolicy struct {
	program  *policy.Program
	document *policy.Document
	public   bool
	restrict bool // RestrictPublicBuckets
}

// restricted says whether the policy is public and bound to serve the account's
// own principals alone.
func (p *bucketPolicy) restricted() bool { return p != nil && p.public && p.restrict }

// bucketChanged keeps the compiled policies up to date. A stored policy that can't
// be read any more refuses: it is compiled to one that denies everything.
func (s *S3) bucketChanged(name string, old, new *Bucket) {
	next := map[string]*bucketPolicy{}
	for k, v := range *s.policies.Load() {
		next[k] = v
	}
	delete(next, name)
	if new != nil && new.Policy != "" {
		doc, err := policy.Parse(policy.Resource, new.Policy)
		if err != nil {
			s.Log.Error("a bucket's policy can't be read: all is denied", "bucket", name, "error", err)
			doc, _ = policy.Parse(policy.Resource, denyAll)
		}
		next[name] = &bucketPolicy{
			program:  policy.NewProgram(policy.Source{Policy: policy.Compile(doc)}),
			document: doc, public: public(doc), restrict: new.Block != nil && new.Block.Restrict,
		}
	}
	s.policies.Store(&next)
}

const denyAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}`

func (s *S3) putBucketPolicy(ctx context.Context, in *s3.PutBucketPolicyInput) (*s3.PutBucketPolicyOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutBucketPolicy", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	text := ""
	if in.Policy != nil {
		text = *in.Policy
	}
	doc, err := s.checkPolicy(*in.Bucket, text)
	if err != nil {
		return nil, err
	}
	stored, err := s.IAM.StoredPolicy(doc)
	if err != nil {
		return nil, malformedPolicy("Invalid principal in policy")
	}
	isPublic := public(doc)
	return &s3.PutBucketPolicyOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		if isPublic && b.Block != nil && b.Block.BlockPolicy {
			return accessDenied("User: " + api.CallerFrom(ctx).ARN + ` is not authorized to perform: s3:PutBucketPolicy on resource: "` +
				bucketARN(s.Place, b.Name) + `" because public policies are blocked by the BlockPublicPolicy block public access setting.`)
		}
		b.Policy = stored
		return nil
	})
}

func (s *S3) getBucketPolicy(ctx context.Context, in *s3.GetBucketPolicyInput) (*s3.GetBucketPolicyOutput, error) {
	if _, err := s.onBucket(ctx, "s3:GetBucketPolicy", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	p := (*s.policies.Load())[*in.Bucket]
	if p == nil {
		return nil, errNoPolicy
	}
	text := s.IAM.ShownPolicy(p.document)
	return &s3.GetBucketPolicyOutput{Policy: &text}, nil
}

func (s *S3) deleteBucketPolicy(ctx context.Context, in *s3.DeleteBucketPolicyInput) (*s3.DeleteBucketPolicyOutput, error) {
	if _, err := s.onBucket(ctx, "s3:DeleteBucketPolicy", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	return &s3.DeleteBucketPolicyOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Policy = ""
		return nil
	})
}

func (s *S3) getBucketPolicyStatus(ctx context.Context, in *s3.GetBucketPolicyStatusInput) (*s3.GetBucketPolicyStatusOutput, error) {
	if _, err := s.onBucket(ctx, "s3:GetBucketPolicyStatus", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	p := (*s.policies.Load())[*in.Bucket]
	if p == nil {
		return nil, errNoPolicy
	}
	return &s3.GetBucketPolicyStatusOutput{PolicyStatus: &types.PolicyStatus{IsPublic: &p.public}}, nil
}

func malformedPolicy(text string) error {
	return api.Errorf(http.StatusBadRequest, "MalformedPolicy", "%s", text)
}

// checkPolicy parses a bucket's policy. Its errors are S3's, which are terser than
// those of other resources' policies.
func (s *S3) checkPolicy(bucket, text string) (*policy.Document, error) {
	if len(text) > mostOfPolicy {
		return nil, malformedPolicy("Policy exceeds the maximum allowed document size.")
	}
	if !strings.HasPrefix(text, "{") {
		return nil, malformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	doc, err := policy.Parse(policy.Resource, text)
	var e *policy.Error
	if errors.As(err, &e) {
		return nil, malformedPolicy(policyText(e))
	}
	if err != nil {
		return nil, err
	}
	for i := range doc.Statements {
		if text := checkStatement(s.Place, bucket, &doc.Statements[i]); text != "" {
			return nil, malformedPolicy(text)
		}
	}
	return doc, nil
}

// policyText is S3's text for an error of the parser.
func policyText(e *policy.Error) string {
	switch {
	case strings.HasPrefix(e.Message, "Invalid principal in policy"):
		return "Invalid principal in policy"
	case strings.HasPrefix(e.Message, "Actions/Condition"), strings.HasPrefix(e.Message, "Vendor "):
		return "Policy has invalid action"
	case strings.HasPrefix(e.Detail, "there is no Statement"):
		return "Missing required field Statement"
	}
	return e.Message
}

// checkStatement says in S3's words what is wrong with a statement: its resources
// are this bucket's, its actions S3's, and each action has such a resource.
func checkStatement(place api.Place, bucket string, st *policy.Statement) string {
	var kinds []string // of resources: bucket, object
	for _, r := range st.Resources {
		kind := resourceKind(place, bucket, r.Value)
		if kind == "" {
			return "Policy has invalid resource"
		}
		kinds = append(kinds, kind)
	}
	for _, a := range st.Actions {
		uses := usesOf(a.Value)
		if len(uses) == 0 {
			return "Policy has invalid action"
		}
		if st.NotAction || st.NotResource {
			continue
		}
		if !slices.ContainsFunc(kinds, func(k string) bool { return slices.Contains(uses, k) }) {
			return "Action does not apply to any resource(s) in statement"
		}
	}
	return ""
}

// resourceKind is "bucket" or "object", "" of a resource of another bucket. A
// pattern names objects if it goes beyond the bucket's name.
func resourceKind(place api.Place, bucket, resource string) string {
	rest, ok := strings.CutPrefix(resource, bucketARN(place, ""))
	if !ok {
		return ""
	}
	name, _, object := strings.Cut(rest, "/")
	head, _, wild := strings.Cut(name, "*")
	switch {
	case name != bucket && !(wild && head != "" && strings.HasPrefix(bucket, head)):
		return ""
	case object:
		return "object"
	}
	return "bucket"
}

// usesOf lists the resource types of the actions that a pattern covers; none means
// that it covers no action of S3.
func usesOf(pattern string) []string {
	lower := strings.ToLower(pattern)
	if lower == "*" {
		lower = "s3:*"
	}
	name, ok := strings.CutPrefix(lower, "s3:")
	if !ok || strings.ContainsAny(name, `[]\`) {
		return nil
	}
	table, _ := actions.Service("s3")
	var uses []string
	for _, a := range table.Actions {
		if covered, err := path.Match(name, strings.ToLower(a.Name)); err != nil || !covered {
			continue
		}
		if len(a.Resources) == 0 {
			uses = append(uses, "account")
		}
		for _, u := range a.Resources {
			uses = append(uses, table.Resources[u.Type].Name)
		}
	}
	return uses
}
