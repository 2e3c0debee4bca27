package s3_test

import (
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// BenchmarkObject is a call through the SDK and the front door, to disk and back.
func BenchmarkObject(b *testing.B) {
	a := open(b)
	a.bucket(b, "bkt")
	for name, size := range map[string]int{"1KiB": 1 << 10, "8MiB": 8 << 20} {
		data := strings.Repeat("x", size)
		put(b, a.admin, "bkt", "k", data)
		b.Run("put/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				put(b, a.admin, "bkt", "k", data[1:]+string(rune('0'+i%10)))
			}
		})
		b.Run("get/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				out, err := a.admin.GetObject(b.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, out.Body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
