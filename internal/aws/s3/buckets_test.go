package s3_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestBucket(t *testing.T) {
	a := open(t)
	a.bucket(t, "one")
	a.bucket(t, "two")
	list, err := a.admin.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range list.Buckets {
		names = append(names, *b.Name+" "+*b.BucketRegion+" "+*b.BucketArn)
	}
	if want := []string{"one us-west-2 arn:aws:s3:::one", "two us-west-2 arn:aws:s3:::two"}; !slices.Equal(names, want) {
		t.Errorf("buckets %q, want %q", names, want)
	}
	page, err := a.admin.ListBuckets(t.Context(), &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)})
	if err != nil || len(page.Buckets) != 1 || page.ContinuationToken == nil {
		t.Fatalf("page %v, %v", page, err)
	}
	page, err = a.admin.ListBuckets(t.Context(), &s3.ListBucketsInput{ContinuationToken: page.ContinuationToken})
	if err != nil || len(page.Buckets) != 1 || *page.Buckets[0].Name != "two" {
		t.Fatalf("next page %v, %v", page, err)
	}
	where, err := a.admin.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: aws.String("one")})
	if err != nil || where.LocationConstraint != "us-west-2" {
		t.Errorf("location %v, %v", where, err)
	}
	head, err := a.admin.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("one")})
	if err != nil || aws.ToString(head.BucketRegion) != "us-west-2" {
		t.Errorf("head %v, %v", head, err)
	}
	block, err := a.admin.GetPublicAccessBlock(t.Context(), &s3.GetPublicAccessBlockInput{Bucket: aws.String("one")})
	if c := block.PublicAccessBlockConfiguration; err != nil || !*c.BlockPublicAcls || !*c.IgnorePublicAcls || !*c.BlockPublicPolicy || !*c.RestrictPublicBuckets {
		t.Errorf("a new bucket's public access block: %v, %v", block, err)
	}
	put(t, a.admin, "one", "k", "x")
	_, err = a.admin.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("one")})
	refused(t, err, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	must(t)(a.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("one"), Key: aws.String("k")}))
	must(t)(a.admin.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("one")}))
	_, err = a.admin.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("one")})
	refused(t, err, "NotFound", "")
}

func TestBucketTags(t *testing.T) {
	a := open(t)
	a.bucket(t, "one")
	bucket := aws.String("one")
	_, err := a.admin.GetBucketTagging(t.Context(), &s3.GetBucketTaggingInput{Bucket: bucket})
	refused(t, err, "NoSuchTagSet", "The TagSet does not exist")
	must(t)(a.admin.PutBucketTagging(t.Context(), &s3.PutBucketTaggingInput{Bucket: bucket, Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}}))
	got, err := a.admin.GetBucketTagging(t.Context(), &s3.GetBucketTaggingInput{Bucket: bucket})
	if err != nil || len(got.TagSet) != 1 || *got.TagSet[0].Key != "k" || *got.TagSet[0].Value != "v" {
		t.Errorf("tags %v, %v", got, err)
	}
	must(t)(a.admin.DeleteBucketTagging(t.Context(), &s3.DeleteBucketTaggingInput{Bucket: bucket}))
	_, err = a.admin.GetBucketTagging(t.Context(), &s3.GetBucketTaggingInput{Bucket: bucket})
	refused(t, err, "NoSuchTagSet", "")
	versions, err := a.admin.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: bucket})
	if err != nil || versions.Status != "" {
		t.Errorf("versioning %v, %v", versions, err)
	}
}

// TestBucketRefusals: what buckets can't be or can't do is refused by name.
func TestBucketRefusals(t *testing.T) {
	a := open(t)
	a.bucket(t, "one")
	c, ctx := a.admin, t.Context()
	here := &types.CreateBucketConfiguration{LocationConstraint: "us-west-2"}
	create := func(name string, more func(*s3.CreateBucketInput)) error {
		in := &s3.CreateBucketInput{Bucket: &name, CreateBucketConfiguration: here}
		if more != nil {
			more(in)
		}
		_, err := c.CreateBucket(ctx, in)
		return err
	}
	second := func(_ any, err error) error { return err }
	one := aws.String("one")
	for name, tc := range map[string]struct {
		err        error
		code, text string
	}{
		"short":            {create("ab", nil), "InvalidBucketName", "The specified bucket is not valid."},
		"upper case":       {create("Abc", nil), "InvalidBucketName", ""},
		"underscore":       {create("a_b", nil), "InvalidBucketName", ""},
		"dots":             {create("a..b", nil), "InvalidBucketName", ""},
		"only dots":        {create("...", nil), "InvalidBucketName", ""},
		"address":          {create("192.168.0.1", nil), "InvalidBucketName", ""},
		"long":             {create(strings.Repeat("a", 64), nil), "InvalidBucketName", ""},
		"alias":            {create("abc-s3alias", nil), "InvalidBucketName", ""},
		"again":            {create("one", nil), "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it."},
		"without location": {create("two", func(in *s3.CreateBucketInput) { in.CreateBucketConfiguration = nil }), "IllegalLocationConstraintException", "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to."},
		"elsewhere": {create("two", func(in *s3.CreateBucketInput) {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}
		}), "IllegalLocationConstraintException", "The eu-west-1 location constraint"},
		"public ACL":  {create("two", func(in *s3.CreateBucketInput) { in.ACL = types.BucketCannedACLPublicRead }), "InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs"},
		"object lock": {create("two", func(in *s3.CreateBucketInput) { in.ObjectLockEnabledForBucket = aws.Bool(true) }), "NotImplemented", "Object Lock"},
		"key": {second(c.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: one, ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{
			{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAwsKms, KMSMasterKeyID: aws.String("k")}}}}})), "NotImplemented", "with a key of the customer's"},
		"acl":            {second(c.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: one, ACL: types.BucketCannedACLPublicRead})), "NotImplemented", "PutBucketAcl"},
		"no lifecycle":   {second(c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: one})), "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"},
		"not there":      {second(c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("none")})), "NoSuchBucket", "The specified bucket does not exist"},
		"delete none":    {second(c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("none")})), "NoSuchBucket", ""},
		"list none":      {second(c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("none")})), "NoSuchBucket", ""},
		"another's":      {second(c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: one, ExpectedBucketOwner: aws.String("444455556666")})), "Forbidden", ""},
		"no policy":      {second(c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: one})), "NoSuchBucketPolicy", "The bucket policy does not exist"},
		"too many tags":  {second(c.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: one, Tagging: &types.Tagging{TagSet: manyTags(51)}})), "BadRequest", "greater than 50"},
		"the same twice": {second(c.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: one, Tagging: &types.Tagging{TagSet: append(manyTags(1), manyTags(1)...)}})), "InvalidTag", "Cannot provide multiple Tags with the same key"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tc.err, tc.code, tc.text) })
	}
	must(t)(c.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: one}))
	_, err := c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: one})
	refused(t, err, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
}

func manyTags(n int) (list []types.Tag) {
	for i := range n {
		list = append(list, types.Tag{Key: aws.String("k" + strings.Repeat("x", i)), Value: aws.String("v")})
	}
	return list
}
