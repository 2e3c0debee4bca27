package sns

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/store"
)

// A key signs for a year; the next is made a month before its certificate ends, which
// stays readable as long as it is good.
const (
	keyLife  = 365 * 24 * time.Hour
	keySpare = 30 * 24 * time.Hour
)

// signer is the newest key, made where there is none.
func (s *Service) signer(ctx context.Context) (*signer, error) {
	s.signing.Lock()
	defer s.signing.Unlock()
	now := s.now()
	var newest *Key
	for _, k := range s.keys.Shared("") {
		if now.Before(k.NotAfter.Add(-keySpare)) && (newest == nil || k.NotBefore.After(newest.NotBefore)) {
			newest = k
		}
	}
	if newest == nil {
		made, err := s.makeKey(ctx, now)
		if err != nil {
			return nil, err
		}
		newest = made
	}
	if s.ready != nil && s.ready.id == newest.ID {
		return s.ready, nil
	}
	block, _ := pem.Decode([]byte(newest.Private))
	if block == nil {
		return nil, errors.New("sns: a signing key can't be read")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("sns: a signing key is no RSA key")
	}
	s.ready = &signer{newest.ID, private}
	return s.ready, nil
}

func (s *Service) makeKey(ctx context.Context, now time.Time) (*Key, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	k := Key{Private: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(keyLife)}
	chain, err := s.Certify(&private.PublicKey, k.NotBefore, k.NotAfter)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(chain)
	k.Chain, k.ID = string(chain), hex.EncodeToString(sum[:16])
	return &k, s.Store.Update(ctx, func(tx *store.Tx) error {
		for id, old := range s.keys.In(tx).List("") {
			if now.After(old.NotAfter) {
				s.keys.In(tx).Delete(id)
			}
		}
		s.keys.In(tx).Put(k.ID, k)
		return nil
	})
}

const (
	certificateBegins = "/SimpleNotificationService-"
	certificateEnds   = ".pem"
)

func certificatePath(id string) string { return certificateBegins + id + certificateEnds }

// Pages answers, at SNS's own name, those who follow what messages link to: the
// certificates, and the confirmations and ends of subscriptions, whose links have neither
// a signature nor a version. All else goes to next.
func (s *Service) Pages(next http.Handler) http.Handler {
	host := Host(s.Place.Region)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Host, ":")
		if r.Method != http.MethodGet || !strings.EqualFold(name, host) {
			next.ServeHTTP(w, r)
			return
		}
		if id, ok := strings.CutPrefix(r.URL.Path, certificateBegins); ok {
			k, found := s.keys.Get(strings.TrimSuffix(id, certificateEnds))
			if !found || !strings.HasSuffix(id, certificateEnds) {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/x-pem-file")
			_, _ = w.Write([]byte(k.Chain))
			return
		}
		if q := r.URL.Query(); q.Has("Action") && !q.Has("Version") && r.Header.Get("Authorization") == "" {
			r = r.Clone(r.Context())
			r.URL.RawQuery += "&Version=2010-03-31"
			r.RequestURI = r.URL.RequestURI()
		}
		next.ServeHTTP(w, r)
	})
}
