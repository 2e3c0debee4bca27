package s3

import (
	"context"
	"crypto/cipher"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Authorizer decides with the identity's policies and the bucket's (package
// aws/iam).
type Authorizer interface {
	// AuthorizeOn returns nil or an error whose text is AWS's sentence.
	AuthorizeOn(who *api.Caller, action, resource string, own *policy.Program, keys map[string][]string) error
	// StoredPolicy puts unique ids in the place of users and roles, and fails if one
	// isn't there; ShownPolicy puts their ARNs back.
	StoredPolicy(*policy.Document) (string, error)
	ShownPolicy(*policy.Document) string
	// AdmitsService says whether a bucket's policy lets an AWS service act on it.
	AdmitsService(service, action, resource string, own *policy.Program, given map[string][]string) bool
}

// Config is what S3 is made of. All but Now and Log are required.
type Config struct {
	Store *store.Store
	Place api.Place
	Dir   string // of the objects' bytes; made if it isn't there
	IAM   Authorizer
	Now   func() time.Time // time.Now when nil
	Log   *slog.Logger     // discarded when nil
}

// S3 is the service of one account.
type S3 struct {
	Config
	blobs *blobs

	buckets *store.Table[Bucket]
	objects *store.Table[Object]
	uploads *store.Table[Upload]
	parts   *store.Table[Part]
	older   *store.Table[Version]
	keys    *store.Table[Key]
	cipher  atomic.Pointer[cipher.Block]

	policies atomic.Pointer[map[string]*bucketPolicy] // compiled, by bucket
	stops    []func()
}

// New makes the service, registering its tables. Open must follow, once the store
// is loaded.
func New(c Config) (*S3, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	b, err := openBlobs(c.Dir)
	if err != nil {
		return nil, err
	}
	s := &S3{
		Config: c, blobs: b,
		buckets: store.NewTable[Bucket](c.Store, "s3/bucket"),
		objects: store.NewTable[Object](c.Store, "s3/object"),
		uploads: store.NewTable[Upload](c.Store, "s3/upload"),
		parts:   store.NewTable[Part](c.Store, "s3/part"),
		older:   store.NewTable[Version](c.Store, "s3/version"),
		keys:    store.NewTable[Key](c.Store, "s3/key"),
	}
	b.key = s.cipherOf
	s.policies.Store(&map[string]*bucketPolicy{})
	s.stops = []func(){
		s.buckets.Watch(s.bucketChanged),
		s.objects.Watch(func(_ string, old, new *Object) { b.changed(blobsOf(old), blobsOf(new)) }),
		s.parts.Watch(func(_ string, old, new *Part) { b.changed(blobsOf(old), blobsOf(new)) }),
		s.older.Watch(func(_ string, old, new *Version) { b.changed(blobsOf(old), blobsOf(new)) }),
	}
	return s, nil
}

// blobsOf are a record's, none of nil.
func blobsOf[T any, P interface {
	*T
	blobs() []Blob
}](record P) []Blob {
	if record == nil {
		return nil
	}
	return record.blobs()
}

// Open removes what a crash left behind.
func (s *S3) Open(ctx context.Context) error {
	if err := s.deleteStrayParts(ctx); err != nil {
		return err
	}
	return s.blobs.clean(ctx)
}

// Close stops following the store.
func (s *S3) Close() {
	for _, stop := range s.stops {
		stop()
	}
}

// sweep deletes bytes that the call at hand left without a name.
func (s *S3) sweep(ctx context.Context) {
	if err := s.blobs.sweep(context.WithoutCancel(ctx)); err != nil {
		s.Log.Error("bytes of deleted S3 objects stay on disk", "error", err)
	}
}

// now is the time to note in records: S3's have whole seconds.
func (s *S3) now() time.Time { return s.Now().UTC().Truncate(time.Second) }

// Service lists the operations. Each decides by itself who may call it, callers
// without a signature included.
func (s *S3) Service() *api.Service {
	v := &api.Service{ID: "s3", Action: "s3"}
	s.addBuckets(v)
	s.addObjects(v)
	s.addMultipart(v)
	for name, op := range v.Operations {
		op.Unsigned, op.SelfAuthorized, op.Data = true, true, dataEvents[name]
		v.Operations[name] = op
	}
	return v
}

// dataEvents are the calls on objects
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html).
var dataEvents = map[string]bool{
	"AbortMultipartUpload": true, "CompleteMultipartUpload": true, "CopyObject": true, "CreateMultipartUpload": true,
	"DeleteObject": true, "DeleteObjects": true, "DeleteObjectTagging": true, "GetObject": true, "GetObjectAcl": true,
	"GetObjectAttributes": true, "GetObjectTagging": true, "HeadObject": true, "ListObjectVersions": true, "ListObjects": true, "ListObjectsV2": true,
	"ListMultipartUploads": true, "ListParts": true, "PutObject": true, "PutObjectTagging": true, "UploadPart": true,
	"UploadPartCopy": true,
}

func (s *S3) addBuckets(v *api.Service) {
	api.Add(v, "ListBuckets", s.listBuckets, nil)
	api.Add(v, "CreateBucket", s.createBucket, nil)
	api.Add(v, "HeadBucket", s.headBucket, nil)
	api.Add(v, "DeleteBucket", s.deleteBucket, nil)
	api.Add(v, "GetBucketLocation", s.getBucketLocation, nil)
	api.Add(v, "GetBucketVersioning", s.getBucketVersioning, nil)
	api.Add(v, "PutBucketVersioning", s.putBucketVersioning, nil)
	api.Add(v, "GetBucketEncryption", s.getBucketEncryption, nil)
	api.Add(v, "PutBucketEncryption", s.putBucketEncryption, nil)
	api.Add(v, "DeleteBucketEncryption", s.deleteBucketEncryption, nil)
	api.Add(v, "GetBucketLifecycleConfiguration", s.getBucketLifecycle, nil)
	api.Add(v, "PutBucketLifecycleConfiguration", s.putBucketLifecycle, nil)
	api.Add(v, "DeleteBucketLifecycle", s.deleteBucketLifecycle, nil)
	api.Add(v, "GetBucketAcl", s.getBucketACL, nil)
	api.Add(v, "GetBucketOwnershipControls", s.getOwnershipControls, nil)
	api.Add(v, "GetBucketTagging", s.getBucketTagging, nil)
	api.Add(v, "PutBucketTagging", s.putBucketTagging, nil)
	api.Add(v, "DeleteBucketTagging", s.deleteBucketTagging, nil)
	api.Add(v, "GetBucketPolicy", s.getBucketPolicy, nil)
	api.Add(v, "PutBucketPolicy", s.putBucketPolicy, nil)
	api.Add(v, "DeleteBucketPolicy", s.deleteBucketPolicy, nil)
	api.Add(v, "GetBucketPolicyStatus", s.getBucketPolicyStatus, nil)
	api.Add(v, "GetPublicAccessBlock", s.getPublicAccessBlock, nil)
	api.Add(v, "PutPublicAccessBlock", s.putPublicAccessBlock, nil)
	api.Add(v, "DeletePublicAccessBlock", s.deletePublicAccessBlock, nil)
}

func (s *S3) addObjects(v *api.Service) {
	api.Add(v, "ListObjects", s.listObjects, nil)
	api.Add(v, "ListObjectsV2", s.listObjectsV2, nil)
	api.Add(v, "ListObjectVersions", s.listObjectVersions, nil)
	api.Add(v, "PutObject", s.putObject, nil)
	api.Add(v, "GetObject", s.getObject, nil)
	api.Add(v, "HeadObject", s.headObject, nil)
	api.Add(v, "CopyObject", s.copyObject, nil)
	api.Add(v, "DeleteObject", s.deleteObject, nil)
	api.Add(v, "DeleteObjects", s.deleteObjects, nil)
	api.Add(v, "GetObjectTagging", s.getObjectTagging, nil)
	api.Add(v, "PutObjectTagging", s.putObjectTagging, nil)
	api.Add(v, "DeleteObjectTagging", s.deleteObjectTagging, nil)
}

func (s *S3) addMultipart(v *api.Service) {
	api.Add(v, "CreateMultipartUpload", s.createMultipartUpload, nil)
	api.Add(v, "UploadPart", s.uploadPart, nil)
	api.Add(v, "UploadPartCopy", s.uploadPartCopy, nil)
	api.Add(v, "CompleteMultipartUpload", s.completeMultipartUpload, nil)
	api.Add(v, "AbortMultipartUpload", s.abortMultipartUpload, nil)
	api.Add(v, "ListParts", s.listParts, nil)
	api.Add(v, "ListMultipartUploads", s.listMultipartUploads, nil)
}

// pointer is nil for the empty string.
func pointer(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func quoted(etag string) *string { return aws.String(`"` + etag + `"`) }
