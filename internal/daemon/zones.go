package daemon

import (
	"net/netip"
	"strings"

	"github.com/eksact/eksact/internal/vpc/dns"
)

// privateZone and publicZone show Route 53's zones to the resolvers: those of the VPC
// that asks, and those of all.
func (d *Daemon) privateZone(from netip.Addr, name string) (dns.Hosted, bool) {
	id := d.config.vpcID()
	for _, v := range d.ec2.Running() {
		if v.CIDRs[0].Contains(from) {
			id = v.ID
		}
	}
	return d.route53.Find(name, id)
}

func (d *Daemon) publicZone(name string) (dns.Hosted, bool) { return d.route53.Find(name, "") }

// isVPC and balancerAt are what Route 53 asks of EC2 and of the load balancers.
func (d *Daemon) isVPC(id string) bool {
	_, ok := d.ec2.VPCRanges(id)
	return ok
}

func (d *Daemon) balancerAt(name string) ([]netip.Addr, bool) {
	addrs, ok := d.names.Addrs(name, dns.Outside)
	return addrs, ok && strings.Contains(name, "elb.")
}
