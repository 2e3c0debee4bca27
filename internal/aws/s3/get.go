package s3

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// span is a range of an object's bytes.
type span struct {
	offset, length int64
	part           bool // asked for: the answer says which range it is
	whole          bool
	beyond         bool // its last byte, as asked for, is none of the object's
}

// contentRange is the header of an answer with a part.
func (r span) contentRange(size int64) *string {
	if !r.part {
		return nil
	}
	return aws.String(fmt.Sprintf("bytes %d-%d/%d", r.offset, r.offset+r.length-1, size))
}

// parseRange reads a Range header. What is no single range of bytes asks for the
// whole object, as on S3.
func parseRange(header *string, size int64) (span, error) {
	whole := span{length: size, whole: true}
	if header == nil {
		return whole, nil
	}
	spec, ok := strings.CutPrefix(strings.TrimSpace(*header), "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return whole, nil
	}
	from, to, ok := strings.Cut(spec, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	beyond := from != "" && to != "" && last >= size
	switch {
	case !ok, from == "" && (err2 != nil || last < 0), from != "" && (err1 != nil || first < 0), to != "" && err2 != nil, from != "" && to != "" && last < first:
		return whole, nil
	case from == "" && (last == 0 || size == 0), from != "" && first >= size:
		return span{}, errInvalidRange
	case from == "":
		first, last = max(0, size-last), size-1
	case to == "" || last >= size:
		last = size - 1
	}
	return span{offset: first, length: last - first + 1, part: true, beyond: beyond}, nil
}

// partRange is the range of one part of an object that was uploaded in parts.
func partRange(o *Object, number int32) (span, error) {
	if number < 1 || number > 10000 {
		return span{}, invalidArgument("Part number must be an integer between 1 and 10000, inclusive")
	}
	if o.Parts == 0 && number == 1 {
		return span{length: o.Size, part: o.Size > 0, whole: true}, nil
	}
	if int(number) > len(o.Blobs) || int(number) > o.Parts {
		return span{}, errInvalidRange
	}
	r := span{part: true, length: o.Blobs[number-1].Size}
	for _, b := range o.Blobs[:number-1] {
		r.offset += b.Size
	}
	return r, nil
}

// reading is a GetObject or a HeadObject.
type reading struct {
	bucket, key, owner, version *string
	wishes
	rangeHeader *string
	part        *int32
	overrides   []*string // response-… parameters
}

// find authorizes a reading, finds the object and holds its bytes.
func (s *S3) find(ctx context.Context, r *reading) (o Object, at span, err error) {
	if api.CallerFrom(ctx).Type == api.Anonymous && slices.ContainsFunc(r.overrides, func(p *string) bool { return p != nil }) {
		return o, at, invalidRequest("Request specific response headers cannot be used for anonymous GET requests.")
	}
	if o, err = s.readable(ctx, r.bucket, r.key, r.owner, r.version); err != nil {
		return o, at, err
	}
	if err = r.check(&o, errPrecondition, errNotModified); err == nil {
		switch {
		case r.part != nil && r.rangeHeader != nil:
			err = invalidRequest("Cannot specify both Range header and partNumber query parameter")
		case r.part != nil:
			at, err = partRange(&o, *r.part)
		default:
			at, err = parseRange(r.rangeHeader, o.Size)
		}
	}
	if err != nil {
		s.blobs.release(o.Blobs)
	}
	return o, at, err
}

// orElse is a header of the answer, which the call may override.
func orElse(override *string, kept string) *string {
	if override != nil {
		return override
	}
	return pointer(kept)
}

func (s *S3) getObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	o, at, err := s.find(ctx, &reading{
		bucket: in.Bucket, key: in.Key, owner: in.ExpectedBucketOwner, version: in.VersionId,
		wishes:      wishes{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince},
		rangeHeader: in.Range, part: in.PartNumber,
		overrides: []*string{in.ResponseCacheControl, in.ResponseContentDisposition, in.ResponseContentEncoding, in.ResponseContentLanguage, in.ResponseContentType},
	})
	if err != nil {
		return nil, err
	}
	h := &o.Head
	out := &s3.GetObjectOutput{
		VersionId: o.version(), ServerSideEncryption: types.ServerSideEncryption(o.Encryption),
		Body: s.blobs.read(context.WithoutCancel(ctx), o.Blobs, at.offset, at.length), AcceptRanges: aws.String("bytes"),
		ContentLength: &at.length, ContentRange: at.contentRange(o.Size), ETag: quoted(o.ETag), LastModified: &o.Modified,
		ContentType: orElse(in.ResponseContentType, h.ContentType), CacheControl: orElse(in.ResponseCacheControl, h.CacheControl),
		ContentDisposition: orElse(in.ResponseContentDisposition, h.Disposition), ContentEncoding: orElse(in.ResponseContentEncoding, h.Encoding),
		ContentLanguage: orElse(in.ResponseContentLanguage, h.Language), ExpiresString: expires(h.Expires), WebsiteRedirectLocation: pointer(h.Redirect),
		Metadata: h.Meta, TagCount: tagCount(o.Tags), PartsCount: partsCount(&o, in.PartNumber),
	}
	if in.ResponseExpires != nil {
		out.ExpiresString = expires(in.ResponseExpires)
	}
	if c := o.Checksum; in.ChecksumMode == types.ChecksumModeEnabled && at.whole {
		out.ChecksumType, out.ChecksumCRC32, out.ChecksumCRC32C = c.kind(), c.of(types.ChecksumAlgorithmCrc32), c.of(types.ChecksumAlgorithmCrc32c)
		out.ChecksumCRC64NVME, out.ChecksumSHA1, out.ChecksumSHA256 = c.of(types.ChecksumAlgorithmCrc64nvme), c.of(types.ChecksumAlgorithmSha1), c.of(types.ChecksumAlgorithmSha256)
	}
	return out, nil
}

// expires is the header of that name.
func expires(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return aws.String(t.UTC().Format(http.TimeFormat))
}

func tagCount(tags []Tag) *int32 {
	if len(tags) == 0 {
		return nil
	}
	return aws.Int32(int32(len(tags)))
}

func partsCount(o *Object, asked *int32) *int32 {
	if asked == nil || o.Parts == 0 {
		return nil
	}
	return aws.Int32(int32(o.Parts))
}

func (s *S3) headObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	o, at, err := s.find(ctx, &reading{
		bucket: in.Bucket, key: in.Key, owner: in.ExpectedBucketOwner, version: in.VersionId,
		wishes:      wishes{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince},
		rangeHeader: in.Range, part: in.PartNumber,
		overrides: []*string{in.ResponseCacheControl, in.ResponseContentDisposition, in.ResponseContentEncoding, in.ResponseContentLanguage, in.ResponseContentType},
	})
	if err != nil {
		return nil, err
	}
	s.blobs.release(o.Blobs)
	h := &o.Head
	out := &s3.HeadObjectOutput{
		VersionId: o.version(), ServerSideEncryption: types.ServerSideEncryption(o.Encryption),
		AcceptRanges: aws.String("bytes"), ContentLength: &at.length, ContentRange: at.contentRange(o.Size), ETag: quoted(o.ETag), LastModified: &o.Modified,
		ContentType: orElse(in.ResponseContentType, h.ContentType), CacheControl: orElse(in.ResponseCacheControl, h.CacheControl),
		ContentDisposition: orElse(in.ResponseContentDisposition, h.Disposition), ContentEncoding: orElse(in.ResponseContentEncoding, h.Encoding),
		ContentLanguage: orElse(in.ResponseContentLanguage, h.Language), ExpiresString: expires(h.Expires), WebsiteRedirectLocation: pointer(h.Redirect),
		Metadata: h.Meta, TagCount: tagCount(o.Tags), PartsCount: partsCount(&o, in.PartNumber),
	}
	if c := o.Checksum; in.ChecksumMode == types.ChecksumModeEnabled && at.whole {
		out.ChecksumType, out.ChecksumCRC32, out.ChecksumCRC32C = c.kind(), c.of(types.ChecksumAlgorithmCrc32), c.of(types.ChecksumAlgorithmCrc32c)
		out.ChecksumCRC64NVME, out.ChecksumSHA1, out.ChecksumSHA256 = c.of(types.ChecksumAlgorithmCrc64nvme), c.of(types.ChecksumAlgorithmSha1), c.of(types.ChecksumAlgorithmSha256)
	}
	return out, nil
}
