package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc64"
	"io"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// source is what x-amz-copy-source names.
type source struct{ bucket, key, version string }

// parseSource reads BUCKET/KEY, URL-encoded, with or without a slash before it.
func parseSource(header string) (src source, err error) {
	path, query, _ := strings.Cut(header, "?")
	version, _ := strings.CutPrefix(query, "versionId=")
	if path, err = url.PathUnescape(path); err != nil {
		return src, invalidArgument("Copy Source must be URL-encoded")
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || bucket == "" || key == "" {
		return src, invalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	if strings.HasPrefix(bucket, "arn:") {
		return src, notImplemented("An access point as the source of a copy")
	}
	return source{bucket, key, version}, nil
}

// from authorizes reading a copy's source and holds its bytes.
func (s *S3) from(ctx context.Context, header string, owner *string, w wishes) (src source, o Object, err error) {
	if src, err = parseSource(header); err != nil {
		return src, o, err
	}
	if o, err = s.readable(ctx, &src.bucket, &src.key, owner, pointer(src.version)); err != nil {
		return src, o, err
	}
	if err = w.check(&o, errPrecondition, errPrecondition); err == nil && o.Size > mostOfPut {
		err = invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(mostOfPut))
	}
	if err != nil {
		s.blobs.release(o.Blobs)
	}
	return src, o, err
}

// copyObject writes a record that names the same bytes.
func (s *S3) copyObject(ctx context.Context, in *s3.CopyObjectInput) (*s3.CopyObjectOutput, error) {
	a := asked{
		acl: in.ACL, grants: []*string{in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWriteACP},
		class: in.StorageClass, encryption: in.ServerSideEncryption,
		customer: []*string{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSEKMSKeyId, in.CopySourceSSECustomerKey},
		lock:     in.ObjectLockMode, hold: in.ObjectLockLegalHoldStatus, until: in.ObjectLockRetainUntilDate,
	}
	tags, err := headerTags(in.Tagging)
	if err != nil {
		return nil, err
	}
	more := keys{}.set("s3:x-amz-copy-source", in.CopySource).set("s3:x-amz-metadata-directive", pointer(string(in.MetadataDirective)))
	if err := s.mayWrite(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, a, tags, in.TaggingDirective == types.TaggingDirectiveReplace && len(tags) > 0, more); err != nil {
		return nil, err
	}
	src, old, err := s.from(ctx, *in.CopySource, in.ExpectedSourceBucketOwner,
		wishes{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince})
	if err != nil {
		return nil, err
	}
	defer s.sweep(ctx)
	defer func() { s.blobs.release(old.Blobs) }()
	if err := s.sealed(ctx, &old); err != nil {
		return nil, err
	}
	o, err := s.copied(ctx, in, src, old, tags)
	if err != nil {
		return nil, err
	}
	o.Encryption = s.encryption(*in.Bucket, in.ServerSideEncryption)
	if err := s.flatten(ctx, o); err != nil {
		return nil, err
	}
	if err := s.put(ctx, *in.Bucket, *in.Key, o, in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	c := o.Checksum
	return &s3.CopyObjectOutput{VersionId: o.version(), CopySourceVersionId: pointer(src.version), ServerSideEncryption: types.ServerSideEncryption(o.Encryption), CopyObjectResult: &types.CopyObjectResult{
		ETag: quoted(o.ETag), LastModified: &o.Modified, ChecksumType: c.kind(),
		ChecksumCRC32: c.of(types.ChecksumAlgorithmCrc32), ChecksumCRC32C: c.of(types.ChecksumAlgorithmCrc32c), ChecksumCRC64NVME: c.of(types.ChecksumAlgorithmCrc64nvme),
		ChecksumSHA1: c.of(types.ChecksumAlgorithmSha1), ChecksumSHA256: c.of(types.ChecksumAlgorithmSha256),
	}}, nil
}

// copied is the record of a copy: the source's, with what the call replaces.
func (s *S3) copied(ctx context.Context, in *s3.CopyObjectInput, src source, o Object, tags []Tag) (*Object, error) {
	switch in.MetadataDirective {
	case types.MetadataDirectiveReplace:
		o.Head = Head{
			ContentType: contentType(in.ContentType), CacheControl: text(in.CacheControl), Disposition: text(in.ContentDisposition),
			Encoding: text(in.ContentEncoding), Language: text(in.ContentLanguage), Redirect: text(in.WebsiteRedirectLocation), Expires: in.Expires, Meta: in.Metadata,
		}
	case "", types.MetadataDirectiveCopy:
		if src == (source{*in.Bucket, *in.Key, ""}) && in.ServerSideEncryption == "" && in.WebsiteRedirectLocation == nil && in.StorageClass == "" {
			return nil, errCopyToItself
		}
		o.Head.Redirect = text(in.WebsiteRedirectLocation) // never copied
	default:
		return nil, invalidArgument("Unknown metadata directive.")
	}
	switch in.TaggingDirective {
	case types.TaggingDirectiveReplace:
		o.Tags = tags
	case "", types.TaggingDirectiveCopy:
		if len(o.Tags) == 0 {
			break
		}
		// Tags that come along are read from the one and written to the other.
		if err := s.mayObject(ctx, "s3:GetObjectTagging", src.bucket, src.key, nil); err != nil {
			return nil, err
		}
		if err := s.mayObject(ctx, "s3:PutObjectTagging", *in.Bucket, *in.Key, keys{}.tags("RequestObjectTag", o.Tags)); err != nil {
			return nil, err
		}
	default:
		return nil, invalidArgument("Unknown tagging directive.")
	}
	return &o, o.Head.check()
}

// flatten makes an object that was uploaded in parts one of a single piece, as a
// copy is: its entity tag and checksum are those of all its bytes.
func (s *S3) flatten(ctx context.Context, o *Object) error {
	if o.Parts == 0 {
		return nil
	}
	s.blobs.hold(o.Blobs) // the reader lets go of them
	body := s.blobs.read(ctx, o.Blobs, 0, o.Size)
	defer body.Close()
	sum, crc := md5.New(), hash.Hash(crc64.New(crc64NVME))
	if _, err := io.Copy(io.MultiWriter(sum, crc), body); err != nil {
		return err
	}
	o.Parts, o.ETag = 0, hex.EncodeToString(sum.Sum(nil))
	if o.Checksum.Composite {
		o.Checksum = Checksum{Algorithm: "CRC64NVME", Value: base64.StdEncoding.EncodeToString(crc.Sum(nil))}
	}
	return nil
}
