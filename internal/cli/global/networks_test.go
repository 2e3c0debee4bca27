package global

import (
	"fmt"
	"strings"
	"testing"
)

func TestNetworks(t *testing.T) {
	all, err := Networks("--allowed", []string{"203.0.113.0/24", "198.51.100.7", "2001:db8::1"})
	if err != nil || fmt.Sprint(all) != "[203.0.113.0/24 198.51.100.7/32 2001:db8::1/128]" {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := Networks("--inside", nil); len(all) != 0 || err != nil {
		t.Errorf("of nothing: %v, %v", all, err)
	}
	for _, text := range []string{"", "home", "203.0.113.0/33"} {
		if _, err := Networks("--inside", []string{text}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("--inside %q is no network", text)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
