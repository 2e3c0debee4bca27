package podagent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Addresses are where pods find their node's agent, on port 80.
var Addresses = []netip.Addr{netip.MustParseAddr("169.254.170.23"), netip.MustParseAddr("fd00:ec2::23")}

// Credentials are a pod's, as the SDKs read them.
type Credentials struct {
	AccessKeyID     string    `json:"AccessKeyId"`
	SecretAccessKey string    `json:"SecretAccessKey"`
	Token           string    `json:"Token"`
	AccountID       string    `json:"AccountId"`
	Expires         time.Time `json:"Expiration"`
}

// Refusal is EKS Auth's answer to a token, or that it could not be asked.
type Refusal struct {
	Status    int // of HTTP; 0 without an answer
	Code      string
	Message   string
	RequestID string
}

func (r *Refusal) Error() string {
	fault := "client"
	if r.Status >= http.StatusInternalServerError || r.Status == 0 {
		fault = "server"
	}
	return fmt.Sprintf("[%s]: (%s): %s, fault: %s", r.RequestID, r.Code, r.Message, fault)
}

// final says that asking again won't help.
func (r *Refusal) final() bool {
	switch r.Code {
	case "ResourceNotFoundException", "ExpiredTokenException", "InvalidTokenException", "AccessDeniedException":
		return true
	}
	return false
}

const (
	// renewal is how old credentials may get before they are fetched anew.
	renewal = 3 * time.Hour
	// retry is how long a failure to do so rests.
	retry = time.Minute
	// leastLife is what credentials must have left to be given.
	leastLife = 15 * time.Second
	mostKept  = 2000
	// fetchTime is how long pods wait for EKS Auth.
	fetchTime = 10 * time.Second
)

// Agent answers pods.
type Agent struct {
	// Fetch asks EKS Auth. Its refusals are *Refusal.
	Fetch func(ctx context.Context, token string) (Credentials, error)
	Now   func() time.Time
	Log   *slog.Logger

	mu     sync.Mutex
	kept   map[string]*entry // by token
	flight singleflight.Group
}

type entry struct {
	credentials Credentials
	renew       time.Time // when they are fetched anew
}

// ServeHTTP implements http.Handler.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/credentials" {
		http.NotFound(w, r)
		return
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	// A name may lead here, by someone who would read the answer.
	if a, err := netip.ParseAddr(host); err != nil || !slices.Contains(Addresses, a) {
		http.Error(w, fmt.Sprintf("Access Denied. Called agent through invalid address, please use either %v address not %s", Addresses, host), http.StatusForbidden)
		return
	}
	token := r.Header.Get("Authorization")
	if fault := a.fault(token); fault != "" {
		http.Error(w, fault, http.StatusBadRequest)
		return
	}
	c, err := a.credentials(r.Context(), token)
	if err != nil {
		status := http.StatusInternalServerError
		var refused *Refusal
		if errors.As(err, &refused) && refused.Status != 0 {
			status = refused.Status
		}
		a.Log.Warn("credentials can't be fetched", "client", r.RemoteAddr, "error", err)
		http.Error(w, err.Error(), status)
		return
	}
	body, err := json.Marshal(c)
	if err != nil {
		http.Error(w, "Unable to serialize credentials", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// fault says what can be seen to be wrong with a token without any keys, or "".
func (a *Agent) fault(token string) string {
	if token == "" {
		return "Service account token cannot be empty"
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "Service account token cannot be parsed: token is malformed: token contains an invalid number of segments"
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	for i, part := range []any{&struct{}{}, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, part)
		}
		if err != nil {
			return "Service account token cannot be parsed: token is malformed: " + err.Error()
		}
	}
	if claims.Expires != 0 && !a.Now().Before(time.Unix(int64(claims.Expires), 0)) {
		return "Service account token failed basic claim validations: token has invalid claims: token is expired"
	}
	return ""
}

// credentials are the kept ones, or fetched. Those who ask for one token at once are
// answered by one fetch, which doesn't end with the first of them.
func (a *Agent) credentials(ctx context.Context, token string) (Credentials, error) {
	old := a.lookup(token)
	if old != nil && a.Now().Before(old.renew) {
		return old.credentials, nil
	}
	done := a.flight.DoChan(token, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
		defer cancel()
		c, err := a.Fetch(ctx, token)
		if err == nil && c.Expires.Sub(a.Now()) <= leastLife {
			err = fmt.Errorf("fetched credentials are expired or will expire within %v", leastLife)
		}
		var refused *Refusal
		switch {
		case err == nil:
			a.keep(token, &entry{c, a.Now().Add(renewal)})
		case errors.As(err, &refused) && refused.final():
			a.forget(token)
		case old != nil:
			a.Log.Warn("credentials can't be renewed, the old ones are kept", "error", err)
			c, err = old.credentials, nil
			a.keep(token, &entry{c, a.Now().Add(retry)})
		}
		return c, err
	})
	select {
	case <-ctx.Done():
		return Credentials{}, ctx.Err()
	case r := <-done:
		return r.Val.(Credentials), r.Err
	}
}

// lookup returns what is kept for a token, if it has life left.
func (a *Agent) lookup(token string) *entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.kept[token]
	if e == nil || e.credentials.Expires.Sub(a.Now()) <= leastLife {
		return nil
	}
	return e
}

func (a *Agent) keep(token string, e *entry) {
	// Always before they end: renewal is of credentials that last hours.
	if last := e.credentials.Expires.Add(-4 * leastLife); e.renew.After(last) {
		e.renew = last
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil {
		a.kept = map[string]*entry{}
	}
	if len(a.kept) >= mostKept {
		a.sweep()
	}
	a.kept[token] = e
}

// sweep makes room: what has ended goes, and if nothing has, what ends first.
func (a *Agent) sweep() {
	first, ended := "", false
	for t, e := range a.kept {
		if !a.Now().Before(e.credentials.Expires) {
			delete(a.kept, t)
			ended = true
		} else if first == "" || e.credentials.Expires.Before(a.kept[first].credentials.Expires) {
			first = t
		}
	}
	if !ended {
		delete(a.kept, first)
	}
}

func (a *Agent) forget(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.kept, token)
}
