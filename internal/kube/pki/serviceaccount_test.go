package pki

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSigningKeysOverlap(t *testing.T) {
	dir := t.TempDir()
	at := func(now time.Time) *Bundle {
		t.Helper()
		if err := RotateServiceAccounts(dir, now); err != nil {
			t.Fatal(err)
		}
		return ensure(t, dir, who(), now)
	}
	published := func(now time.Time) int {
		t.Helper()
		keys, err := PublishedKeys(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		return len(keys)
	}
	accepted := func(b *Bundle) (n int) {
		data, err := os.ReadFile(b.ServiceAccountPublic)
		if err != nil {
			t.Fatal(err)
		}
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			n++
		}
		return n
	}
	if got := published(start); got != 0 {
		t.Errorf("%d keys before there are any", got)
	}
	first := at(start)
	if same := at(start.Add(SigningLife - time.Minute)); same.ServiceAccount != first.ServiceAccount || published(start) != 1 {
		t.Errorf("%s signs before the week is over", same.ServiceAccount)
	}
	weekLater := start.Add(SigningLife)
	second := at(weekLater)
	switch {
	case second.ServiceAccount == first.ServiceAccount:
		t.Error("a key signs longer than a week")
	case samePublicKey(first.serviceAccount.Public(), second.serviceAccount.Public()):
		t.Error("it is the same key under another name")
	}
	keys, err := PublishedKeys(dir, weekLater)
	if err != nil || len(keys) != 2 || !samePublicKey(keys[0], second.serviceAccount.Public()) || !samePublicKey(keys[1], first.serviceAccount.Public()) {
		t.Errorf("published: %v, %v; want the new key, then the old", keys, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "service-account.key")); !os.IsNotExist(err) {
		t.Errorf("the old private key is still there: %v", err)
	}
	if published(weekLater.Add(8*24*time.Hour)) != 1 {
		t.Error("a retired key is published for ever")
	}
	third := at(weekLater.Add(SigningLife))
	if got := accepted(third); got != 3 {
		t.Errorf("the API server accepts %d keys, want 3: tokens of Secrets have no end", got)
	}
	before, _ := os.ReadFile(third.ServiceAccountPublic)
	if after, _ := os.ReadFile(at(weekLater.Add(SigningLife)).ServiceAccountPublic); !bytes.Equal(before, after) {
		t.Error("the same moment twice makes other keys")
	}
}

// A directory from before keys changed has one key and no record.
func TestAnOldDirectoryKeepsItsKey(t *testing.T) {
	dir := t.TempDir()
	old := ensure(t, dir, who(), start)
	for _, name := range []string{signingFile, publicFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	later := start.Add(30 * 24 * time.Hour)
	if err := RotateServiceAccounts(dir, later); err != nil {
		t.Fatal(err)
	}
	if b := ensure(t, dir, who(), later); !samePublicKey(b.serviceAccount.Public(), old.serviceAccount.Public()) {
		t.Error("its tokens are worth nothing any more")
	}
}
