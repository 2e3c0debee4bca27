package vpc_test

import (
	"os/exec"
	"slices"
	"testing"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/nft"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// A node's own rules that somebody deleted are written anew, others are left alone.
func TestMendNode(t *testing.T) {
	c := build(t)
	_, pods := vpctest.Private(c.Config, 0)
	own := []string{nft.NodeTable, nft.MetadataTable}
	for _, test := range []struct {
		by   []string
		want []string
	}{
		{[]string{"list", "ruleset"}, nil},
		{[]string{"flush", "ruleset"}, own},
		{[]string{"delete", "table", "ip", nft.NodeTable}, own[:1]},
	} {
		mustNil(t, netns.Do(c.nodes[0], exec.Command("nft", test.by...).Run))
		there, err := nft.Tables(c.nodes[0])
		mustNil(t, err)
		mended, err := c.MendNode(c.nodes[0], pods, there)
		if err != nil || !slices.Equal(mended, test.want) {
			t.Errorf("after nft %v: mended %v, %v; want %v", test.by, mended, err, test.want)
		}
		if there, err = nft.Tables(c.nodes[0]); err != nil || !there[own[0]] || !there[own[1]] {
			t.Errorf("after nft %v: %v, %v", test.by, there, err)
		}
	}
}
