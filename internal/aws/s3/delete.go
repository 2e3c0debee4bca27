package s3

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/store"
)

func (s *S3) deleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if _, err := s.onObject(ctx, ofVersion("s3:DeleteObject", in.VersionId), in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, nil); err != nil {
		return nil, err
	}
	if in.MFA != nil || in.IfMatchLastModifiedTime != nil || in.IfMatchSize != nil {
		return nil, notImplemented("A deletion by MFA, size or time")
	}
	defer s.sweep(ctx)
	d, err := s.remove(ctx, *in.Bucket, *in.Key, in.VersionId, in.IfMatch)
	if err != nil {
		return nil, err
	}
	return &s3.DeleteObjectOutput{VersionId: pointer(d.version), DeleteMarker: d.marked()}, nil
}

// remove deletes an object, or a version; that it isn't there is no error.
func (s *S3) remove(ctx context.Context, bucket, key string, version, match *string) (d deletion, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if match != nil {
			o, there := s.objects.In(tx).Get(objectKey(bucket, key))
			if err := mayReplace(match, nil, &o, there); err != nil {
				return err
			}
		}
		d, err = s.removeIn(tx, bucket, key, text(version))
		return err
	})
	return d, err
}

// deleteObjects deletes what the caller may delete, and says of each of the others
// why not.
func (s *S3) deleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (*s3.DeleteObjectsOutput, error) {
	if err := checkBucketName(*in.Bucket); err != nil {
		return nil, err
	}
	if in.Delete == nil || len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > pageSize {
		return nil, errMalformedXML
	}
	if _, err := s.bucket(*in.Bucket, in.ExpectedBucketOwner); err != nil {
		return nil, err
	}
	defer s.sweep(ctx)
	out := &s3.DeleteObjectsOutput{}
	b, _ := s.buckets.Get(*in.Bucket)
	var free []string // keys to be deleted without a condition, of a bucket without versions
	for _, o := range in.Delete.Objects {
		key := aws.ToString(o.Key)
		_, err := s.onObject(ctx, ofVersion("s3:DeleteObject", o.VersionId), in.Bucket, &key, nil, o.VersionId, nil)
		var d deletion
		switch {
		case err == nil && o.ETag == nil && b.Versioning == "":
			free = append(free, key)
			continue
		case err == nil:
			d, err = s.remove(ctx, *in.Bucket, key, o.VersionId, o.ETag)
		}
		var coded interface {
			ErrorCode() string
			ErrorMessage() string
		}
		switch {
		case err == nil:
			out.Deleted = append(out.Deleted, d.shown(key, o.VersionId))
		case errors.As(err, &coded):
			out.Errors = append(out.Errors, types.Error{Key: &key, Code: aws.String(coded.ErrorCode()), Message: aws.String(coded.ErrorMessage())})
		default:
			return nil, err
		}
	}
	if err := s.removeAll(ctx, *in.Bucket, free); err != nil {
		return nil, err
	}
	for _, key := range free {
		out.Deleted = append(out.Deleted, types.DeletedObject{Key: aws.String(key)})
	}
	if aws.ToBool(in.Delete.Quiet) {
		out.Deleted = nil
	}
	return out, nil
}

// removeAll deletes objects, many in one transaction.
func (s *S3) removeAll(ctx context.Context, bucket string, keys []string) error {
	for some := range slices.Chunk(keys, batch) {
		err := s.Store.Update(ctx, func(tx *store.Tx) error {
			for _, key := range some {
				if _, ok := s.objects.Get(objectKey(bucket, key)); ok {
					s.objects.In(tx).Delete(objectKey(bucket, key))
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
