package s3

import (
	"context"
	"errors"
	"strconv"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// keys are the condition keys that a call adds
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html).
type keys map[string][]string

// set adds a key whose value the call has.
func (k keys) set(name string, value *string) keys {
	if value != nil && *value != "" {
		k[name] = []string{*value}
	}
	return k
}

// tags adds what is known of tags: each one's value, and their names.
func (k keys) tags(prefix string, list []Tag) keys {
	for _, t := range list {
		k["s3:"+prefix+"/"+t.Key] = []string{t.Value}
		if prefix == "RequestObjectTag" {
			k["s3:RequestObjectTagKeys"] = append(k["s3:RequestObjectTagKeys"], t.Key)
		}
	}
	return k
}

func bucketARN(place api.Place, bucket string) string {
	return "arn:" + place.Partition + ":s3:::" + bucket
}

// mayBucket decides an action on a bucket.
func (s *S3) mayBucket(ctx context.Context, action, bucket string, k keys) error {
	return s.may(ctx, action, bucket, bucketARN(s.Place, bucket), k)
}

// mayObject decides an action on an object. The tags that it has are keys too.
func (s *S3) mayObject(ctx context.Context, action, bucket, key string, k keys) error {
	if k == nil {
		k = keys{}
	}
	if o, ok := s.objects.Get(objectKey(bucket, key)); ok {
		k.tags("ExistingObjectTag", o.Tags)
	}
	return s.may(ctx, action, bucket, bucketARN(s.Place, bucket)+"/"+key, k)
}

// may asks the identity's policies and the bucket's.
func (s *S3) may(ctx context.Context, action, bucket, resource string, k keys) error {
	who := api.CallerFrom(ctx)
	if k == nil {
		k = keys{}
	}
	s.ofRequest(who, k)
	own := (*s.policies.Load())[bucket]
	if who.Type == api.Anonymous && own.restricted() {
		return errAnonymousDenied
	}
	var program *policy.Program
	if own != nil {
		program = own.program
	}
	err := s.IAM.AuthorizeOn(who, action, resource, program, k)
	if err == nil || api.Code(err) != "" {
		return err
	}
	return accessDenied(err.Error())
}

// ofRequest adds the keys that every call has.
func (s *S3) ofRequest(who *api.Caller, k keys) {
	k["s3:ResourceAccount"] = []string{s.Place.AccountID}
	if who.SignedAt.IsZero() {
		return
	}
	form := "REST-HEADER"
	if who.Presigned {
		form = "REST-QUERY-STRING"
	}
	k["s3:authType"] = []string{form}
	k["s3:signatureversion"] = []string{"AWS4-HMAC-SHA256"}
	k["s3:signatureAge"] = []string{strconv.FormatInt(max(0, s.Now().Sub(who.SignedAt).Milliseconds()), 10)}
}

// bucket finds a bucket for a call that was authorized, whose owner the caller
// may have named.
func (s *S3) bucket(name string, owner *string) (Bucket, error) {
	b, ok := s.buckets.Get(name)
	switch {
	case !ok:
		return b, errNoSuchBucket
	case owner != nil && *owner != s.Place.AccountID:
		return b, errAnonymousDenied
	}
	return b, nil
}

// onBucket authorizes an action on a bucket and finds it.
func (s *S3) onBucket(ctx context.Context, action string, name, owner *string, k keys) (Bucket, error) {
	if err := checkBucketName(*name); err != nil {
		return Bucket{}, err
	}
	if err := s.mayBucket(ctx, action, *name, k); err != nil {
		return Bucket{}, err
	}
	return s.bucket(*name, owner)
}

// onObject authorizes an action on an object and finds its bucket.
func (s *S3) onObject(ctx context.Context, action string, bucket, key, owner, version *string, k keys) (Bucket, error) {
	if err := errors.Join(checkBucketName(*bucket), checkKey(*key), checkVersion(version)); err != nil {
		return Bucket{}, err
	}
	if err := s.mayObject(ctx, action, *bucket, *key, k); err != nil {
		return Bucket{}, err
	}
	return s.bucket(*bucket, owner)
}

// missing is the answer for a key that isn't there: only those who may list the
// bucket are told.
func (s *S3) missing(ctx context.Context, bucket string) error {
	if err := s.mayBucket(ctx, "s3:ListBucket", bucket, nil); err != nil {
		return err
	}
	return errNoSuchKey
}
