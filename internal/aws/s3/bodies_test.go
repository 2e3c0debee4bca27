package s3_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func base64of(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sha(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

// sender signs requests to S3 by hand, with bodies that SDKs don't send.
type sender struct {
	a    *account
	keys aws.Credentials
	at   time.Time
}

func (a *account) sender(t *testing.T) *sender {
	keys, err := a.Admin.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &sender{a, keys, time.Now().UTC()}
}

// request is a PUT whose head is signed over payload; it returns the signature.
func (s *sender) request(t *testing.T, key, payload string, headers map[string]string) (*http.Request, string) {
	t.Helper()
	return s.signed(t, http.MethodPut, "/bkt/"+key, payload, headers)
}

func (s *sender) signed(t *testing.T, method, path, payload string, headers map[string]string) (*http.Request, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.a.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	r.Header.Set("X-Amz-Content-Sha256", payload)
	err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(context.Background(), s.keys, r, payload, "s3", place.Region, s.at)
	if err != nil {
		t.Fatal(err)
	}
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	return r, signature
}

func (s *sender) send(t *testing.T, r *http.Request, body string) (status int, answer string) {
	t.Helper()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	res, err := s.a.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(data)
}

// chunked is a body in signed chunks, with trailers if there are any.
func (s *sender) chunked(seed string, chunks []string, trailers ...string) string {
	date, stamp := s.at.Format("20060102"), s.at.Format("20060102T150405Z")
	scope := date + "/" + place.Region + "/s3/aws4_request"
	key := mac(mac(mac(mac([]byte("AWS4"+s.keys.SecretAccessKey), date), place.Region), "s3"), "aws4_request")
	var b strings.Builder
	for _, c := range slices.Concat(chunks, []string{""}) {
		seed = hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256-PAYLOAD\n"+stamp+"\n"+scope+"\n"+seed+"\n"+sha("")+"\n"+sha(c)))
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", len(c), seed, c)
		if c != "" {
			b.WriteString("\r\n")
		}
	}
	text := ""
	for _, line := range trailers {
		b.WriteString(line + "\r\n")
		text += line + "\n"
	}
	if len(trailers) > 0 {
		signature := mac(key, "AWS4-HMAC-SHA256-TRAILER\n"+stamp+"\n"+scope+"\n"+seed+"\n"+sha(text))
		b.WriteString("x-amz-trailer-signature:" + hex.EncodeToString(signature) + "\r\n")
	}
	return b.String() + "\r\n"
}

// TestSignedChunks: a body in chunks is taken if each is signed, and leaves nothing
// if one isn't.
func TestSignedChunks(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	put(t, a.admin, "bkt", "old", "old")
	s := a.sender(t)
	data := []string{strings.Repeat("a", 70000), "hello ", "world"}
	whole := strings.Join(data, "")
	const signed, trailing, unsigned = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	length := fmt.Sprint(len(whole))
	plain := map[string]string{"X-Amz-Decoded-Content-Length": length, "Content-Encoding": "gzip,aws-chunked"}
	trailer := map[string]string{"X-Amz-Decoded-Content-Length": length, "X-Amz-Trailer": "x-amz-checksum-crc32"}
	sum := "x-amz-checksum-crc32:" + base64of(crc32.ChecksumIEEE([]byte(whole)))
	unsignedBody := func(last string) string {
		return fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n%s\r\n", len(data[0]), data[0], len(data[1]+data[2]), data[1]+data[2], last)
	}
	for name, tc := range map[string]struct {
		payload string
		headers map[string]string
		body    func(seed string) string
		code    string // "" if it is taken
	}{
		"signed":            {signed, plain, func(seed string) string { return s.chunked(seed, data) }, ""},
		"signed, trailer":   {trailing, trailer, func(seed string) string { return s.chunked(seed, data, sum) }, ""},
		"unsigned, trailer": {unsigned, trailer, func(string) string { return unsignedBody(sum + "\r\n") }, ""},
		"another seed":      {signed, plain, func(string) string { return s.chunked(strings.Repeat("0", 64), data) }, "SignatureDoesNotMatch"},
		"a byte changed":    {signed, plain, func(seed string) string { return strings.Replace(s.chunked(seed, data), "world", "w0rld", 1) }, "SignatureDoesNotMatch"},
		"chunks exchanged":  {signed, plain, func(seed string) string { return s.chunked(seed, data[:1]) + s.chunked(seed, data[1:]) }, "InvalidRequest"},
		"a chunk left out":  {signed, plain, func(seed string) string { return s.chunked(seed, data[:2]) }, "IncompleteBody"},
		"cut off":           {signed, plain, func(seed string) string { return s.chunked(seed, data)[:60000] }, "IncompleteBody"},
		"not chunked":       {signed, plain, func(string) string { return whole }, "InvalidRequest"},
		"not signed":        {signed, plain, func(string) string { return unsignedBody("") }, "InvalidRequest"},
		"too large":         {signed, map[string]string{"X-Amz-Decoded-Content-Length": "5368709121"}, func(seed string) string { return s.chunked(seed, data) }, "EntityTooLarge"},
		"no length":         {signed, nil, func(seed string) string { return s.chunked(seed, data) }, "MissingContentLength"},
		"a negative size":   {signed, plain, func(string) string { return "-5\r\nhello\r\n0\r\n\r\n" }, "InvalidRequest"},
		"a huge size":       {signed, plain, func(string) string { return "ffffffffffffffff\r\nhello\r\n0\r\n\r\n" }, "InvalidRequest"},
		"an endless line":   {signed, plain, func(string) string { return strings.Repeat("0", 200000) }, "InvalidRequest"},
		"another trailer": {trailing, trailer, func(seed string) string {
			return strings.Replace(s.chunked(seed, data, sum), sum, "x-amz-checksum-crc32:AAAAAA==", 1)
		}, "SignatureDoesNotMatch"},
		"a wrong checksum":   {unsigned, trailer, func(string) string { return unsignedBody("x-amz-checksum-crc32:AAAAAA==\r\n") }, "BadDigest"},
		"no checksum":        {unsigned, trailer, func(string) string { return unsignedBody("") }, "MalformedTrailerError"},
		"a trailer unwanted": {signed, plain, func(seed string) string { return strings.TrimSuffix(s.chunked(seed, data), "\r\n") + sum + "\r\n\r\n" }, "MalformedTrailerError"},
		"unknown checksum":   {unsigned, map[string]string{"X-Amz-Decoded-Content-Length": length, "X-Amz-Trailer": "x-amz-checksum-xxhash3"}, func(string) string { return unsignedBody(sum + "\r\n") }, "NotImplemented"},
		"ECDSA":              {"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", plain, func(string) string { return whole }, "InvalidArgument"},
		"hash of another":    {sha("other"), nil, func(string) string { return whole }, "XAmzContentSHA256Mismatch"},
		"hash":               {sha(whole), nil, func(string) string { return whole }, ""},
		"no hash":            {"abc", nil, func(string) string { return whole }, "InvalidArgument"},
		"unsigned payload":   {"UNSIGNED-PAYLOAD", nil, func(string) string { return whole }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"new", "old"} {
				r, seed := s.request(t, key, tc.payload, tc.headers)
				status, answer := s.send(t, r, tc.body(seed))
				if tc.code == "" {
					if status != 200 {
						t.Fatalf("%d %s", status, answer)
					}
					if got := get(t, a.admin, "bkt", key); got != whole {
						t.Errorf("%d bytes are stored, want %d", len(got), len(whole))
					}
					head, err := a.admin.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: &key})
					if err != nil || strings.Contains(aws.ToString(head.ContentEncoding), "aws-chunked") {
						t.Errorf("Content-Encoding %v, %v", aws.ToString(head.ContentEncoding), err)
					}
					must(t)(a.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: &key}))
					put(t, a.admin, "bkt", "old", "old")
					continue
				}
				if status == 200 || !strings.Contains(answer, "<Code>"+tc.code+"</Code>") {
					t.Errorf("%d %s, want %s", status, answer, tc.code)
				}
			}
			if got := get(t, a.admin, "bkt", "old"); got != "old" {
				t.Errorf("what was there is now %.20q", got)
			}
			if list, err := a.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bkt")}); err != nil || *list.KeyCount != 1 {
				t.Errorf("the bucket has %v, %v", list.Contents, err)
			}
		})
	}
	if n := a.blobs(t); n != 1 {
		t.Errorf("%d files, want one", n)
	}
}

// zeros is a body of n bytes that is not in memory.
type zeros struct{ at, n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.at == z.n {
		return 0, io.EOF
	}
	k := min(int64(len(p)), z.n-z.at)
	clear(p[:k])
	z.at += k
	return int(k), nil
}

func (z *zeros) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += z.at
	case io.SeekEnd:
		offset += z.n
	}
	z.at = offset
	return offset, nil
}

// TestLargeObject: 256 MiB pass without being held.
func TestLargeObject(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	const size = 256 << 20
	most, stop := make(chan uint64), make(chan struct{})
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	go func() {
		var now runtime.MemStats
		peak := uint64(0)
		for {
			select {
			case <-stop:
				most <- peak
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapInuse)
			}
		}
	}()
	must(t)(a.admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("large"), Body: &zeros{n: size}}))
	out, err := a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("large")})
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, out.Body)
	if err != nil || n != size {
		t.Errorf("%d bytes, %v", n, err)
	}
	close(stop)
	if peak := <-most; peak > before.HeapInuse+16<<20 {
		t.Errorf("the heap grew from %d to %d MiB", before.HeapInuse>>20, peak>>20)
	} else {
		t.Logf("the heap grew from %d to %d MiB", before.HeapInuse>>20, peak>>20)
	}
}

// TestCutDownload: a client that leaves in the middle leaves nothing held.
func TestCutDownload(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	must(t)(a.admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Body: bytes.NewReader(make([]byte, 8<<20))}))
	out, err := a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.CopyN(io.Discard, out.Body, 10)
	out.Body.Close()
	a.Client.CloseIdleConnections()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		must(t)(a.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")}))
		if a.blobs(t) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the bytes of a deleted object stay")
		}
	}
}
