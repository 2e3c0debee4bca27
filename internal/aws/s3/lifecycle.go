//lint:file-ignore SA1019 rules in the older form, with a prefix of their own, are taken as S3 takes them

package s3

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/store"
)

// lifeRule is a rule of a bucket's lifecycle. Zero days: it doesn't say.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
type lifeRule struct {
	ID       string
	Disabled bool `json:",omitempty"`
	Prefix   string
	Old      bool       `json:",omitempty"` // the prefix was given without a filter
	Tags     []Tag      `json:",omitempty"`
	Days     int32      `json:",omitempty"` // after which an object expires
	Date     *time.Time `json:",omitempty"` // at which all do
	Markers  bool       `json:",omitempty"` // a delete marker goes that hides nothing
	Older    int32      `json:",omitempty"` // days after which a version goes that is not current
	Newest   int32      `json:",omitempty"` // of these so many stay
	Uploads  int32      `json:",omitempty"` // days after which an upload is given up
}

// readRule reads a rule; what it asks for and is not there is refused by name.
func readRule(r types.LifecycleRule) (l lifeRule, err error) {
	l = lifeRule{ID: aws.ToString(r.ID), Disabled: r.Status == types.ExpirationStatusDisabled, Prefix: aws.ToString(r.Prefix), Old: r.Prefix != nil}
	if len(r.Transitions)+len(r.NoncurrentVersionTransitions) > 0 {
		return l, notImplemented("A lifecycle transition to another storage class")
	}
	if f := r.Filter; f != nil {
		if r.Prefix != nil || f.ObjectSizeGreaterThan != nil || f.ObjectSizeLessThan != nil || f.And != nil && (f.And.ObjectSizeGreaterThan != nil || f.And.ObjectSizeLessThan != nil) {
			return l, notImplemented("A lifecycle filter by size")
		}
		l.Prefix = aws.ToString(f.Prefix)
		list := []types.Tag{}
		if f.Tag != nil {
			list = append(list, *f.Tag)
		}
		if f.And != nil {
			l.Prefix, list = aws.ToString(f.And.Prefix), f.And.Tags
		}
		for _, t := range list {
			l.Tags = append(l.Tags, Tag{aws.ToString(t.Key), aws.ToString(t.Value)})
		}
	}
	if e := r.Expiration; e != nil {
		l.Days, l.Date, l.Markers = aws.ToInt32(e.Days), e.Date, aws.ToBool(e.ExpiredObjectDeleteMarker)
		if l.Days < 0 || l.Days == 0 && l.Date == nil && !l.Markers {
			return l, invalidArgument("'Days' for Expiration action must be a positive integer")
		}
	}
	if n := r.NoncurrentVersionExpiration; n != nil {
		if l.Older, l.Newest = aws.ToInt32(n.NoncurrentDays), aws.ToInt32(n.NewerNoncurrentVersions); l.Older <= 0 {
			return l, invalidArgument("'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
		}
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		if l.Uploads = aws.ToInt32(a.DaysAfterInitiation); l.Uploads <= 0 {
			return l, invalidArgument("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
		}
	}
	if l.Days == 0 && l.Date == nil && !l.Markers && l.Older == 0 && l.Uploads == 0 {
		return l, invalidRequest("At least one action needs to be specified in a rule")
	}
	return l, nil
}

func (l *lifeRule) shown() types.LifecycleRule {
	r := types.LifecycleRule{ID: pointer(l.ID), Status: types.ExpirationStatusEnabled}
	if l.Disabled {
		r.Status = types.ExpirationStatusDisabled
	}
	tags := tagSet(l.Tags)
	switch {
	case l.Old:
		r.Prefix = aws.String(l.Prefix)
	case len(tags) == 0:
		r.Filter = &types.LifecycleRuleFilter{Prefix: aws.String(l.Prefix)}
	case len(tags) == 1 && l.Prefix == "":
		r.Filter = &types.LifecycleRuleFilter{Tag: &tags[0]}
	default:
		r.Filter = &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: pointer(l.Prefix), Tags: tags}}
	}
	days := func(n int32) *int32 {
		if n == 0 {
			return nil
		}
		return &n
	}
	if l.Days != 0 || l.Date != nil || l.Markers {
		r.Expiration = &types.LifecycleExpiration{Days: days(l.Days), Date: l.Date}
		if l.Markers {
			r.Expiration.ExpiredObjectDeleteMarker = aws.Bool(true)
		}
	}
	if l.Older != 0 {
		r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: days(l.Older), NewerNoncurrentVersions: days(l.Newest)}
	}
	if l.Uploads != 0 {
		r.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: days(l.Uploads)}
	}
	return r
}

func rulesOf(b *Bucket) (rules []lifeRule, err error) {
	if b.Lifecycle == "" {
		return nil, nil
	}
	return rules, json.Unmarshal([]byte(b.Lifecycle), &rules)
}

func (s *S3) getBucketLifecycle(ctx context.Context, in *s3.GetBucketLifecycleConfigurationInput) (*s3.GetBucketLifecycleConfigurationOutput, error) {
	b, err := s.onBucket(ctx, "s3:GetLifecycleConfiguration", in.Bucket, in.ExpectedBucketOwner, nil)
	if err != nil {
		return nil, err
	}
	rules, err := rulesOf(&b)
	if err == nil && len(rules) == 0 {
		err = errNoLifecycle
	}
	out := &s3.GetBucketLifecycleConfigurationOutput{}
	for i := range rules {
		out.Rules = append(out.Rules, rules[i].shown())
	}
	return out, err
}

func (s *S3) putBucketLifecycle(ctx context.Context, in *s3.PutBucketLifecycleConfigurationInput) (*s3.PutBucketLifecycleConfigurationOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutLifecycleConfiguration", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	if in.LifecycleConfiguration == nil || len(in.LifecycleConfiguration.Rules) == 0 || len(in.LifecycleConfiguration.Rules) > 1000 {
		return nil, errMalformedXML
	}
	var rules []lifeRule
	for _, r := range in.LifecycleConfiguration.Rules {
		l, err := readRule(r)
		if err != nil {
			return nil, err
		}
		rules = append(rules, l)
	}
	text, err := json.Marshal(rules)
	if err != nil {
		return nil, err
	}
	return &s3.PutBucketLifecycleConfigurationOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Lifecycle = string(text)
		return nil
	})
}

func (s *S3) deleteBucketLifecycle(ctx context.Context, in *s3.DeleteBucketLifecycleInput) (*s3.DeleteBucketLifecycleOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutLifecycleConfiguration", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	return &s3.DeleteBucketLifecycleOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Lifecycle = ""
		return nil
	})
}

// covers says whether a rule is about an object.
func (l *lifeRule) covers(key string, o *Object) bool {
	return !l.Disabled && strings.HasPrefix(key, l.Prefix) && !slices.ContainsFunc(l.Tags, func(t Tag) bool { return !slices.Contains(o.Tags, t) })
}

// past says whether days have gone since t; zero days: never.
func past(now, t time.Time, days int32) bool {
	return days > 0 && now.Sub(t) > time.Duration(days)*24*time.Hour
}

// Run applies lifecycles, now and once an hour, until ctx ends.
func (s *S3) Run(ctx context.Context) {
	turn := time.NewTicker(time.Hour)
	defer turn.Stop()
	for {
		if err := s.Expire(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("lifecycles of S3 buckets can't be applied", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-turn.C:
		}
	}
}

// Expire applies all lifecycles.
func (s *S3) Expire(ctx context.Context) error {
	defer s.sweep(ctx)
	for name, b := range s.buckets.List("") {
		rules, err := rulesOf(&b)
		if err != nil {
			return err
		}
		for i := range rules {
			if err := s.apply(ctx, name, &rules[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply applies a rule to a bucket.
func (s *S3) apply(ctx context.Context, bucket string, l *lifeRule) error {
	now := s.now()
	remove := func(key string, version *string) error {
		_, err := s.remove(ctx, bucket, key, version, nil)
		return err
	}
	list := s.allVersions(bucket, l.Prefix)
	newer := 0 // versions of the key that are not current, so far
	for i, v := range list {
		if i == 0 || list[i-1].key != v.key {
			newer = 0
		}
		alone := v.latest && (i+1 == len(list) || list[i+1].key != v.key)
		var err error
		switch {
		case !l.covers(v.key, &v.Object):
		case v.latest && v.Marker:
			if l.Markers && alone {
				err = remove(v.key, aws.String(v.id()))
			}
		case v.latest:
			if past(now, v.Modified, l.Days) || l.Date != nil && !now.Before(*l.Date) {
				err = remove(v.key, nil)
			}
		default:
			if newer++; past(now, v.Since, l.Older) && newer > int(l.Newest) {
				err = remove(v.key, aws.String(v.id()))
			}
		}
		if err != nil {
			return err
		}
	}
	for record, u := range s.uploads.List(bucket + "/") {
		if !past(now, u.Started, l.Uploads) || l.Disabled || !strings.HasPrefix(u.Key, l.Prefix) {
			continue
		}
		err := s.Store.Update(ctx, func(tx *store.Tx) error { s.uploads.In(tx).Delete(record); return nil })
		if err == nil {
			err = s.forgetParts(ctx, bucket, keyOf(bucket, record))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
