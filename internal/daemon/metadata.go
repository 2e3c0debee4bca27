package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/imds"
	"github.com/eksact/eksact/internal/vpc/ipv6"
)

// serveMetadata answers every instance's metadata requests, on the router.
func (d *Daemon) serveMetadata(ctx context.Context) error {
	sockets := []supervise.Socket{{Name: "imds", Network: "tcp4", Address: netip.AddrPortFrom(vpc.Metadata, 80).String()}}
	if ipv6.Known() {
		sockets = append(sockets, supervise.Socket{Name: "imds6", Network: "tcp6", Address: netip.AddrPortFrom(ipv6.Metadata, 80).String()})
	}
	// The authority's key makes that of tokens: they outlive a restart.
	secret, err := d.authority.key.Bytes()
	if err != nil {
		return err
	}
	key := sha256.Sum256(append([]byte("instance metadata tokens "), secret...))
	m := &metadata{Daemon: d, sessions: map[sessionOf]imds.Credentials{}}
	s := imds.New(imds.Config{
		Instance: m.instance, Key: key[:],
		Signer: sync.OnceValues(func() (*imds.Signer, error) { return d.authority.documentSigner(d.config) }),
	})
	for _, socket := range sockets {
		socket.NetNS = d.network.World()
		l, err := d.keeper.Listen(socket)
		if err != nil {
			return err
		}
		d.running.Go(func() { note(s.Serve(ctx, l), ctx, "instance metadata") })
	}
	return nil
}

// metadata says what instances may know of themselves.
type metadata struct {
	*Daemon
	mu       sync.Mutex
	sessions map[sessionOf]imds.Credentials
}

// instance is what the instance behind an address, its own or a pod's, may know.
func (m *metadata) instance(source netip.Addr) (imds.Instance, bool) {
	source = ipv6.Owner(source)
	for _, i := range m.ec2.Instances() {
		if i.State == ec2.Running && (i.PrivateIP == source || slices.ContainsFunc(i.Interfaces, func(n ec2.Interface) bool {
			return n.IP == source || contains(n.Prefixes, source)
		})) {
			return m.describe(i), true
		}
	}
	return imds.Instance{}, false
}

func (m *metadata) describe(i ec2.Instance) imds.Instance {
	out := imds.Instance{
		ID: i.ID, Reservation: i.Reservation, Type: i.Type, AMI: i.Image, Account: m.config.Account, Region: m.config.Region, Zone: i.Zone,
		ZoneID: ec2.ZoneID(i.Zone), Launched: i.LaunchTime, Addr: i.PrivateIP, Name: i.PrivateDNS, PublicIP: i.PublicIP, PublicName: i.PublicDNS,
		Disabled: i.MetadataOff, HopLimit: int(i.HopLimit), TokensOptional: !i.TokensOnly, IPv6: i.MetadataIPv6,
	}
	if i.MetadataTags {
		out.Tags = i.Tags
	}
	if i.UserData != "" {
		out.UserData, _ = base64.StdEncoding.DecodeString(i.UserData) // checked at the launch
	}
	for _, n := range i.Interfaces {
		out.Interfaces = append(out.Interfaces, m.describeInterface(i.VPC, n))
	}
	if role, ok := m.iam.ProfileRole(i.ProfileARN); ok {
		out.Role, out.ProfileARN, out.ProfileID = role.Name, i.ProfileARN, i.ProfileID
		out.Credentials = func(_ context.Context, v imds.Version) (imds.Credentials, error) { return m.session(i, &role, v) }
	}
	return out
}

func (m *metadata) describeInterface(vpcID string, n ec2.Interface) imds.Interface {
	out := imds.Interface{ID: n.ID, MAC: n.MAC, Addr: n.IP, Pods: n.Prefixes, Subnet: n.Subnet, VPC: vpcID}
	out.SubnetCIDR, _ = m.ec2.SubnetRange(n.Subnet)
	out.VPCCIDRs, _ = m.ec2.VPCRanges(vpcID)
	for _, id := range n.Groups {
		out.Groups = append(out.Groups, imds.Group{ID: id, Name: m.ec2.SecurityGroupName(id)})
	}
	return out
}

// sessionOf is what a role's credentials on an instance depend on.
type sessionOf struct {
	instance, vpc, role string
	address             netip.Addr
	version             imds.Version
}

const (
	sessionLength = 6 * time.Hour
	// sessionRenewal is when an instance gets new credentials, long before the old
	// ones end, as on EC2.
	sessionRenewal = time.Hour
)

// session gives an instance its role's credentials, the same for a while.
func (m *metadata) session(i ec2.Instance, role *iam.Role, v imds.Version) (imds.Credentials, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now().UTC()
	of := sessionOf{i.ID, i.VPC, role.ID, i.PrivateIP, v}
	if c, ok := m.sessions[of]; ok && now.Sub(c.Updated) < sessionRenewal {
		return c, nil
	}
	for old, c := range m.sessions {
		if now.After(c.Expires) {
			delete(m.sessions, old)
		}
	}
	keys, err := m.sts.InstanceSession(role, i.ID, sessionLength, m.instanceKeys(i, v))
	var refused *api.Error
	if errors.As(err, &refused) {
		return imds.Credentials{}, &imds.Refusal{Code: "AssumeRoleUnauthorizedAccess", Message: refused.Message, Time: now}
	}
	if err != nil {
		return imds.Credentials{}, err
	}
	c := imds.Credentials{
		AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, Token: keys.SessionToken,
		Updated: now, Expires: keys.Expires,
	}
	m.sessions[of] = c
	return c, nil
}

// instanceKeys are the condition keys that an instance's credentials carry: where
// they were handed out, and how.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-ec2instancesourcevpc
func (d *Daemon) instanceKeys(i ec2.Instance, v imds.Version) map[string]string {
	return map[string]string{
		"aws:ec2instancesourcevpc":         i.VPC,
		"aws:ec2instancesourceprivateipv4": i.PrivateIP.String(),
		"ec2:sourceinstancearn":            "arn:aws:ec2:" + d.config.Region + ":" + d.config.Account + ":instance/" + i.ID,
		"ec2:roledelivery":                 string(v),
	}
}
