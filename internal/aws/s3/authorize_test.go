package s3_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/eksact/eksact/internal/engine/actions"
)

// calls are all operations, with the action and the resource that each is asked
// with.
func calls(t *testing.T) map[string]struct {
	action, resource string
	call             func(*s3.Client) error
} {
	bkt, key, ctx := aws.String("bkt"), aws.String("dir/k"), t.Context()
	const bucket, object = "arn:aws:s3:::bkt", "arn:aws:s3:::bkt/dir/k"
	type one = struct {
		action, resource string
		call             func(*s3.Client) error
	}
	second := func(_ any, err error) error { return err }
	id, part := aws.String("id"), aws.Int32(1)
	tags := &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
	return map[string]one{
		"ListBuckets": {"s3:ListAllMyBuckets", "*", func(c *s3.Client) error { return second(c.ListBuckets(ctx, &s3.ListBucketsInput{})) }},
		"CreateBucket": {"s3:CreateBucket", "arn:aws:s3:::new", func(c *s3.Client) error {
			return second(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("new")}))
		}},
		"DeleteBucket": {"s3:DeleteBucket", bucket, func(c *s3.Client) error { return second(c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bkt})) }},
		"GetBucketLocation": {"s3:GetBucketLocation", bucket, func(c *s3.Client) error {
			return second(c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: bkt}))
		}},
		"GetBucketVersioning": {"s3:GetBucketVersioning", bucket, func(c *s3.Client) error {
			return second(c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bkt}))
		}},
		"PutBucketVersioning": {"s3:PutBucketVersioning", bucket, func(c *s3.Client) error {
			return second(c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bkt, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}}))
		}},
		"GetBucketEncryption": {"s3:GetEncryptionConfiguration", bucket, func(c *s3.Client) error {
			return second(c.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: bkt}))
		}},
		"PutBucketEncryption": {"s3:PutEncryptionConfiguration", bucket, func(c *s3.Client) error {
			return second(c.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: bkt, ServerSideEncryptionConfiguration: encryptedBy(types.ServerSideEncryptionAes256)}))
		}},
		"DeleteBucketEncryption": {"s3:PutEncryptionConfiguration", bucket, func(c *s3.Client) error {
			return second(c.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: bkt}))
		}},
		"GetBucketLifecycleConfiguration": {"s3:GetLifecycleConfiguration", bucket, func(c *s3.Client) error {
			return second(c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bkt}))
		}},
		"PutBucketLifecycleConfiguration": {"s3:PutLifecycleConfiguration", bucket, func(c *s3.Client) error {
			return second(c.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: bkt, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{
				{Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(9)}}}}}))
		}},
		"DeleteBucketLifecycle": {"s3:PutLifecycleConfiguration", bucket, func(c *s3.Client) error {
			return second(c.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: bkt}))
		}},
		"ListObjectVersions": {"s3:ListBucketVersions", bucket, func(c *s3.Client) error {
			return second(c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bkt}))
		}},
		"GetBucketAcl": {"s3:GetBucketAcl", bucket, func(c *s3.Client) error { return second(c.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: bkt})) }},
		"GetBucketOwnershipControls": {"s3:GetBucketOwnershipControls", bucket, func(c *s3.Client) error {
			return second(c.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: bkt}))
		}},
		"GetBucketPolicy": {"s3:GetBucketPolicy", bucket, func(c *s3.Client) error {
			return second(c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bkt}))
		}},
		"PutBucketPolicy": {"s3:PutBucketPolicy", bucket, func(c *s3.Client) error {
			return second(c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bkt, Policy: aws.String("{}")}))
		}},
		"DeleteBucketPolicy": {"s3:DeleteBucketPolicy", bucket, func(c *s3.Client) error {
			return second(c.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: bkt}))
		}},
		"GetBucketPolicyStatus": {"s3:GetBucketPolicyStatus", bucket, func(c *s3.Client) error {
			return second(c.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: bkt}))
		}},
		"GetPublicAccessBlock": {"s3:GetBucketPublicAccessBlock", bucket, func(c *s3.Client) error {
			return second(c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: bkt}))
		}},
		"PutPublicAccessBlock": {"s3:PutBucketPublicAccessBlock", bucket, func(c *s3.Client) error {
			return second(c.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: bkt, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{}}))
		}},
		"DeletePublicAccessBlock": {"s3:PutBucketPublicAccessBlock", bucket, func(c *s3.Client) error {
			return second(c.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: bkt}))
		}},
		"GetBucketTagging": {"s3:GetBucketTagging", bucket, func(c *s3.Client) error {
			return second(c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bkt}))
		}},
		"PutBucketTagging": {"s3:PutBucketTagging", bucket, func(c *s3.Client) error {
			return second(c.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: bkt, Tagging: tags}))
		}},
		"DeleteBucketTagging": {"s3:PutBucketTagging", bucket, func(c *s3.Client) error {
			return second(c.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: bkt}))
		}},
		"ListObjects":   {"s3:ListBucket", bucket, func(c *s3.Client) error { return second(c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: bkt})) }},
		"ListObjectsV2": {"s3:ListBucket", bucket, func(c *s3.Client) error { return second(c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bkt})) }},
		"ListMultipartUploads": {"s3:ListBucketMultipartUploads", bucket, func(c *s3.Client) error {
			return second(c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bkt}))
		}},
		"GetObject": {"s3:GetObject", object, func(c *s3.Client) error { return second(c.GetObject(ctx, &s3.GetObjectInput{Bucket: bkt, Key: key})) }},
		"PutObject": {"s3:PutObject", object, func(c *s3.Client) error {
			return second(c.PutObject(ctx, &s3.PutObjectInput{Bucket: bkt, Key: key, Body: strings.NewReader("x")}))
		}},
		"CopyObject": {"s3:PutObject", object, func(c *s3.Client) error {
			return second(c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bkt, Key: key, CopySource: aws.String("bkt/k")}))
		}},
		"DeleteObject": {"s3:DeleteObject", object, func(c *s3.Client) error {
			return second(c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bkt, Key: key}))
		}},
		"GetObjectTagging": {"s3:GetObjectTagging", object, func(c *s3.Client) error {
			return second(c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bkt, Key: key}))
		}},
		"PutObjectTagging": {"s3:PutObjectTagging", object, func(c *s3.Client) error {
			return second(c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bkt, Key: key, Tagging: tags}))
		}},
		"DeleteObjectTagging": {"s3:DeleteObjectTagging", object, func(c *s3.Client) error {
			return second(c.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: bkt, Key: key}))
		}},
		"CreateMultipartUpload": {"s3:PutObject", object, func(c *s3.Client) error {
			return second(c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bkt, Key: key}))
		}},
		"UploadPart": {"s3:PutObject", object, func(c *s3.Client) error {
			return second(c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bkt, Key: key, UploadId: id, PartNumber: part, Body: strings.NewReader("x")}))
		}},
		"UploadPartCopy": {"s3:PutObject", object, func(c *s3.Client) error {
			return second(c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: bkt, Key: key, UploadId: id, PartNumber: part, CopySource: aws.String("bkt/k")}))
		}},
		"CompleteMultipartUpload": {"s3:PutObject", object, func(c *s3.Client) error {
			return second(c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bkt, Key: key, UploadId: id}))
		}},
		"AbortMultipartUpload": {"s3:AbortMultipartUpload", object, func(c *s3.Client) error {
			return second(c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bkt, Key: key, UploadId: id}))
		}},
		"ListParts": {"s3:ListMultipartUploadParts", object, func(c *s3.Client) error {
			return second(c.ListParts(ctx, &s3.ListPartsInput{Bucket: bkt, Key: key, UploadId: id}))
		}},
	}
}

// TestEveryCallIsAuthorized: who has no policy is refused every call, by the action
// and the resource that S3 names; who has that action on that resource is not.
func TestEveryCallIsAuthorized(t *testing.T) {
	a := open3(t)
	put(t, a.admin, "bkt", "dir/k", "x")
	nobody := a.user(t, "nobody", "")
	others := map[string]bool{"HeadBucket": true, "HeadObject": true, "DeleteObjects": true} // below
	for name := range a.s3.Service().Operations {
		if _, ok := calls(t)[name]; !ok && !others[name] {
			t.Errorf("%s is not tried", name)
		}
	}
	for name, tc := range calls(t) {
		table, action := actions.Look(tc.action)
		if action == nil {
			t.Errorf("%s: AWS's reference has no action %s", name, tc.action)
		} else if !slices.ContainsFunc(action.Resources, func(u actions.Use) bool { return table.Resources[u.Type].Matches(tc.resource) }) && tc.resource != "*" {
			t.Errorf("%s: in AWS's reference %s has no resource like %s", name, tc.action, tc.resource)
		}
		t.Run(name, func(t *testing.T) {
			on := ` on resource: "` + tc.resource + `"`
			if tc.resource == "*" {
				on = ""
			}
			refused(t, tc.call(nobody), "AccessDenied", `User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: `+tc.action+on+` because no identity-based policy allows the `+tc.action+` action`)
			wrong := a.user(t, "wrong-"+name, document(statement("Allow", tc.action, "arn:aws:s3:::another,arn:aws:s3:::another/*")))
			refused(t, tc.call(wrong), "AccessDenied", tc.action)
			right := a.user(t, "right-"+name, document(statement("Allow", tc.action, tc.resource)))
			if err := tc.call(right); err != nil && strings.Contains(err.Error(), "perform: "+tc.action+" ") {
				t.Errorf("with the action: %v", err)
			}
			if tc.resource != "*" { // that S3 is called shows by the path
				refused(t, tc.call(a.anonymous()), "AccessDenied", "Access Denied")
			}
		})
	}
	_, err := nobody.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("bkt")})
	refused(t, err, "Forbidden", "")
	_, err = nobody.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	refused(t, err, "Forbidden", "")
}

// TestMissingKey: only who may list a bucket learns that a key is missing.
func TestMissingKey(t *testing.T) {
	a := open3(t)
	reader := a.user(t, "reader", document(statement("Allow", "s3:GetObject", "arn:aws:s3:::bkt/*")))
	lister := a.user(t, "lister", document(statement("Allow", "s3:GetObject,s3:ListBucket", "arn:aws:s3:::bkt,arn:aws:s3:::bkt/*")))
	in := &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("none")}
	_, err := reader.GetObject(t.Context(), in)
	refused(t, err, "AccessDenied", `is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::bkt" because no identity-based policy allows the s3:ListBucket action`)
	_, err = lister.GetObject(t.Context(), in)
	refused(t, err, "NoSuchKey", "")
	head := &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: aws.String("none")}
	_, err = reader.HeadObject(t.Context(), head)
	refused(t, err, "Forbidden", "")
	_, err = lister.HeadObject(t.Context(), head)
	refused(t, err, "NotFound", "")
}

// TestDeleteSome: of many keys, those are deleted that the caller may delete.
func TestDeleteSome(t *testing.T) {
	a := open3(t)
	for _, k := range []string{"mine/1", "mine/2", "theirs"} {
		put(t, a.admin, "bkt", k, "x")
	}
	c := a.user(t, "ann", document(statement("Allow", "s3:DeleteObject", "arn:aws:s3:::bkt/mine/*")))
	out, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("bkt"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("mine/1")}, {Key: aws.String("theirs")}, {Key: aws.String("mine/none")}, {Key: aws.String("mine/2"), VersionId: aws.String("v1")},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Deleted) != 2 || *out.Deleted[0].Key != "mine/1" || *out.Deleted[1].Key != "mine/none" {
		t.Errorf("deleted %v", out.Deleted)
	}
	if len(out.Errors) != 2 || *out.Errors[0].Key != "theirs" || *out.Errors[0].Code != "AccessDenied" ||
		!strings.Contains(*out.Errors[0].Message, `perform: s3:DeleteObject on resource: "arn:aws:s3:::bkt/theirs"`) || *out.Errors[1].Code != "InvalidArgument" {
		t.Errorf("errors %v", out.Errors)
	}
	quiet, err := a.admin.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("bkt"), Delete: &types.Delete{Quiet: aws.Bool(true), Objects: []types.ObjectIdentifier{{Key: aws.String("theirs")}}}})
	if err != nil || len(quiet.Deleted)+len(quiet.Errors) != 0 {
		t.Errorf("quiet: %v, %v", quiet, err)
	}
	left, err := a.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bkt")})
	if err != nil || *left.KeyCount != 2 {
		t.Errorf("left %v, %v", left.Contents, err)
	}
}

// TestConditionKeys: what a call says of itself is what policies can ask for.
func TestConditionKeys(t *testing.T) {
	a := open3(t)
	must(t)(a.admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("red"), Body: strings.NewReader("x"), Tagging: aws.String("team=red")}))
	list := func(prefix, delimiter string, most int32) func(*s3.Client) error {
		return func(c *s3.Client) error {
			in := &s3.ListObjectsV2Input{Bucket: aws.String("bkt")}
			if prefix != "" {
				in.Prefix = &prefix
			}
			if delimiter != "" {
				in.Delimiter = &delimiter
			}
			if most > 0 {
				in.MaxKeys = &most
			}
			_, err := c.ListObjectsV2(t.Context(), in)
			return err
		}
	}
	read := func(key string) func(*s3.Client) error {
		return func(c *s3.Client) error {
			_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: &key})
			return err
		}
	}
	write := func(more func(*s3.PutObjectInput)) func(*s3.Client) error {
		return func(c *s3.Client) error {
			in := &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("new"), Body: strings.NewReader("x")}
			more(in)
			_, err := c.PutObject(t.Context(), in)
			return err
		}
	}
	copyOf := func(source string) func(*s3.Client) error {
		return func(c *s3.Client) error {
			_, err := c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("bkt"), Key: aws.String("copy"), CopySource: &source, TaggingDirective: types.TaggingDirectiveReplace})
			return err
		}
	}
	nothing := func(*s3.PutObjectInput) {}
	for i, tc := range []struct {
		actions, condition string
		yes, no            func(*s3.Client) error
	}{
		{"s3:ListBucket", `{"StringLike":{"s3:prefix":["home/*",""]}}`, list("home/a", "", 0), list("other", "", 0)},
		{"s3:ListBucket", `{"StringEquals":{"s3:delimiter":"/"}}`, list("", "/", 0), list("", "", 0)},
		{"s3:ListBucket", `{"NumericLessThanEquals":{"s3:max-keys":"10"}}`, list("", "", 10), list("", "", 11)},
		{"s3:GetObject", `{"StringEquals":{"s3:ExistingObjectTag/team":"red"}}`, read("red"), read("k")},
		{"s3:PutObject,s3:PutObjectTagging", `{"StringEquals":{"s3:RequestObjectTag/team":"red"}}`,
			write(func(in *s3.PutObjectInput) { in.Tagging = aws.String("team=red") }), write(func(in *s3.PutObjectInput) { in.Tagging = aws.String("team=blue") })},
		{"s3:PutObject", `{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`,
			write(func(in *s3.PutObjectInput) { in.ACL = types.ObjectCannedACLBucketOwnerFullControl }), write(nothing)},
		{"s3:PutObject,s3:GetObject", `{"StringLikeIfExists":{"s3:x-amz-copy-source":"bkt/k"}}`, copyOf("bkt/k"), copyOf("bkt/red")},
		{"s3:GetObject", `{"StringEquals":{"s3:ResourceAccount":"` + number + `","s3:authType":"REST-HEADER","s3:signatureversion":"AWS4-HMAC-SHA256"},"NumericLessThan":{"s3:signatureAge":"60000"}}`, read("k"), nil},
		{"s3:GetObject", `{"StringEquals":{"s3:authType":"REST-QUERY-STRING"}}`, nil, read("k")},
		{"s3:PutObject", `{"Null":{"s3:x-amz-server-side-encryption":"true"}}`, write(nothing), nil},
	} {
		c := a.user(t, "u"+string(rune('a'+i)), document(statement("Allow", tc.actions, "*", `"Condition":`+tc.condition)))
		if tc.yes != nil {
			if err := tc.yes(c); err != nil {
				t.Errorf("%s: %v", tc.condition, err)
			}
		}
		if tc.no != nil {
			refused(t, tc.no(c), "AccessDenied", "")
		}
	}
	tagger := a.user(t, "untagged", document(statement("Allow", "s3:PutObject", "*")))
	refused(t, write(func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=1") })(tagger), "AccessDenied", "s3:PutObjectTagging")
	source := a.user(t, "target", document(statement("Allow", "s3:PutObject", "*")))
	refused(t, copyOf("bkt/k")(source), "AccessDenied", `s3:GetObject on resource: "arn:aws:s3:::bkt/k"`)
}

// TestRefusalIsRecorded: a refusal of S3's names the record of it, as all others.
func TestRefusalIsRecorded(t *testing.T) {
	a := open3(t)
	nobody := a.user(t, "nobody", "")
	_, err := nobody.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) {
		t.Fatal(err)
	}
	id := answer.Response.Header.Get("X-Amzn-Authorization-Id")
	if id == "" {
		t.Fatalf("the answer's headers are %v", answer.Response.Header)
	}
	d, ok := a.IAM.Denial(id)
	if !ok {
		t.Fatalf("no record of %s", id)
	}
	if d.Who.Name != "nobody" || d.Decision.Allowed {
		t.Errorf("the record is of %+v", d.Who)
	}
}
