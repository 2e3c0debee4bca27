package s3

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// logDelivery is the service that writes other services' logs to buckets.
const logDelivery = "delivery.logs.amazonaws.com"

// deliveryKeys are the condition keys that its requests have.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
func (s *S3) deliveryKeys() map[string][]string {
	return map[string][]string{
		"s3:x-amz-acl":       {"bucket-owner-full-control"},
		"s3:ResourceAccount": {s.Place.AccountID},
		"aws:SourceArn":      {s.deliverySource()},
	}
}

func (s *S3) deliverySource() string {
	return "arn:" + s.Place.Partition + ":logs:" + s.Place.Region + ":" + s.Place.AccountID + ":*"
}

func (s *S3) mayDeliver(bucket, key string) bool {
	return s.admits(logDelivery, bucket, key, s.deliveryKeys())
}

// admits says whether a bucket's policy lets a service write an object.
func (s *S3) admits(service, bucket, key string, keys map[string][]string) bool {
	own := (*s.policies.Load())[bucket]
	return own != nil && s.IAM.AdmitsService(service, "s3:PutObject", bucketARN(s.Place, bucket)+"/"+key, own.program, keys)
}

// AdmitsAs refuses, with NoSuchBucket or AccessDenied, what WriteAs would.
func (s *S3) AdmitsAs(service, source, bucket, key string) error {
	if _, ok := s.buckets.Get(bucket); !ok {
		return errNoSuchBucket
	}
	keys := map[string][]string{"s3:x-amz-acl": {"bucket-owner-full-control"}, "s3:ResourceAccount": {s.Place.AccountID}, "aws:SourceArn": {source}}
	if !s.admits(service, bucket, key, keys) {
		return errAnonymousDenied
	}
	return nil
}

// WriteAs writes an object in the name of a service principal, on behalf of a resource,
// if the bucket's policy lets it. Its errors are NoSuchBucket and AccessDenied.
func (s *S3) WriteAs(ctx context.Context, service, source, bucket, key, contentType string, data []byte) error {
	if err := s.AdmitsAs(service, source, bucket, key); err != nil {
		return err
	}
	return s.write(ctx, bucket, key, contentType, data)
}

// Deliver writes a log file to a bucket whose policy lets the log delivery. Its
// errors are NoSuchBucket and AccessDenied.
func (s *S3) Deliver(ctx context.Context, bucket, key, contentType string, data []byte) error {
	if _, ok := s.buckets.Get(bucket); !ok {
		return errNoSuchBucket
	}
	if !s.mayDeliver(bucket, key) {
		return errAnonymousDenied
	}
	return s.write(ctx, bucket, key, contentType, data)
}

// write puts an object, whose writer was found to be allowed to.
func (s *S3) write(ctx context.Context, bucket, key, contentType string, data []byte) error {
	w, err := s.blobs.write(ctx, bytes.NewReader(data), mostOfPut)
	if err != nil {
		return err
	}
	defer s.sweep(ctx)
	defer s.blobs.release(w.blobs)
	o := Object{
		Encryption: s.encryption(bucket, ""),
		Size:       w.size, Blobs: w.blobs, ETag: hex.EncodeToString(w.md5), Head: Head{ContentType: contentType},
		Checksum: Checksum{Algorithm: "CRC64NVME", Value: w.crc64},
	}
	return s.put(ctx, bucket, key, &o, nil, nil)
}

// AdmitDelivery makes the log delivery able to write below a folder of a bucket,
// "AWSLogs/ACCOUNT/": where the bucket's policy does not let it yet, two statements are
// added in the name of ctx's caller, who must be allowed to.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
func (s *S3) AdmitDelivery(ctx context.Context, bucket, below string) error {
	if _, ok := s.buckets.Get(bucket); !ok {
		return errNoSuchBucket
	}
	if s.mayDeliver(bucket, below+"*") {
		return nil
	}
	policy := map[string]any{}
	switch old, err := s.getBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket}); {
	case errors.Is(err, errNoPolicy):
		policy["Version"] = "2012-10-17"
	case err != nil:
		return err
	default:
		if err := json.Unmarshal([]byte(*old.Policy), &policy); err != nil {
			return err
		}
	}
	statements, ok := policy["Statement"].([]any)
	if only, one := policy["Statement"].(map[string]any); !ok && one {
		statements = []any{only}
	}
	policy["Statement"] = append(statements,
		s.deliveryStatement(unusedSid(statements, "AWSLogDeliveryWrite"), "s3:PutObject", bucketARN(s.Place, bucket)+"/"+below+"*", true),
		s.deliveryStatement(unusedSid(statements, "AWSLogDeliveryAclCheck"), "s3:GetBucketAcl", bucketARN(s.Place, bucket), false))
	text, err := json.Marshal(policy)
	if err != nil {
		return err
	}
	document := string(text)
	_, err = s.putBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &document})
	return err
}

// unusedSid is a statement's name that no other statement has: NAME, NAME1, NAME2.
func unusedSid(statements []any, name string) string {
	used := func(sid string) bool {
		return slices.ContainsFunc(statements, func(s any) bool {
			m, _ := s.(map[string]any)
			return m["Sid"] == sid
		})
	}
	sid := name
	for n := 1; used(sid); n++ {
		sid = name + strconv.Itoa(n)
	}
	return sid
}

func (s *S3) deliveryStatement(sid, action, resource string, writes bool) map[string]any {
	equals := map[string]any{"aws:SourceAccount": s.Place.AccountID}
	if writes {
		equals["s3:x-amz-acl"] = "bucket-owner-full-control"
	}
	return map[string]any{
		"Sid": sid, "Effect": "Allow", "Principal": map[string]any{"Service": logDelivery}, "Action": action, "Resource": resource,
		"Condition": map[string]any{"StringEquals": equals, "ArnLike": map[string]any{"aws:SourceArn": s.deliverySource()}},
	}
}
