package eks

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
)

// nodePrincipal is who assumes the role of nodes.
const nodePrincipal = "ec2.amazonaws.com"

var nodegroupName = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9\-_]{0,62}$`)

func checkNodegroupName(n Nodegroup) error {
	if !nodegroupName.MatchString(n.Name) {
		return n.invalid(`The nodegroup name %q is not valid: it can have 1 to 63 letters, digits, - and _, not - or _ first`, n.Name)
	}
	return nil
}

// Limits of labels and taints: the model's, and Kubernetes'.
var (
	labelPart      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	labelSpace     = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	reservedLabels = []string{"kubernetes.io/", "k8s.io/", "eks.amazonaws.com/"}
)

const mostTaints = 50

func checkLabels(n Nodegroup, labels map[string]string) error {
	for key, value := range labels {
		if err := checkKey(n, "Label", key); err != nil {
			return err
		}
		if value != "" && !labelPart.MatchString(value) {
			return n.invalid("Label value %q is not one that Kubernetes takes", value)
		}
	}
	return nil
}

// checkKey holds the key of a label or a taint against what Kubernetes takes and EKS
// keeps for itself.
func checkKey(n Nodegroup, what, key string) error {
	if slices.ContainsFunc(reservedLabels, func(r string) bool { return strings.HasPrefix(key, r) || strings.Contains(key, "."+r) }) {
		return n.invalid("%s cannot contain reserved prefixes [%s]", what, strings.Join(reservedLabels, ", "))
	}
	space, name, has := strings.Cut(key, "/")
	if !has {
		space, name = "", key
	}
	if !labelPart.MatchString(name) || has && !labelSpace.MatchString(space) {
		return n.invalid("%s key %q is not one that Kubernetes takes", what, key)
	}
	return nil
}

func taintsOf(n Nodegroup, in []types.Taint) ([]Taint, error) {
	var all []Taint
	for _, t := range in {
		taint := Taint{aws.ToString(t.Key), aws.ToString(t.Value), string(t.Effect)}
		if err := checkKey(n, "Taint", taint.Key); err != nil {
			return nil, err
		}
		switch {
		case !slices.Contains(t.Effect.Values(), t.Effect):
			return nil, n.invalid("Invalid taint effect: %s", t.Effect)
		case taint.Value != "" && !labelPart.MatchString(taint.Value):
			return nil, n.invalid("Taint value %q is not one that Kubernetes takes", taint.Value)
		case slices.ContainsFunc(all, func(o Taint) bool { return o.Key == taint.Key && o.Effect == taint.Effect }):
			return nil, n.invalid("Taints must be unique by key and effect: %s", taint.Key)
		}
		all = append(all, taint)
	}
	if len(all) > mostTaints {
		return nil, n.invalid("A nodegroup can't have more than %d taints", mostTaints)
	}
	return all, nil
}

func (s *Service) checkNodeRole(ctx context.Context, n Nodegroup) error {
	if n.Role == "" {
		return n.invalid("The node role is required.")
	}
	if err := s.Roles.CheckPass(ctx, n.Role, servicePrincipal); err != nil {
		return err
	}
	if _, ok := s.Roles.PrincipalID(n.Role); !ok {
		return n.invalid("Role with arn: %s, could not be assumed because it does not exist or the trusted entity is not correct", n.Role)
	}
	if !s.Roles.Assumable(ctx, n.Role, nodePrincipal) {
		return n.invalid("Following required service principals [%s] were not found in the trust relationships of nodeRole %s", nodePrincipal, n.Role)
	}
	return nil
}

func (s *Service) checkNodeSubnets(c Cluster, n Nodegroup) error {
	if len(n.Subnets) == 0 {
		return n.invalid("Subnets are required.")
	}
	for _, id := range n.Subnets {
		vpc, _, ok := s.Network.SubnetPlace(id)
		switch {
		case !ok:
			return n.invalid("The subnet ID '%s' does not exist", id)
		case vpc != c.VPC:
			return n.invalid("Subnet %s is not in the VPC of cluster %s, %s", id, c.Name, c.VPC)
		}
	}
	return nil
}

// setVersion: nodes are of the cluster's version, in the one release that there is.
func (s *Service) setVersion(c Cluster, n *Nodegroup, version, release *string) error {
	n.Version, n.Release = c.Version, s.release(c.Version)
	if version != nil && *version != n.Version {
		return unsupported(c.Name, "version "+*version, "nodes are of their cluster's version, "+n.Version)
	}
	if release != nil && *release != n.Release {
		return n.invalid("Requested release version %s is not valid for kubernetes version %s.", *release, n.Version)
	}
	return nil
}

// release names the image of nodes: the kubelet's version, and the image's date.
func (s *Service) release(version string) string {
	return cmp.Or(s.PatchVersions[version], version) + "-" + s.Images.NodeRelease()
}

// setSource checks the launch template that a node group is made of, which the caller must
// be allowed to read.
func (s *Service) setSource(ctx context.Context, n *Nodegroup, in *types.LaunchTemplateSpecification) error {
	if in == nil {
		return nil
	}
	if (in.Id == nil) == (in.Name == nil) {
		return n.invalid("Exactly one of launch template id and name must be specified.")
	}
	data, found, err := s.readTemplate(ctx, func(ctx context.Context, operation string, in any) (any, error) {
		return s.door.Do(ctx, passing(ctx), "ec2", operation, in)
	}, Template{aws.ToString(in.Id), aws.ToString(in.Name), aws.ToString(in.Version)})
	if err != nil {
		return n.invalid("%s", api.Message(err))
	}
	n.Source = &found
	switch {
	case data.IamInstanceProfile != nil:
		return n.invalid("Launch template %s should not specify an instance profile. The noderole in your request will be used to construct an instance profile.", found.ID)
	case data.InstanceType != "" && len(n.Types) > 0:
		return invalidRequest(n.Cluster, "Cannot specify instance types in launch template and API request")
	case n.Disk != 0:
		return invalidRequest(n.Cluster, "Disk size must be specified within the launch template.")
	case data.ImageId != nil:
		return unsupported(n.Cluster, "An image in the launch template", "nodes of a managed node group have EKS's image; leave imageId out")
	case len(data.NetworkInterfaces) > 0 && data.NetworkInterfaces[0].SubnetId != nil:
		return n.invalid("Launch template %s should not specify a subnet.", found.ID)
	}
	if data.InstanceType != "" {
		n.Types = nil
		_, err = archOf(s.Images.TypeArch, *n, []string{string(data.InstanceType)})
	}
	return err
}

// readTemplate reads a version of a launch template; of none that is named, the default
// one.
func (s *Service) readTemplate(ctx context.Context, call func(ctx context.Context, operation string, in any) (any, error), t Template) (ec2types.ResponseLaunchTemplateData, Template, error) {
	in := &ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{cmp.Or(t.Version, "$Default")}}
	if t.ID != "" {
		in.LaunchTemplateId = &t.ID
	} else {
		in.LaunchTemplateName = &t.Name
	}
	answer, err := call(ctx, "DescribeLaunchTemplateVersions", in)
	if err != nil {
		return ec2types.ResponseLaunchTemplateData{}, t, err
	}
	out := answer.(*ec2.DescribeLaunchTemplateVersionsOutput)
	if len(out.LaunchTemplateVersions) != 1 {
		return ec2types.ResponseLaunchTemplateData{}, t, errors.New("the launch template has no such version")
	}
	v := out.LaunchTemplateVersions[0]
	return *v.LaunchTemplateData, Template{aws.ToString(v.LaunchTemplateId), aws.ToString(v.LaunchTemplateName), strconv.FormatInt(aws.ToInt64(v.VersionNumber), 10)}, nil
}

// amiTypes are those that there are images of, by architecture as EC2 names it.
var amiTypes = map[string]types.AMITypes{"x86_64": types.AMITypesAl2023X8664Standard, "arm64": types.AMITypesAl2023Arm64Standard}

// setTypes checks the types of instances and the image.
func (s *Service) setTypes(ctx context.Context, n *Nodegroup, asked types.AMITypes) error {
	kinds := n.Types
	if n.Source != nil && len(kinds) == 0 {
		data, _, err := s.readTemplate(ctx, func(ctx context.Context, operation string, in any) (any, error) {
			return s.door.Do(ctx, passing(ctx), "ec2", operation, in)
		}, *n.Source)
		if err != nil {
			return err
		}
		if data.InstanceType != "" {
			kinds = []string{string(data.InstanceType)}
		}
	}
	if len(kinds) == 0 {
		n.Types = []string{"t3.medium"}
		if asked == types.AMITypesAl2023Arm64Standard {
			n.Types = []string{"t4g.medium"}
		}
		kinds = n.Types
	}
	if n.Source == nil && n.Disk == 0 {
		n.Disk = 20
	}
	arch, err := archOf(s.Images.TypeArch, *n, kinds)
	if err != nil {
		return err
	}
	if asked == "" {
		asked = amiTypes[arch]
	}
	n.AMIType = string(asked)
	return checkImage(*n, kinds, arch, s.Images.Arch())
}

// checkImage checks the image that a node group asks for against what there are of its
// instances' architecture, and of the machine's.
func checkImage(n Nodegroup, kinds []string, arch, machine string) error {
	here, asked := amiTypes[arch], types.AMITypes(n.AMIType)
	switch {
	case asked != types.AMITypesAl2023X8664Standard && asked != types.AMITypesAl2023Arm64Standard:
		return unsupported(n.Cluster, "amiType "+string(asked), "there are "+string(types.AMITypesAl2023X8664Standard)+" and "+string(types.AMITypesAl2023Arm64Standard))
	case asked != here:
		return n.invalid("[%s] is not a valid instance type for requested amiType %s", strings.Join(kinds, ", "), asked)
	case arch != machine:
		return unsupported(n.Cluster, "amiType "+string(here), "this machine is "+machine)
	}
	return nil
}

// archOf is the architecture that types of instances share.
func archOf(typeArch func(string) (string, bool), n Nodegroup, kinds []string) (arch string, err error) {
	for _, kind := range kinds {
		of, ok := typeArch(kind)
		switch {
		case !ok:
			return "", n.invalid("The following supplied instance types do not exist: [%s]", kind)
		case arch != "" && of != arch:
			return "", n.invalid("Instance types must share one architecture: [%s]", strings.Join(kinds, ", "))
		}
		arch = of
	}
	return arch, nil
}

// ensureLinkedRole makes the role that EKS manages node groups as, with the caller's right
// to do so, where it is not there.
func (s *Service) ensureLinkedRole(ctx context.Context, n Nodegroup) error {
	if s.Roles.Assumable(ctx, s.linkedRole(), nodegroupPrincipal) {
		return nil
	}
	_, err := s.door.Do(ctx, passing(ctx), "iam", "CreateServiceLinkedRole", &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String(nodegroupPrincipal)})
	if err != nil && !s.Roles.Assumable(ctx, s.linkedRole(), nodegroupPrincipal) {
		return n.invalid("The service-linked role of node groups could not be made: %s", api.Message(err))
	}
	return nil
}
