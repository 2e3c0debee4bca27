package imds

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Instance is what an instance can be told about itself.
type Instance struct {
	ID          string // i-…
	Reservation string // r-…
	Type        string // m5.large
	AMI         string // ami-…, or "" when there is none
	Account     string
	Region      string
	Zone        string // us-west-2a
	ZoneID      string // usw2-az1
	Partition   string // "" is aws
	Domain      string // "" is amazonaws.com
	Launched    time.Time

	Addr       netip.Addr // primary private address
	Name       string     // private DNS name
	PublicIP   netip.Addr // zero: none
	PublicName string
	Interfaces []Interface // the first is the primary one

	// Role, Profile are the instance profile's role name, ARN and id; an instance
	// without one has no iam/ at all.
	Role       string
	ProfileARN string
	ProfileID  string
	// Credentials gives current ones of the role, as handed out by a version of this
	// service. An error that is a Refusal is shown to the instance.
	Credentials func(context.Context, Version) (Credentials, error)

	UserData []byte            // nil: none
	Tags     map[string]string // those shown; nil: access to tags is off

	// Disabled turns the service off.
	Disabled bool
	// IPv6 has it answer at its IPv6 address too.
	IPv6 bool
	// HopLimit of token answers, 1 to 64; 0 means 2, as EKS sets for nodes.
	HopLimit int
	// TokensOptional admits version 1 of the protocol.
	TokensOptional bool
}

// Interface is a network interface.
type Interface struct {
	ID         string // eni-…
	MAC        string
	Addr       netip.Addr
	Pods       []netip.Prefix
	Subnet     string // subnet-…
	SubnetCIDR netip.Prefix
	VPC        string // vpc-…
	VPCCIDRs   []netip.Prefix
	Groups     []Group
}

// Group is a security group.
type Group struct{ ID, Name string }

// Version is one of the protocol: what was asked without a token is of version 1.
type Version string

const (
	V1 Version = "1.0"
	V2 Version = "2.0"
)

// Credentials of a role session.
type Credentials struct {
	AccessKeyID, SecretAccessKey, Token string
	Updated, Expires                    time.Time
}

// Refusal is why an instance has no credentials, as iam/info tells it:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html
type Refusal struct {
	Code    string // AssumeRoleUnauthorizedAccess
	Message string
	Time    time.Time
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// leaf makes the text of a path; an error is a passing failure.
type leaf func(context.Context) (string, error)

func text(s string) leaf {
	return func(context.Context) (string, error) { return s, nil }
}

// leaves lists all paths below /latest/ that have a value.
func (i *Instance) leaves(signer func() (*Signer, error), v Version) map[string]leaf {
	tree := map[string]leaf{}
	add := func(below string, values map[string]string) {
		for name, value := range values {
			if value != "" {
				tree[below+name] = text(value)
			}
		}
	}
	add("meta-data/", i.own())
	for at, n := range i.Interfaces {
		add("meta-data/network/interfaces/macs/"+n.MAC+"/", i.ofInterface(at, n))
	}
	if i.Role != "" && i.Credentials != nil {
		tree["meta-data/iam/info"] = i.profile(v)
		tree["meta-data/iam/security-credentials/"+i.Role] = i.session(v)
	}
	for key, value := range i.Tags {
		tree["meta-data/tags/instance/"+key] = text(value) // which may be empty
	}
	tree["dynamic/fws/instance-monitoring"] = text("disabled")
	tree["dynamic/instance-identity/document"] = text(i.document())
	if signer != nil {
		for name, sign := range signatures {
			tree["dynamic/instance-identity/"+name] = func(context.Context) (string, error) {
				s, err := signer()
				if err != nil {
					return "", err
				}
				return sign(s, i.document())
			}
		}
	}
	if i.UserData != nil {
		tree["user-data"] = text(string(i.UserData))
	}
	return tree
}

// own are the categories of the instance itself; those without a value are not
// there.
func (i *Instance) own() map[string]string {
	values := map[string]string{
		"ami-id":                         i.AMI,
		"ami-launch-index":               "0",
		"hostname":                       i.Name,
		"instance-action":                "none",
		"instance-id":                    i.ID,
		"instance-life-cycle":            "on-demand",
		"instance-type":                  i.Type,
		"local-hostname":                 i.Name,
		"local-ipv4":                     i.Addr.String(),
		"placement/availability-zone":    i.Zone,
		"placement/availability-zone-id": i.ZoneID,
		"placement/region":               i.Region,
		"profile":                        "default-hvm",
		"public-hostname":                i.PublicName,
		"public-ipv4":                    shown(i.PublicIP),
		"reservation-id":                 i.Reservation,
		"services/domain":                or(i.Domain, "amazonaws.com"),
		"services/partition":             or(i.Partition, "aws"),
		"block-device-mapping/ami":       "/dev/xvda",
		"block-device-mapping/root":      "/dev/xvda",
		"events/maintenance/history":     "[]",
		"events/maintenance/scheduled":   "[]",
		"system":                         "nitro",
	}
	if i.AMI != "" {
		values["ami-manifest-path"] = "(unknown)" // of images that are in no bucket
	}
	if len(i.Interfaces) > 0 {
		values["mac"] = i.Interfaces[0].MAC
		_, values["security-groups"] = i.Interfaces[0].groups()
	}
	return values
}

func (i *Instance) ofInterface(index int, n Interface) map[string]string {
	ids, names := n.groups()
	values := map[string]string{
		"device-number":          strconv.Itoa(index),
		"interface-id":           n.ID,
		"ipv4-prefix":            lines(n.Pods),
		"local-hostname":         i.Name,
		"local-ipv4s":            shown(n.Addr),
		"mac":                    n.MAC,
		"network-card":           "0",
		"owner-id":               i.Account,
		"security-group-ids":     ids,
		"security-groups":        names,
		"subnet-id":              n.Subnet,
		"subnet-ipv4-cidr-block": n.SubnetCIDR.String(),
		"vpc-id":                 n.VPC,
		"vpc-ipv4-cidr-blocks":   lines(n.VPCCIDRs),
	}
	if len(n.VPCCIDRs) > 0 {
		values["vpc-ipv4-cidr-block"] = n.VPCCIDRs[0].String()
	}
	if index == 0 && i.PublicIP.IsValid() {
		values["public-hostname"], values["public-ipv4s"] = i.PublicName, i.PublicIP.String()
		values["ipv4-associations/"+i.PublicIP.String()] = n.Addr.String()
	}
	return values
}

func (n Interface) groups() (ids, names string) {
	var i, s []string
	for _, g := range n.Groups {
		i, s = append(i, g.ID), append(s, g.Name)
	}
	return strings.Join(i, "\n"), strings.Join(s, "\n")
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func shown(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func lines(all []netip.Prefix) string {
	var out []string
	for _, p := range all {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}
