// Package s3 is Amazon S3, small but real: buckets and objects that policies
// allow or refuse.
//
// # Where things are
//
// What is known of a bucket, an object or an upload is a record of the store, so
// that a write becomes visible in one transaction, and a key is a key: it never
// becomes a path, whatever is in it. The bytes are blobs of a content store
// (containerd's, the library that nodes keep images in), named by their SHA-256.
// An object is a list of blobs: completing an upload and copying write a record
// and no bytes. A blob that no record names any more is deleted.
//
// # A call
//
// The front door hands over a body as a stream that ends well only if signature,
// hash and checksums are right (api.Body). It is written to a blob that nothing
// names; only then is the object's record put, on the conditions that the call
// made. What fails before leaves nothing behind.
//
// Every call is authorized here, not at the front door, because the decision is
// the identity's and the bucket's together: with S3's action, the bucket's or the
// object's ARN, and S3's condition keys, before anything is read or told. Who may
// not list a bucket is not told whether a key is missing.
//
// # What differs from AWS
//
//   - One kind of bucket: general purpose, ACLs disabled (BucketOwnerEnforced),
//     not versioned, storage class STANDARD, not encrypted on disk. What asks for
//     anything else is refused by name.
//   - A bucket policy may use any action of S3 and any condition key; AWS refuses
//     keys that none of the statement's actions has.
//   - The records of all objects are in memory: some hundred thousand are well.
//   - Bucket names are the account's alone, as there is no other account.
package s3
