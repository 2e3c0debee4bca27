package up

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	eksservice "github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/engine/clusterconfig"
	"github.com/eksact/eksact/internal/engine/policy"
)

// judge finds what is wrong with a file's values before anything is made: by the checks
// of the calls that they would be sent with, each asked about one field.
type judge struct {
	*clusterconfig.Config
	eks    eksservice.Precheck
	faults []error
}

// checkValues tells every value that would be refused, a line each, by "line:column".
func checkValues(m *clusterconfig.Config, c daemon.Config) error {
	j := &judge{Config: m, eks: c.Precheck()}
	j.cluster()
	for i := range m.Addons {
		j.addon(&m.Addons[i])
	}
	for i := range m.Nodegroups {
		j.nodegroup(&m.Nodegroups[i])
	}
	for i := range m.AccessEntries {
		j.entry(&m.AccessEntries[i])
	}
	j.identities()
	slices.SortStableFunc(j.faults, byPlace)
	return errors.Join(j.faults...)
}

// byPlace orders errors that begin with "line:column".
func byPlace(a, b error) int {
	place := func(err error) (line, column int) {
		_, _ = fmt.Sscanf(err.Error(), "%d:%d", &line, &column)
		return line, column
	}
	lineA, columnA := place(a)
	lineB, columnB := place(b)
	return cmp.Or(cmp.Compare(lineA, lineB), cmp.Compare(columnA, columnB))
}

// says notes an error of a check; it answers whether there was one.
func (j *judge) says(path string, err error) bool {
	if err != nil {
		j.faults = append(j.faults, j.Fault(path, "%s", said(err)))
	}
	return err != nil
}

// said is an API's error without what the SDK adds to it.
func said(err error) string {
	var e interface{ ErrorMessage() string }
	if errors.As(err, &e) {
		return e.ErrorMessage()
	}
	return err.Error()
}

func (j *judge) cluster() {
	in := clusterInput(j.Config)
	name := in.Name
	if j.says("metadata.name", j.eks.Cluster(&eks.CreateClusterInput{Name: name})) {
		name = aws.String("cluster") // one fault is told once
	}
	for path, part := range map[string]eks.CreateClusterInput{
		"metadata.version":          {Version: in.Version},
		"metadata.tags":             {Tags: in.Tags},
		"vpc.clusterEndpoints":      {ResourcesVpcConfig: &ekstypes.VpcConfigRequest{EndpointPublicAccess: j.Public, EndpointPrivateAccess: j.Private}},
		"vpc.publicAccessCIDRs":     {ResourcesVpcConfig: &ekstypes.VpcConfigRequest{PublicAccessCidrs: j.PublicCIDRs}},
		"cloudWatch.clusterLogging": {Logging: in.Logging},
		"accessConfig":              {AccessConfig: in.AccessConfig},
	} {
		part.Name = name
		j.says(path, j.eks.Cluster(&part))
	}
}

func (j *judge) version() string {
	if eksservice.Supported(j.Version) {
		return j.Version
	}
	return "" // the fault is told of metadata.version
}

func (j *judge) addon(a *clusterconfig.Addon) {
	name := &eks.CreateAddonInput{AddonName: &a.Name}
	if j.says(a.Path+".name", j.eks.Addon(j.version(), name)) {
		return
	}
	in := addonInput(j.Config, *a)
	for path, part := range map[string]eks.CreateAddonInput{
		"version":               {AddonVersion: in.AddonVersion},
		"configurationValues":   {ConfigurationValues: in.ConfigurationValues},
		"resolveConflicts":      {ResolveConflicts: in.ResolveConflicts},
		"serviceAccountRoleARN": {ServiceAccountRoleArn: in.ServiceAccountRoleArn},
		"tags":                  {Tags: in.Tags},
	} {
		part.AddonName = &a.Name
		j.says(a.Path+"."+path, j.eks.Addon(j.version(), &part))
	}
}

func (j *judge) nodegroup(n *clusterconfig.Nodegroup) {
	in := nodegroupInput(j.Config, *n)
	name := &n.Name
	if j.says(n.Path+".name", j.eks.Nodegroup(&eks.CreateNodegroupInput{NodegroupName: name})) {
		name = aws.String("ng")
	}
	types := "instanceTypes"
	if j.Given(n.Path + ".instanceType") {
		types = "instanceType"
	}
	parts := map[string]eks.CreateNodegroupInput{
		"tags": {Tags: in.Tags}, "updateConfig": {UpdateConfig: in.UpdateConfig}, "taints": {Taints: in.Taints}, j.sizePath(n): {ScalingConfig: in.ScalingConfig},
	}
	for key, value := range n.Labels {
		parts["labels."+key] = eks.CreateNodegroupInput{Labels: map[string]string{key: value}}
	}
	if len(n.Types) > 0 {
		parts[types] = eks.CreateNodegroupInput{InstanceTypes: n.Types}
	}
	for path, part := range parts {
		part.NodegroupName = name
		j.says(n.Path+"."+path, j.eks.Nodegroup(&part))
	}
	j.policies(n.Path+".iam.attachPolicyARNs", n.Policies)
	j.role(n.Path+".iam.instanceRoleARN", n.RoleARN)
}

// sizePath is the first size of a node group that the file gives.
func (j *judge) sizePath(n *clusterconfig.Nodegroup) string {
	for _, field := range []string{"minSize", "desiredCapacity", "maxSize"} {
		if j.Given(n.Path + "." + field) {
			return field
		}
	}
	return "desiredCapacity"
}

func (j *judge) entry(e *clusterconfig.AccessEntry) {
	in := entryInput(j.Config, *e)
	if j.says(e.Path+".principalARN", j.eks.AccessEntry(&eks.CreateAccessEntryInput{PrincipalArn: in.PrincipalArn})) ||
		j.says(e.Path+".type", j.eks.AccessEntry(&eks.CreateAccessEntryInput{PrincipalArn: in.PrincipalArn, Type: in.Type})) {
		return
	}
	for path, part := range map[string]eks.CreateAccessEntryInput{"kubernetesUsername": {Username: in.Username}, "kubernetesGroups": {KubernetesGroups: in.KubernetesGroups}, "tags": {Tags: in.Tags}} {
		part.PrincipalArn, part.Type = in.PrincipalArn, in.Type
		j.says(e.Path+"."+path, j.eks.AccessEntry(&part))
	}
	for _, p := range e.Policies {
		j.says(p.Path, j.eks.AccessPolicy(e.Type, policyInput(j.Config, *e, p)))
	}
}

func (j *judge) identities() {
	for _, a := range j.Accounts {
		j.policies(a.Path+".attachPolicyARNs", a.Policies)
		j.document(a.Path+".attachPolicy", a.Inline)
		j.role(a.Path+".attachRoleARN", a.RoleARN)
	}
	for _, a := range j.Associations {
		role := a.RoleARN
		if role == "" {
			role = "arn:aws:iam::" + j.eks.Place.AccountID + ":role/r" // one that is made
		}
		j.says(a.Path, j.eks.PodIdentity(&eks.CreatePodIdentityAssociationInput{Namespace: &a.Namespace, ServiceAccount: &a.Account, RoleArn: &role, Tags: a.Tags}))
		j.policies(a.Path+".permissionPolicyARNs", a.Policies)
		j.document(a.Path+".permissionPolicy", a.Inline)
	}
}

// policies are managed ones: AWS's are known, others may be in an account.
func (j *judge) policies(path string, arns []string) {
	for i, arn := range arns {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch parts := strings.SplitN(arn, ":", 6); {
		case len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || !strings.HasPrefix(parts[5], "policy/"):
			j.faults = append(j.faults, j.Fault(at, "%q is no ARN of a managed policy", arn))
		case parts[4] == "aws":
			if _, there := iam.AWSPolicy(arn); !there {
				j.faults = append(j.faults, j.Fault(at, "there is no policy %s here", arn))
			}
		}
	}
}

// role is one that is to be in the account.
func (j *judge) role(path, arn string) {
	if arn != "" && !strings.HasPrefix(arn, "arn:"+j.eks.Place.Partition+":iam::"+j.eks.Place.AccountID+":role/") {
		j.faults = append(j.faults, j.Fault(path, "%q is no role of account %s", arn, j.eks.Place.AccountID))
	}
}

func (j *judge) document(path, text string) {
	if text == "" {
		return
	}
	if _, err := policy.Parse(policy.Inline, text); err != nil {
		j.faults = append(j.faults, j.Fault(path, "%s", err))
	}
}
