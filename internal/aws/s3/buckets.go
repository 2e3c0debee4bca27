package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// change is a transaction on a bucket that is there.
func (s *S3) change(ctx context.Context, name string, fn func(*store.Tx, *Bucket) error) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		b, ok := s.buckets.In(tx).Get(name)
		if !ok {
			return errNoSuchBucket
		}
		if err := fn(tx, &b); err != nil {
			return err
		}
		s.buckets.In(tx).Put(name, b)
		return nil
	})
}

func (s *S3) listBuckets(ctx context.Context, in *s3.ListBucketsInput) (*s3.ListBucketsOutput, error) {
	if err := s.may(ctx, "s3:ListAllMyBuckets", "", "*", nil); err != nil {
		return nil, err
	}
	after, err := readToken(in.ContinuationToken)
	if err != nil {
		return nil, err
	}
	most := 10000
	if in.MaxBuckets != nil {
		if most = int(*in.MaxBuckets); most < 1 || most > 10000 {
			return nil, invalidArgument("Argument max-buckets must be an integer between 1 and 10000")
		}
	}
	out := &s3.ListBucketsOutput{Owner: s.owner(), Prefix: in.Prefix, Buckets: []types.Bucket{}}
	if in.BucketRegion != nil && *in.BucketRegion != s.Place.Region {
		return out, nil
	}
	for name, b := range s.buckets.Shared(aws.ToString(in.Prefix)) {
		if name <= after {
			continue
		}
		if len(out.Buckets) == most {
			out.ContinuationToken = token(*out.Buckets[most-1].Name)
			break
		}
		out.Buckets = append(out.Buckets, types.Bucket{
			Name: aws.String(name), CreationDate: aws.Time(b.Created), BucketRegion: aws.String(s.Place.Region), BucketArn: aws.String(bucketARN(s.Place, name)),
		})
	}
	return out, nil
}

// tokenMark begins all of our tokens, which tells them from made-up ones.
const tokenMark = "after:"

// token makes a continuation token of the last name shown.
func token(last string) *string {
	return aws.String(base64.RawURLEncoding.EncodeToString([]byte(tokenMark + last)))
}

func readToken(t *string) (string, error) {
	if t == nil {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(*t)
	last, ours := strings.CutPrefix(string(text), tokenMark)
	if err != nil || !ours || last == "" {
		return "", invalidArgument("The continuation token provided is incorrect")
	}
	return last, nil
}

// owner is the account as ACLs and lists know it, by a canonical id.
func (s *S3) owner() *types.Owner {
	sum := sha256.Sum256([]byte("canonical user " + s.Place.AccountID))
	return &types.Owner{ID: aws.String(hex.EncodeToString(sum[:]))}
}

func (s *S3) createBucket(ctx context.Context, in *s3.CreateBucketInput) (*s3.CreateBucketOutput, error) {
	name := *in.Bucket
	if err := checkBucketName(name); err != nil {
		return nil, err
	}
	k := keys{}.set("s3:x-amz-acl", pointer(string(in.ACL))).set("s3:x-amz-object-ownership", pointer(string(in.ObjectOwnership)))
	if c := in.CreateBucketConfiguration; c != nil {
		k.set("s3:locationconstraint", pointer(string(c.LocationConstraint)))
	}
	if err := s.mayBucket(ctx, "s3:CreateBucket", name, k); err != nil {
		return nil, err
	}
	if err := s.checkCreate(in); err != nil {
		return nil, err
	}
	tags, err := s.createTags(ctx, in)
	if err != nil {
		return nil, err
	}
	system := api.SystemTags(ctx)
	for _, key := range slices.Sorted(maps.Keys(system)) {
		tags = append(tags, Tag{key, system[key]})
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.buckets.In(tx).Get(name); ok {
			return errOwnedByYou
		}
		s.buckets.In(tx).Put(name, Bucket{
			Name: name, Created: s.now(), Tags: tags,
			Block: &Block{BlockACLs: true, IgnoreACLs: true, BlockPolicy: true, Restrict: true},
		})
		return nil
	})
	return &s3.CreateBucketOutput{Location: aws.String("http://" + name + ".s3.amazonaws.com/"), BucketArn: aws.String(bucketARN(s.Place, name))}, err
}

func (s *S3) createTags(ctx context.Context, in *s3.CreateBucketInput) ([]Tag, error) {
	if in.CreateBucketConfiguration == nil || len(in.CreateBucketConfiguration.Tags) == 0 {
		return nil, nil
	}
	if err := s.mayBucket(ctx, "s3:TagResource", *in.Bucket, nil); err != nil {
		return nil, err
	}
	return checkTags(in.CreateBucketConfiguration.Tags, mostBucketTags)
}

// checkCreate refuses what a new bucket can't be.
func (s *S3) checkCreate(in *s3.CreateBucketInput) error {
	constraint := ""
	if c := in.CreateBucketConfiguration; c != nil {
		constraint = string(c.LocationConstraint)
		if c.Bucket != nil || c.Location != nil {
			return notImplemented("A directory bucket")
		}
	}
	switch {
	case in.ObjectLockEnabledForBucket != nil && *in.ObjectLockEnabledForBucket:
		return notImplemented("Object Lock")
	case in.ObjectOwnership != "" && in.ObjectOwnership != types.ObjectOwnershipBucketOwnerEnforced:
		return notImplemented("Object ownership " + string(in.ObjectOwnership))
	case in.ACL != "" && in.ACL != types.BucketCannedACLPrivate,
		in.GrantFullControl != nil, in.GrantRead != nil, in.GrantReadACP != nil, in.GrantWrite != nil, in.GrantWriteACP != nil:
		return api.Errorf(http.StatusBadRequest, "InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
	case s.Place.Region == "us-east-1" && constraint == "us-east-1":
		return api.Errorf(http.StatusBadRequest, "InvalidLocationConstraint", "The specified location-constraint is not valid")
	case s.Place.Region == "us-east-1" && constraint == "", constraint == s.Place.Region:
		return nil
	case constraint == "":
		constraint = "unspecified"
	}
	return api.Errorf(http.StatusBadRequest, "IllegalLocationConstraintException", "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", constraint)
}

func (s *S3) headBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	if _, err := s.onBucket(ctx, "s3:ListBucket", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	return &s3.HeadBucketOutput{
		BucketRegion: &s.Place.Region, BucketArn: aws.String(bucketARN(s.Place, *in.Bucket)), AccessPointAlias: aws.Bool(false),
	}, nil
}

func (s *S3) deleteBucket(ctx context.Context, in *s3.DeleteBucketInput) (*s3.DeleteBucketOutput, error) {
	if _, err := s.onBucket(ctx, "s3:DeleteBucket", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	defer s.sweep(ctx)
	for range s.objects.Shared(*in.Bucket + "/") {
		return nil, errNotEmpty
	}
	for range s.older.Shared(*in.Bucket + "/") {
		return nil, errVersionsLeft
	}
	// Uploads under way go with the bucket; one that begins meanwhile, too.
	for {
		if err := s.forgetUploads(ctx, *in.Bucket); err != nil {
			return nil, err
		}
		again, err := s.deleteEmpty(ctx, *in.Bucket)
		if err != nil || !again {
			return &s3.DeleteBucketOutput{}, err
		}
	}
}

// deleteEmpty deletes a bucket that has neither objects nor uploads. Of one with
// uploads it says that it is to be tried again.
func (s *S3) deleteEmpty(ctx context.Context, name string) (again bool, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		again = false
		if _, ok := s.buckets.In(tx).Get(name); !ok {
			return errNoSuchBucket
		}
		for range s.objects.In(tx).List(name + "/") {
			return errNotEmpty
		}
		for range s.older.In(tx).List(name + "/") {
			return errVersionsLeft
		}
		for range s.uploads.In(tx).List(name + "/") {
			again = true
			return errNotEmpty
		}
		s.buckets.In(tx).Delete(name)
		return nil
	})
	if again {
		return true, nil
	}
	return false, err
}

func (s *S3) forgetUploads(ctx context.Context, bucket string) error {
	for key := range s.uploads.Shared(bucket + "/") {
		err := s.Store.Update(ctx, func(tx *store.Tx) error {
			s.uploads.In(tx).Delete(key)
			return nil
		})
		if err == nil {
			err = s.forgetParts(ctx, bucket, keyOf(bucket, key))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *S3) getBucketLocation(ctx context.Context, in *s3.GetBucketLocationInput) (*s3.GetBucketLocationOutput, error) {
	if _, err := s.onBucket(ctx, "s3:GetBucketLocation", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	region := s.Place.Region
	if region == "us-east-1" {
		region = "" // which is older than constraints
	}
	return &s3.GetBucketLocationOutput{LocationConstraint: types.BucketLocationConstraint(region)}, nil
}

// getBucketACL answers as a bucket does whose ACLs are disabled.
func (s *S3) getBucketACL(ctx context.Context, in *s3.GetBucketAclInput) (*s3.GetBucketAclOutput, error) {
	_, err := s.onBucket(ctx, "s3:GetBucketAcl", in.Bucket, in.ExpectedBucketOwner, nil)
	owner := s.owner()
	return &s3.GetBucketAclOutput{Owner: owner, Grants: []types.Grant{{
		Grantee: &types.Grantee{ID: owner.ID, Type: types.TypeCanonicalUser}, Permission: types.PermissionFullControl,
	}}}, err
}

func (s *S3) getOwnershipControls(ctx context.Context, in *s3.GetBucketOwnershipControlsInput) (*s3.GetBucketOwnershipControlsOutput, error) {
	_, err := s.onBucket(ctx, "s3:GetBucketOwnershipControls", in.Bucket, in.ExpectedBucketOwner, nil)
	return &s3.GetBucketOwnershipControlsOutput{OwnershipControls: &types.OwnershipControls{
		Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}},
	}}, err
}

func (s *S3) getPublicAccessBlock(ctx context.Context, in *s3.GetPublicAccessBlockInput) (*s3.GetPublicAccessBlockOutput, error) {
	b, err := s.onBucket(ctx, "s3:GetBucketPublicAccessBlock", in.Bucket, in.ExpectedBucketOwner, nil)
	if err != nil {
		return nil, err
	}
	if b.Block == nil {
		return nil, errNoBlock
	}
	return &s3.GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
		BlockPublicAcls: &b.Block.BlockACLs, IgnorePublicAcls: &b.Block.IgnoreACLs,
		BlockPublicPolicy: &b.Block.BlockPolicy, RestrictPublicBuckets: &b.Block.Restrict,
	}}, nil
}

func (s *S3) putPublicAccessBlock(ctx context.Context, in *s3.PutPublicAccessBlockInput) (*s3.PutPublicAccessBlockOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutBucketPublicAccessBlock", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	c := in.PublicAccessBlockConfiguration
	if c == nil {
		return nil, errMalformedXML
	}
	return &s3.PutPublicAccessBlockOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Block = &Block{
			BlockACLs: aws.ToBool(c.BlockPublicAcls), IgnoreACLs: aws.ToBool(c.IgnorePublicAcls),
			BlockPolicy: aws.ToBool(c.BlockPublicPolicy), Restrict: aws.ToBool(c.RestrictPublicBuckets),
		}
		return nil
	})
}

func (s *S3) deletePublicAccessBlock(ctx context.Context, in *s3.DeletePublicAccessBlockInput) (*s3.DeletePublicAccessBlockOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutBucketPublicAccessBlock", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	return &s3.DeletePublicAccessBlockOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Block = nil
		return nil
	})
}
