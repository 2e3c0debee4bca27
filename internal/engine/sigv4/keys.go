package sigv4

import (
	"container/list"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// keyName is what a signing key is derived from.
type keyName struct{ secret, date, region, service string }

// keyCache holds the most recently used signing keys. Deriving one takes four
// HMACs; a client's stays the same for a day.
type keyCache struct {
	mu    sync.Mutex
	most  int
	byKey map[keyName]*list.Element
	order *list.List // of *signingKey, most recently used first
}

// signingKey computes HMACs with one derived key. Its hashes keep the key's
// two padded blocks hashed in advance.
type signingKey struct {
	name keyName
	macs sync.Pool // of hash.Hash
}

func newKeyCache(most int) *keyCache {
	return &keyCache{most: most, byKey: map[keyName]*list.Element{}, order: list.New()}
}

func (c *keyCache) get(name keyName) *signingKey {
	c.mu.Lock()
	if e, ok := c.byKey[name]; ok {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		return e.Value.(*signingKey)
	}
	c.mu.Unlock()

	derived := deriveKey(name)
	key := &signingKey{name: name}
	key.macs.New = func() any { return hmac.New(sha256.New, derived[:]) }

	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[name]; ok {
		return e.Value.(*signingKey)
	}
	c.byKey[name] = c.order.PushFront(key)
	if c.order.Len() > c.most {
		oldest := c.order.Remove(c.order.Back()).(*signingKey)
		delete(c.byKey, oldest.name)
	}
	return key
}

func (c *keyCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}

// sum is the HMAC-SHA256 of text.
func (k *signingKey) sum(text []byte) (sum [32]byte) {
	mac := k.macs.Get().(hash.Hash)
	mac.Reset()
	mac.Write(text)
	mac.Sum(sum[:0])
	k.macs.Put(mac)
	return sum
}

// deriveKey is HMAC over HMAC: "AWS4"+secret, date, region, service, ending.
func deriveKey(n keyName) (key [32]byte) {
	k := append([]byte("AWS4"), n.secret...)
	for _, part := range []string{n.date, n.region, n.service, terminator} {
		mac := hmac.New(sha256.New, k)
		mac.Write([]byte(part))
		k = mac.Sum(nil)
	}
	copy(key[:], k)
	return key
}
