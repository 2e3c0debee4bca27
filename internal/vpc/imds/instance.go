package imds

import (
	"context"
	"encoding/json"
	"net/netip"
	"runtime"
	"strings"
	"time"
)

// Instance is what an instance can be told about itself.
type Instance struct {
	ID        string // i-…
	Type      string // m5.large
	AMI       string // ami-…
	Account   string
	Region    string
	Zone      string // us-west-2a
	ZoneID    string // usw2-az1
	Partition string // aws
	Domain    string // amazonaws.com
	Launched  time.Time

	Addr       netip.Addr // primary private address
	Pods       []netip.Prefix
	Name       string // private DNS name
	MAC        string
	Interface  string // eni-…
	Subnet     string // subnet-…
	SubnetCIDR netip.Prefix
	VPC        string // vpc-…
	VPCCIDR    netip.Prefix
	Groups     []Group

	// Role, Profile are the instance profile's role name, ARN and id; an instance
	// without one has no iam/ at all.
	Role       string
	ProfileARN string
	ProfileID  string
	// Credentials gives current ones of the role.
	Credentials func(context.Context) (Credentials, error)

	UserData []byte // nil: none

	// HopLimit of token answers, 1 to 64; 0 means 2, as EKS sets for nodes.
	HopLimit int
	// TokensOptional admits version 1 of the protocol.
	TokensOptional bool
}

// Group is a security group.
type Group struct{ ID, Name string }

// Credentials of a role session.
type Credentials struct {
	AccessKeyID, SecretAccessKey, Token string
	Updated, Expires                    time.Time
}

// leaf makes the text of a path; an error is a passing failure.
type leaf func(context.Context) (string, error)

func text(s string) leaf {
	return func(context.Context) (string, error) { return s, nil }
}

// leaves lists all paths below /latest/ with their values.
func (i Instance) leaves() map[string]leaf {
	domain, partition := i.Domain, i.Partition
	if domain == "" {
		domain = "amazonaws.com"
	}
	if partition == "" {
		partition = "aws"
	}
	var groupIDs, groupNames []string
	for _, g := range i.Groups {
		groupIDs, groupNames = append(groupIDs, g.ID), append(groupNames, g.Name)
	}
	out := map[string]leaf{
		"ami-id":                         text(i.AMI),
		"ami-launch-index":               text("0"),
		"ami-manifest-path":              text("(unknown)"),
		"hostname":                       text(i.Name),
		"instance-action":                text("none"),
		"instance-id":                    text(i.ID),
		"instance-life-cycle":            text("on-demand"),
		"instance-type":                  text(i.Type),
		"local-hostname":                 text(i.Name),
		"local-ipv4":                     text(i.Addr.String()),
		"mac":                            text(i.MAC),
		"placement/availability-zone":    text(i.Zone),
		"placement/availability-zone-id": text(i.ZoneID),
		"placement/region":               text(i.Region),
		"profile":                        text("default-hvm"),
		"reservation-id":                 text("r-" + strings.TrimPrefix(i.ID, "i-")),
		"security-groups":                text(strings.Join(groupNames, "\n")),
		"services/domain":                text(domain),
		"services/partition":             text(partition),
		"block-device-mapping/ami":       text("/dev/xvda"),
		"block-device-mapping/root":      text("/dev/xvda"),
		"events/maintenance/history":     text("[]"),
		"events/maintenance/scheduled":   text("[]"),
		"system":                         text("nitro"),
	}
	mac := "network/interfaces/macs/" + i.MAC + "/"
	for name, value := range map[string]string{
		"device-number":          "0",
		"interface-id":           i.Interface,
		"local-hostname":         i.Name,
		"local-ipv4s":            i.Addr.String(),
		"mac":                    i.MAC,
		"owner-id":               i.Account,
		"security-group-ids":     strings.Join(groupIDs, "\n"),
		"security-groups":        strings.Join(groupNames, "\n"),
		"subnet-id":              i.Subnet,
		"subnet-ipv4-cidr-block": i.SubnetCIDR.String(),
		"vpc-id":                 i.VPC,
		"vpc-ipv4-cidr-block":    i.VPCCIDR.String(),
		"vpc-ipv4-cidr-blocks":   i.VPCCIDR.String(),
		"ipv4-prefix":            prefixes(i.Pods),
		"network-card":           "0",
	} {
		if value != "" {
			out[mac+name] = text(value)
		}
	}
	if i.Role != "" && i.Credentials != nil {
		out["iam/info"] = i.profile
		out["iam/security-credentials/"+i.Role] = i.session
	}
	tree := map[string]leaf{"dynamic/instance-identity/document": i.document}
	for name, value := range out {
		tree["meta-data/"+name] = value
	}
	if i.UserData != nil {
		tree["user-data"] = text(string(i.UserData))
	}
	return tree
}

func prefixes(all []netip.Prefix) string {
	var out []string
	for _, p := range all {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}

// profile is iam/info.
func (i Instance) profile(ctx context.Context) (string, error) {
	c, err := i.Credentials(ctx)
	if err != nil {
		return "", err
	}
	return encode(struct {
		Code, LastUpdated                     string
		InstanceProfileArn, InstanceProfileId string
	}{"Success", stamp(c.Updated), i.ProfileARN, i.ProfileID})
}

// session is iam/security-credentials/ROLE.
func (i Instance) session(ctx context.Context) (string, error) {
	c, err := i.Credentials(ctx)
	if err != nil {
		return "", err
	}
	return encode(struct {
		Code, LastUpdated, Type                         string
		AccessKeyId, SecretAccessKey, Token, Expiration string
	}{"Success", stamp(c.Updated), "AWS-HMAC", c.AccessKeyID, c.SecretAccessKey, c.Token, stamp(c.Expires)})
}

// document is the instance identity document. AWS signs it beside; here its
// signatures are not offered.
func (i Instance) document(context.Context) (string, error) {
	return encode(map[string]any{
		"accountId": i.Account, "architecture": architecture(), "availabilityZone": i.Zone,
		"billingProducts": nil, "devpayProductCodes": nil, "marketplaceProductCodes": nil,
		"imageId": i.AMI, "instanceId": i.ID, "instanceType": i.Type, "kernelId": nil,
		"pendingTime": stamp(i.Launched), "privateIp": i.Addr.String(), "ramdiskId": nil,
		"region": i.Region, "version": "2017-09-30",
	})
}

// architecture is this machine's, whatever the instance's type: programs go by it.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func encode(v any) (string, error) {
	out, err := json.MarshalIndent(v, "", "  ")
	return string(out), err
}
