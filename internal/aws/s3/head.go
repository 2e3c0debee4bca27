package s3

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// mostOfMeta is the size of all user metadata together, names and values.
const mostOfMeta = 2 << 10

// check holds the metadata to its size.
func (h *Head) check() error {
	n := 0
	for k, v := range h.Meta {
		n += len(k) + len(v)
	}
	if n > mostOfMeta {
		return errMetadata
	}
	return nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// contentType is what S3 calls bytes of which it was told nothing.
func contentType(s *string) string {
	if s == nil || *s == "" {
		return "binary/octet-stream"
	}
	return *s
}

// asked is what a writing call asks of an object that a bucket of ours may not
// have.
type asked struct {
	acl        types.ObjectCannedACL
	grants     []*string
	class      types.StorageClass
	encryption types.ServerSideEncryption
	customer   []*string // keys of SSE-C and KMS
	lock       types.ObjectLockMode
	hold       types.ObjectLockLegalHoldStatus
	until      *time.Time
}

// refuse says by name what is not to be had.
func (a asked) refuse() error {
	given := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case a.acl != "" && a.acl != types.ObjectCannedACLBucketOwnerFullControl, slices.ContainsFunc(a.grants, given):
		return errNoACLs
	case a.encryption != "" && a.encryption != types.ServerSideEncryptionAes256 && a.encryption != types.ServerSideEncryptionAwsKms:
		return notImplemented("Server-side encryption (" + string(a.encryption) + ")")
	case slices.ContainsFunc(a.customer, given):
		return notImplemented("Server-side encryption with a key of the customer's")
	case a.lock != "" || a.hold != "" || a.until != nil:
		return api.Errorf(http.StatusBadRequest, "InvalidRequest", "Bucket is missing Object Lock Configuration")
	case a.class == "" || a.class == types.StorageClassStandard:
		return nil
	case slices.Contains(a.class.Values(), a.class):
		return notImplemented("Storage class " + string(a.class))
	}
	return api.Errorf(http.StatusBadRequest, "InvalidStorageClass", "The storage class you specified is not valid")
}

// putKeys are the condition keys of s3:PutObject.
func putKeys(a asked, tags []Tag) keys {
	k := keys{}.set("s3:x-amz-acl", pointer(string(a.acl))).set("s3:x-amz-storage-class", pointer(string(a.class))).
		set("s3:x-amz-server-side-encryption", pointer(string(a.encryption)))
	return k.tags("RequestObjectTag", tags)
}

// kind is the checksum's type as answers have it.
func (c Checksum) kind() types.ChecksumType {
	switch {
	case c.Algorithm == "":
		return ""
	case c.Composite:
		return types.ChecksumTypeComposite
	}
	return types.ChecksumTypeFullObject
}

// of is the value if the checksum is of that algorithm.
func (c Checksum) of(algorithm types.ChecksumAlgorithm) *string {
	if c.Algorithm != string(algorithm) {
		return nil
	}
	return &c.Value
}

// etagMatches compares with If-Match and its kin: "*" or a list of entity tags.
func etagMatches(header, etag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || strings.Trim(one, `"`) == etag {
			return true
		}
	}
	return false
}

// wishes are the conditions of a reading call.
type wishes struct {
	match, noneMatch          *string
	modified, unmodifiedSoFar *time.Time
}

// check compares them with an object, in HTTP's order (RFC 9110, 13.2.2). failed is
// the error of a wish for another object than this, unchanged of one for news.
func (w wishes) check(o *Object, failed, unchanged error) error {
	switch {
	case w.match != nil && !etagMatches(*w.match, o.ETag):
		return failed
	case w.match == nil && w.unmodifiedSoFar != nil && o.Modified.After(*w.unmodifiedSoFar):
		return failed
	case w.noneMatch != nil && etagMatches(*w.noneMatch, o.ETag):
		return unchanged
	case w.noneMatch == nil && w.modified != nil && !o.Modified.After(*w.modified):
		return unchanged
	}
	return nil
}

// mayReplace checks the conditions of a write against what is there.
func mayReplace(match, noneMatch *string, o *Object, there bool) error {
	switch {
	case noneMatch != nil && *noneMatch != "*":
		return notImplemented("A conditional write with If-None-Match other than *")
	case noneMatch != nil && there:
		return errPrecondition
	case match != nil && !there:
		return errNoSuchKey
	case match != nil && !etagMatches(*match, o.ETag):
		return errPrecondition
	}
	return nil
}
