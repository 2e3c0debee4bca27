package ec2

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func boolean(b bool) []string { return []string{strconv.FormatBool(b)} }

func prefixes(list []netip.Prefix) []string {
	var s []string
	for _, p := range list {
		s = append(s, p.String())
	}
	return s
}

// escaped makes values that mean themselves of names.
func escaped(names []string) []string {
	r := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)
	var s []string
	for _, name := range names {
		s = append(s, r.Replace(name))
	}
	return s
}

// tags sorts by key, so that answers don't change without a reason.
func tags(m map[string]string) []types.Tag {
	list := make([]types.Tag, 0, len(m))
	for k, v := range m {
		list = append(list, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	slices.SortFunc(list, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return list
}

// publicName is EC2's public DNS name by address.
func publicName(a netip.Addr, region string) string {
	zone := region + ".compute.amazonaws.com"
	if region == "us-east-1" {
		zone = "compute-1.amazonaws.com"
	}
	return "ec2-" + strings.ReplaceAll(a.String(), ".", "-") + "." + zone
}
