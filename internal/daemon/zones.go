package daemon

import (
	"strings"

	"github.com/eksact/eksact/internal/vpc/dns"
)

// privateZone and publicZone show Route 53's zones to the resolvers.
func (d *Daemon) privateZone(name string) (dns.Hosted, bool) {
	return d.route53.Find(name, d.config.vpcID())
}

func (d *Daemon) publicZone(name string) (dns.Hosted, bool) { return d.route53.Find(name, "") }

// isVPC and isBalancer are what Route 53 asks of EC2 and of the load balancers.
func (d *Daemon) isVPC(id string) bool {
	_, ok := d.ec2.VPCRanges(id)
	return ok
}

func (d *Daemon) isBalancer(name string) bool {
	return strings.Contains(name, "elb.") && d.names.Has(name)
}
