package s3

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// pageSize is the most keys and common prefixes in an answer.
const pageSize = 1000

// listing is what a list of keys was asked for.
type listing struct {
	prefix, delimiter string
	after             string // only what comes later; a common prefix is passed over whole
	most              int
}

// page is one answer: names of objects and common prefixes, in order.
type page struct {
	keys     []string
	objects  []*Object
	prefixes []string
	last     string // of all names shown
	more     bool
}

// list goes through a bucket's keys in the order of their bytes.
func (s *S3) list(bucket string, l listing) page {
	var p page
	common := ""
	for record, o := range s.objects.Shared(objectKey(bucket, l.prefix)) {
		key := keyOf(bucket, record)
		if key <= l.after || common != "" && strings.HasPrefix(key, common) {
			continue
		}
		if l.delimiter != "" {
			if i := strings.Index(key[len(l.prefix):], l.delimiter); i >= 0 {
				common = key[:len(l.prefix)+i+len(l.delimiter)]
				if common == l.after {
					continue
				}
				if !p.room(l.most) {
					break
				}
				p.prefixes, p.last = append(p.prefixes, common), common
				continue
			}
		}
		if !p.room(l.most) {
			break
		}
		p.keys, p.objects, p.last = append(p.keys, key), append(p.objects, o), key
	}
	return p
}

// room says whether one more name fits; if not, there are more.
func (p *page) room(most int) bool {
	if len(p.keys)+len(p.prefixes) < most {
		return true
	}
	p.more = most > 0
	return false
}

// spelling is how names are written in an answer: percent-encoded if asked for.
type spelling types.EncodingType

func (e spelling) check() error {
	if e != "" && e != spelling(types.EncodingTypeUrl) {
		return invalidArgument("Invalid Encoding Method specified in Request")
	}
	return nil
}

func (e spelling) spell(name string) *string {
	if e != "" {
		name = strings.ReplaceAll(url.QueryEscape(name), "%2F", "/")
	}
	return &name
}

// maybe is spell of a parameter that may be absent.
func (e spelling) maybe(name *string) *string {
	if name == nil {
		return nil
	}
	return e.spell(*name)
}

func (e spelling) prefixes(names []string) []types.CommonPrefix {
	var out []types.CommonPrefix
	for _, n := range names {
		out = append(out, types.CommonPrefix{Prefix: e.spell(n)})
	}
	return out
}

func (e spelling) contents(p *page, owner *types.Owner) []types.Object {
	var out []types.Object
	for i, o := range p.objects {
		one := types.Object{
			Key: e.spell(p.keys[i]), LastModified: aws.Time(o.Modified), ETag: quoted(o.ETag), Size: aws.Int64(o.Size),
			StorageClass: types.ObjectStorageClassStandard, Owner: owner,
		}
		if c := o.Checksum; c.Algorithm != "" {
			one.ChecksumAlgorithm, one.ChecksumType = []types.ChecksumAlgorithm{types.ChecksumAlgorithm(c.Algorithm)}, c.kind()
		}
		out = append(out, one)
	}
	return out
}

// mostKeys reads max-keys, which AWS cuts to its own page.
func mostKeys(n *int32) (int, error) {
	switch {
	case n == nil:
		return pageSize, nil
	case *n < 0:
		return 0, invalidArgument("Argument maxKeys must be an integer between 0 and 2147483647")
	}
	return min(int(*n), pageSize), nil
}

// listKeys are the condition keys of s3:ListBucket.
func listKeys(prefix, delimiter *string, most *int32) keys {
	k := keys{}.set("s3:delimiter", delimiter)
	if prefix != nil {
		k["s3:prefix"] = []string{*prefix}
	}
	if most != nil {
		k["s3:max-keys"] = []string{strconv.Itoa(int(*most))}
	}
	return k
}

// sought is what every listing of keys is asked with.
type sought struct {
	bucket, owner, prefix, delimiter *string
	most                             *int32
	encoding                         types.EncodingType
}

// mayList returns how many keys are listed at most and how they are spelled, if the
// caller may list the bucket's.
func (s *S3) mayList(ctx context.Context, action string, q sought) (most int, e spelling, err error) {
	if _, err := s.onBucket(ctx, action, q.bucket, q.owner, listKeys(q.prefix, q.delimiter, q.most)); err != nil {
		return 0, "", err
	}
	if most, err = mostKeys(q.most); err != nil {
		return 0, "", err
	}
	e = spelling(q.encoding)
	return most, e, e.check()
}

func (s *S3) listObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	most, e, err := s.mayList(ctx, "s3:ListBucket", sought{in.Bucket, in.ExpectedBucketOwner, in.Prefix, in.Delimiter, in.MaxKeys, in.EncodingType})
	if err != nil {
		return nil, err
	}
	after, err := readToken(in.ContinuationToken)
	if err != nil {
		return nil, err
	}
	if after == "" {
		after = aws.ToString(in.StartAfter)
	}
	p := s.list(*in.Bucket, listing{aws.ToString(in.Prefix), aws.ToString(in.Delimiter), after, most})
	var owner *types.Owner
	if aws.ToBool(in.FetchOwner) {
		owner = s.owner()
	}
	out := &s3.ListObjectsV2Output{
		Name: in.Bucket, Prefix: e.spell(aws.ToString(in.Prefix)), Delimiter: e.maybe(in.Delimiter), MaxKeys: aws.Int32(int32(most)),
		EncodingType: in.EncodingType, StartAfter: e.maybe(in.StartAfter), ContinuationToken: in.ContinuationToken,
		Contents: e.contents(&p, owner), CommonPrefixes: e.prefixes(p.prefixes),
		KeyCount: aws.Int32(int32(len(p.keys) + len(p.prefixes))), IsTruncated: &p.more,
	}
	if p.more {
		out.NextContinuationToken = token(p.last)
	}
	return out, nil
}

func (s *S3) listObjects(ctx context.Context, in *s3.ListObjectsInput) (*s3.ListObjectsOutput, error) {
	most, e, err := s.mayList(ctx, "s3:ListBucket", sought{in.Bucket, in.ExpectedBucketOwner, in.Prefix, in.Delimiter, in.MaxKeys, in.EncodingType})
	if err != nil {
		return nil, err
	}
	p := s.list(*in.Bucket, listing{aws.ToString(in.Prefix), aws.ToString(in.Delimiter), aws.ToString(in.Marker), most})
	out := &s3.ListObjectsOutput{
		Name: in.Bucket, Prefix: e.spell(aws.ToString(in.Prefix)), Delimiter: e.maybe(in.Delimiter), MaxKeys: aws.Int32(int32(most)),
		EncodingType: in.EncodingType, Marker: e.spell(aws.ToString(in.Marker)),
		Contents: e.contents(&p, s.owner()), CommonPrefixes: e.prefixes(p.prefixes), IsTruncated: &p.more,
	}
	if p.more && in.Delimiter != nil {
		out.NextMarker = e.spell(p.last) // without a delimiter the last key is the marker
	}
	return out, nil
}
