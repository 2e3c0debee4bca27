package up

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/daemon"
)

func TestRanges(t *testing.T) {
	for _, test := range []struct {
		name         string
		made         bool // a network was made already, with the default ranges
		given        ranges
		vpc, refusal string
	}{
		{"none", false, ranges{}, "10.0.0.0/16", ""},
		{"another VPC", false, ranges{vpc: "192.168.3.0/20"}, "192.168.0.0/20", ""},
		{"no range", false, ranges{vpc: "192.168.0.1"}, "", `--vpc-cidr "192.168.0.1" is no range of addresses`},
		{"the same again", true, ranges{vpc: "10.0.0.0/16", public: "198.18.0.0/16"}, "10.0.0.0/16", ""},
		{"a move", true, ranges{public: "198.19.0.0/16"}, "", "--public-cidr: the network was made with 198.18.0.0/16, and can't be moved"},
		{"too small", false, ranges{vpc: "10.0.0.0/24"}, "", "the VPC can't have the addresses 10.0.0.0/24"},
		{"across the public ones", false, ranges{vpc: "198.18.0.0/18"}, "", "overlap"},
		{"loopback", false, ranges{vpc: "127.0.0.0/16"}, "", "loopback"},
	} {
		kept := daemon.Default(t.TempDir(), t.TempDir())
		if test.made {
			if err := kept.Save(); err != nil {
				t.Fatal(err)
			}
		}
		c := kept
		err := test.given.into(&c, kept)
		if err == nil {
			err = c.Check()
		}
		if err == nil {
			err = c.CheckNetwork()
		}
		switch {
		case test.refusal == "" && err != nil, test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal)):
			t.Errorf("%s: %v, want %q", test.name, err, test.refusal)
		case test.refusal == "" && c.VPC != netip.MustParsePrefix(test.vpc):
			t.Errorf("%s: the VPC has %s", test.name, c.VPC)
		}
	}
	c := daemon.Default("", "")
	c.VPC = netip.MustParsePrefix("192.168.0.0/20")
	var blocks []string
	for _, s := range c.Network().Subnets {
		blocks = append(blocks, s.Prefix.String())
	}
	if got := strings.Join(blocks, " "); got != "192.168.0.0/23 192.168.2.0/23 192.168.4.0/23 192.168.6.0/23" {
		t.Errorf("subnets %s", got)
	}
}
