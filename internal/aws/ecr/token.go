package ecr

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

const (
	tokenLife = 12 * time.Hour
	linkLife  = time.Hour
	userName  = "AWS" // of those who come with a token
)

// pass is what a token says: whose it is, or which blob it is for. Nothing is written for
// it, and what its owner may do is asked when it is used.
type pass struct {
	Who     *api.Caller `json:",omitempty"`
	Blob    string      `json:",omitempty"`
	Expires time.Time
}

var errBadToken = errors.New("the authorization token is not one of this registry, or has expired")

// sealer is the cipher of tokens, whose key is made the first time.
func (s *Service) sealer(ctx context.Context) (cipher.AEAD, error) {
	k, ok := s.keys.Get("token")
	if !ok {
		fresh := make([]byte, 32)
		rand.Read(fresh) // never fails
		err := s.Store.Update(ctx, func(tx *store.Tx) error {
			if k, ok = s.keys.In(tx).Get("token"); !ok {
				k = Key{fresh}
				s.keys.In(tx).Put("token", k)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(k.Secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (s *Service) seal(ctx context.Context, p pass) (string, error) {
	c, err := s.sealer(ctx)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, c.NonceSize())
	rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(c.Seal(nonce, nonce, text, nil)), nil
}

func (s *Service) unseal(ctx context.Context, token string) (p pass, err error) {
	c, err := s.sealer(ctx)
	if err != nil {
		return p, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < c.NonceSize() {
		return p, errBadToken
	}
	text, err := c.Open(nil, raw[:c.NonceSize()], raw[c.NonceSize():], nil)
	if err != nil || json.Unmarshal(text, &p) != nil || !s.Now().Before(p.Expires) {
		return p, errBadToken
	}
	return p, nil
}

// GetAuthorizationToken gives the caller a password for the registry, good for twelve
// hours and no longer than the caller's session.
func (s *Service) GetAuthorizationToken(ctx context.Context, in *ecr.GetAuthorizationTokenInput) (*ecr.GetAuthorizationTokenOutput, error) {
	//lint:ignore SA1019 callers still name their registry, and no other is here
	for _, id := range in.RegistryIds {
		if err := s.registry(&id); err != nil {
			return nil, err
		}
	}
	who := *api.CallerFrom(ctx)
	who.Endpoint, who.AuthorizationID, who.RequestID, who.UserAgent, who.Referer, who.Presigned = nil, "", "", "", "", false
	expires := s.Now().UTC().Add(tokenLife).Truncate(time.Second)
	if who.Session != nil && who.Session.Expires.Before(expires) {
		expires = who.Session.Expires
	}
	token, err := s.seal(ctx, pass{Who: &who, Expires: expires})
	if err != nil {
		return nil, err
	}
	return &ecr.GetAuthorizationTokenOutput{AuthorizationData: []types.AuthorizationData{{
		AuthorizationToken: aws.String(base64.StdEncoding.EncodeToString([]byte(userName + ":" + token))),
		ExpiresAt:          &expires, ProxyEndpoint: aws.String("https://" + s.Host()),
	}}}, nil
}
