package main

import (
	"errors"
	"fmt"
	"strings"

	minio "github.com/minio/pkg/v3/policy"
	"github.com/minio/pkg/v3/policy/condition"
	"github.com/versity/versitygw/auth"
	versity "github.com/versity/versitygw/iamapi/policy"
	"github.com/versity/versitygw/iamapi/types"
	"github.com/versity/versitygw/s3err"

	"github.com/eksact/eksact/internal/engine/policy"
)

// eksactEngine is ours: one program of all policies.
type eksactEngine struct{ applied policy.Applied }

func newOurs(policies []string) (decider, error) {
	p, err := programOf(policies)
	return &eksactEngine{policy.Applied{Identity: p}}, err
}

func programOf(documents []string) (*policy.Program, error) {
	var sources []policy.Source
	for _, text := range documents {
		doc, err := policy.Parse(policy.Inline, text)
		if err != nil {
			return nil, err
		}
		sources = append(sources, policy.Source{Policy: policy.Compile(doc)})
	}
	return policy.NewProgram(sources...), nil
}

// oneValued are condition keys with one value each.
type oneValued map[string]string

// Values is asked in lower case.
func (k oneValued) Values(key string) policy.Values {
	if v, ok := k[key]; ok {
		return policy.One(v)
	}
	return policy.Values{}
}

func (e *eksactEngine) prepare(r request) (func() bool, error) {
	keys := oneValued{}
	for k, v := range r.Keys {
		keys[strings.ToLower(k)] = v
	}
	q := &policy.Request{
		Caller:   policy.Caller{Kind: policy.UserCaller, Account: account, ARN: userARN, Entity: userARN},
		Action:   r.Action,
		Resource: r.Resource,
		Keys:     keys,
	}
	return func() bool { return policy.Decide(&e.applied, q).Allowed }, nil
}

// minioEngine is MinIO's: the statements of all policies as one, as its server
// joins a user's.
type minioEngine struct{ policy minio.Policy }

func newMinio(policies []string) (decider, error) {
	e := &minioEngine{}
	for _, text := range policies {
		p, err := minio.ParseConfig(strings.NewReader(text))
		if err != nil {
			return nil, err
		}
		e.policy.Version = p.Version
		e.policy.Statements = append(e.policy.Statements, p.Statements...)
	}
	return e, nil
}

func (e *minioEngine) prepare(r request) (func() bool, error) {
	args := minio.Args{AccountName: userName, Action: minio.Action(r.Action), ConditionValues: map[string][]string{}}
	args.BucketName, args.ObjectName = bucketAndKey(r.Resource)
	for k, v := range r.Keys {
		args.ConditionValues[condition.KeyName(k).Name()] = []string{v}
	}
	return func() bool { return e.policy.IsAllowed(args) }, nil
}

// bucketAndKey takes an object's ARN apart. Of other resources all is the bucket.
func bucketAndKey(arn string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(arn, "arn:aws:s3:::"), "/")
	return bucket, key
}

// versityEngine is versitygw's evaluator of identity policies, which reads the
// documents at each decision.
type versityEngine struct{ documents []types.PolicyEntry }

func newVersity(policies []string) (decider, error) {
	e := &versityEngine{}
	for i, text := range policies {
		e.documents = append(e.documents, types.PolicyEntry{PolicyName: fmt.Sprint("p", i), PolicyDocument: text})
	}
	return e, nil
}

func (e *versityEngine) prepare(r request) (func() bool, error) {
	ctx := versity.RequestContext{Action: r.Action, Resource: r.Resource, Condition: valuesOf(r)}
	return func() bool { return versity.EvaluateIdentityPolicies(e.documents, ctx) == versity.DecisionAllow }, nil
}

func valuesOf(r request) map[string][]string {
	list := map[string][]string{}
	for k, v := range r.Keys {
		list[k] = []string{v}
	}
	return list
}

// versityBucketEngine is versitygw's evaluator of bucket policies, which also reads
// the document at each decision. The statements are one bucket's policy, for
// everyone; the question is whether it allows.
type versityBucketEngine struct{ document []byte }

func newVersityBucket(policies []string) (decider, error) {
	var statements []string
	for _, text := range policies {
		text = strings.TrimPrefix(text, `{"Version":"2012-10-17","Statement":[`)
		statements = append(statements, strings.TrimSuffix(text, "]}"))
	}
	all := strings.ReplaceAll(strings.Join(statements, ","), `{"Effect":`, `{"Principal":"*","Effect":`)
	e := &versityBucketEngine{[]byte(`{"Version":"2012-10-17","Statement":[` + all + "]}")}
	_, err := auth.ParsePolicyDocument(e.document)
	if refusal := (s3err.APIError{}); errors.As(err, &refusal) {
		err = errors.New(refusal.Description) // its text is XML
	}
	return e, err
}

func (e *versityBucketEngine) prepare(r request) (func() bool, error) {
	bucket, key := bucketAndKey(r.Resource)
	keys := valuesOf(r)
	return func() bool {
		return auth.VerifyPublicBucketPolicy(e.document, bucket, key, keys, nil, auth.Action(r.Action)) == nil
	}, nil
}
