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
}

// Block is a public access block.
type Block struct{ BlockACLs, IgnoreACLs, BlockPolicy, Restrict bool }

// Tag of a bucket or an object.
type Tag struct{ Key, Value string }

// Blob is a piece of an object's bytes.
type Blob struct {
	Digest string // SHA-256, hexadecimal
	Size   int64
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
}

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

func (p *Part) blobs() []Blob {
	if p.Blob.Size == 0 {
		return nil
	}
	return []Blob{p.Blob}
}
