package ec2

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// imageOwner is the account that EKS's images are published from.
// https://docs.aws.amazon.com/eks/latest/userguide/eks-ami-build-scripts.html
const imageOwner = "602401143452"

// imageDate is the release of the images, as their names have it, and imageCreated
// when it was made.
const (
	imageDate    = "v20260801"
	imageCreated = "2026-08-01T00:00:00.000Z"
)

// imageVersions are the minor versions of Kubernetes that there are images for.
var imageVersions = []string{"1.34", "1.35", "1.36", "1.37"}

// image is what nodes are said to be made of. There is no disk behind it: a node
// here is made of the programs that eksact carries.
type image struct {
	id, name, arch, version string
}

// images are EKS's optimized Amazon Linux 2023 images, one for each version and
// architecture, with ids of our own.
func (s *Service) images() []image {
	var all []image
	for _, version := range imageVersions {
		for _, arch := range []types.ArchitectureValues{types.ArchitectureValuesX8664, types.ArchitectureValuesArm64} {
			name := "amazon-eks-node-al2023-" + string(arch) + "-standard-" + version + "-" + imageDate
			all = append(all, image{"ami-0" + digestOf([]any{s.place.Region, name})[:16], name, string(arch), version})
		}
	}
	slices.SortFunc(all, func(a, b image) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return all
}

// NodeImage is an image for nodes, as others are told of it.
type NodeImage struct {
	ID, Name      string
	Version, Arch string // of Kubernetes, "1.37"; as EC2 names it
	Date          string // of the release: "20260801"
	Created       time.Time
}

// NodeImages are all images.
func (s *Service) NodeImages() []NodeImage {
	created, _ := time.Parse(time.RFC3339, imageCreated) // a constant
	var all []NodeImage
	for _, i := range s.images() {
		all = append(all, NodeImage{ID: i.id, Name: i.name, Version: i.version, Arch: i.arch, Date: imageDate[1:], Created: created})
	}
	return all
}

// NodeImage is the id of the image for a node of a version of Kubernetes, "1.37",
// and an architecture, as EC2 names it; "" if there is none.
func (s *Service) NodeImage(version, arch string) string {
	for _, i := range s.images() {
		if i.version == version && i.arch == arch {
			return i.id
		}
	}
	return ""
}

// NodeRelease is the date of the images for nodes, as EKS's release versions have it.
func (s *Service) NodeRelease() string { return strings.TrimPrefix(imageDate, "v") }

// TypeArch is the architecture of a type of instances, "x86_64" or "arm64".
func TypeArch(name string) (arch string, ok bool) {
	t, ok := typeNamed(name)
	return string(t.arch()), ok
}

func (s *Service) addImages(svc *api.Service) {
	add(s, svc, "DescribeImages", s.DescribeImages, nil)
}

// DescribeImages lists the images for EKS's nodes; the account has none of its own.
func (s *Service) DescribeImages(_ context.Context, in *ec2.DescribeImagesInput) (*ec2.DescribeImagesOutput, error) {
	all := s.images()
	for _, id := range in.ImageIds {
		if !slices.ContainsFunc(all, func(i image) bool { return i.id == id }) {
			return nil, refuse("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", id)
		}
	}
	fixed := func(v ...string) func(image) []string { return func(image) []string { return v } }
	name := func(i image) []string { return []string{i.name} }
	match, err := matcher(in.Filters, attributes[image]{
		"architecture":        func(i image) []string { return []string{i.arch} },
		"creation-date":       fixed(imageCreated),
		"description":         func(i image) []string { return []string{i.description()} },
		"ena-support":         fixed("true"),
		"hypervisor":          fixed("xen"),
		"image-id":            func(i image) []string { return []string{i.id} },
		"image-type":          fixed("machine"),
		"is-public":           fixed("true"),
		"name":                name,
		"owner-alias":         fixed("amazon"),
		"owner-id":            fixed(imageOwner),
		"platform":            fixed(),
		"root-device-name":    fixed(rootDevice),
		"root-device-type":    fixed("ebs"),
		"state":               fixed("available"),
		"virtualization-type": fixed("hvm"),
	}, func(image) map[string]string { return nil })
	if err != nil {
		return nil, err
	}
	theirs := len(in.Owners) == 0 || slices.Contains(in.Owners, "amazon") || slices.Contains(in.Owners, imageOwner)
	visible := len(in.ExecutableUsers) == 0 || slices.Contains(in.ExecutableUsers, "all")
	rows := slices.DeleteFunc(all, func(i image) bool {
		return !theirs || !visible || len(in.ImageIds) > 0 && !slices.Contains(in.ImageIds, i.id) || !match(i)
	})
	rows, next, err := pagedFrom(1, query{ids: append(slices.Clone(in.ImageIds), in.Owners...), filters: in.Filters, max: in.MaxResults, next: in.NextToken, call: "DescribeImages"}, rows,
		func(i image) string { return i.id })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeImagesOutput{NextToken: next, Images: []types.Image{}}
	for _, i := range rows {
		out.Images = append(out.Images, i.view())
	}
	return out, nil
}

func (i image) description() string {
	return "EKS-optimized Kubernetes node based on Amazon Linux 2023, (k8s: " + i.version + ")"
}

func (i image) view() types.Image {
	return types.Image{
		ImageId: aws.String(i.id), Name: aws.String(i.name), Description: aws.String(i.description()), Architecture: types.ArchitectureValues(i.arch),
		CreationDate: aws.String(imageCreated), EnaSupport: aws.Bool(true), Hypervisor: types.HypervisorTypeXen, ImageLocation: aws.String("amazon/" + i.name),
		ImageOwnerAlias: aws.String("amazon"), ImageType: types.ImageTypeValuesMachine, OwnerId: aws.String(imageOwner), PlatformDetails: aws.String("Linux/UNIX"),
		Public: aws.Bool(true), RootDeviceName: aws.String(rootDevice), RootDeviceType: types.DeviceTypeEbs, State: types.ImageStateAvailable,
		UsageOperation: aws.String("RunInstances"), VirtualizationType: types.VirtualizationTypeHvm, Tags: []types.Tag{},
		BlockDeviceMappings: []types.BlockDeviceMapping{{DeviceName: aws.String(rootDevice), Ebs: &types.EbsBlockDevice{
			DeleteOnTermination: aws.Bool(true), Encrypted: aws.Bool(false), Iops: aws.Int32(3000), Throughput: aws.Int32(125), VolumeSize: aws.Int32(20), VolumeType: types.VolumeTypeGp3,
		}}},
	}
}
