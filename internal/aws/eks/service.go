package eks

import (
	"context"
	"iter"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Principal that assumes a cluster's role.
const servicePrincipal = "eks.amazonaws.com"

// Runtime builds, changes and removes what runs behind a cluster. Calls for
// different clusters come at the same time; for one cluster, one after another.
type Runtime interface {
	// Start returns when the control plane serves. It is called for a new
	// cluster and, each time the daemon starts, for every cluster there is: what
	// is there already is kept. Ctx ends when the cluster is to be deleted.
	Start(ctx context.Context, c Cluster) (Facts, error)
	// Stop removes everything of the cluster, also of one that never started.
	Stop(ctx context.Context, c Cluster) error
	// SetLogging makes types the log types that are exported.
	SetLogging(ctx context.Context, c Cluster, types []string) error
	// SetAccess makes the endpoint reachable for those that a says, in place of those
	// that c says.
	SetAccess(ctx context.Context, c Cluster, a Access) error
	// SetAddon makes the software of an add-on what a says, and returns when it is.
	SetAddon(ctx context.Context, c Cluster, a AddonWish) error
	// RemoveAddon removes the software of an add-on, if it is there.
	RemoveAddon(ctx context.Context, c Cluster, name string) error
}

// Roles is what EKS asks of IAM.
type Roles interface {
	// Assumable says whether the role exists and its trust policy lets the
	// service principal assume it.
	Assumable(ctx context.Context, roleARN, service string) bool
	// CheckPass returns the AccessDenied error unless ctx's caller is allowed
	// iam:PassRole on the role, with iam:PassedToService as service.
	CheckPass(ctx context.Context, roleARN, service string) error
	// PrincipalID is the unique id of the account's user, role or root of that ARN,
	// path included, if it exists.
	PrincipalID(arn string) (id string, ok bool)
}

// Network is what EKS asks of EC2.
type Network interface {
	// SubnetPlace says where a subnet lies: "vpc-…" and "us-west-2a".
	SubnetPlace(id string) (vpc, zone string, ok bool)
	// VPCRanges are the VPC's IPv4 blocks.
	VPCRanges(id string) (ranges []netip.Prefix, ok bool)
	// SecurityGroupVPC is the VPC of a security group.
	SecurityGroupVPC(id string) (vpc string, ok bool)
	// PutSecurityGroup creates the group under the given id, if it is not there.
	PutSecurityGroup(ctx context.Context, id, vpc, name, description string, tags map[string]string) error
	// RemoveSecurityGroup removes the group, if it is there and nothing else uses it.
	RemoveSecurityGroup(ctx context.Context, id string) error
}

// Deps is what a Service is made of.
type Deps struct {
	Store   *store.Store
	Place   api.Place
	Runtime Runtime
	Roles   Roles
	Network Network
	// PodRoles judges the roles of pods.
	PodRoles PodRoles
	Now      func() time.Time
	Log      *slog.Logger

	// PatchVersions are the Kubernetes versions that Runtime really runs, by
	// minor: "1.37" → "1.37.2". DescribeClusterVersions shows them.
	PatchVersions map[string]string
	// Of node groups. Nil: there are none.
	Fleet    Fleet
	Images   Images
	Nodes    Nodes
	Sessions api.Sessions
}

// Service answers the EKS API and drives the clusters.
type Service struct {
	Deps
	clusters     *store.Table[Cluster]
	updates      *store.Table[Update]
	addons       *store.Table[Addon]
	entries      *store.Table[AccessEntry]
	holders      holders // of entries
	associations *store.Table[Association]
	nodegroups   *store.Table[Nodegroup]
	door         api.Door

	mu      sync.Mutex
	serving map[string]bool // by cluster ID: Start has returned in this process
	changed chan struct{}   // closed and replaced when serving changes
}

// New makes the service. Its tables are registered in d.Store, which is loaded
// afterwards.
func New(d Deps) *Service {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		Deps:         d,
		clusters:     store.NewTable[Cluster](d.Store, "eks/cluster"),
		updates:      store.NewTable[Update](d.Store, "eks/update"),
		addons:       store.NewTable[Addon](d.Store, "eks/addon"),
		entries:      store.NewTable[AccessEntry](d.Store, "eks/access-entry"),
		holders:      holders{all: map[holderKey]*Holder{}},
		associations: store.NewTable[Association](d.Store, "eks/podidentityassociation"),
		nodegroups:   store.NewTable[Nodegroup](d.Store, "eks/nodegroup"),
		serving:      map[string]bool{},
		changed:      make(chan struct{}),
	}
	s.entries.Watch(func(_ string, old, new *AccessEntry) { s.holders.note(s, old, new) })
	return s
}

// Service lists the operations for the front door. The resources of those that are
// about no cluster are as refusals name them
// (https://github.com/aws/aws-cli/issues/5823, https://github.com/awslabs/idf-modules/pull/311).
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "eks", Action: "eks", Resource: s.ofResource}
	api.Add(svc, "CreateCluster", s.CreateCluster, func(_ context.Context, in *eks.CreateClusterInput) []string { return s.arns(in.Name) })
	api.Add(svc, "DescribeCluster", s.DescribeCluster, func(_ context.Context, in *eks.DescribeClusterInput) []string { return s.arns(in.Name) })
	api.Add(svc, "ListClusters", s.ListClusters, func(context.Context, *eks.ListClustersInput) []string { return []string{s.ARN("*")} })
	api.Add(svc, "DeleteCluster", s.DeleteCluster, func(_ context.Context, in *eks.DeleteClusterInput) []string { return s.arns(in.Name) })
	api.Add(svc, "UpdateClusterConfig", s.UpdateClusterConfig, func(_ context.Context, in *eks.UpdateClusterConfigInput) []string { return s.arns(in.Name) })
	api.Add(svc, "DescribeUpdate", s.DescribeUpdate, func(_ context.Context, in *eks.DescribeUpdateInput) []string { return s.arns(in.Name) })
	api.Add(svc, "ListUpdates", s.ListUpdates, func(_ context.Context, in *eks.ListUpdatesInput) []string { return s.arns(in.Name) })
	api.Add(svc, "TagResource", s.TagResource, func(_ context.Context, in *eks.TagResourceInput) []string { return given(in.ResourceArn) })
	api.Add(svc, "UntagResource", s.UntagResource, func(_ context.Context, in *eks.UntagResourceInput) []string { return given(in.ResourceArn) })
	api.Add(svc, "ListTagsForResource", s.ListTagsForResource, func(_ context.Context, in *eks.ListTagsForResourceInput) []string { return given(in.ResourceArn) })
	api.Add(svc, "DescribeClusterVersions", s.DescribeClusterVersions, func(context.Context, *eks.DescribeClusterVersionsInput) []string {
		return []string{strings.TrimSuffix(s.ARN("*"), "cluster/*") + "*"}
	})
	s.addAddons(svc)
	s.addEntries(svc)
	s.addPodIdentity(svc)
	s.addNodegroups(svc)
	s.addFargate(svc)
	s.addKeys(svc)
	return svc
}

func (s *Service) addAddons(svc *api.Service) {
	api.Add(svc, "CreateAddon", s.CreateAddon, func(_ context.Context, in *eks.CreateAddonInput) []string { return s.arns(in.ClusterName) })
	api.Add(svc, "DescribeAddon", s.DescribeAddon, func(_ context.Context, in *eks.DescribeAddonInput) []string {
		return s.addonARNs(in.ClusterName, in.AddonName)
	})
	api.Add(svc, "ListAddons", s.ListAddons, func(_ context.Context, in *eks.ListAddonsInput) []string { return s.arns(in.ClusterName) })
	api.Add(svc, "UpdateAddon", s.UpdateAddon, func(_ context.Context, in *eks.UpdateAddonInput) []string {
		return s.addonARNs(in.ClusterName, in.AddonName)
	})
	api.Add(svc, "DeleteAddon", s.DeleteAddon, func(_ context.Context, in *eks.DeleteAddonInput) []string {
		return s.addonARNs(in.ClusterName, in.AddonName)
	})
	api.Add(svc, "DescribeAddonVersions", s.DescribeAddonVersions, nil)
	api.Add(svc, "DescribeAddonConfiguration", s.DescribeAddonConfiguration, nil)
}

func (s *Service) addEntries(svc *api.Service) {
	api.Add(svc, "CreateAccessEntry", s.CreateAccessEntry, func(_ context.Context, in *eks.CreateAccessEntryInput) []string { return s.arns(in.ClusterName) })
	api.Add(svc, "DescribeAccessEntry", s.DescribeAccessEntry, func(_ context.Context, in *eks.DescribeAccessEntryInput) []string {
		return s.entryARNs(in.ClusterName, in.PrincipalArn)
	})
	api.Add(svc, "ListAccessEntries", s.ListAccessEntries, func(_ context.Context, in *eks.ListAccessEntriesInput) []string { return s.arns(in.ClusterName) })
	api.Add(svc, "UpdateAccessEntry", s.UpdateAccessEntry, func(_ context.Context, in *eks.UpdateAccessEntryInput) []string {
		return s.entryARNs(in.ClusterName, in.PrincipalArn)
	})
	api.Add(svc, "DeleteAccessEntry", s.DeleteAccessEntry, func(_ context.Context, in *eks.DeleteAccessEntryInput) []string {
		return s.entryARNs(in.ClusterName, in.PrincipalArn)
	})
	api.Add(svc, "AssociateAccessPolicy", s.AssociateAccessPolicy, func(_ context.Context, in *eks.AssociateAccessPolicyInput) []string {
		return s.entryARNs(in.ClusterName, in.PrincipalArn)
	})
	api.Add(svc, "DisassociateAccessPolicy", s.DisassociateAccessPolicy, func(_ context.Context, in *eks.DisassociateAccessPolicyInput) []string {
		return s.entryARNs(in.ClusterName, in.PrincipalArn)
	})
	api.Add(svc, "ListAssociatedAccessPolicies", s.ListAssociatedAccessPolicies, func(_ context.Context, in *eks.ListAssociatedAccessPoliciesInput) []string {
		return s.entryARNs(in.ClusterName, in.PrincipalArn)
	})
	api.Add(svc, "ListAccessPolicies", s.ListAccessPolicies, nil)
}

// Cluster returns the record of a cluster.
func (s *Service) Cluster(name string) (Cluster, bool) { return s.clusters.Get(name) }

// Clusters returns all records, by name.
func (s *Service) Clusters() iter.Seq2[string, Cluster] { return s.clusters.List("") }

// Watch calls fn for each cluster there is and for each change, as store.Table's
// Watch does: fn must be quick and must not write to the store.
func (s *Service) Watch(fn func(name string, old, new *Cluster)) (stop func()) {
	return s.clusters.Watch(fn)
}

// ARN is the ARN of the cluster of that name.
func (s *Service) ARN(name string) string { return s.arnOf("cluster/" + name) }

func (s *Service) arnOf(resource string) string {
	p := s.Place
	return "arn:" + p.Partition + ":eks:" + p.Region + ":" + p.AccountID + ":" + resource
}

func (s *Service) arns(name *string) []string {
	if name == nil || *name == "" {
		return nil
	}
	return []string{s.ARN(*name)}
}

func (s *Service) addonARNs(cluster, name *string) []string {
	if cluster == nil || name == nil {
		return nil
	}
	return []string{s.addonARN(*cluster, *name)}
}

func given(arn *string) []string {
	if arn == nil || *arn == "" {
		return nil
	}
	return []string{*arn}
}

// host and issuer name what a cluster's ID makes unique.
func (s *Service) host(id string) string {
	return id + ".gr7." + s.Place.Region + ".eks." + suffix(s.Place.Partition)
}

func (s *Service) issuer(id string) string {
	return "https://oidc.eks." + s.Place.Region + "." + suffix(s.Place.Partition) + "/id/" + id
}

// suffix is the partition's domain.
func suffix(partition string) string {
	if strings.HasPrefix(partition, "aws-cn") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
