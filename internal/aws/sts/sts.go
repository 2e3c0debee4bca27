package sts

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/store"
)

// STS is the service of one account.
type STS struct {
	store   *store.Store
	place   api.Place
	iam     *iam.IAM
	now     func() time.Time
	secret  *store.Table[sealing]
	issuers Issuers
	seal    cipher.AEAD
	key     []byte // 32 bytes
}

// sealing is the record of the key that tokens are sealed with.
type sealing struct{ Key []byte }

const sealingKey = "current"

// New makes the service, registering its table. Call Open once the store is
// loaded.
func New(s *store.Store, place api.Place, i *iam.IAM, now func() time.Time) *STS {
	return &STS{store: s, place: place, iam: i, now: now, issuers: noIssuers{}, secret: store.NewTable[sealing](s, "sts/sealing")}
}

// Open reads the sealing key, or makes it the first time.
func (s *STS) Open(ctx context.Context) error {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.secret.In(tx).Get(sealingKey); ok {
			return nil
		}
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return err
		}
		s.secret.In(tx).Put(sealingKey, sealing{key})
		return nil
	})
	if err != nil {
		return err
	}
	record, ok := s.secret.Get(sealingKey)
	if !ok || len(record.Key) != 32 {
		return fmt.Errorf("sts: the sealing key is damaged")
	}
	block, err := aes.NewCipher(record.Key)
	if err != nil {
		return err
	}
	s.key = record.Key
	s.seal, err = cipher.NewGCM(block)
	return err
}

// Service lists the operations for the front door.
func (s *STS) Service() *api.Service {
	svc := &api.Service{ID: "sts", Action: "sts"}
	api.Add(svc, "GetCallerIdentity", s.GetCallerIdentity, nil)
	api.Add(svc, "AssumeRole", s.AssumeRole, nil)
	api.Add(svc, "GetSessionToken", s.GetSessionToken, nil)
	api.Add(svc, "GetAccessKeyInfo", s.GetAccessKeyInfo, nil)
	api.Add(svc, "DecodeAuthorizationMessage", s.DecodeAuthorizationMessage, nil)
	api.Add(svc, "GetFederationToken", s.GetFederationToken, nil)
	api.Add(svc, "AssumeRoleWithWebIdentity", s.AssumeRoleWithWebIdentity, nil)
	s.addRefused(svc)
	mark := func(name string, how func(*api.Operation)) {
		op := svc.Operations[name]
		how(&op)
		svc.Operations[name] = op
	}
	mark("GetCallerIdentity", func(op *api.Operation) { op.Open = true })
	mark("AssumeRoleWithWebIdentity", func(op *api.Operation) { op.Unsigned = true })
	for _, name := range []string{"AssumeRole", "GetSessionToken", "GetFederationToken"} {
		mark(name, func(op *api.Operation) { op.SelfAuthorized = true })
	}
	return svc
}
