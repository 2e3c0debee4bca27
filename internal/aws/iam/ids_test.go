package iam

import "testing"

// An id tells its account, as AWS's do.
func TestIDs(t *testing.T) {
	if account, ok := AccountOfKey("AKIARZPUZDIKGB2VALC4"); !ok || account != "123456789012" {
		t.Errorf("got %s, %v", account, ok)
	}
	for _, account := range []string{"111122223333", "123456789012", "000000000001", "999999999999"} {
		for b := range 256 {
			id, err := NewID("AKIA", account, []byte{byte(b), 1, 2, 3, 4, 5, 6, 7})
			if err != nil || len(id) != 20 {
				t.Fatalf("%s, %v", id, err)
			}
			if got, ok := AccountOfKey(id); !ok || got != account {
				t.Errorf("%s is of %s, not %s", id, got, account)
			}
		}
	}
	for _, id := range []string{"", "AKIA", "AIDARZPUZDIKGB2VALC4", "AKIA1ZPUZDIKGB2VALC4", "AKIAAAAAAAAAAAAAAAAA"} {
		if account, ok := AccountOfKey(id); ok {
			t.Errorf("%q is of %s", id, account)
		}
	}
	if _, err := NewID("AKIA", "12345", make([]byte, 8)); err == nil {
		t.Error("an account of five digits has ids")
	}
}
