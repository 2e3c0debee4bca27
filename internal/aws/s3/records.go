package s3

import (
	"strings"
	"time"
)

// Bucket is the record of a bucket, under its name.
type Bucket struct {
	Name    string
	Created time.Time
	Policy  string // as it is kept: unique ids for users and roles; "" without
	Block   *Block // the public access block; nil without
	Tags    []Tag

	Versioning string `json:",omitempty"` // Enabled or Suspended; "" of one that never had versions
	Encryption string `json:",omitempty"` // of new objects: AES256 or aws:kms; "" is AES256
	Lifecycle  string `json:",omitempty"` // JSON of the rules; "" without
}

// Block is a public access block.
type Block struct{ BlockACLs, IgnoreACLs, BlockPolicy, Restrict bool }

// Tag of a bucket or an object.
type Tag struct{ Key, Value string }

// Blob is a piece of an object's bytes.
type Blob struct {
	Digest string // SHA-256 of what is on disk, hexadecimal
	Size   int64
	IV     string `json:",omitempty"` // what it is encrypted with, beside the key, hexadecimal; "": it isn't
}

// Object is the record of an object, under BUCKET/KEY.
type Object struct {
	Size     int64
	ETag     string // without quotes
	Modified time.Time
	Blobs    []Blob // none of an empty object; of an upload, one for each part
	Parts    int    // how many parts it was uploaded in; 0: it wasn't
	Checksum Checksum
	Head     Head
	Tags     []Tag

	Version    string `json:",omitempty"` // its id; "" is "null"
	Order      int64  `json:",omitempty"` // of the versions of a key: ns since 1970
	Encryption string `json:",omitempty"` // AES256 or aws:kms; "" of one from before there was any
}

// Version is the record of a version that is not the current one, or of a delete marker,
// under BUCKET/KEY, a zero byte and its place, the newest first.
type Version struct {
	Object
	Marker bool      `json:",omitempty"`
	Since  time.Time // when it ceased to be the current one
}

// Key is what bytes on disk are encrypted with.
type Key struct{ Secret []byte }

// Checksum is an object's or a part's.
type Checksum struct {
	Algorithm string // CRC32, …; "" without
	Value     string // base64; of a composite one with "-N"
	Composite bool   // made of the parts' checksums
}

// Head is what is given with an object when it is written and comes back with it.
type Head struct {
	ContentType, CacheControl, Disposition, Encoding, Language string
	Redirect                                                   string
	Expires                                                    *time.Time
	Meta                                                       map[string]string
}

// Upload is the record of a multipart upload, under BUCKET/ID.
type Upload struct {
	Key       string
	Started   time.Time
	Initiator string // ARN
	Head      Head
	Tags      []Tag
	Algorithm string // of the checksum; "" if the client asked for none
	Composite bool

	Encryption string `json:",omitempty"`
}

// Part is the record of an upload's part, under BUCKET/ID/NUMBER.
type Part struct {
	Number   int32
	Blob     Blob // Size 0: no bytes
	ETag     string
	Modified time.Time
	Checksum Checksum
}

func objectKey(bucket, key string) string { return bucket + "/" + key }

// keyOf is the object's key in a record's.
func keyOf(bucket, record string) string { return strings.TrimPrefix(record, bucket+"/") }

func (o *Object) blobs() []Blob { return o.Blobs }

func (v *Version) blobs() []Blob { return v.Blobs }

func (p *Part) blobs() []Blob {
	if p.Blob.Size == 0 {
		return nil
	}
	return []Blob{p.Blob}
}
