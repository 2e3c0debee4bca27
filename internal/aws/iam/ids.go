package iam

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strconv"
)

// Prefixes of unique ids.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes
const (
	userPrefix    = "AIDA"
	groupPrefix   = "AGPA"
	rolePrefix    = "AROA"
	policyPrefix  = "ANPA"
	profilePrefix = "AIPA"
	keyPrefix     = "AKIA"
)

const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// accountOffset is added to half the account's number in an id.
const accountOffset = 1 << 39

// NewID makes a unique id or access key id: the prefix of four letters, eight
// that hold half the account's number, one that holds the rest of that number
// and a little randomness, then what else of random there is, five bits of each
// byte: 9 bytes make the 21 characters of an entity's id, 8 the 20 of a key's.
func NewID(prefix, account string, random []byte) (string, error) {
	n, err := strconv.ParseUint(account, 10, 64)
	if err != nil || len(account) != 12 {
		return "", fmt.Errorf("account id %q is not twelve digits", account)
	}
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], accountOffset+n/2)
	id := []byte(prefix + base32.StdEncoding.EncodeToString(number[3:]))
	id = append(id, idAlphabet[byte(n%2)<<4|random[0]&15])
	for _, b := range random[1:] {
		id = append(id, idAlphabet[b&31])
	}
	return string(id), nil
}

// AccountOfKey reads the account's number out of an access key id.
func AccountOfKey(id string) (account string, ok bool) {
	if len(id) != 20 || id[:4] != "AKIA" && id[:4] != "ASIA" {
		return "", false
	}
	number, err := base32.StdEncoding.DecodeString(id[4:12])
	if err != nil {
		return "", false
	}
	n := binary.BigEndian.Uint64(append([]byte{0, 0, 0}, number...))
	if n < accountOffset {
		return "", false
	}
	n = (n - accountOffset) * 2
	if c := id[12]; c >= 'Q' && c <= 'Z' || c >= '2' && c <= '7' {
		n++
	}
	account = fmt.Sprintf("%012d", n)
	return account, len(account) == 12
}

// entityID and keyID make fresh ids of this account.
func (i *IAM) entityID(prefix string) string { return i.freshID(prefix, 9) }
func (i *IAM) keyID() string                 { return i.freshID(keyPrefix, 8) }

func (i *IAM) freshID(prefix string, n int) string {
	random := make([]byte, n)
	_, _ = rand.Read(random)                          // never fails
	id, _ := NewID(prefix, i.place.AccountID, random) // New has checked the account
	return id
}

// newSecret makes a secret access key: 40 characters.
func newSecret() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	random := make([]byte, 40)
	_, _ = rand.Read(random)
	for i, b := range random {
		random[i] = alphabet[b&63]
	}
	return string(random)
}
