package resources

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// bucketSettings are the calls that give a bucket its versioning, encryption and
// lifecycle. Versioning that a template no longer says is suspended, for nothing ends it.
func bucketSettings(j *Job, name string) ([]step, error) {
	var steps []step
	if v := object(j.Properties, "VersioningConfiguration"); v != nil || object(j.Old, "VersioningConfiguration") != nil {
		status := types.BucketVersioningStatusSuspended
		if v != nil {
			status = types.BucketVersioningStatus(text(v, "Status"))
		}
		steps = append(steps, step{"PutBucketVersioning", &s3.PutBucketVersioningInput{Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: status}}})
	}
	if e := object(j.Properties, "BucketEncryption"); e != nil {
		c := &types.ServerSideEncryptionConfiguration{}
		for _, r := range objects(e, "ServerSideEncryptionConfiguration") {
			by := object(r, "ServerSideEncryptionByDefault")
			c.Rules = append(c.Rules, types.ServerSideEncryptionRule{
				BucketKeyEnabled: flag(r, "BucketKeyEnabled"),
				ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{
					SSEAlgorithm: types.ServerSideEncryption(text(by, "SSEAlgorithm")), KMSMasterKeyID: ptr(by, "KMSMasterKeyID"),
				},
			})
		}
		steps = append(steps, step{"PutBucketEncryption", &s3.PutBucketEncryptionInput{Bucket: &name, ServerSideEncryptionConfiguration: c}})
	}
	if l := object(j.Properties, "LifecycleConfiguration"); l != nil {
		c := &types.BucketLifecycleConfiguration{}
		for _, r := range objects(l, "Rules") {
			rule, err := lifecycleRule(r)
			if err != nil {
				return nil, err
			}
			c.Rules = append(c.Rules, rule)
		}
		steps = append(steps, step{"PutBucketLifecycleConfiguration", &s3.PutBucketLifecycleConfigurationInput{Bucket: &name, LifecycleConfiguration: c}})
	}
	return steps, nil
}

// ruleParts are the properties of a lifecycle's rule that S3 here can do.
var ruleParts = []string{
	"AbortIncompleteMultipartUpload", "ExpirationDate", "ExpirationInDays", "ExpiredObjectDeleteMarker", "Id", "NoncurrentVersionExpiration",
	"NoncurrentVersionExpirationInDays", "Prefix", "Status", "TagFilters",
}

func lifecycleRule(p map[string]any) (types.LifecycleRule, error) {
	r := types.LifecycleRule{ID: ptr(p, "Id"), Status: types.ExpirationStatus(text(p, "Status")), Filter: &types.LifecycleRuleFilter{Prefix: ptr(p, "Prefix")}}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if !slices.Contains(ruleParts, name) {
			return r, fmt.Errorf("Encountered unsupported property %s", name) //lint:ignore ST1005 as CloudFormation writes it
		}
	}
	var filters []types.Tag
	for _, t := range objects(p, "TagFilters") {
		filters = append(filters, types.Tag{Key: ptr(t, "Key"), Value: ptr(t, "Value")})
	}
	if len(filters) > 0 {
		r.Filter = &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: ptr(p, "Prefix"), Tags: filters}}
	}
	days, marker := integer(p, "ExpirationInDays"), flag(p, "ExpiredObjectDeleteMarker")
	if date := text(p, "ExpirationDate"); date != "" || days != nil || marker != nil {
		r.Expiration = &types.LifecycleExpiration{Days: days, ExpiredObjectDeleteMarker: marker}
		if date != "" {
			at, err := time.Parse(time.RFC3339, date)
			if err != nil {
				return r, fmt.Errorf("ExpirationDate: %w", err)
			}
			r.Expiration.Date = &at
		}
	}
	if n := object(p, "NoncurrentVersionExpiration"); n != nil {
		r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: integer(n, "NoncurrentDays"), NewerNoncurrentVersions: integer(n, "NewerNoncurrentVersions")}
	} else if days := integer(p, "NoncurrentVersionExpirationInDays"); days != nil {
		r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: days}
	}
	if a := object(p, "AbortIncompleteMultipartUpload"); a != nil {
		r.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: integer(a, "DaysAfterInitiation")}
	}
	return r, nil
}
