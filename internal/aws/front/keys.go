package front

import (
	"context"
	"strings"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// callKeys answers for the condition keys of one call that follow from what is
// asked for. Nothing is worked out before a policy asks.
type callKeys struct {
	f   *Front
	op  *operation
	ctx context.Context
	in  any
}

// Values implements api.Keys.
func (k *callKeys) Values(resource, key string) policy.Values {
	if k.op.Keys != nil {
		if v := k.op.Keys(k.ctx, k.in, key); v.Len() > 0 {
			return v // its tags too, of an operation that has some elsewhere than in its input
		}
	}
	switch {
	case key == "aws:tagkeys":
		return k.op.tags.keys(k.in)
	case strings.HasPrefix(key, requestTag):
		return k.op.tags.value(k.in, key[len(requestTag):])
	}
	if key == "ec2:region" && strings.HasPrefix(k.op.action, "ec2:") {
		return policy.One(k.f.Place.Region)
	}
	return k.f.ofResource(resource, key)
}

// Policy implements api.Keys.
func (k *callKeys) Policy(resource string) *policy.Program {
	if k.op.own == nil {
		return nil
	}
	return k.op.own(resource)
}

const requestTag = "aws:requesttag/"

// ofResource asks the service that has the resource.
func (f *Front) ofResource(arn, key string) policy.Values {
	owner := f.owners[serviceOf(arn)]
	if owner == nil {
		return policy.Values{}
	}
	if prefix, rest, _ := strings.Cut(key, ":"); prefix == owner.Action && strings.HasPrefix(rest, "resourcetag/") {
		key = "aws:" + rest
	}
	return owner.Resource(arn, key)
}

// serviceOf is the service in an ARN: the third of its parts.
func serviceOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":")
	_, rest, _ = strings.Cut(rest, ":")
	service, _, _ := strings.Cut(rest, ":")
	return service
}

// actionNames are the IAM actions, by "service:Operation", of the operations that
// are not named as their action. Source: the service authorization reference, and
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var actionNames = map[string]string{
	"sns:PublishBatch":                      "sns:Publish",
	"s3:ListBuckets":                        "s3:ListAllMyBuckets",
	"s3:HeadBucket":                         "s3:ListBucket",
	"s3:ListObjects":                        "s3:ListBucket",
	"s3:ListObjectsV2":                      "s3:ListBucket",
	"s3:ListObjectVersions":                 "s3:ListBucketVersions",
	"s3:HeadObject":                         "s3:GetObject",
	"s3:CopyObject":                         "s3:PutObject",
	"s3:DeleteObjects":                      "s3:DeleteObject",
	"s3:CreateMultipartUpload":              "s3:PutObject",
	"s3:UploadPart":                         "s3:PutObject",
	"s3:UploadPartCopy":                     "s3:PutObject",
	"s3:CompleteMultipartUpload":            "s3:PutObject",
	"s3:ListParts":                          "s3:ListMultipartUploadParts",
	"s3:ListMultipartUploads":               "s3:ListBucketMultipartUploads",
	"s3:GetBucketEncryption":                "s3:GetEncryptionConfiguration",
	"s3:PutBucketEncryption":                "s3:PutEncryptionConfiguration",
	"s3:DeleteBucketEncryption":             "s3:PutEncryptionConfiguration",
	"s3:GetBucketLifecycleConfiguration":    "s3:GetLifecycleConfiguration",
	"s3:PutBucketLifecycleConfiguration":    "s3:PutLifecycleConfiguration",
	"s3:DeleteBucketLifecycle":              "s3:PutLifecycleConfiguration",
	"s3:GetPublicAccessBlock":               "s3:GetBucketPublicAccessBlock",
	"s3:PutPublicAccessBlock":               "s3:PutBucketPublicAccessBlock",
	"s3:DeletePublicAccessBlock":            "s3:PutBucketPublicAccessBlock",
	"s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
	"s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
	"s3:DeleteBucketTagging":                "s3:PutBucketTagging",
}

// actionOf is the IAM action of an operation.
func actionOf(s *api.Service, operation string) string {
	action := s.Action + ":" + operation
	if name, ok := actionNames[action]; ok {
		return name
	}
	return action
}
