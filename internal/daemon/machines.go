package daemon

import (
	"github.com/eksact/eksact/internal/aws/autoscaling"
	"github.com/eksact/eksact/internal/aws/ec2"
)

// machines shows EC2's instances to Auto Scaling.
type machines struct{ d *Daemon }

// Machine implements autoscaling.Machines.
func (m machines) Machine(id string) (autoscaling.Machine, bool) {
	i, ok := m.d.ec2.Instance(id)
	return machineOf(i), ok
}

func machineOf(i ec2.Instance) autoscaling.Machine {
	return autoscaling.Machine{ID: i.ID, Zone: i.Zone, Subnet: i.Subnet, Type: i.Type, Image: i.Image, State: string(i.State), Tags: i.Tags}
}

// WatchMachines implements autoscaling.Machines.
func (m machines) WatchMachines(fn func(autoscaling.Machine)) (stop func()) {
	return m.d.ec2.WatchInstances(func(_ string, _, new *ec2.Instance) {
		if new != nil {
			fn(machineOf(*new))
		}
	})
}

// SubnetPlace implements autoscaling.Machines.
func (m machines) SubnetPlace(id string) (vpc, zone string, ok bool) { return m.d.ec2.SubnetPlace(id) }

// TemplateNames implements autoscaling.Machines.
func (m machines) TemplateNames(id, name, version string) (string, string, error) {
	return m.d.ec2.TemplateNames(id, name, version)
}
