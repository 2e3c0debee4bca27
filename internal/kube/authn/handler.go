package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	authnv1 "k8s.io/api/authentication/v1"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/engine/sigv4"
	"github.com/eksact/eksact/internal/engine/token"
)

const (
	// maxBody is read of a TokenReview's body: a token has at most 4 KiB.
	maxBody = 64 << 10
	// maxDrain is read, and thrown away, of a body that is larger, so that its
	// sender hears the answer instead of a broken connection.
	maxDrain = 2 << 20
)

// Handler answers the TokenReviews of one cluster, at /authenticate. Fill it in
// and call Ready; it must not change after.
type Handler struct {
	Cluster     string      // the name that tokens must be made for
	Hosts       token.Hosts // the STS endpoints that tokens may be made for
	Credentials Credentials
	// Sources are asked in order, the creator first.
	Sources []Source
	// Instances names nodes for {{EC2PrivateDNSName}}.
	Instances mapping.InstanceName
	Log       *Log
	// Settled returns when the API server can act on an answer: one that has just
	// started knows a user and forbids all, for it has not read yet what RBAC
	// allows. It is called for each new connection, by which an API server that
	// was started anew is known. May be nil.
	Settled func(context.Context) error
	// Authorizer answers at /authorize, on the same socket. May be nil.
	Authorizer http.Handler
	Metrics    *Metrics         // may be nil
	Now        func() time.Time // nil means time.Now

	signatures *sigv4.Verifier
	mux        *http.ServeMux
}

// Ready checks that nothing is missing and makes the handler serve.
func (h *Handler) Ready() (*Handler, error) {
	switch {
	case h.Cluster == "":
		return nil, errors.New("token webhook: no cluster's name")
	case h.Credentials == nil:
		return nil, errors.New("token webhook: no credentials to verify against")
	case len(h.Sources) == 0:
		return nil, errors.New("token webhook: no source of identities")
	case h.Log == nil:
		return nil, errors.New("token webhook: no log")
	}
	if h.Now == nil {
		h.Now = time.Now
	}
	h.signatures = sigv4.NewVerifier(1024)
	h.mux = http.NewServeMux()
	h.mux.HandleFunc("/authenticate", h.review)
	if h.Authorizer != nil {
		h.mux.Handle("/authorize", h.Authorizer)
	}
	h.mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	return h, nil
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// The versions of authentication.k8s.io that are answered, in kind.
var versions = map[string]bool{
	"authentication.k8s.io/v1":      true,
	"authentication.k8s.io/v1beta1": true,
}

// question is what is read of a TokenReview.
type question struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Token string `json:"token"`
	} `json:"spec"`
}

// answer is the TokenReview sent back. Its fields are those of both versions.
type answer struct {
	APIVersion string                    `json:"apiVersion"`
	Kind       string                    `json:"kind"`
	Status     authnv1.TokenReviewStatus `json:"status"`
}

// review is the webhook.
func (h *Handler) review(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	result := h.answer(w, r)
	h.Metrics.observe(h.Cluster, result, time.Since(began))
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request) (result string) {
	about := fields{"path": r.URL.Path, "client": r.RemoteAddr, "method": r.Method}
	if r.Method != http.MethodPost {
		h.Log.line(failure, "unexpected request method", about)
		http.Error(w, "expected POST", http.StatusMethodNotAllowed)
		return resultMalformed
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		h.Log.line(failure, "could not parse request body", about.with(fields{"error": err}))
		http.Error(w, "expected a request body to be a TokenReview", http.StatusBadRequest)
		return resultMalformed
	}
	if len(body) > maxBody {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain) // whatever comes of it, the answer is the same
		h.Log.line(warning, "access denied", about.with(fields{"error": "input token was not properly formatted: token is too large"}))
		deny(w, "authentication.k8s.io/v1")
		return resultInvalid
	}
	var q question
	if err = json.Unmarshal(body, &q); err == nil && (q.Kind != "TokenReview" || !versions[q.APIVersion]) {
		err = fmt.Errorf("%s %s is no TokenReview of authentication.k8s.io/v1 or v1beta1", q.APIVersion, q.Kind)
	}
	if err != nil {
		h.Log.line(failure, "could not parse request body", about.with(fields{"error": err}))
		http.Error(w, "expected a request body to be a TokenReview", http.StatusBadRequest)
		return resultMalformed
	}

	h.settle(r.Context())
	caller, req, err := h.authenticate(r.Context(), q.Spec.Token, h.Now())
	if err != nil {
		return h.refuse(w, q.APIVersion, err, about)
	}
	h.Log.line(info, "STS response", about.with(fields{
		"accesskeyid": caller.AccessKeyID,
		"arn":         caller.ARN,
		"accountid":   caller.AccountID,
		"userid":      caller.UserID,
		"session":     caller.SessionName,
		"stsendpoint": req.Host,
	}))
	about["arn"] = caller.CanonicalARN
	id, err := h.identify(r.Context(), caller)
	if err != nil {
		return h.refuse(w, q.APIVersion, err, about)
	}

	user := userInfo(caller, id)
	h.Log.line(info, "access granted", about.with(fields{
		"username":    user.Username,
		"uid":         user.UID,
		"groups":      user.Groups,
		"stsendpoint": req.Host,
	}))
	write(w, http.StatusOK, answer{q.APIVersion, "TokenReview", authnv1.TokenReviewStatus{Authenticated: true, User: user}})
	return resultSuccess
}

// userInfo is the user as Kubernetes gets to see it. The uid holds for the IAM
// principal: a role made again under its old name has another.
func userInfo(c mapping.Caller, id mapping.Identity) authnv1.UserInfo {
	return authnv1.UserInfo{
		Username: id.Username,
		UID:      "aws-iam-authenticator:" + c.AccountID + ":" + c.UserID,
		Groups:   id.Groups,
		Extra: map[string]authnv1.ExtraValue{
			"arn":          {c.ARN},
			"canonicalArn": {c.CanonicalARN},
			"sessionName":  {c.SessionName},
			"accessKeyId":  {c.AccessKeyID},
			"principalId":  {c.UserID},
			"sigs.k8s.io/aws-iam-authenticator/principalId": {c.UserID},
		},
	}
}

// refuse logs why, and answers without saying why: 403 to the caller's faults,
// 500 to ours.
func (h *Handler) refuse(w http.ResponseWriter, version string, err error, about fields) (result string) {
	about = about.with(fields{"error": err})
	if ours := (outage{}); errors.As(err, &ours) {
		h.Log.line(failure, "could not authenticate", about)
		http.Error(w, "authentication is not available", http.StatusInternalServerError)
		return resultOutage
	}
	h.Log.line(warning, "access denied", about)
	deny(w, version)
	var bad *token.Error
	switch {
	case !errors.As(err, &bad):
		return resultUnknown
	case bad.Reason == token.Rejected, bad.Reason == token.Future:
		return resultSTS
	}
	return resultInvalid
}

// deny is aws-iam-authenticator's refusal.
func deny(w http.ResponseWriter, version string) {
	write(w, http.StatusForbidden, answer{version, "TokenReview", authnv1.TokenReviewStatus{}})
}

func write(w http.ResponseWriter, status int, a answer) {
	body, err := json.Marshal(a)
	if err != nil {
		http.Error(w, "could not write the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone needs no answer
}
