package s3

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/store"
)

// The current version of an object is its record; all others, and delete markers, are
// records of another table. An object whose newest version is a marker has no record.

// States of a bucket's versioning.
const (
	versioned = string(types.BucketVersioningStatusEnabled)
	suspended = string(types.BucketVersioningStatusSuspended)
)

// nullVersion is the id of what was written while there was no versioning.
const nullVersion = "null"

func newVersion() string {
	var raw [24]byte
	rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// version is an object's id as answers have it: none where there were never versions.
func (o *Object) version() *string { return pointer(o.Version) }

// id is an object's, also where there were never versions.
func (o *Object) id() string {
	if o.Version == "" {
		return nullVersion
	}
	return o.Version
}

// olderPrefix is what a key's versions begin with.
func olderPrefix(bucket, key string) string { return objectKey(bucket, key) + "\x00" }

// olderKey is a version's record: the newest of a key comes first.
func olderKey(bucket, key string, o *Object) string {
	return fmt.Sprintf("%s%019d", olderPrefix(bucket, key), math.MaxInt64-o.order())
}

func (o *Object) order() int64 {
	if o.Order != 0 {
		return o.Order
	}
	return o.Modified.UnixNano()
}

// supersede makes the current version, if there is one, an older one.
func (s *S3) supersede(tx *store.Tx, bucket, key string) {
	if o, ok := s.objects.In(tx).Get(objectKey(bucket, key)); ok {
		s.older.In(tx).Put(olderKey(bucket, key, &o), Version{Object: o, Since: s.now()})
	}
}

// supersedeOthers is supersede where the null version is to be overwritten.
func (s *S3) supersedeOthers(tx *store.Tx, bucket, key string) {
	if o, ok := s.objects.In(tx).Get(objectKey(bucket, key)); ok && o.id() != nullVersion {
		s.supersede(tx, bucket, key)
	}
	for record, v := range s.olderIn(bucket, key) {
		if v.id() == nullVersion {
			s.older.In(tx).Delete(record)
		}
	}
}

// olderIn goes through a key's older versions, the newest first. They are no conditions of
// a transaction, of which there may be more than it takes: who relies on one reads it anew.
func (s *S3) olderIn(bucket, key string) iter.Seq2[string, Version] {
	return func(yield func(string, Version) bool) {
		for record := range s.older.Shared(olderPrefix(bucket, key)) {
			v, ok := s.older.Get(record)
			if ok && !yield(record, v) {
				return
			}
		}
	}
}

// deletion is what became of one: the version that is gone, or the marker that was put.
type deletion struct {
	version string
	marker  bool
	put     bool // the marker was put, not deleted
}

func (d deletion) marked() *bool {
	if !d.marker {
		return nil
	}
	return &d.marker
}

func (d deletion) shown(key string, asked *string) types.DeletedObject {
	o := types.DeletedObject{Key: &key, VersionId: asked, DeleteMarker: d.marked()}
	if d.marker {
		o.DeleteMarkerVersionId = pointer(d.version)
	}
	return o
}

// removeIn deletes a version for good, or, without one, hides the object behind a marker
// where its bucket has versions.
func (s *S3) removeIn(tx *store.Tx, bucket, key, version string) (d deletion, err error) {
	b, ok := s.buckets.In(tx).Get(bucket)
	if !ok {
		return d, errNoSuchBucket
	}
	if version != "" {
		return s.removeVersion(tx, bucket, key, version), nil
	}
	record := objectKey(bucket, key)
	m := Version{Marker: true, Object: Object{Modified: s.now(), Order: s.Now().UnixNano()}, Since: s.now()}
	switch b.Versioning {
	case versioned:
		m.Version = newVersion()
		s.supersede(tx, bucket, key)
	case suspended:
		m.Version = nullVersion
		s.supersedeOthers(tx, bucket, key)
	default:
		if _, there := s.objects.In(tx).Get(record); there {
			s.objects.In(tx).Delete(record)
		}
		return d, nil
	}
	s.objects.In(tx).Delete(record)
	s.older.In(tx).Put(olderKey(bucket, key, &m.Object), m)
	return deletion{m.Version, true, true}, nil
}

// removeVersion deletes one version. What is the newest then is the current one, unless it
// is a marker.
func (s *S3) removeVersion(tx *store.Tx, bucket, key, version string) (d deletion) {
	d.version = version
	current, there := s.objects.In(tx).Get(objectKey(bucket, key))
	if there && current.id() == version {
		s.objects.In(tx).Delete(objectKey(bucket, key))
		there = false
	} else {
		for record, v := range s.olderIn(bucket, key) {
			if v.id() != version {
				continue
			}
			if _, still := s.older.In(tx).Get(record); still {
				s.older.In(tx).Delete(record)
				d.marker = v.Marker
			}
			break
		}
	}
	if there {
		return d
	}
	for record := range s.olderIn(bucket, key) {
		v, still := s.older.In(tx).Get(record)
		if !still {
			continue // the one that was deleted above
		}
		if !v.Marker {
			s.older.In(tx).Delete(record)
			s.objects.In(tx).Put(objectKey(bucket, key), v.Object)
		}
		break
	}
	return d
}

// ofVersion is the action on a version.
func ofVersion(action string, version *string) string {
	if version == nil {
		return action
	}
	return action + "Version"
}

// readable authorizes reading an object or a version and finds it, its bytes held.
func (s *S3) readable(ctx context.Context, bucket, key, owner, version *string) (o Object, err error) {
	if _, err := s.onObject(ctx, ofVersion("s3:GetObject", version), bucket, key, owner, version, nil); err != nil {
		return o, err
	}
	for {
		o, err = s.at(*bucket, *key, version)
		if err == error(errNoSuchKey) {
			return o, s.missing(ctx, *bucket)
		}
		if err != nil {
			return o, err
		}
		// They are held if the record named them while they were.
		s.blobs.hold(o.Blobs)
		if now, err := s.at(*bucket, *key, version); err == nil && slices.Equal(now.Blobs, o.Blobs) {
			return o, nil
		}
		s.blobs.release(o.Blobs)
	}
}

// at is an object, or a version of it.
func (s *S3) at(bucket, key string, version *string) (Object, error) {
	o, ok := s.objects.Get(objectKey(bucket, key))
	switch {
	case version == nil && !ok:
		return o, errNoSuchKey
	case version == nil, ok && o.id() == *version:
		return o, nil
	}
	for _, v := range s.older.Shared(olderPrefix(bucket, key)) {
		if v.id() != *version {
			continue
		}
		if v.Marker {
			return v.Object, errMarker
		}
		return v.Object, nil
	}
	return o, errNoSuchVersion
}

func (s *S3) getBucketVersioning(ctx context.Context, in *s3.GetBucketVersioningInput) (*s3.GetBucketVersioningOutput, error) {
	b, err := s.onBucket(ctx, "s3:GetBucketVersioning", in.Bucket, in.ExpectedBucketOwner, nil)
	return &s3.GetBucketVersioningOutput{Status: types.BucketVersioningStatus(b.Versioning)}, err
}

func (s *S3) putBucketVersioning(ctx context.Context, in *s3.PutBucketVersioningInput) (*s3.PutBucketVersioningOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutBucketVersioning", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	c := in.VersioningConfiguration
	switch {
	case c == nil || c.Status != types.BucketVersioningStatusEnabled && c.Status != types.BucketVersioningStatusSuspended:
		return nil, errMalformedXML
	case in.MFA != nil || c.MFADelete == types.MFADeleteEnabled:
		return nil, notImplemented("MFA delete")
	}
	return &s3.PutBucketVersioningOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Versioning = string(c.Status)
		return nil
	})
}

// listed is a version or a marker in a list.
type listed struct {
	key string
	Version
	latest bool
}

// allVersions lists a bucket's versions below a prefix, by key and then the newest first.
func (s *S3) allVersions(bucket, prefix string) []listed {
	var list []listed
	for record, o := range s.objects.Shared(objectKey(bucket, prefix)) {
		list = append(list, listed{keyOf(bucket, record), Version{Object: *o}, true})
	}
	for record, v := range s.older.Shared(objectKey(bucket, prefix)) {
		key, _, _ := strings.Cut(keyOf(bucket, record), "\x00")
		list = append(list, listed{key: key, Version: *v})
	}
	slices.SortStableFunc(list, func(a, b listed) int {
		if a.key != b.key {
			return strings.Compare(a.key, b.key)
		}
		switch {
		case a.latest:
			return -1
		case b.latest:
			return 1
		}
		return int(min(max(b.order()-a.order(), -1), 1))
	})
	for i := range list {
		if i == 0 || list[i-1].key != list[i].key {
			list[i].latest = true // a marker, where there is no record
		}
	}
	return list
}

func (s *S3) listObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (*s3.ListObjectVersionsOutput, error) {
	most, e, err := s.mayList(ctx, "s3:ListBucketVersions", sought{in.Bucket, in.ExpectedBucketOwner, in.Prefix, in.Delimiter, in.MaxKeys, in.EncodingType})
	if err != nil {
		return nil, err
	}
	if in.VersionIdMarker != nil && in.KeyMarker == nil {
		return nil, invalidArgument("A version-id marker cannot be specified without a key marker.")
	}
	prefix, delimiter := aws.ToString(in.Prefix), aws.ToString(in.Delimiter)
	out := &s3.ListObjectVersionsOutput{
		Name: in.Bucket, Prefix: e.spell(prefix), Delimiter: e.maybe(in.Delimiter), MaxKeys: aws.Int32(int32(most)), EncodingType: in.EncodingType,
		KeyMarker: e.spell(aws.ToString(in.KeyMarker)), VersionIdMarker: in.VersionIdMarker, IsTruncated: aws.Bool(false),
	}
	common, n := "", 0
	for _, v := range after(s.allVersions(*in.Bucket, prefix), aws.ToString(in.KeyMarker), aws.ToString(in.VersionIdMarker)) {
		if common != "" && strings.HasPrefix(v.key, common) {
			continue
		}
		if n == most {
			out.IsTruncated = aws.Bool(most > 0)
			break
		}
		n++
		if i := strings.Index(v.key[len(prefix):], delimiter); delimiter != "" && i >= 0 {
			common = v.key[:len(prefix)+i+len(delimiter)]
			out.CommonPrefixes = append(out.CommonPrefixes, types.CommonPrefix{Prefix: e.spell(common)})
			out.NextKeyMarker, out.NextVersionIdMarker = e.spell(common), nil
			continue
		}
		out.NextKeyMarker, out.NextVersionIdMarker = e.spell(v.key), aws.String(v.id())
		if v.Marker {
			out.DeleteMarkers = append(out.DeleteMarkers, types.DeleteMarkerEntry{
				Key: e.spell(v.key), VersionId: aws.String(v.id()), IsLatest: aws.Bool(v.latest), LastModified: aws.Time(v.Modified), Owner: s.owner(),
			})
			continue
		}
		one := types.ObjectVersion{
			Key: e.spell(v.key), VersionId: aws.String(v.id()), IsLatest: aws.Bool(v.latest), LastModified: aws.Time(v.Modified), Owner: s.owner(),
			ETag: quoted(v.ETag), Size: aws.Int64(v.Size), StorageClass: types.ObjectVersionStorageClassStandard,
		}
		if c := v.Checksum; c.Algorithm != "" {
			one.ChecksumAlgorithm, one.ChecksumType = []types.ChecksumAlgorithm{types.ChecksumAlgorithm(c.Algorithm)}, c.kind()
		}
		out.Versions = append(out.Versions, one)
	}
	if !*out.IsTruncated {
		out.NextKeyMarker, out.NextVersionIdMarker = nil, nil
	}
	return out, nil
}

// after cuts off what comes up to the markers; a common prefix as marker is passed over
// whole.
func after(list []listed, key, version string) []listed {
	if key == "" {
		return list
	}
	at := slices.IndexFunc(list, func(v listed) bool {
		return v.key > key && !(strings.HasSuffix(key, "/") && strings.HasPrefix(v.key, key))
	})
	if version != "" {
		if i := slices.IndexFunc(list, func(v listed) bool { return v.key == key && v.id() == version }); i >= 0 {
			return list[i+1:]
		}
	}
	if at < 0 {
		return nil
	}
	return list[at:]
}
