package s3_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestCrowd: many who write, copy, read and delete the same bytes under few keys.
// Whoever reads gets all of an object or none, and in the end nothing is left.
func TestCrowd(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	bodies := []string{strings.Repeat("a", 100_000), strings.Repeat("b", 300_000), "c", ""}
	none := func(err error) bool {
		var e interface{ ErrorCode() string }
		return errors.As(err, &e) && e.ErrorCode() == "NoSuchKey"
	}
	var crowd sync.WaitGroup
	for n := range 8 {
		crowd.Go(func() {
			for i := range 25 {
				key, other := aws.String(fmt.Sprint("k", (n+i)%3)), aws.String(fmt.Sprint("k", (n+i+1)%3))
				body := bodies[(n*7+i)%len(bodies)]
				if _, err := a.admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: key, Body: strings.NewReader(body)}); err != nil {
					t.Errorf("put: %v", err)
				}
				if _, err := a.admin.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("bkt"), Key: other, CopySource: aws.String("bkt/" + *key)}); err != nil && !none(err) {
					t.Errorf("copy: %v", err)
				}
				out, err := a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: other})
				if err == nil {
					data, err := io.ReadAll(out.Body)
					if err != nil || !whole(string(data), bodies) || int64(len(data)) != *out.ContentLength {
						t.Errorf("get: %d bytes of %d, %v", len(data), *out.ContentLength, err)
					}
				} else if !none(err) {
					t.Errorf("get: %v", err)
				}
				if _, err := a.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: key}); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		})
	}
	crowd.Wait()
	for i := range 3 {
		must(t)(a.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: aws.String(fmt.Sprint("k", i))}))
	}
	if n := a.blobs(t); n != 0 {
		t.Errorf("%d files left", n)
	}
}

func whole(data string, bodies []string) bool {
	for _, b := range bodies {
		if data == b {
			return true
		}
	}
	return false
}

// TestOneOfManyCreates: of those who create a key on condition that it isn't there,
// one does.
func TestOneOfManyCreates(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	won := make(chan string, 16)
	var crowd sync.WaitGroup
	for n := range 16 {
		crowd.Go(func() {
			body := fmt.Sprint("by ", n)
			_, err := a.admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Body: strings.NewReader(body), IfNoneMatch: aws.String("*")})
			if err == nil {
				won <- body
				return
			}
			refused(t, err, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
		})
	}
	crowd.Wait()
	close(won)
	first := <-won
	if second, more := <-won; more {
		t.Errorf("%q and %q both created it", first, second)
	}
	if got := get(t, a.admin, "bkt", "k"); got != first {
		t.Errorf("it holds %q, want %q", got, first)
	}
}
