package oidc

import "fmt"

// Kind says what is wrong with a token.
type Kind uint8

const (
	Malformed    Kind = iota // not a signed JSON Web Token, or a claim of the wrong form
	Algorithm                // signed in a way that isn't taken: none, HMAC
	MissingClaim             // Claim is not there
	Audience                 // not meant for any of the client ids
	Expired                  // At is when it ended
	NotYet                   // At is when it begins
	UnknownKey               // none of the issuer's keys is the one it names
	BadSignature             // signed with another key, or changed since
)

// Error is why a token is refused.
type Error struct {
	Kind   Kind
	Claim  string // of MissingClaim: "sub"
	Now    int64  // of Expired and NotYet, in seconds since 1970
	At     int64
	Detail string
}

func (e *Error) Error() string {
	switch e.Kind {
	case Algorithm:
		return "the token's algorithm is not taken: " + e.Detail
	case MissingClaim:
		return "the token has no claim " + e.Claim
	case Audience:
		return "the token is not meant for any client id of the provider: " + e.Detail
	case Expired:
		return fmt.Sprintf("the token expired at %d, it is %d", e.At, e.Now)
	case NotYet:
		return fmt.Sprintf("the token is not good before %d, it is %d", e.At, e.Now)
	case UnknownKey:
		return "the issuer has no such key: " + e.Detail
	case BadSignature:
		return "the token's signature is not its issuer's"
	}
	return "not a valid token: " + e.Detail
}

func malformed(format string, args ...any) error {
	return &Error{Kind: Malformed, Detail: fmt.Sprintf(format, args...)}
}
