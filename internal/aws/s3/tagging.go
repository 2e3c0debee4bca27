package s3

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Most tags of a bucket and of an object.
const (
	mostBucketTags = 50
	mostObjectTags = 10
)

func invalidTag(format string, args ...any) error {
	return api.Errorf(http.StatusBadRequest, "InvalidTag", format, args...)
}

// checkTags holds tags to S3's rules
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
func checkTags(list []types.Tag, most int) ([]Tag, error) {
	if len(list) > most {
		if most == mostObjectTags {
			return nil, api.Errorf(http.StatusBadRequest, "BadRequest", "Object tags cannot be greater than %d", most)
		}
		return nil, api.Errorf(http.StatusBadRequest, "BadRequest", "Bucket tag count cannot be greater than %d", most)
	}
	out := make([]Tag, 0, len(list))
	seen := map[string]bool{}
	for _, t := range list {
		key, value := aws.ToString(t.Key), aws.ToString(t.Value)
		switch n := utf8.RuneCountInString(key); {
		case n == 0 || n > 128:
			return nil, invalidTag("The TagKey you have provided is invalid")
		case utf8.RuneCountInString(value) > 256:
			return nil, invalidTag("The TagValue you have provided is invalid")
		case seen[key]:
			return nil, invalidTag("Cannot provide multiple Tags with the same key")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, invalidTag("System tags cannot be added/updated by requester")
		}
		seen[key] = true
		out = append(out, Tag{key, value})
	}
	return out, nil
}

// headerTags reads x-amz-tagging: "key=value&key=value", as in a query string.
func headerTags(header *string) ([]Tag, error) {
	if header == nil || *header == "" {
		return nil, nil
	}
	var list []types.Tag
	for pair := range strings.SplitSeq(*header, "&") {
		k, v, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err != nil || err2 != nil {
			return nil, invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
		list = append(list, types.Tag{Key: &key, Value: &value})
	}
	return checkTags(list, mostObjectTags)
}

func tagSet(list []Tag) []types.Tag {
	out := make([]types.Tag, 0, len(list))
	for _, t := range list {
		out = append(out, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return out
}

func (s *S3) getBucketTagging(ctx context.Context, in *s3.GetBucketTaggingInput) (*s3.GetBucketTaggingOutput, error) {
	b, err := s.onBucket(ctx, "s3:GetBucketTagging", in.Bucket, in.ExpectedBucketOwner, nil)
	if err == nil && len(b.Tags) == 0 {
		err = errNoTagSet
	}
	return &s3.GetBucketTaggingOutput{TagSet: tagSet(b.Tags)}, err
}

func (s *S3) putBucketTagging(ctx context.Context, in *s3.PutBucketTaggingInput) (*s3.PutBucketTaggingOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutBucketTagging", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	if in.Tagging == nil {
		return nil, errMalformedXML
	}
	tags, err := checkTags(in.Tagging.TagSet, mostBucketTags)
	if err != nil {
		return nil, err
	}
	return &s3.PutBucketTaggingOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Tags = append(systemTags(b.Tags), tags...)
		return nil
	})
}

// systemTags are those that no call sets or takes away.
func systemTags(tags []Tag) (kept []Tag) {
	for _, t := range tags {
		if api.ReservedTag(t.Key) {
			kept = append(kept, t)
		}
	}
	return kept
}

func (s *S3) deleteBucketTagging(ctx context.Context, in *s3.DeleteBucketTaggingInput) (*s3.DeleteBucketTaggingOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutBucketTagging", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	return &s3.DeleteBucketTaggingOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Tags = systemTags(b.Tags)
		return nil
	})
}

func (s *S3) getObjectTagging(ctx context.Context, in *s3.GetObjectTaggingInput) (*s3.GetObjectTaggingOutput, error) {
	if _, err := s.onObject(ctx, "s3:GetObjectTagging", in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, nil); err != nil {
		return nil, err
	}
	o, ok := s.objects.Get(objectKey(*in.Bucket, *in.Key))
	if !ok {
		return nil, s.missing(ctx, *in.Bucket)
	}
	return &s3.GetObjectTaggingOutput{TagSet: tagSet(o.Tags)}, nil
}

func (s *S3) putObjectTagging(ctx context.Context, in *s3.PutObjectTaggingInput) (*s3.PutObjectTaggingOutput, error) {
	if in.Tagging == nil {
		return nil, errMalformedXML
	}
	tags, err := checkTags(in.Tagging.TagSet, mostObjectTags)
	if err != nil {
		return nil, err
	}
	k := keys{}.tags("RequestObjectTag", tags)
	if _, err := s.onObject(ctx, "s3:PutObjectTagging", in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, k); err != nil {
		return nil, err
	}
	return &s3.PutObjectTaggingOutput{}, s.retag(ctx, *in.Bucket, *in.Key, tags)
}

func (s *S3) deleteObjectTagging(ctx context.Context, in *s3.DeleteObjectTaggingInput) (*s3.DeleteObjectTaggingOutput, error) {
	if _, err := s.onObject(ctx, "s3:DeleteObjectTagging", in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, nil); err != nil {
		return nil, err
	}
	return &s3.DeleteObjectTaggingOutput{}, s.retag(ctx, *in.Bucket, *in.Key, nil)
}

func (s *S3) retag(ctx context.Context, bucket, key string, tags []Tag) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		o, ok := s.objects.In(tx).Get(objectKey(bucket, key))
		if !ok {
			return errNoSuchKey
		}
		o.Tags = tags
		s.objects.In(tx).Put(objectKey(bucket, key), o)
		return nil
	})
	if err == error(errNoSuchKey) {
		return s.missing(ctx, bucket)
	}
	return err
}
