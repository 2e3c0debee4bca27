package resources

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func s3Tag(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} }

func createBucket(ctx context.Context, j *Job) (Made, error) {
	name := j.name("BucketName")
	if err := checkBucket(j.Properties); err != nil {
		return Made{}, err
	}
	if j.PhysicalID == "" {
		in := &s3.CreateBucketInput{Bucket: &name}
		if j.Place.Region != "us-east-1" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(j.Place.Region)}
		}
		err := do(ctx, j, "s3", step{"CreateBucket", in})
		if err != nil && !(exists(err) && j.Again && j.mine(bucketMade(ctx, j, name))) {
			return Made{}, err
		}
		j.initiated(name)
	}
	return madeBucket(j, name), setBucket(ctx, j, name)
}

func madeBucket(j *Job, name string) Made {
	return Made{name, map[string]any{
		"Arn":                 "arn:" + j.Place.Partition + ":s3:::" + name,
		"DomainName":          name + ".s3.amazonaws.com",
		"DualStackDomainName": name + ".s3.dualstack." + j.Place.Region + ".amazonaws.com",
		"RegionalDomainName":  name + ".s3." + j.Place.Region + ".amazonaws.com",
		"WebsiteURL":          "http://" + name + ".s3-website-" + j.Place.Region + ".amazonaws.com",
	}}
}

// bucketMade is when a bucket of the account was made; nil if that is not to be known.
func bucketMade(ctx context.Context, j *Job, name string) *time.Time {
	out, err := call[s3.ListBucketsOutput](ctx, j, "s3", "ListBuckets", &s3.ListBucketsInput{Prefix: &name})
	if err != nil {
		return nil
	}
	for _, b := range out.Buckets {
		if *b.Name == name {
			return b.CreationDate
		}
	}
	return nil
}

// checkBucket refuses what S3 here doesn't do.
func checkBucket(p map[string]any) error {
	for _, rule := range objects(object(p, "OwnershipControls"), "Rules") {
		if o := text(rule, "ObjectOwnership"); o != string(types.ObjectOwnershipBucketOwnerEnforced) {
			return errors.New("Object ownership " + o + " is not supported")
		}
	}
	if acl := text(p, "AccessControl"); acl != "" && acl != "Private" {
		return errors.New("AccessControl " + acl + " is not supported: buckets have no ACLs")
	}
	return nil
}

// setBucket gives a bucket its tags and its public access block.
func setBucket(ctx context.Context, j *Job, name string) error {
	var steps []step
	if now := tags(j.Properties); len(now) > 0 {
		steps = append(steps, step{"PutBucketTagging", &s3.PutBucketTaggingInput{Bucket: &name, Tagging: &types.Tagging{TagSet: sorted(now, s3Tag)}}})
	}
	if block := object(j.Properties, "PublicAccessBlockConfiguration"); block != nil {
		steps = append(steps, step{"PutPublicAccessBlock", &s3.PutPublicAccessBlockInput{Bucket: &name, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: flag(block, "BlockPublicAcls"), BlockPublicPolicy: flag(block, "BlockPublicPolicy"),
			IgnorePublicAcls: flag(block, "IgnorePublicAcls"), RestrictPublicBuckets: flag(block, "RestrictPublicBuckets"),
		}}})
	}
	more, err := bucketSettings(j, name)
	if err != nil {
		return err
	}
	return do(ctx, j, "s3", append(steps, more...)...)
}

func updateBucket(ctx context.Context, j *Job) (Made, error) {
	if err := checkBucket(j.Properties); err != nil {
		return Made{}, err
	}
	name := j.PhysicalID
	if err := setBucket(ctx, j, name); err != nil {
		return Made{}, err
	}
	var steps []step
	if len(tags(j.Old)) > 0 && len(tags(j.Properties)) == 0 {
		steps = append(steps, step{"DeleteBucketTagging", &s3.DeleteBucketTaggingInput{Bucket: &name}})
	}
	if object(j.Old, "PublicAccessBlockConfiguration") != nil && object(j.Properties, "PublicAccessBlockConfiguration") == nil {
		steps = append(steps, step{"DeletePublicAccessBlock", &s3.DeletePublicAccessBlockInput{Bucket: &name}})
	}
	if object(j.Old, "BucketEncryption") != nil && object(j.Properties, "BucketEncryption") == nil {
		steps = append(steps, step{"DeleteBucketEncryption", &s3.DeleteBucketEncryptionInput{Bucket: &name}})
	}
	if object(j.Old, "LifecycleConfiguration") != nil && object(j.Properties, "LifecycleConfiguration") == nil {
		steps = append(steps, step{"DeleteBucketLifecycle", &s3.DeleteBucketLifecycleInput{Bucket: &name}})
	}
	return Made{}, undo(ctx, j, "s3", steps...)
}

func deleteBucket(ctx context.Context, j *Job) error {
	return do(ctx, j, "s3", step{"DeleteBucket", &s3.DeleteBucketInput{Bucket: &j.PhysicalID}})
}

func putBucketPolicy(ctx context.Context, j *Job) (Made, error) {
	bucket := ptr(j.Properties, "Bucket")
	err := do(ctx, j, "s3", step{"PutBucketPolicy", &s3.PutBucketPolicyInput{Bucket: bucket, Policy: document(j.Properties, "PolicyDocument")}})
	if err != nil {
		return Made{}, err
	}
	return Made{*bucket, map[string]any{}}, nil
}

func createBucketPolicy(ctx context.Context, j *Job) (Made, error) {
	if j.PhysicalID == "" && !j.Again {
		// One that is there already is somebody's.
		_, err := call[s3.GetBucketPolicyOutput](ctx, j, "s3", "GetBucketPolicy", &s3.GetBucketPolicyInput{Bucket: ptr(j.Properties, "Bucket")})
		if err == nil {
			return Made{}, errors.New("The bucket policy already exists on bucket " + text(j.Properties, "Bucket") + ".")
		}
	}
	return putBucketPolicy(ctx, j)
}

func deleteBucketPolicy(ctx context.Context, j *Job) error {
	return do(ctx, j, "s3", step{"DeleteBucketPolicy", &s3.DeleteBucketPolicyInput{Bucket: &j.PhysicalID}})
}
