package pki

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// How long a key signs service account tokens, as EKS rotates them, and how long
// its public half is published after: longer than the longest token that is made
// for others than the API server itself (a day).
// https://docs.aws.amazon.com/eks/latest/userguide/irsa-fetch-keys.html
const (
	SigningLife = 7 * 24 * time.Hour
	published   = 8 * 24 * time.Hour
)

// signing is the file that says which key signs, and which did.
type signing struct {
	File    string    // of the private key that signs now
	Since   time.Time // when it began to
	Retired []retired `json:",omitempty"`
}

// retired is the public half of a key that signs no more.
type retired struct {
	Key []byte // PKIX
	At  time.Time
}

const (
	firstKey    = "service-account.key"
	signingFile = "service-accounts.json"
	publicFile  = "service-accounts.pub"
)

// readSigning reads the record; of a directory without one, that of its only key.
func readSigning(dir string, now time.Time) (s signing, err error) {
	path := filepath.Join(dir, signingFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return signing{File: firstKey, Since: now}, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil || s.File != filepath.Base(s.File) || s.Since.IsZero() {
		return s, fmt.Errorf("%s: %w: want the keys of service accounts", path, errUnreadable)
	}
	return s, nil
}

func (s signing) write(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, signingFile), data, 0o600)
}

// ensureServiceAccounts reads the keys, or makes the first.
func (b *Bundle) ensureServiceAccounts(dir string, now time.Time) error {
	s, err := readSigning(dir, now)
	if err != nil {
		return err
	}
	b.ServiceAccount, b.ServiceAccountPublic = filepath.Join(dir, s.File), filepath.Join(dir, publicFile)
	if b.serviceAccount, err = ensureKey(b.ServiceAccount); err != nil {
		return err
	}
	if err := s.write(dir); err != nil {
		return err
	}
	data, err := s.public(b.serviceAccount.Public())
	if err != nil {
		return err
	}
	return write(b.ServiceAccountPublic, data, 0o600)
}

// public are all keys that tokens may be signed with, in PEM: those retired too, for
// the tokens of Secrets have no end.
func (s signing) public(current crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(current)
	if err != nil {
		return nil, err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for _, r := range s.Retired {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: r.Key})...)
	}
	return data, nil
}

// RotateServiceAccounts gives the directory a new key for signing service account
// tokens if the one that signs has done so for SigningLife. The old one's private
// half is deleted; by its public half tokens are accepted as before. Whoever signs
// must be started with the bundle that Ensure returns then.
func RotateServiceAccounts(dir string, now time.Time) error {
	s, err := readSigning(dir, now)
	if err != nil || now.Sub(s.Since) < SigningLife {
		return err
	}
	path := filepath.Join(dir, s.File)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	old, err := decodeKey(path, data)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(old.Public())
	if err != nil {
		return err
	}
	key, err := newRSAKey()
	if err != nil {
		return err
	}
	if data, err = encodeKey(key); err != nil {
		return err
	}
	// The file is named anew, so that programs are seen to need another start. Only
	// the record makes it the one that signs: a crash before leaves a file too many.
	next := signing{File: fmt.Sprintf("service-account-%d.key", now.Unix()), Since: now, Retired: append(s.Retired, retired{der, now})}
	if err := renameio.WriteFile(filepath.Join(dir, next.File), data, 0o600); err != nil {
		return err
	}
	if err := next.write(dir); err != nil {
		return err
	}
	return os.Remove(path)
}

// PublishedKeys are the public keys that verify the service account tokens of a
// cluster, by its directory: the one that signs first, then those whose tokens may
// still be in use. None if there are none yet.
func PublishedKeys(dir string, now time.Time) ([]crypto.PublicKey, error) {
	s, err := readSigning(dir, now)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, s.File)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	current, err := decodeKey(path, data)
	if err != nil {
		return nil, err
	}
	keys := []crypto.PublicKey{current.Public()}
	for _, r := range s.Retired {
		if now.Sub(r.At) >= published {
			continue
		}
		key, err := x509.ParsePKIXPublicKey(r.Key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %v", filepath.Join(dir, signingFile), errUnreadable, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
