package s3_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const mega = 1 << 20

// upload makes an object of parts, with checksums of an algorithm.
func upload(t *testing.T, c *s3.Client, key string, algorithm types.ChecksumAlgorithm, kind types.ChecksumType, parts ...[]byte) (*s3.CompleteMultipartUploadOutput, error) {
	t.Helper()
	bucket := aws.String("bkt")
	u, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: bucket, Key: &key, ChecksumAlgorithm: algorithm, ChecksumType: kind, ContentType: aws.String("text/x"), Metadata: map[string]string{"m": "1"}, Tagging: aws.String("t=1"),
	})
	if err != nil {
		return nil, err
	}
	var done []types.CompletedPart
	for i, p := range parts {
		n := int32(i + 1)
		out, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: &key, UploadId: u.UploadId, PartNumber: &n, Body: bytes.NewReader(p), ChecksumAlgorithm: algorithm})
		if err != nil {
			return nil, err
		}
		one := types.CompletedPart{PartNumber: &n, ETag: out.ETag}
		if algorithm != "" {
			one.ChecksumCRC32, one.ChecksumCRC32C, one.ChecksumCRC64NVME, one.ChecksumSHA1, one.ChecksumSHA256 = out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME, out.ChecksumSHA1, out.ChecksumSHA256
		}
		done = append(done, one)
	}
	return c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: &key, UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
	})
}

func TestMultipart(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	parts := [][]byte{bytes.Repeat([]byte("abcdefg"), 5*mega/7+1), bytes.Repeat([]byte("x"), 5*mega), []byte("the end")}
	whole := bytes.Join(parts, nil)
	sums := md5.New()
	for _, p := range parts {
		one := md5.Sum(p)
		sums.Write(one[:])
	}
	etag := `"` + hex.EncodeToString(sums.Sum(nil)) + `-3"`
	for _, tc := range []struct {
		algorithm types.ChecksumAlgorithm
		kind      types.ChecksumType
		want      types.ChecksumType
	}{
		{"", "", types.ChecksumTypeFullObject},
		{types.ChecksumAlgorithmCrc32, "", types.ChecksumTypeComposite},
		{types.ChecksumAlgorithmCrc32, types.ChecksumTypeFullObject, types.ChecksumTypeFullObject},
		{types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject, types.ChecksumTypeFullObject},
		{types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject, types.ChecksumTypeFullObject},
		{types.ChecksumAlgorithmSha1, "", types.ChecksumTypeComposite},
		{types.ChecksumAlgorithmSha256, "", types.ChecksumTypeComposite},
	} {
		key := "k-" + string(tc.algorithm) + string(tc.kind)
		out, err := upload(t, a.admin, key, tc.algorithm, tc.kind, parts...)
		if err != nil {
			t.Errorf("%s %s: %v", tc.algorithm, tc.kind, err)
			continue
		}
		if *out.ETag != etag || out.ChecksumType != tc.want {
			t.Errorf("%s %s: ETag %s, want %s; checksum's type %s, want %s", tc.algorithm, tc.kind, *out.ETag, etag, out.ChecksumType, tc.want)
		}
		// The SDK checks a checksum of the whole object as it reads.
		got, err := a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(data, whole) {
			t.Errorf("%s %s: %d bytes, %v; want %d", tc.algorithm, tc.kind, len(data), err, len(whole))
		}
		if tc.want == types.ChecksumTypeFullObject && got.ChecksumCRC32 == nil && got.ChecksumCRC32C == nil && got.ChecksumCRC64NVME == nil {
			t.Errorf("%s %s: no checksum comes back", tc.algorithm, tc.kind)
		}
		if *got.ContentType != "text/x" || got.Metadata["m"] != "1" || aws.ToInt32(got.TagCount) != 1 {
			t.Errorf("%s: type %s, metadata %v, %d tags", key, *got.ContentType, got.Metadata, aws.ToInt32(got.TagCount))
		}
	}
	at := int64(len(parts[0]) - 3)
	for header, want := range map[string][]byte{
		"bytes=0-2": whole[:3], "bytes=-7": []byte("the end"), "bytes=" + itoa(at) + "-" + itoa(at+5): whole[at : at+6],
	} {
		got, err := a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k-"), Range: &header})
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(data, want) {
			t.Errorf("%s: %q, %v, want %q", header, data, err, want)
		}
	}
	part, err := a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k-"), PartNumber: aws.Int32(3)})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(part.Body); err != nil || string(data) != "the end" || aws.ToInt32(part.PartsCount) != 3 {
		t.Errorf("part 3 of %d: %q, %v", aws.ToInt32(part.PartsCount), data, err)
	}
	must(t)(a.admin.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("bkt"), Key: aws.String("copy"), CopySource: aws.String("bkt/k-")}))
	copied, err := a.admin.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: aws.String("copy")})
	if sum := md5.Sum(whole); err != nil || *copied.ETag != `"`+hex.EncodeToString(sum[:])+`"` {
		t.Errorf("a copy has the ETag %v, %v", aws.ToString(copied.ETag), err)
	}
	if n := a.blobs(t); n != 7*3 {
		t.Errorf("%d files, want one for each part of seven objects: a copy has its source's", n)
	}
}

func itoa(n int64) string { return strings.TrimLeft(string(appendInt(nil, n)), " ") }

func appendInt(b []byte, n int64) []byte {
	if n >= 10 {
		b = appendInt(b, n/10)
	}
	return append(b, byte('0'+n%10))
}

// TestMultipartRefusals: what is wrong with an upload leaves it as it was.
func TestMultipartRefusals(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	bucket, key, ctx := aws.String("bkt"), aws.String("k"), t.Context()
	u, err := a.admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var tags [3]*string
	for i, data := range []string{"small", strings.Repeat("x", 5*mega), "end"} {
		out, err := a.admin.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: strings.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		tags[i] = out.ETag
	}
	done := func(id *string, more func(*s3.CompleteMultipartUploadInput), numbers ...int32) error {
		in := &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{}}
		for _, n := range numbers {
			in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, types.CompletedPart{PartNumber: aws.Int32(n), ETag: tags[(n-1)%3]})
		}
		if more != nil {
			more(in)
		}
		_, err := a.admin.CompleteMultipartUpload(ctx, in)
		return err
	}
	second := func(_ any, err error) error { return err }
	nobody := aws.String(strings.Repeat("0", 64))
	for name, tc := range map[string]struct {
		err        error
		code, text string
	}{
		"order":      {done(u.UploadId, nil, 3, 2), "InvalidPartOrder", "Parts must be ordered by part number."},
		"twice":      {done(u.UploadId, nil, 2, 2), "InvalidPartOrder", ""},
		"missing":    {done(u.UploadId, nil, 2, 4), "InvalidPart", "One or more of the specified parts could not be found."},
		"small":      {done(u.UploadId, nil, 1, 2), "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"},
		"none":       {done(u.UploadId, nil), "MalformedXML", ""},
		"no upload":  {done(nobody, nil, 2), "NoSuchUpload", "The specified upload does not exist."},
		"other tag":  {done(u.UploadId, func(in *s3.CompleteMultipartUploadInput) { in.MultipartUpload.Parts[0].ETag = aws.String(`"x"`) }, 2), "InvalidPart", ""},
		"other key":  {done(u.UploadId, func(in *s3.CompleteMultipartUploadInput) { in.Key = aws.String("other") }, 2), "NoSuchUpload", ""},
		"other size": {done(u.UploadId, func(in *s3.CompleteMultipartUploadInput) { in.MpuObjectSize = aws.Int64(1) }, 2), "InvalidRequest", "x-amz-mp-object-size"},
		"other sum":  {done(u.UploadId, func(in *s3.CompleteMultipartUploadInput) { in.ChecksumCRC64NVME = aws.String("AAAAAAAAAAA=") }, 2), "BadDigest", ""},
		"condition":  {done(u.UploadId, func(in *s3.CompleteMultipartUploadInput) { in.IfMatch = aws.String(`"x"`) }, 2), "NoSuchKey", ""},
		"part 0":     {second(a.admin.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(0), Body: strings.NewReader("x")})), "InvalidArgument", "between 1 and 10000"},
		"part 10001": {second(a.admin.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(10001), Body: strings.NewReader("x")})), "InvalidArgument", ""},
		"composite CRC64NVME": {second(a.admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme, ChecksumType: types.ChecksumTypeComposite})),
			"InvalidRequest", "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."},
		"copy's range": {second(a.admin.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(1), CopySource: aws.String("bkt/none")})), "NoSuchKey", ""},
		"abort none":   {second(a.admin.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: nobody})), "NoSuchUpload", ""},
		"abort a path": {second(a.admin.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: aws.String("../x")})), "NoSuchUpload", ""},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tc.err, tc.code, tc.text) })
	}
	list, err := a.admin.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: u.UploadId, MaxParts: aws.Int32(2)})
	if err != nil || len(list.Parts) != 2 || !*list.IsTruncated || *list.Parts[0].Size != 5 {
		t.Errorf("parts %+v, %v", list, err)
	}
	list, err = a.admin.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumberMarker: list.NextPartNumberMarker})
	if err != nil || len(list.Parts) != 1 || *list.IsTruncated || *list.Parts[0].PartNumber != 3 {
		t.Errorf("more parts %+v, %v", list, err)
	}
	uploads, err := a.admin.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	if err != nil || len(uploads.Uploads) != 1 || *uploads.Uploads[0].Key != "k" || *uploads.Uploads[0].UploadId != *u.UploadId {
		t.Errorf("uploads %+v, %v", uploads, err)
	}
	must(t)(a.admin.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: u.UploadId}))
	refused(t, done(u.UploadId, nil, 2), "NoSuchUpload", "")
	if n := a.blobs(t); n != 0 {
		t.Errorf("%d files left of an aborted upload", n)
	}
}

// TestUploadPartCopy: parts taken from other objects, whole and in pieces.
func TestUploadPartCopy(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	source := strings.Repeat("0123456789", mega)
	put(t, a.admin, "bkt", "src", source)
	bucket, key, ctx := aws.String("bkt"), aws.String("k"), t.Context()
	u, err := a.admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ChecksumType: types.ChecksumTypeFullObject})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	for i, r := range []*string{nil, aws.String("bytes=5-9")} {
		n := int32(i + 1)
		out, err := a.admin.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: &n, CopySource: aws.String("bkt/src"), CopySourceRange: r})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: &n, ETag: out.CopyPartResult.ETag, ChecksumCRC32: out.CopyPartResult.ChecksumCRC32})
	}
	_, err = a.admin.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(3), CopySource: aws.String("bkt/src"), CopySourceRange: aws.String("bytes=x")})
	refused(t, err, "InvalidArgument", "The x-amz-copy-source-range value must be of the form")
	out, err := a.admin.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	if err != nil {
		t.Fatal(err)
	}
	whole := source + "56789"
	if got := get(t, a.admin, "bkt", "k"); got != whole {
		t.Errorf("%d bytes, want %d", len(got), len(whole))
	}
	if sum := crc32.ChecksumIEEE([]byte(whole)); *out.ChecksumCRC32 != base64of(sum) {
		t.Errorf("CRC32 %s, want %s", *out.ChecksumCRC32, base64of(sum))
	}
}

// TestManyParts: more parts, uploads and objects than one transaction takes.
func TestManyParts(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	bucket, key, ctx := aws.String("bkt"), aws.String("k"), t.Context()
	begin := func() *string {
		u, err := a.admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		for n := range int32(230) {
			must(t)(a.admin.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(n + 1), Body: strings.NewReader(strings.Repeat("x", int(n)))}))
		}
		return u.UploadId
	}
	must(t)(a.admin.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: begin()}))
	if n := a.blobs(t); n != 0 {
		t.Errorf("an aborted upload left %d files", n)
	}
	begin()
	var some []types.ObjectIdentifier
	for n := range 230 {
		k := strings.Repeat("k", n+1)
		put(t, a.admin, "bkt", k, k)
		some = append(some, types.ObjectIdentifier{Key: &k})
	}
	out, err := a.admin.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: some}})
	if err != nil || len(out.Deleted) != 230 || len(out.Errors) != 0 {
		t.Errorf("%d deleted, errors %v, %v", len(out.Deleted), out.Errors, err)
	}
	must(t)(a.admin.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})) // with the upload
	if n := a.blobs(t); n != 0 {
		t.Errorf("a deleted bucket left %d files", n)
	}
}
