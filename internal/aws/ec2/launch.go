package ec2

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/nodeconfig"
	"github.com/eksact/eksact/internal/store"
)

// Profiles is what EC2 asks of IAM.
type Profiles interface {
	// InstanceProfile finds a profile by its name or ARN, and the ARN of its role, ""
	// without one.
	InstanceProfile(nameOrARN string) (arn, id, roleARN string, ok bool)
}

// The one service that may give an instance some of AWS's own tags, and which: the one of
// its group, and those that the group has of its stack.
const (
	autoScaling = "autoscaling.amazonaws.com"
	groupTag    = "aws:autoscaling:groupName"
	stackTags   = "aws:cloudformation:"
)

// UseProfiles gives launches IAM's instance profiles, before the first call.
func (s *Service) UseProfiles(p Profiles) { s.profiles = p }

// RunInstances launches machines, which are nodes: their user data names the cluster
// that they are to join (package nodeconfig). As many as there is room for, and at
// least MinCount.
func (s *Service) RunInstances(ctx context.Context, in *ec2.RunInstancesInput) (*ec2.RunInstancesOutput, error) {
	l, err := s.launchOf(in)
	if err != nil {
		return nil, err
	}
	draft, err := s.draft(in, l, api.CallerFrom(ctx).Service)
	if err != nil {
		return nil, err
	}
	made, err := s.record(ctx, in, l, draft)
	if err != nil {
		return nil, err
	}
	out := &ec2.RunInstancesOutput{
		ReservationId: aws.String(made[0].Reservation), OwnerId: aws.String(s.place.AccountID), Groups: []types.GroupIdentifier{},
	}
	for _, i := range made {
		if err := s.ground.Start(ctx, i.ID); err != nil {
			return nil, err
		}
		out.Instances = append(out.Instances, s.instanceView(i))
	}
	return out, nil
}

// draft is what the instances of a launch have in common. by is the service that calls,
// if one does.
func (s *Service) draft(in *ec2.RunInstancesInput, l *launch, by string) (Instance, error) {
	if l.least < 1 || l.most < l.least {
		return Instance{}, invalid("Value (%d) for parameter maxCount is invalid. It must be at least minCount, which must be at least 1.", l.most)
	}
	if name := l.unsupportedIn(in); name != "" {
		return Instance{}, unsupported("%s", name)
	}
	for _, spec := range l.TagSpecifications {
		given := l.tagsOf(spec.ResourceType)
		if by == autoScaling {
			maps.DeleteFunc(given, func(key, _ string) bool { return key == groupTag || strings.HasPrefix(key, stackTags) })
		}
		if err := checkTags(given); err != nil {
			return Instance{}, err
		}
	}
	i := Instance{
		Reservation: newID("r-"), State: Pending, Type: string(l.InstanceType), Image: aws.ToString(l.ImageId), LaunchTime: s.Now().UTC(), UserData: aws.ToString(l.UserData),
		Tags: l.tagsOf(types.ResourceTypeInstance), Protected: aws.ToBool(l.DisableApiTermination),
	}
	if l.template != nil {
		i.Tags["aws:ec2launchtemplate:id"], i.Tags["aws:ec2launchtemplate:version"] = l.template.ID, strconv.FormatInt(l.number, 10)
	}
	for _, check := range []func() error{
		func() error { return s.setImage(&i) },
		func() error { return s.setSubnet(&i, l) },
		func() error { return s.setGroups(&i, l.groups) },
		func() error { return s.setProfile(&i, l.IamInstanceProfile) },
		func() error { return s.setCluster(&i, l) },
	} {
		if err := check(); err != nil {
			return i, err
		}
	}
	var options *types.InstanceMetadataOptionsRequest
	if l.MetadataOptions != nil {
		options = &types.InstanceMetadataOptionsRequest{}
		if err := translate(l.MetadataOptions, options); err != nil {
			return i, err
		}
	}
	m, err := s.LaunchMetadata(options, l.tagsOf(types.ResourceTypeInstance))
	i.setMetadata(m)
	return i, err
}

func (s *Service) setImage(i *Instance) error {
	if i.Image == "" {
		return absent("ImageId")
	}
	images := s.images()
	at := slices.IndexFunc(images, func(m image) bool { return m.id == i.Image })
	switch {
	case strings.HasPrefix(i.Image, "resolve:"):
		return unsupported("An image that a parameter names")
	case !strings.HasPrefix(i.Image, "ami-"):
		return refuse("InvalidAMIID.Malformed", "Invalid id: %q (expecting \"ami-...\")", i.Image)
	case at < 0:
		return refuse("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", i.Image)
	}
	if i.Type == "" {
		return absent("InstanceType")
	}
	kind, ok := typeNamed(i.Type)
	if !ok {
		return invalid("Invalid value '%s' for InstanceType.", i.Type)
	}
	i.Arch = images[at].arch
	if string(kind.arch()) != i.Arch {
		return invalid("The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.", kind.arch(), i.Arch)
	}
	if s.ground != nil && i.Arch != s.ground.Arch() {
		return unsupported("The architecture %s, on a machine of %s,", i.Arch, s.ground.Arch())
	}
	return nil
}

func (s *Service) setSubnet(i *Instance, l *launch) error {
	zone := ""
	if l.Placement != nil {
		zone = aws.ToString(l.Placement.AvailabilityZone)
	}
	if l.subnet == "" {
		return refuse("VPCIdNotSpecified", "No default VPC for this user")
	}
	n, err := s.subnetFamily.seek(l.subnet)
	switch {
	case err != nil:
		return err
	case zone != "" && zone != n.Zone:
		return invalid("The availability zone '%s' is not that of the subnet '%s', %s.", zone, n.ID, n.Zone)
	case !s.runs(n.VPC):
		return unsupported("A machine in %s, which is a record alone,", n.VPC)
	}
	i.VPC, i.Subnet, i.Zone = n.VPC, n.ID, n.Zone
	i.AutoPublic = n.MapPublicIP
	if l.public != nil {
		i.AutoPublic = *l.public
	}
	return nil
}

func (s *Service) setGroups(i *Instance, ids []string) error {
	for _, id := range ids {
		g, err := s.groupFamily.seek(id)
		if err != nil {
			return err
		}
		if g.VPC != i.VPC {
			return refuse("InvalidParameter", "Security group %s and subnet %s belong to different networks.", id, i.Subnet)
		}
	}
	if i.Groups = ids; len(ids) > 0 {
		return nil
	}
	for _, g := range s.groupFamily.all() {
		if g.VPC == i.VPC && g.Name == "default" {
			i.Groups = []string{g.ID}
		}
	}
	return nil
}

func (s *Service) setProfile(i *Instance, p *types.LaunchTemplateIamInstanceProfileSpecificationRequest) error {
	if p == nil {
		return nil
	}
	name := aws.ToString(p.Arn)
	if p.Name != nil {
		name = *p.Name
	}
	ok := false
	if s.profiles != nil {
		i.ProfileARN, i.ProfileID, _, ok = s.profiles.InstanceProfile(name)
	}
	if !ok && p.Arn != nil {
		return invalid("Value (%s) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN", name)
	}
	if !ok {
		return invalid("Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", name)
	}
	return nil
}

// setCluster reads whose node an instance is to be. On AWS a machine without user data
// runs all the same; here there is nothing that it could run.
func (s *Service) setCluster(i *Instance, l *launch) error {
	data, err := userDataOf(&l.RequestLaunchTemplateData)
	if err != nil {
		return err
	}
	c, err := nodeconfig.Parse(data)
	if err != nil {
		return unsupported("A machine that is no node (%s)", err)
	}
	i.Cluster = c.Cluster
	if s.ground == nil {
		return unsupported("A machine, where none run,")
	}
	if err := s.ground.Joinable(c.Cluster); err != nil {
		return unsupported("A node of cluster %q (%s)", c.Cluster, err)
	}
	return nil
}

// record draws addresses for the instances of a launch, and records them. With a token
// that came before, they are those of then.
func (s *Service) record(ctx context.Context, in *ec2.RunInstancesInput, l *launch, draft Instance) ([]Instance, error) {
	var made []Instance
	for n := range l.most {
		i := draft
		i.ID = newID("i-")
		err := s.reserve(ctx, &i)
		if err != nil && n >= l.least {
			break
		}
		if err != nil {
			return nil, errors.Join(err, s.unreserve(ctx, made))
		}
		made = append(made, i)
	}
	var before []Instance
	err := s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		before = nil
		reservation, err := s.repeated(tx, "RunInstances", in.ClientToken, in)
		if err != nil {
			return err
		}
		if reservation != "" {
			before = slices.DeleteFunc(values(s.instances.In(tx).List("")), func(i Instance) bool { return i.Reservation != reservation })
			return nil
		}
		for n := range made {
			if err := s.autoPublic(tx, &made[n]); err != nil {
				return err
			}
			s.instances.In(tx).Put(made[n].ID, made[n])
		}
		s.remember(tx, "RunInstances", in.ClientToken, in, draft.Reservation)
		return nil
	})
	if err != nil || len(before) > 0 {
		return before, errors.Join(err, s.unreserve(ctx, made))
	}
	if draft.AutoPublic {
		return made, s.settle(ctx, draft.VPC)
	}
	return made, nil
}

// reserve draws an instance's private addresses: its own, and those of its pods.
func (s *Service) reserve(ctx context.Context, i *Instance) error {
	pods, _ := MaxPods(i.Type)
	spot, err := s.ground.Reserve(ctx, i.Subnet, i.ID, min(pods, mostPods))
	if errors.Is(err, ErrFull) {
		return refuse("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet '%s' to satisfy the requested number of instances.", i.Subnet)
	}
	if err != nil {
		return err
	}
	i.PrivateIP, i.PrivateDNS = spot.Address, privateName(spot.Address, s.place.Region)
	i.Interfaces = []Interface{{ID: newID("eni-"), MAC: spot.MAC, Subnet: i.Subnet, IP: spot.Address, Prefixes: []netip.Prefix{spot.Pods}, Groups: i.Groups}}
	return nil
}

// mostPods is the most that a node has here, whatever its type.
const mostPods = 110

func (s *Service) unreserve(ctx context.Context, all []Instance) error {
	var failed error
	for _, i := range all {
		failed = errors.Join(failed, s.ground.Unreserve(ctx, i.ID))
	}
	return failed
}

// autoPublic gives an instance that is to have one a public address, until it stops.
func (s *Service) autoPublic(tx *store.Tx, i *Instance) error {
	if !i.AutoPublic || i.PublicIP.IsValid() {
		return nil
	}
	a, err := s.freePublic(tx)
	if err != nil {
		return err
	}
	i.PublicIP, i.PublicDNS = a, publicName(a, s.place.Region)
	return nil
}
