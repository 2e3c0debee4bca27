package s3

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

func uploadKey(bucket, id string) string { return bucket + "/" + id }

// partKey sorts parts by their number.
func partKey(bucket, id string, n int32) string { return fmt.Sprintf("%s/%s/%05d", bucket, id, n) }

func (s *S3) createMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput) (*s3.CreateMultipartUploadOutput, error) {
	if api.CallerFrom(ctx).Type == api.Anonymous {
		return nil, errAnonymousDenied
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
	u := Upload{
		Encryption: s.encryption(*in.Bucket, in.ServerSideEncryption),
		Key:        *in.Key, Started: s.now(), Initiator: api.CallerFrom(ctx).ARN, Tags: tags, Algorithm: string(in.ChecksumAlgorithm),
		Head: Head{
			ContentType: contentType(in.ContentType), CacheControl: text(in.CacheControl), Disposition: text(in.ContentDisposition),
			Encoding: text(in.ContentEncoding), Language: text(in.ContentLanguage), Redirect: text(in.WebsiteRedirectLocation), Expires: in.Expires, Meta: in.Metadata,
		},
	}
	if err := errors.Join(u.chooseType(in.ChecksumType), u.Head.check()); err != nil {
		return nil, err
	}
	var raw [32]byte
	rand.Read(raw[:]) // never fails
	id := hex.EncodeToString(raw[:])
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.buckets.In(tx).Get(*in.Bucket); !ok {
			return errNoSuchBucket
		}
		s.uploads.In(tx).Put(uploadKey(*in.Bucket, id), u)
		return nil
	})
	return &s3.CreateMultipartUploadOutput{ServerSideEncryption: types.ServerSideEncryption(u.Encryption), Bucket: in.Bucket, Key: in.Key, UploadId: &id, ChecksumAlgorithm: in.ChecksumAlgorithm, ChecksumType: u.kind()}, err
}

// chooseType settles whether the object's checksum is made of the parts' checksums
// or is that of all bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
func (u *Upload) chooseType(asked types.ChecksumType) error {
	wrong := invalidRequest("The %s checksum type cannot be used with the %s checksum algorithm.", asked, strings.ToLower(u.Algorithm))
	switch u.Algorithm {
	case "":
		if asked != "" {
			return invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
	case "CRC32", "CRC32C":
		u.Composite = asked != types.ChecksumTypeFullObject
	case "SHA1", "SHA256":
		if u.Composite = true; asked == types.ChecksumTypeFullObject {
			return wrong
		}
	case "CRC64NVME":
		if asked == types.ChecksumTypeComposite {
			return wrong
		}
	default:
		return notImplemented("The checksum algorithm " + u.Algorithm)
	}
	return nil
}

func (u *Upload) kind() types.ChecksumType {
	return Checksum{Algorithm: u.Algorithm, Composite: u.Composite}.kind()
}

// upload finds an upload of a call that was authorized.
func (s *S3) upload(bucket, key, id string) (Upload, error) {
	u, ok := s.uploads.Get(uploadKey(bucket, id))
	if !ok || u.Key != key || strings.Contains(id, "/") {
		return u, errNoSuchUpload
	}
	return u, nil
}

func (s *S3) uploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	body, ok := in.Body.(api.Body)
	in.Body = nil // not for the record of the call
	if !ok {
		return nil, errors.New("a body that is not checked")
	}
	if _, err := s.onObject(ctx, "s3:PutObject", in.Bucket, in.Key, in.ExpectedBucketOwner, nil, nil); err != nil {
		return nil, err
	}
	u, err := s.upload(*in.Bucket, *in.Key, *in.UploadId)
	if err != nil {
		return nil, err
	}
	sent, _ := body.Checksum()
	if err := u.takes(sent); err != nil {
		return nil, err
	}
	if body.Size() > mostOfPut {
		return nil, errEntityTooLarge
	}
	if err := checkPartNumber(in.PartNumber); err != nil {
		return nil, err
	}
	w, err := s.blobs.write(ctx, body, mostOfPut)
	if err != nil {
		return nil, err
	}
	defer s.sweep(ctx)
	defer s.blobs.release(w.blobs)
	c := w.checksum(body)
	kept := c
	if u.Algorithm == "" {
		kept = Checksum{Algorithm: "CRC64NVME", Value: w.crc64}
	}
	p, err := s.putPart(ctx, *in.Bucket, *in.UploadId, *in.PartNumber, &w, kept)
	if err != nil {
		return nil, err
	}
	return &s3.UploadPartOutput{
		ServerSideEncryption: types.ServerSideEncryption(cmp.Or(u.Encryption, usual)),
		ETag:                 quoted(p.ETag), ChecksumCRC32: c.of(types.ChecksumAlgorithmCrc32), ChecksumCRC32C: c.of(types.ChecksumAlgorithmCrc32c),
		ChecksumCRC64NVME: c.of(types.ChecksumAlgorithmCrc64nvme), ChecksumSHA1: c.of(types.ChecksumAlgorithmSha1), ChecksumSHA256: c.of(types.ChecksumAlgorithmSha256),
	}, nil
}

// takes says whether a part's checksum is of the upload's algorithm. CRC64NVME is
// computed here where the client sends none.
func (u *Upload) takes(sent string) error {
	if u.Algorithm == "" || sent == u.Algorithm || sent == "" && u.Algorithm == "CRC64NVME" {
		return nil
	}
	if sent == "" {
		sent = "null"
	}
	return invalidRequest("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", strings.ToLower(u.Algorithm), strings.ToLower(sent))
}

func checkPartNumber(n *int32) error {
	if n == nil || *n < 1 || *n > 10000 {
		return invalidArgument("Part number must be an integer between 1 and 10000, inclusive")
	}
	return nil
}

// putPart makes a part visible, if its upload is still there.
func (s *S3) putPart(ctx context.Context, bucket, id string, n int32, w *written, c Checksum) (Part, error) {
	p := Part{Number: n, ETag: hex.EncodeToString(w.md5), Modified: s.now(), Checksum: c}
	if len(w.blobs) > 0 {
		p.Blob = w.blobs[0]
	}
	return p, s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.uploads.In(tx).Get(uploadKey(bucket, id)); !ok {
			return errNoSuchUpload
		}
		s.parts.In(tx).Put(partKey(bucket, id, n), p)
		return nil
	})
}

func (s *S3) uploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (*s3.UploadPartCopyOutput, error) {
	k := keys{}.set("s3:x-amz-copy-source", in.CopySource)
	if _, err := s.onObject(ctx, "s3:PutObject", in.Bucket, in.Key, in.ExpectedBucketOwner, nil, k); err != nil {
		return nil, err
	}
	u, err := s.upload(*in.Bucket, *in.Key, *in.UploadId)
	if err != nil {
		return nil, err
	}
	if err := checkPartNumber(in.PartNumber); err != nil {
		return nil, err
	}
	_, o, err := s.from(ctx, *in.CopySource, in.ExpectedSourceBucketOwner,
		wishes{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince})
	if err != nil {
		return nil, err
	}
	defer s.sweep(ctx)
	at, err := parseRange(in.CopySourceRange, o.Size)
	if err != nil || in.CopySourceRange != nil && at.whole {
		s.blobs.release(o.Blobs)
		return nil, invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	}
	if at.beyond {
		s.blobs.release(o.Blobs)
		return nil, invalidArgument("Range specified is not valid for source object of size: %d", o.Size)
	}
	body := s.blobs.read(ctx, o.Blobs, at.offset, at.length)
	defer body.Close()
	summed := &summing{Reader: body, algorithm: u.Algorithm}
	w, err := s.blobs.write(ctx, summed.begin(), mostOfPut)
	if err != nil {
		return nil, err
	}
	defer s.blobs.release(w.blobs)
	p, err := s.putPart(ctx, *in.Bucket, *in.UploadId, *in.PartNumber, &w, summed.checksum(&w))
	if err != nil {
		return nil, err
	}
	c := p.Checksum
	return &s3.UploadPartCopyOutput{CopyPartResult: &types.CopyPartResult{
		ETag: quoted(p.ETag), LastModified: &p.Modified, ChecksumCRC32: c.of(types.ChecksumAlgorithmCrc32), ChecksumCRC32C: c.of(types.ChecksumAlgorithmCrc32c),
		ChecksumCRC64NVME: c.of(types.ChecksumAlgorithmCrc64nvme), ChecksumSHA1: c.of(types.ChecksumAlgorithmSha1), ChecksumSHA256: c.of(types.ChecksumAlgorithmSha256),
	}}, nil
}

func (s *S3) abortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) (*s3.AbortMultipartUploadOutput, error) {
	if _, err := s.onObject(ctx, "s3:AbortMultipartUpload", in.Bucket, in.Key, in.ExpectedBucketOwner, nil, nil); err != nil {
		return nil, err
	}
	if _, err := s.upload(*in.Bucket, *in.Key, *in.UploadId); err != nil {
		return nil, err
	}
	defer s.sweep(ctx)
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		s.uploads.In(tx).Delete(uploadKey(*in.Bucket, *in.UploadId))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.AbortMultipartUploadOutput{}, s.forgetParts(ctx, *in.Bucket, *in.UploadId)
}

// batch is how many records one transaction changes: etcd takes 128 operations, and
// as many conditions (--max-txn-ops).
const batch = 100

// forgetParts deletes the parts of an upload that is gone: none can be added any
// more. A crash in between leaves them to Open.
func (s *S3) forgetParts(ctx context.Context, bucket, id string) error {
	var keys []string
	for key := range s.parts.Shared(uploadKey(bucket, id) + "/") {
		keys = append(keys, key)
	}
	return s.deleteParts(ctx, keys)
}

func (s *S3) deleteParts(ctx context.Context, keys []string) error {
	for some := range slices.Chunk(keys, batch) {
		err := s.Store.Update(ctx, func(tx *store.Tx) error {
			for _, key := range some {
				s.parts.In(tx).Delete(key)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteStrayParts deletes parts whose upload is gone.
func (s *S3) deleteStrayParts(ctx context.Context) error {
	var stray []string
	for key := range s.parts.Shared("") {
		if _, ok := s.uploads.Get(key[:strings.LastIndexByte(key, '/')]); !ok {
			stray = append(stray, key)
		}
	}
	return s.deleteParts(ctx, stray)
}

func (s *S3) listParts(ctx context.Context, in *s3.ListPartsInput) (*s3.ListPartsOutput, error) {
	if _, err := s.onObject(ctx, "s3:ListMultipartUploadParts", in.Bucket, in.Key, in.ExpectedBucketOwner, nil, nil); err != nil {
		return nil, err
	}
	u, err := s.upload(*in.Bucket, *in.Key, *in.UploadId)
	if err != nil {
		return nil, err
	}
	after, most, err := partPage(in)
	if err != nil {
		return nil, err
	}
	out := &s3.ListPartsOutput{
		Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, MaxParts: aws.Int32(int32(most)), PartNumberMarker: aws.String(fmt.Sprint(after)),
		Initiator: &types.Initiator{ID: &u.Initiator, DisplayName: &u.Initiator}, Owner: s.owner(), StorageClass: types.StorageClassStandard,
		IsTruncated: aws.Bool(false), ChecksumAlgorithm: types.ChecksumAlgorithm(u.Algorithm), ChecksumType: u.kind(),
	}
	for _, p := range s.parts.Shared(uploadKey(*in.Bucket, *in.UploadId) + "/") {
		if p.Number <= after {
			continue
		}
		if len(out.Parts) == most {
			out.IsTruncated = aws.Bool(most > 0)
			break
		}
		c := p.Checksum
		out.Parts = append(out.Parts, types.Part{
			PartNumber: aws.Int32(p.Number), ETag: quoted(p.ETag), Size: aws.Int64(p.Blob.Size), LastModified: aws.Time(p.Modified),
			ChecksumCRC32: c.of(types.ChecksumAlgorithmCrc32), ChecksumCRC32C: c.of(types.ChecksumAlgorithmCrc32c),
			ChecksumCRC64NVME: c.of(types.ChecksumAlgorithmCrc64nvme), ChecksumSHA1: c.of(types.ChecksumAlgorithmSha1), ChecksumSHA256: c.of(types.ChecksumAlgorithmSha256),
		})
		out.NextPartNumberMarker = aws.String(fmt.Sprint(p.Number))
	}
	return out, nil
}
