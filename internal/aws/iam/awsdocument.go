package iam

import (
	"maps"
	"slices"
	"sync"
)

// awsDocuments is the library for those who have no account.
var awsDocuments = sync.OnceValue(func() *library {
	l, err := openLibrary("aws")
	if err != nil {
		return &library{} // New says why
	}
	return l
})

// AWSPolicy returns the document of an AWS managed policy, of those that are here,
// by an ARN such as arn:aws:iam::aws:policy/ReadOnlyAccess.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
func AWSPolicy(arn string) (document string, ok bool) {
	p := awsDocuments().byARN[arn]
	if p == nil {
		return "", false
	}
	return p.Versions[0].Document, true
}

// AWSPolicyARNs lists the AWS managed policies that are here, sorted.
func AWSPolicyARNs() []string { return slices.Sorted(maps.Keys(awsDocuments().byARN)) }
