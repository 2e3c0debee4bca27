package authz

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/eksact/eksact/internal/engine/accesspolicy"
)

// maxBody is read of a SubjectAccessReview: a user's groups and extra fields may be
// many, its selectors long.
const maxBody = 1 << 20

// Principal is an IAM principal with an access entry.
type Principal struct {
	ARN string
	// Policies are the ARNs of its access policies, Grants what they allow, in the
	// same order.
	Policies []string
	Grants   accesspolicy.Set
}

// Handler answers a cluster's SubjectAccessReviews of authorization.k8s.io/v1.
type Handler struct {
	// Find returns the principal of a unique id, AIDA…, AROA… or root's account, if
	// it has an access entry that counts.
	Find func(id string) (Principal, bool)
}

// review is what is read of a SubjectAccessReview.
type review struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		UID      string              `json:"uid"`
		Extra    map[string][]string `json:"extra"`
		Resource *struct {
			Namespace   string `json:"namespace"`
			Verb        string `json:"verb"`
			Group       string `json:"group"`
			Resource    string `json:"resource"`
			Subresource string `json:"subresource"`
		} `json:"resourceAttributes"`
		NonResource *struct {
			Path string `json:"path"`
			Verb string `json:"verb"`
		} `json:"nonResourceAttributes"`
	} `json:"spec"`
}

// answer is the SubjectAccessReview sent back.
type answer struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Status     status `json:"status"`
}

type status struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason,omitempty"`
}

const version, kind = "authorization.k8s.io/v1", "SubjectAccessReview"

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "expected POST", http.StatusMethodNotAllowed)
		return
	}
	var asked review
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err == nil && (asked.Kind != kind || asked.APIVersion != version) {
		err = fmt.Errorf("%s %s", asked.APIVersion, asked.Kind)
	}
	if err != nil {
		http.Error(w, "expected a "+kind+" of "+version, http.StatusBadRequest)
		return
	}
	reason, allowed := h.decide(&asked)
	body, err = json.Marshal(answer{version, kind, status{allowed, reason}})
	if err != nil {
		http.Error(w, "could not write the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that is gone needs no answer
}

// decide says whether an access policy allows it, and which.
func (h *Handler) decide(r *review) (reason string, allowed bool) {
	id, ok := who(r.Spec.UID, r.Spec.Extra)
	if !ok {
		return "", false
	}
	request, ok := r.request()
	if !ok {
		return "", false
	}
	p, ok := h.Find(id)
	if !ok {
		return "", false
	}
	i, ok := p.Grants.Allows(request)
	if !ok {
		return "", false
	}
	binding, name := "ClusterRoleBinding", p.ARN+"+"+p.Policies[i]
	if p.Grants.Namespaced(i) {
		binding, name = "RoleBinding", name+"/"+request.Namespace
	}
	return fmt.Sprintf("EKS Access Policy: allowed by %s %q of ClusterRole %q to User %q", binding, name, p.Policies[i], id), true
}

// The fields that the token webhook knows a principal by.
const (
	uidPrefix = "aws-iam-authenticator:" // + account + ":" + id
	extraID   = "sigs.k8s.io/aws-iam-authenticator/principalId"
)

// who is the principal's unique id: that of the extra field, however its name is
// spelt. A uid, if there is one, must be of the same principal.
func who(uid string, extra map[string][]string) (id string, ok bool) {
	for key, values := range extra {
		if !strings.EqualFold(key, extraID) {
			continue
		}
		if len(values) != 1 || values[0] == "" || id != "" && id != values[0] {
			return "", false
		}
		id = values[0]
	}
	if id == "" || uid == "" {
		return id, id != ""
	}
	rest, ok := strings.CutPrefix(uid, uidPrefix)
	_, of, colon := strings.Cut(rest, ":")
	return id, ok && colon && of == id
}

// request is what is asked for: a resource or a path.
func (r *review) request() (accesspolicy.Request, bool) {
	switch of, path := r.Spec.Resource, r.Spec.NonResource; {
	case of != nil && path == nil:
		return accesspolicy.Request{Verb: of.Verb, Namespace: of.Namespace, Group: of.Group, Resource: of.Resource, Subresource: of.Subresource}, of.Resource != ""
	case path != nil && of == nil:
		return accesspolicy.Request{Verb: path.Verb, Path: path.Path}, path.Path != ""
	}
	return accesspolicy.Request{}, false
}
