package s3

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/bits"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/store"
)

// Bytes on disk are encrypted by AES-256 in counter mode, each blob from a starting
// counter of its own, with the account's key, which is in the store. That a blob is whole
// its digest tells.

// cipherOf is the cipher of the account's key, made the first time.
func (s *S3) cipherOf(ctx context.Context) (cipher.Block, error) {
	if c := s.cipher.Load(); c != nil {
		return *c, nil
	}
	fresh := make([]byte, 32)
	rand.Read(fresh) // never fails
	k, ok := s.keys.Get("objects")
	if !ok {
		err := s.Store.Update(ctx, func(tx *store.Tx) error {
			if k, ok = s.keys.In(tx).Get("objects"); !ok {
				k = Key{fresh}
				s.keys.In(tx).Put("objects", k)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	c, err := aes.NewCipher(k.Secret)
	if err == nil {
		s.cipher.Store(&c)
	}
	return c, err
}

// sealing encrypts what is written through it.
type sealing struct {
	out    io.Writer
	stream cipher.Stream
	iv     string
	buffer []byte
}

func newSealing(out io.Writer, key cipher.Block) *sealing {
	var iv [aes.BlockSize]byte
	rand.Read(iv[:]) // never fails
	return &sealing{out: out, stream: cipher.NewCTR(key, iv[:]), iv: hex.EncodeToString(iv[:])}
}

func (w *sealing) Write(p []byte) (int, error) {
	if cap(w.buffer) < len(p) {
		w.buffer = make([]byte, len(p))
	}
	sealed := w.buffer[:len(p)]
	w.stream.XORKeyStream(sealed, p)
	return w.out.Write(sealed)
}

// opening decrypts a blob that is read from an offset on.
func opening(from io.Reader, key cipher.Block, iv string, offset int64) (io.Reader, error) {
	raw, err := hex.DecodeString(iv)
	if err != nil || len(raw) != aes.BlockSize {
		return nil, errors.New("s3: a blob's initialization vector can't be read")
	}
	low, carry := bits.Add64(binary.BigEndian.Uint64(raw[8:]), uint64(offset/aes.BlockSize), 0)
	binary.BigEndian.PutUint64(raw[8:], low)
	binary.BigEndian.PutUint64(raw[:8], binary.BigEndian.Uint64(raw[:8])+carry)
	stream := cipher.NewCTR(key, raw)
	var skipped [aes.BlockSize]byte
	stream.XORKeyStream(skipped[:offset%aes.BlockSize], skipped[:offset%aes.BlockSize])
	return &cipher.StreamReader{S: stream, R: from}, nil
}

// usual is how new objects are encrypted where nobody says.
const usual = string(types.ServerSideEncryptionAes256)

// encryption is how an object that is written is to be: as the call says, or its bucket.
func (s *S3) encryption(bucket string, asked types.ServerSideEncryption) string {
	b, _ := s.buckets.Get(bucket)
	switch {
	case asked != "":
		return string(asked)
	case b.Encryption != "":
		return b.Encryption
	}
	return usual
}

func (s *S3) getBucketEncryption(ctx context.Context, in *s3.GetBucketEncryptionInput) (*s3.GetBucketEncryptionOutput, error) {
	if _, err := s.onBucket(ctx, "s3:GetEncryptionConfiguration", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	return &s3.GetBucketEncryptionOutput{ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{
		ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryption(s.encryption(*in.Bucket, ""))},
		BucketKeyEnabled:                   aws.Bool(false),
	}}}}, nil
}

func (s *S3) putBucketEncryption(ctx context.Context, in *s3.PutBucketEncryptionInput) (*s3.PutBucketEncryptionOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutEncryptionConfiguration", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	c := in.ServerSideEncryptionConfiguration
	if c == nil || len(c.Rules) != 1 || c.Rules[0].ApplyServerSideEncryptionByDefault == nil {
		return nil, errMalformedXML
	}
	r := c.Rules[0].ApplyServerSideEncryptionByDefault
	switch {
	case aws.ToString(r.KMSMasterKeyID) != "":
		return nil, notImplemented("Server-side encryption with a key of the customer's")
	case aws.ToBool(c.Rules[0].BucketKeyEnabled):
		return nil, notImplemented("A bucket key")
	case r.SSEAlgorithm != types.ServerSideEncryptionAes256 && r.SSEAlgorithm != types.ServerSideEncryptionAwsKms:
		return nil, notImplemented("Server-side encryption (" + string(r.SSEAlgorithm) + ")")
	}
	return &s3.PutBucketEncryptionOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Encryption = string(r.SSEAlgorithm)
		return nil
	})
}

func (s *S3) deleteBucketEncryption(ctx context.Context, in *s3.DeleteBucketEncryptionInput) (*s3.DeleteBucketEncryptionOutput, error) {
	if _, err := s.onBucket(ctx, "s3:PutEncryptionConfiguration", in.Bucket, in.ExpectedBucketOwner, nil); err != nil {
		return nil, err
	}
	return &s3.DeleteBucketEncryptionOutput{}, s.change(ctx, *in.Bucket, func(_ *store.Tx, b *Bucket) error {
		b.Encryption = ""
		return nil
	})
}

// sealed makes an object's bytes encrypted ones, which those from before there was any
// encryption are not. They are held then in the old ones' place.
func (s *S3) sealed(ctx context.Context, o *Object) error {
	plain := false
	for _, b := range o.Blobs {
		plain = plain || b.IV == ""
	}
	if !plain {
		return nil
	}
	old := o.Blobs
	s.blobs.hold(old) // the reader lets go of them
	body := s.blobs.read(ctx, old, 0, o.Size)
	defer body.Close()
	w, err := s.blobs.write(ctx, body, o.Size)
	if err != nil {
		return err
	}
	s.blobs.release(old)
	o.Blobs = w.blobs
	return nil
}
