package ec2

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/crypto/ssh"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// KeyPair is the public half of a key for SSH.
type KeyPair struct {
	ID, Name    string // "key-…"
	Type        string // "rsa", "ed25519"
	Public      string // as OpenSSH writes it
	Fingerprint string
	Created     time.Time
	Tags        map[string]string
}

func (s *Service) addKeyPairs(svc *api.Service) {
	add(s, svc, "CreateKeyPair", s.CreateKeyPair, func(in *ec2.CreateKeyPairInput) []string { return s.on("key-pair", in.KeyName) })
	keyed(svc, "CreateKeyPair", func(in *ec2.CreateKeyPairInput, key string) policy.Values {
		if key == "ec2:keypairtype" && in.KeyType != "" {
			return policy.One(string(in.KeyType))
		}
		return policy.Values{}
	})
	add(s, svc, "ImportKeyPair", s.ImportKeyPair, func(in *ec2.ImportKeyPairInput) []string { return s.on("key-pair", in.KeyName) })
	add(s, svc, "DeleteKeyPair", s.DeleteKeyPair, func(in *ec2.DeleteKeyPairInput) []string {
		if k, ok := s.keyPair(aws.ToString(in.KeyPairId), aws.ToString(in.KeyName)); ok {
			return s.on("key-pair", &k.Name)
		}
		return s.on("key-pair", in.KeyName)
	})
	add(s, svc, "DescribeKeyPairs", s.DescribeKeyPairs, nil)
}

// CreateKeyPair makes a key, and shows its private half this once.
func (s *Service) CreateKeyPair(ctx context.Context, in *ec2.CreateKeyPairInput) (*ec2.CreateKeyPairOutput, error) {
	if in.KeyFormat == types.KeyFormatPpk {
		return nil, unsupported("The key format ppk")
	}
	wanted, err := tagsFor(ctx, types.ResourceTypeKeyPair, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	k := KeyPair{ID: newID("key-"), Name: aws.ToString(in.KeyName), Type: string(in.KeyType), Created: s.Now().UTC(), Tags: wanted}
	material, err := k.draw()
	if err != nil {
		return nil, err
	}
	if err := s.putKeyPair(ctx, k); err != nil {
		return nil, err
	}
	return &ec2.CreateKeyPairOutput{
		KeyName: aws.String(k.Name), KeyPairId: aws.String(k.ID), KeyFingerprint: aws.String(k.Fingerprint), KeyMaterial: aws.String(material),
		Tags: tags(k.Tags),
	}, nil
}

// draw makes the key. The fingerprint is, as AWS's, of the private key (RSA: SHA-1
// of its PKCS #8 form) or of the public one (ED25519: SHA-256).
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html
func (k *KeyPair) draw() (material string, err error) {
	var private crypto.Signer
	var block *pem.Block
	switch k.Type {
	case "", string(types.KeyTypeRsa):
		k.Type = string(types.KeyTypeRsa)
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return "", err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return "", err
		}
		sum := sha1.Sum(der)
		k.Fingerprint = colons(sum[:])
		private, block = key, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	case string(types.KeyTypeEd25519):
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return "", err
		}
		if block, err = ssh.MarshalPrivateKey(key, ""); err != nil {
			return "", err
		}
		private = key
	default:
		return "", invalid("Value (%s) for parameter KeyType is invalid.", k.Type)
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		return "", err
	}
	k.Public = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	if k.Fingerprint == "" {
		sum := sha256.Sum256(public.Marshal())
		k.Fingerprint = base64.StdEncoding.EncodeToString(sum[:])
	}
	return strings.TrimSpace(string(pem.EncodeToMemory(block))), nil
}

func colons(sum []byte) string {
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(pairs, ":")
}

func (s *Service) putKeyPair(ctx context.Context, k KeyPair) error {
	if k.Name == "" || len(k.Name) > 255 {
		return invalid("Value (%s) for parameter KeyName is invalid.", k.Name)
	}
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if slices.ContainsFunc(s.keyFamily.list(tx), func(other KeyPair) bool { return other.Name == k.Name }) {
			return refuse("InvalidKeyPair.Duplicate", "The keypair already exists")
		}
		s.keyFamily.put(tx, k.ID, k)
		return nil
	})
}

// ImportKeyPair records a key of the caller's.
func (s *Service) ImportKeyPair(ctx context.Context, in *ec2.ImportKeyPairInput) (*ec2.ImportKeyPairOutput, error) {
	wanted, err := tagsFor(ctx, types.ResourceTypeKeyPair, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	public, _, _, rest, err := ssh.ParseAuthorizedKey(in.PublicKeyMaterial)
	if err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, refuse("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	}
	k := KeyPair{ID: newID("key-"), Name: aws.ToString(in.KeyName), Created: s.Now().UTC(), Tags: wanted, Public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))}
	switch public.Type() {
	case ssh.KeyAlgoRSA:
		k.Type = string(types.KeyTypeRsa)
		der, err := x509.MarshalPKIXPublicKey(public.(ssh.CryptoPublicKey).CryptoPublicKey())
		if err != nil {
			return nil, err
		}
		sum := md5.Sum(der)
		k.Fingerprint = colons(sum[:])
	case ssh.KeyAlgoED25519:
		k.Type = string(types.KeyTypeEd25519)
		sum := sha256.Sum256(public.Marshal())
		k.Fingerprint = base64.StdEncoding.EncodeToString(sum[:])
	default:
		return nil, refuse("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	}
	if err := s.putKeyPair(ctx, k); err != nil {
		return nil, err
	}
	return &ec2.ImportKeyPairOutput{KeyName: aws.String(k.Name), KeyPairId: aws.String(k.ID), KeyFingerprint: aws.String(k.Fingerprint), Tags: tags(k.Tags)}, nil
}

func (s *Service) keyPair(id, name string) (KeyPair, bool) {
	for _, k := range s.keyFamily.all() {
		if id != "" && k.ID == id || id == "" && k.Name == name {
			return k, true
		}
	}
	return KeyPair{}, false
}

// DeleteKeyPair forgets a key. One that isn't there is no error.
func (s *Service) DeleteKeyPair(ctx context.Context, in *ec2.DeleteKeyPairInput) (*ec2.DeleteKeyPairOutput, error) {
	if aws.ToString(in.KeyName) == "" && aws.ToString(in.KeyPairId) == "" {
		return nil, absent("KeyName")
	}
	out := &ec2.DeleteKeyPairOutput{Return: aws.Bool(true)}
	k, ok := s.keyPair(aws.ToString(in.KeyPairId), aws.ToString(in.KeyName))
	if !ok {
		return out, nil
	}
	out.KeyPairId = aws.String(k.ID)
	return out, s.store.Update(ctx, func(tx *store.Tx) error { s.keyFamily.drop(tx, k.ID); return nil })
}

// DescribeKeyPairs lists keys. This call has no pages.
func (s *Service) DescribeKeyPairs(_ context.Context, in *ec2.DescribeKeyPairsInput) (*ec2.DescribeKeyPairsOutput, error) {
	for _, name := range in.KeyNames {
		if _, ok := s.keyPair("", name); !ok {
			return nil, refuse("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", name)
		}
	}
	found, _, err := s.keyFamily.describe(query{nil, in.KeyPairIds, in.Filters, nil, nil, "DescribeKeyPairs"}, attributes[KeyPair]{
		"key-name":    func(k KeyPair) []string { return []string{k.Name} },
		"key-pair-id": func(k KeyPair) []string { return []string{k.ID} },
		"fingerprint": func(k KeyPair) []string { return []string{k.Fingerprint} },
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeKeyPairsOutput{KeyPairs: []types.KeyPairInfo{}}
	for _, k := range found {
		if len(in.KeyNames) > 0 && !slices.Contains(in.KeyNames, k.Name) {
			continue
		}
		view := types.KeyPairInfo{
			KeyName: aws.String(k.Name), KeyPairId: aws.String(k.ID), KeyFingerprint: aws.String(k.Fingerprint), KeyType: types.KeyType(k.Type),
			CreateTime: aws.Time(k.Created), Tags: tags(k.Tags),
		}
		if aws.ToBool(in.IncludePublicKey) {
			view.PublicKey = aws.String(k.Public)
		}
		out.KeyPairs = append(out.KeyPairs, view)
	}
	return out, nil
}

func keyPairKey(k KeyPair, key string) string {
	switch key {
	case "ec2:keypairname":
		return k.Name
	case "ec2:keypairtype":
		return k.Type
	}
	return ""
}
