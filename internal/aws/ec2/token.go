package ec2

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/store"
)

// Once is the record of a creation with a client's token: who repeats it gets what
// was made then.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
type Once struct {
	Digest string // of the request
	ID     string // of what it made
	At     time.Time
}

// tokenLife is for how long a token is remembered.
const tokenLife = 24 * time.Hour

// repeated says what an earlier call with the token made; "" if there was none.
// Another request with the same token is refused.
func (s *Service) repeated(tx *store.Tx, call string, token *string, request any) (id string, err error) {
	if aws.ToString(token) == "" {
		return "", nil
	}
	if len(*token) > 64 {
		return "", invalid("Value (%s) for parameter clientToken is invalid. The client token must not exceed 64 characters.", *token)
	}
	o, ok := s.once.In(tx).Get(call + "|" + *token)
	if !ok || s.Now().Sub(o.At) > tokenLife {
		return "", nil
	}
	if o.Digest != digestOf(request) {
		return "", refuse("IdempotentParameterMismatch", "The client token '%s' was already used with different parameters.", *token)
	}
	return o.ID, nil
}

// remember notes what a call with a token made, and forgets old ones.
func (s *Service) remember(tx *store.Tx, call string, token *string, request any, id string) {
	if aws.ToString(token) == "" {
		return
	}
	for key, o := range s.once.List("") {
		if s.Now().Sub(o.At) > tokenLife {
			s.once.In(tx).Delete(key)
		}
	}
	s.once.In(tx).Put(call+"|"+*token, Once{digestOf(request), id, s.Now()})
}

func digestOf(request any) string {
	data, _ := json.Marshal(request) // plain data
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}
