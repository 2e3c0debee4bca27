package daemon

import (
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
)

// Precheck judges what EKS here would be asked for, before there is an account.
func (c Config) Precheck() eks.Precheck {
	return eks.Precheck{Place: c.Place(), PatchVersions: patchVersions, Arch: arch(), TypeArch: ec2.TypeArch}
}
