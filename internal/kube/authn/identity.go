package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/engine/sigv4"
	"github.com/eksact/eksact/internal/engine/token"
)

// Principal is who an access key belongs to, as GetCallerIdentity shows it.
type Principal struct {
	ARN       string // of a role session, arn:aws:sts::A:assumed-role/ROLE/SESSION
	AccountID string
	UserID    string // AIDA…, AROA…:SESSION, or the account id of root
}

// Credentials knows access keys: IAM users' and STS sessions'.
type Credentials interface {
	// Resolve answers with the secret of an access key, and whose it is, at the
	// instant now. The session token is "" with a long-term key; one that does
	// not belong to the key, or is expired, is refused. A refusal is a
	// *Refusal; any other error means that the answer is not known now.
	Resolve(ctx context.Context, accessKeyID, sessionToken string, now time.Time) (secret string, who Principal, err error)
}

// Refusal is how STS turns a caller away: {403, "InvalidClientTokenId", "The
// security token included in the request is invalid."}.
type Refusal struct {
	Status  int
	Code    string
	Message string
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// Source maps callers to Kubernetes users. Unlike a [mapping.Identifier] it may
// have to wait for its data.
type Source interface {
	// Identify answers mapping.ErrNotMapped about a caller it does not know, and
	// ErrNotReady when it cannot tell yet. Any other error refuses the caller.
	Identify(ctx context.Context, c mapping.Caller, name mapping.InstanceName) (mapping.Identity, error)
}

// ErrNotReady is a Source without its data.
var ErrNotReady = errors.New("identity mappings are not loaded yet")

// Fixed is a Source that never waits: the creator of the cluster.
func Fixed(id mapping.Identifier) Source { return fixed{id} }

type fixed struct{ id mapping.Identifier }

func (f fixed) Identify(_ context.Context, c mapping.Caller, name mapping.InstanceName) (mapping.Identity, error) {
	return f.id.Identify(c, name)
}

// outage marks an error that is ours, not the caller's.
type outage struct{ error }

func (o outage) Unwrap() error { return o.error }

// emptyHash is the hash of a presigned call's body.
var emptyHash = sha256.Sum256(nil)

// authenticate proves who made the token. Errors that are not outages
// refuse the caller.
func (h *Handler) authenticate(ctx context.Context, bearer string, now time.Time) (mapping.Caller, *token.Request, error) {
	req, err := token.Parse(bearer, h.Hosts, now)
	if err != nil {
		return mapping.Caller{}, nil, err
	}
	refuse := func(r *Refusal) (mapping.Caller, *token.Request, error) {
		return mapping.Caller{}, nil, token.FromSTS(token.Rejected, req.Region, r.Status, r.Code, r.Message)
	}
	call := sigv4.Request{
		Method:     http.MethodGet,
		Path:       "/",
		Query:      req.RawQuery,
		Host:       req.Host,
		Header:     req.Headers(h.Cluster),
		BodySHA256: emptyHash,
	}
	signature, err := sigv4.Parse(&call)
	if err == nil {
		err = signature.CheckScope("sts", anyRegion)
	}
	if err != nil {
		return refuse(badSignature(err))
	}
	// The key and the session token are taken from the signature that is
	// verified, not from a second reading of the query.
	secret, who, err := h.Credentials.Resolve(ctx, signature.AccessKeyID, signature.SessionToken, now)
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return refuse(refusal)
	case err != nil:
		return mapping.Caller{}, nil, outage{fmt.Errorf("access key %s: %w", signature.AccessKeyID, err)}
	}
	if err := h.signatures.Verify(&call, signature, secret, sigv4.RulesFor("sts"), now); err != nil {
		return refuse(badSignature(err))
	}
	caller, err := mapping.NewCaller(who.ARN, who.AccountID, who.UserID, signature.AccessKeyID)
	if err != nil {
		return mapping.Caller{}, nil, fmt.Errorf("sts getCallerIdentity failed: %w", err)
	}
	return caller, req, nil
}

// anyRegion: STS's regional endpoints are one here, and a client without a
// region signs for us-east-1.
func anyRegion(string) bool { return true }

// badSignature words a signature's error as STS does.
func badSignature(err error) *Refusal {
	var e *sigv4.Error
	if !errors.As(err, &e) {
		return &Refusal{http.StatusBadRequest, "IncompleteSignature", err.Error()}
	}
	switch e.Kind {
	case sigv4.Incomplete:
		return &Refusal{http.StatusBadRequest, "IncompleteSignature", e.Message}
	case sigv4.Missing:
		return &Refusal{http.StatusForbidden, "MissingAuthenticationToken", e.Message}
	}
	return &Refusal{http.StatusForbidden, "SignatureDoesNotMatch", e.Message}
}

// identify asks the sources in turn.
func (h *Handler) identify(ctx context.Context, c mapping.Caller) (mapping.Identity, error) {
	for _, source := range h.Sources {
		id, err := source.Identify(ctx, c, h.Instances)
		switch {
		case err == nil:
			return id, nil
		case errors.Is(err, mapping.ErrNotMapped):
		case errors.Is(err, ErrNotReady), ctx.Err() != nil:
			return mapping.Identity{}, outage{err}
		default:
			return mapping.Identity{}, err
		}
	}
	// EKS's wording, which names the ARN as it was looked up.
	return mapping.Identity{}, fmt.Errorf("ARN is not mapped: %s", strings.ToLower(c.CanonicalARN))
}
