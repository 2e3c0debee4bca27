package s3_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// listed goes through all pages, and shows keys and, with a slash before them,
// common prefixes, in the order of each page.
func listed(t *testing.T, c *s3.Client, in s3.ListObjectsV2Input) (all []string) {
	t.Helper()
	in.Bucket = aws.String("bkt")
	for {
		out, err := c.ListObjectsV2(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(out.Contents) + len(out.CommonPrefixes); int(*out.KeyCount) != n || in.MaxKeys != nil && n > int(*in.MaxKeys) {
			t.Fatalf("KeyCount %d of %d", *out.KeyCount, n)
		}
		for _, o := range out.Contents {
			all = append(all, *o.Key)
		}
		for _, p := range out.CommonPrefixes {
			all = append(all, "/"+*p.Prefix)
		}
		if !aws.ToBool(out.IsTruncated) {
			return all
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

func TestList(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	for _, k := range []string{"a", "a/1", "a/2", "a/b/3", "b-1", "b/1", "b0", "c", "ü/1", "é"} {
		put(t, a.admin, "bkt", k, "x")
	}
	for _, tc := range []struct {
		prefix, delimiter, after string
		want                     string
	}{
		{"", "", "", "a a/1 a/2 a/b/3 b-1 b/1 b0 c é ü/1"},
		{"", "/", "", "a /a/ b-1 /b/ b0 c é /ü/"},
		{"a", "", "", "a a/1 a/2 a/b/3"},
		{"a/", "/", "", "a/1 a/2 /a/b/"},
		{"a/b", "/", "", "/a/b/"},
		{"b", "", "", "b-1 b/1 b0"},
		{"", "", "b-1", "b/1 b0 c é ü/1"},
		{"", "/", "a/", "b-1 /b/ b0 c é /ü/"},
		{"", "/", "a/2", "/a/ b-1 /b/ b0 c é /ü/"},
		{"", "/", "a/b/", "/a/ b-1 /b/ b0 c é /ü/"},
		{"none", "/", "", ""},
		{"", "-", "", "a a/1 a/2 a/b/3 /b- b/1 b0 c é ü/1"},
		{"", "1", "", "a /a/1 a/2 a/b/3 /b-1 /b/1 b0 c é /ü/1"},
	} {
		for _, most := range []int32{0, 1, 2, 3} {
			in := s3.ListObjectsV2Input{Prefix: &tc.prefix}
			if tc.delimiter != "" {
				in.Delimiter = &tc.delimiter
			}
			if tc.after != "" {
				in.StartAfter = &tc.after
			}
			if most > 0 {
				in.MaxKeys = &most
			}
			got := listed(t, a.admin, in)
			want := strings.Fields(tc.want)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("prefix %q, delimiter %q, after %q, pages of %d:\n%q, want\n%q", tc.prefix, tc.delimiter, tc.after, most, got, want)
			}
		}
	}
	one, err := a.admin.ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: aws.String("bkt"), MaxKeys: aws.Int32(2), Delimiter: aws.String("/"), EncodingType: types.EncodingTypeUrl})
	if err != nil || *one.NextMarker != "a/" || *one.Contents[0].Key != "a" || one.Contents[0].Owner == nil {
		t.Errorf("the first list: %+v, %v", one, err)
	}
	two, err := a.admin.ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: aws.String("bkt"), Delimiter: aws.String("/"), Marker: one.NextMarker, EncodingType: types.EncodingTypeUrl})
	if err != nil || len(two.Contents) != 4 || *two.Contents[3].Key != "%C3%A9" || *two.CommonPrefixes[1].Prefix != "%C3%BC/" {
		t.Errorf("the second list: %+v, %v", two, err)
	}
	none, err := a.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bkt"), MaxKeys: aws.Int32(0)})
	if err != nil || *none.KeyCount != 0 || *none.IsTruncated {
		t.Errorf("a list of nothing: %+v, %v", none, err)
	}
	_, err = a.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bkt"), ContinuationToken: aws.String("!")})
	refused(t, err, "InvalidArgument", "The continuation token provided is incorrect")
}

// hostile are keys that a storage by paths would stumble over, or leave by.
var hostile = []string{
	"..", ".", "../", "../../etc/passwd", "a/../../b", "/", "//", "/etc/passwd", "///x", "a//b", "a/./b", "a/", "a", "a/b", "a/b/",
	"blobs/sha256/x", "ingest", "%2e%2e/x", "..%2f..%2f", `..\..\x`, "C:\\x", "a\x00b", "a\nb", "a\rb", "\x01", " ", " a ", "a b", "+", "a+b", "%", "%zz", "?", "a?b=c", "#x",
	"&<>\"'", "ü/é", "漢字/😀", "\u202e", "\ufeff", "~", "*", strings.Repeat("k", 1024), strings.Repeat("d/", 512), strings.Repeat("ü", 512),
	".sgwtmp/x", "-", "--help", "con", "nul", "a:b", "x-amz-meta-a", "{Key+}", "$(id)", "${aws:username}", ".../...",
}

// TestHostileKeys: any key is a key. Each holds its own bytes, and nothing is
// written but blobs.
func TestHostileKeys(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	a.bucket(t, "bkt2")
	outside := filepath.Join(filepath.Dir(a.dir), "outside")
	before := tree(t, filepath.Dir(a.dir))
	for i, k := range hostile {
		put(t, a.admin, "bkt", k, fmt.Sprint("value ", i))
	}
	for i, k := range hostile {
		if got, want := get(t, a.admin, "bkt", k), fmt.Sprint("value ", i); got != want {
			t.Errorf("%q holds %q, want %q", k, got, want)
		}
	}
	out, err := a.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bkt"), EncodingType: types.EncodingTypeUrl})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range out.Contents {
		k, err := url.QueryUnescape(*o.Key)
		if err != nil {
			t.Errorf("%q: %v", *o.Key, err)
		}
		keys = append(keys, k)
	}
	want := slices.Clone(hostile)
	slices.Sort(want)
	if !slices.Equal(keys, want) {
		t.Errorf("the list is\n%q, want\n%q", keys, want)
	}
	if other, err := a.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bkt2")}); err != nil || *other.KeyCount != 0 {
		t.Errorf("the other bucket has %v, %v", other.Contents, err)
	}
	for path := range tree(t, filepath.Dir(a.dir)) {
		name, _ := strings.CutPrefix(path, filepath.Join(filepath.Base(a.dir), "blobs/sha256")+"/")
		if !before[path] && (len(name) != 64 || strings.Trim(name, "0123456789abcdef") != "") {
			t.Errorf("a key became the path %q", path)
		}
	}
	if _, err := os.Stat(outside); err == nil {
		t.Error("something was written outside")
	}
	for _, k := range hostile {
		must(t)(a.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: &k}))
	}
	if n := a.blobs(t); n != 0 {
		t.Errorf("%d files left", n)
	}
}

// tree lists the files below a folder.
func tree(t *testing.T, root string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			found[rel] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
