package daemon

import (
	"cmp"
	"slices"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/ssm"
)

// nodeImages are EC2's images for nodes, as Parameter Store tells of them.
func (d *Daemon) nodeImages() []ssm.Image {
	var all []ssm.Image
	for _, i := range d.ec2.NodeImages() {
		release := cmp.Or(patchVersions[i.Version], i.Version+".0") + "-" + i.Date
		all = append(all, ssm.Image{ID: i.ID, Name: i.Name, Version: i.Version, Arch: i.Arch, Release: release, Created: i.Created})
	}
	return all
}

func (d *Daemon) isImage(id string) bool {
	return slices.ContainsFunc(d.ec2.NodeImages(), func(i ec2.NodeImage) bool { return i.ID == id })
}
