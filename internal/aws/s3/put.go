package s3

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// mostOfPut is the largest object of one PUT, and the largest part.
const mostOfPut = 5 << 30

func (s *S3) putObject(ctx context.Context, in *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
	body, ok := in.Body.(api.Body)
	in.Body = nil // not for the record of the call
	if !ok {
		return nil, errors.New("a body that is not checked")
	}
	a := asked{
		acl: in.ACL, grants: []*string{in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWriteACP},
		class: in.StorageClass, encryption: in.ServerSideEncryption, customer: []*string{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSEKMSKeyId},
		lock: in.ObjectLockMode, hold: in.ObjectLockLegalHoldStatus, until: in.ObjectLockRetainUntilDate,
	}
	tags, err := headerTags(in.Tagging)
	if err != nil {
		return nil, err
	}
	if err := s.mayWrite(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, a, tags, in.Tagging != nil, nil); err != nil {
		return nil, err
	}
	o := Object{Tags: tags, Head: Head{
		ContentType: contentType(in.ContentType), CacheControl: text(in.CacheControl), Disposition: text(in.ContentDisposition),
		Encoding: text(in.ContentEncoding), Language: text(in.ContentLanguage), Redirect: text(in.WebsiteRedirectLocation), Expires: in.Expires, Meta: in.Metadata,
	}}
	switch {
	case in.WriteOffsetBytes != nil:
		return nil, notImplemented("Appending to an object")
	case body.Size() > mostOfPut:
		return nil, errEntityTooLarge
	}
	if err := o.Head.check(); err != nil {
		return nil, err
	}
	if err := s.writable(in.IfMatch, in.IfNoneMatch, *in.Bucket, *in.Key); err != nil {
		return nil, err
	}
	w, err := s.blobs.write(ctx, body, mostOfPut)
	if err != nil {
		return nil, err
	}
	defer s.sweep(ctx)
	defer s.blobs.release(w.blobs)
	o.Encryption = s.encryption(*in.Bucket, in.ServerSideEncryption)
	o.Size, o.Blobs, o.ETag, o.Checksum = w.size, w.blobs, hex.EncodeToString(w.md5), w.checksum(body)
	if err := s.put(ctx, *in.Bucket, *in.Key, &o, in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	c := o.Checksum
	return &s3.PutObjectOutput{
		VersionId: o.version(), ServerSideEncryption: types.ServerSideEncryption(o.Encryption),
		ETag: quoted(o.ETag), ChecksumType: c.kind(),
		ChecksumCRC32: c.of(types.ChecksumAlgorithmCrc32), ChecksumCRC32C: c.of(types.ChecksumAlgorithmCrc32c), ChecksumCRC64NVME: c.of(types.ChecksumAlgorithmCrc64nvme),
		ChecksumSHA1: c.of(types.ChecksumAlgorithmSha1), ChecksumSHA256: c.of(types.ChecksumAlgorithmSha256),
	}, nil
}

// checksum is the one the client sent, or CRC64NVME, which S3 adds by itself.
func (w *written) checksum(body api.Body) Checksum {
	if algorithm, value := body.Checksum(); algorithm != "" {
		return Checksum{Algorithm: algorithm, Value: value}
	}
	return Checksum{Algorithm: string(types.ChecksumAlgorithmCrc64nvme), Value: w.crc64}
}

// mayWrite authorizes writing an object, with tags where they are given, and
// refuses what its bucket can't keep.
func (s *S3) mayWrite(ctx context.Context, bucket, key, owner *string, a asked, tags []Tag, tagged bool, more keys) error {
	k := putKeys(a, tags)
	for name, v := range more {
		k[name] = v
	}
	if _, err := s.onObject(ctx, "s3:PutObject", bucket, key, owner, nil, k); err != nil {
		return err
	}
	if tagged {
		if err := s.mayObject(ctx, "s3:PutObjectTagging", *bucket, *key, putKeys(a, tags)); err != nil {
			return err
		}
	}
	return a.refuse()
}

// writable checks a write's conditions before its body is read.
func (s *S3) writable(match, noneMatch *string, bucket, key string) error {
	old, there := s.objects.Get(objectKey(bucket, key))
	return mayReplace(match, noneMatch, &old, there)
}

// put makes an object visible, if its bucket is there and its conditions hold.
func (s *S3) put(ctx context.Context, bucket, key string, o *Object, match, noneMatch *string) error {
	o.Modified = s.now()
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		return s.putIn(tx, bucket, key, o, match, noneMatch)
	})
}

func (s *S3) putIn(tx *store.Tx, bucket, key string, o *Object, match, noneMatch *string) error {
	b, ok := s.buckets.In(tx).Get(bucket)
	if !ok {
		return errNoSuchBucket
	}
	if match != nil || noneMatch != nil {
		old, there := s.objects.In(tx).Get(objectKey(bucket, key))
		if err := mayReplace(match, noneMatch, &old, there); err != nil {
			return err
		}
	}
	o.Order, o.Version = s.Now().UnixNano(), ""
	switch b.Versioning {
	case versioned:
		o.Version = newVersion()
		s.supersede(tx, bucket, key)
	case suspended:
		o.Version = nullVersion
		s.supersedeOthers(tx, bucket, key)
	}
	s.objects.In(tx).Put(objectKey(bucket, key), *o)
	return nil
}
