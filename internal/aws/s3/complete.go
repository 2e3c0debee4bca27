package s3

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// leastOfPart is the size of every part but the last.
const leastOfPart = 5 << 20

// completeMultipartUpload puts an object that names the parts' bytes.
func (s *S3) completeMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (*s3.CompleteMultipartUploadOutput, error) {
	if _, err := s.onObject(ctx, "s3:PutObject", in.Bucket, in.Key, in.ExpectedBucketOwner, nil, nil); err != nil {
		return nil, err
	}
	u, err := s.upload(*in.Bucket, *in.Key, *in.UploadId)
	if err != nil {
		return nil, err
	}
	if in.MultipartUpload == nil || len(in.MultipartUpload.Parts) == 0 {
		return nil, errMalformedXML
	}
	defer s.sweep(ctx)
	parts, err := s.chosen(in, &u)
	if err != nil {
		return nil, err
	}
	defer s.release(parts)
	o, err := assemble(&u, parts)
	if err == nil {
		err = matches(in, &o)
	}
	if err == nil {
		err = s.complete(ctx, in, &o)
	}
	if err != nil {
		return nil, err
	}
	if err := s.forgetParts(ctx, *in.Bucket, *in.UploadId); err != nil {
		s.Log.Error("parts of a completed S3 upload stay until the next start", "bucket", *in.Bucket, "key", *in.Key, "error", err)
	}
	c := o.Checksum
	location := "https://" + *in.Bucket + ".s3." + s.Place.Region + ".amazonaws.com/" + *spelling(types.EncodingTypeUrl).spell(*in.Key)
	return &s3.CompleteMultipartUploadOutput{
		VersionId: o.version(), ServerSideEncryption: types.ServerSideEncryption(o.Encryption),
		Bucket: in.Bucket, Key: in.Key, ETag: quoted(o.ETag), Location: &location, ChecksumType: c.kind(),
		ChecksumCRC32: c.of(types.ChecksumAlgorithmCrc32), ChecksumCRC32C: c.of(types.ChecksumAlgorithmCrc32c), ChecksumCRC64NVME: c.of(types.ChecksumAlgorithmCrc64nvme),
		ChecksumSHA1: c.of(types.ChecksumAlgorithmSha1), ChecksumSHA256: c.of(types.ChecksumAlgorithmSha256),
	}, nil
}

// complete puts the object in the place of the upload.
func (s *S3) complete(ctx context.Context, in *s3.CompleteMultipartUploadInput, o *Object) error {
	o.Modified = s.now()
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		key := uploadKey(*in.Bucket, *in.UploadId)
		if _, ok := s.uploads.In(tx).Get(key); !ok {
			return errNoSuchUpload
		}
		s.uploads.In(tx).Delete(key)
		return s.putIn(tx, *in.Bucket, *in.Key, o, in.IfMatch, in.IfNoneMatch)
	})
}

// chosen are the parts that the call lists, as they were uploaded. Their bytes are
// held, unless there is an error.
func (s *S3) chosen(in *s3.CompleteMultipartUploadInput, u *Upload) (parts []Part, err error) {
	defer func() {
		if err != nil {
			s.release(parts)
		}
	}()
	if !slices.IsSortedFunc(in.MultipartUpload.Parts, func(a, b types.CompletedPart) int {
		return cmp.Or(cmp.Compare(aws.ToInt32(a.PartNumber), aws.ToInt32(b.PartNumber)), -1) // nor twice the same
	}) {
		return nil, errPartOrder
	}
	for i, want := range in.MultipartUpload.Parts {
		n := aws.ToInt32(want.PartNumber)
		p, ok := s.heldPart(partKey(*in.Bucket, *in.UploadId, n))
		if !ok {
			return parts, errInvalidPart
		}
		parts = append(parts, p)
		if strings.Trim(aws.ToString(want.ETag), `"`) != p.ETag {
			return parts, errInvalidPart
		}
		if given := givenChecksum(want, p.Checksum.Algorithm); given != nil && *given != p.Checksum.Value {
			return parts, errInvalidPart
		} else if given == nil && u.Composite {
			return parts, invalidRequest("The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.", strings.ToLower(u.Algorithm), n)
		}
		if i < len(in.MultipartUpload.Parts)-1 && p.Blob.Size < leastOfPart {
			return parts, errEntityTooSmall
		}
	}
	return parts, nil
}

// heldPart is a part whose bytes are held: they were named by its record while they
// were.
func (s *S3) heldPart(key string) (Part, bool) {
	for {
		p, ok := s.parts.Get(key)
		if !ok {
			return p, false
		}
		s.blobs.hold(p.blobs())
		if now, ok := s.parts.Get(key); ok && now.Blob == p.Blob {
			return p, true
		}
		s.blobs.release(p.blobs())
	}
}

func (s *S3) release(parts []Part) {
	for i := range parts {
		s.blobs.release(parts[i].blobs())
	}
}

func givenChecksum(p types.CompletedPart, algorithm string) *string {
	switch algorithm {
	case "CRC32":
		return p.ChecksumCRC32
	case "CRC32C":
		return p.ChecksumCRC32C
	case "CRC64NVME":
		return p.ChecksumCRC64NVME
	case "SHA1":
		return p.ChecksumSHA1
	case "SHA256":
		return p.ChecksumSHA256
	}
	return nil
}

// assemble is the object of an upload's parts. Its entity tag is the MD5 of their
// MD5s, and their number.
func assemble(u *Upload, parts []Part) (Object, error) {
	o := Object{Head: u.Head, Tags: u.Tags, Parts: len(parts), Encryption: cmp.Or(u.Encryption, usual)}
	sums := md5.New()
	for _, p := range parts {
		raw, err := hex.DecodeString(p.ETag)
		if err != nil {
			return o, err
		}
		sums.Write(raw)
		o.Size += p.Blob.Size
		o.Blobs = append(o.Blobs, p.blobs()...)
	}
	o.ETag = hex.EncodeToString(sums.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	o.Checksum = Checksum{Algorithm: cmp.Or(u.Algorithm, "CRC64NVME"), Composite: u.Composite}
	var err error
	if u.Composite {
		o.Checksum.Value, err = compositeChecksum(u.Algorithm, parts)
	} else {
		o.Checksum.Value, err = wholeChecksum(o.Checksum.Algorithm, parts)
	}
	return o, err
}

// matches compares the object with what the call says of it.
func matches(in *s3.CompleteMultipartUploadInput, o *Object) error {
	if in.MpuObjectSize != nil && *in.MpuObjectSize != o.Size {
		return invalidRequest("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", *in.MpuObjectSize, o.Size)
	}
	if in.ChecksumType != "" && in.ChecksumType != o.Checksum.kind() {
		return invalidRequest("The upload was created using the %s checksum mode. The complete request must use the same checksum mode.", o.Checksum.kind())
	}
	given := givenChecksum(types.CompletedPart{
		ChecksumCRC32: in.ChecksumCRC32, ChecksumCRC32C: in.ChecksumCRC32C, ChecksumCRC64NVME: in.ChecksumCRC64NVME,
		ChecksumSHA1: in.ChecksumSHA1, ChecksumSHA256: in.ChecksumSHA256,
	}, o.Checksum.Algorithm)
	if given != nil && *given != o.Checksum.Value {
		return api.Errorf(400, "BadDigest", "The %s you specified did not match the calculated checksum.", o.Checksum.Algorithm)
	}
	return nil
}

// summing computes a copied part's checksum with the upload's algorithm.
type summing struct {
	io.Reader
	algorithm string
	sum       hash.Hash
}

func (s *summing) begin() io.Reader {
	if s.algorithm == "" || s.algorithm == "CRC64NVME" {
		return s.Reader
	}
	s.sum = hashOf(s.algorithm)
	return io.TeeReader(s.Reader, s.sum)
}

func (s *summing) checksum(w *written) Checksum {
	if s.sum == nil {
		return Checksum{Algorithm: "CRC64NVME", Value: w.crc64}
	}
	return Checksum{Algorithm: s.algorithm, Value: base64.StdEncoding.EncodeToString(s.sum.Sum(nil))}
}

// partPage reads where a list of parts begins and how long it may be.
func partPage(in *s3.ListPartsInput) (after int32, most int, err error) {
	if in.PartNumberMarker != nil {
		n, err := strconv.ParseInt(*in.PartNumberMarker, 10, 32)
		if err != nil || n < 0 {
			return 0, 0, invalidArgument("Argument part-number-marker must be an integer between 0 and 2147483647")
		}
		after = int32(n)
	}
	most = pageSize
	if in.MaxParts != nil {
		if *in.MaxParts < 0 {
			return 0, 0, invalidArgument("Argument max-parts must be an integer between 0 and 2147483647")
		}
		most = min(int(*in.MaxParts), pageSize)
	}
	return after, most, nil
}

// begun is an upload that is listed.
type begun struct {
	id string
	*Upload
}

func (s *S3) listMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (*s3.ListMultipartUploadsOutput, error) {
	k := keys{}.set("s3:prefix", in.Prefix).set("s3:delimiter", in.Delimiter)
	if _, err := s.onBucket(ctx, "s3:ListBucketMultipartUploads", in.Bucket, in.ExpectedBucketOwner, k); err != nil {
		return nil, err
	}
	most := pageSize
	if in.MaxUploads != nil {
		if *in.MaxUploads < 1 {
			return nil, invalidArgument("Argument max-uploads must be an integer between 1 and 1000")
		}
		most = min(int(*in.MaxUploads), pageSize)
	}
	e := spelling(in.EncodingType)
	if err := e.check(); err != nil {
		return nil, err
	}
	out := &s3.ListMultipartUploadsOutput{
		Bucket: in.Bucket, Prefix: e.spell(aws.ToString(in.Prefix)), Delimiter: e.maybe(in.Delimiter), EncodingType: in.EncodingType,
		KeyMarker: e.spell(aws.ToString(in.KeyMarker)), UploadIdMarker: in.UploadIdMarker, MaxUploads: aws.Int32(int32(most)), IsTruncated: aws.Bool(false),
	}
	common, delimiter := "", aws.ToString(in.Delimiter)
	for _, u := range s.begun(in) {
		if common != "" && strings.HasPrefix(u.Key, common) {
			continue
		}
		if len(out.Uploads)+len(out.CommonPrefixes) == most {
			out.IsTruncated = aws.Bool(true)
			break
		}
		out.NextKeyMarker, out.NextUploadIdMarker = e.spell(u.Key), aws.String(u.id)
		if prefix := aws.ToString(in.Prefix); delimiter != "" {
			if i := strings.Index(u.Key[len(prefix):], delimiter); i >= 0 {
				common = u.Key[:len(prefix)+i+len(delimiter)]
				out.CommonPrefixes = append(out.CommonPrefixes, types.CommonPrefix{Prefix: e.spell(common)})
				continue
			}
		}
		out.Uploads = append(out.Uploads, types.MultipartUpload{
			Key: e.spell(u.Key), UploadId: aws.String(u.id), Initiated: aws.Time(u.Started), StorageClass: types.StorageClassStandard, Owner: s.owner(),
			Initiator: &types.Initiator{ID: &u.Initiator, DisplayName: &u.Initiator}, ChecksumAlgorithm: types.ChecksumAlgorithm(u.Algorithm), ChecksumType: u.kind(),
		})
	}
	return out, nil
}

// begun lists a bucket's uploads after the markers, by key and then by age.
func (s *S3) begun(in *s3.ListMultipartUploadsInput) []begun {
	var list []begun
	for record, u := range s.uploads.Shared(*in.Bucket + "/") {
		if strings.HasPrefix(u.Key, aws.ToString(in.Prefix)) {
			list = append(list, begun{keyOf(*in.Bucket, record), u})
		}
	}
	slices.SortFunc(list, func(a, b begun) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), a.Started.Compare(b.Started), strings.Compare(a.id, b.id))
	})
	marker, id := aws.ToString(in.KeyMarker), aws.ToString(in.UploadIdMarker)
	if marker == "" {
		return list
	}
	at := slices.IndexFunc(list, func(u begun) bool { return u.Key > marker })
	if id != "" {
		if i := slices.IndexFunc(list, func(u begun) bool { return u.Key == marker && u.id == id }); i >= 0 {
			at = i + 1
		}
	}
	if at < 0 {
		return nil
	}
	return list[at:]
}
