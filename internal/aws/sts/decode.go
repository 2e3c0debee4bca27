package sts

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/iam"
)

// messageHead is sealed with every message, so that no token is taken for one.
const messageHead = "EKSACT1 authorization message"

// The longest message: as it is encoded, which is the most that
// DecodeAuthorizationMessage takes, and as it is decoded.
const (
	longestMessage = 10240
	longestDecoded = 1 << 20
)

// SealMessage encodes what decided a refusal, so that only DecodeAuthorizationMessage
// can read it; "" of refusals that have no message, which are all but EC2's.
func (s *STS) SealMessage(refusal error) string {
	var d *iam.Denied
	if !errors.As(refusal, &d) || len(d.Message) == 0 {
		return ""
	}
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestSpeed) // the level is one that there is
	_, _ = w.Write(d.Message)                         // a Buffer takes everything
	_ = w.Close()
	nonce := make([]byte, s.seal.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	text := base64.RawURLEncoding.EncodeToString(s.seal.Seal(nonce, nonce, packed.Bytes(), []byte(messageHead)))
	if len(text) > longestMessage {
		return ""
	}
	return text
}

// DecodeAuthorizationMessage tells what decided a refusal: it holds what the refused
// may not know, so reading it is a right of its own.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html
func (s *STS) DecodeAuthorizationMessage(_ context.Context, in *sts.DecodeAuthorizationMessageInput) (*sts.DecodeAuthorizationMessageOutput, error) {
	invalid := &types.InvalidAuthorizationMessageException{Message: aws.String("Message is not valid: it is not one of this account's, or not whole.")}
	encoded := aws.ToString(in.EncodedMessage)
	data, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	n := s.seal.NonceSize()
	if err != nil || len(data) < n || strings.ContainsAny(encoded, "\r\n") {
		return nil, invalid
	}
	packed, err := s.seal.Open(nil, data[:n], data[n:], []byte(messageHead))
	if err != nil {
		return nil, invalid
	}
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), longestDecoded))
	if err != nil {
		return nil, invalid
	}
	return &sts.DecodeAuthorizationMessageOutput{DecodedMessage: aws.String(string(text))}, nil
}
