package iam

import (
	"slices"
	"testing"

	"github.com/eksact/eksact/internal/engine/policy"
)

// The lenient reader takes every document that the parser takes, and finds the
// same keys in it.
func FuzzContextKeys(f *testing.F) {
	library, err := openLibrary("aws")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range library.sorted {
		f.Add(p.document())
	}
	f.Add(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b/${aws:username, 'x'}","arn:aws:s3:::${*}"],"Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"a:b":[1,"2"]}}}}`)
	f.Add(`{"Statement":[{"Effect":"Deny","NotAction":"s3:*","NotResource":"*","Condition":{"StringLike":{"a:b":"${c:d}"}}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := policy.Parse(policy.Inline, text)
		if err != nil {
			return
		}
		loose, ok := mentioned(text)
		if !ok {
			t.Fatalf("not read: %s", text)
		}
		if strict := mentionedBy(doc); !slices.Equal(loose, strict) {
			t.Errorf("%s\nlenient: %q\nparsed:  %q", text, loose, strict)
		}
	})
}
