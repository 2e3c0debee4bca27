package iam

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/policy/answer"
)

// Explanation tells why a call was refused. It tells in the form in which
// eksact iam explain tells of calls not yet made, and says who called when.
type Explanation struct {
	AuthorizationID string    `json:"authorizationId"`
	RequestID       string    `json:"requestId"`
	Time            time.Time `json:"time"`
	SourceIP        string    `json:"sourceIp,omitempty"`
	UserAgent       string    `json:"userAgent,omitempty"`
	AccessKeyID     string    `json:"accessKeyId,omitempty"`

	// Because is why, of a refusal that no policy decided.
	Because      string `json:"because,omitempty"`
	PrincipalARN string `json:"principalArn"` // of the user or role behind it
	answer.Explanation
	// Context are the condition keys that the call had, of those that the policies
	// asked for and of the usual ones.
	Context map[string][]string `json:"context"`
}

// Explain tells why: it decides again, on what was recorded, and looks at every
// statement.
func (d *Denial) Explain() *Explanation {
	out := &Explanation{
		AuthorizationID: d.ID, RequestID: d.RequestID, Time: d.Time.UTC(), UserAgent: d.Who.UserAgent, AccessKeyID: d.Who.AccessKeyID,
		PrincipalARN: d.Who.PrincipalARN, Explanation: *d.answer(), Because: d.Because, Context: d.context(),
	}
	if d.Who.SourceIP.IsValid() {
		out.SourceIP = d.Who.SourceIP.String()
	}
	return out
}

// answer is what each layer of policies says; nothing where none was asked.
func (d *Denial) answer() *answer.Explanation {
	if d.Said != "" {
		return &answer.Explanation{
			Principal: d.Who.ARN, Action: d.request.Action, Resource: d.request.Resource,
			Decision: answer.ImplicitDeny, Sentence: d.Said, Layers: []answer.Layer{},
		}
	}
	e := policy.Explain(&d.applied, &d.request)
	e.Decision = d.Decision
	return answer.Of(e, &d.request, d.Who.ARN, d.named)
}

// named is an answer.Namer.
func (d *Denial) named(source policy.Source, offset int) (name string, at answer.Place) {
	if doc := source.Policy.Document(); doc.Text != "" {
		at.Line, at.Column = doc.Position(offset)
	}
	return d.name(source), at
}

// name is what people call a policy.
func (d *Denial) name(source policy.Source) string {
	if source.ARN != "" {
		return lastOf(source.ARN)
	}
	if name := d.names[source.Policy]; name != "" {
		return name
	}
	if p := d.applied.Endpoint; p != nil && p.Sources()[0].Policy == source.Policy {
		return "the policy of " + d.Who.Endpoint.ID
	}
	switch source.Policy.Document().Kind {
	case policy.Trust:
		return "the trust policy of " + d.request.Resource
	case policy.Session:
		return "the session policy"
	case policy.Resource:
		return "the policy of " + ownerOfPolicy(d.request.Resource)
	}
	return "an inline policy"
}

// context are the recorded keys, spelled as AWS's reference spells them.
func (d *Denial) context() map[string][]string {
	out := map[string][]string{}
	table, _ := actions.Look(d.request.Action)
	for _, name := range slices.Sorted(maps.Keys(d.keys)) {
		key, known := actions.GlobalKey(name)
		if !known && table != nil {
			key, known = table.Key(name)
		}
		spelled := name
		if known {
			fixed, _, _ := strings.Cut(key.Name, "${")
			spelled = fixed + name[len(fixed):]
		}
		out[spelled] = d.keys[name]
	}
	return out
}

// ownerOfPolicy is the resource that has the policy: of an object, its bucket.
func ownerOfPolicy(resource string) string {
	if strings.Contains(resource, ":s3:::") {
		resource, _, _ = strings.Cut(resource, "/")
	}
	return resource
}
