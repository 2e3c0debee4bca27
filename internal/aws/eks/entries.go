package eks

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/store"
)

// maxEntries is EKS's quota of access entries of a cluster, which is never raised
// (https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html).
const maxEntries = 3000

// AccessEntry is the record of one access entry of a cluster.
type AccessEntry struct {
	Cluster   string
	Principal Principal // ID is "" of one in another account: nobody is known by it
	ID        string    // a UUID, the last part of its ARN
	Type      string    // "STANDARD", or another of entryTypes
	Username  string    // a template
	Groups    []string
	Policies  []AssociatedPolicy // in the order of their ARNs

	CreatedAt  time.Time
	ModifiedAt time.Time
	Tags       map[string]string

	// Managed says that a node group made it, and takes it away.
	Managed bool `json:",omitempty"`

	Token, Digest             string // of CreateAccessEntry
	UpdateToken, UpdateDigest string // of the last UpdateAccessEntry
}

// AssociatedPolicy is an access policy of an entry.
type AssociatedPolicy struct {
	Policy       string   // its name
	Namespaces   []string // of none, the whole cluster
	AssociatedAt time.Time
	ModifiedAt   time.Time
}

func entryKey(cluster, principal string) string { return cluster + "/" + principal }

const standard = "STANDARD"

// entryType is what entries of a type are like.
type entryType struct {
	name string
	// username and groups are those of nodes; STANDARD's are the caller's to say.
	username string
	groups   []string
	// policies says whether access policies can be associated.
	policies bool
}

const (
	byInstance = "system:node:{{EC2PrivateDNSName}}"
	bySession  = "system:node:{{SessionName}}"
)

// entryTypes are EKS's. Usernames from "Create access entries" in its user guide, and
// EC2_LINUX's group from the AWS CLI's examples; those of the other types have no
// public source and follow it.
var entryTypes = []entryType{
	{name: standard, policies: true},
	{name: "EC2_LINUX", username: byInstance, groups: []string{"system:nodes"}},
	{name: "EC2_WINDOWS", username: byInstance, groups: []string{"eks:kube-proxy-windows", "system:nodes"}},
	{name: "FARGATE_LINUX", username: bySession, groups: []string{"system:node-proxier", "system:nodes"}},
	{name: "EC2", username: byInstance, groups: []string{"system:nodes"}, policies: true},
	{name: "HYBRID_LINUX", username: bySession, groups: []string{"system:nodes"}},
	{name: "HYPERPOD_LINUX", username: bySession, groups: []string{"system:nodes"}},
}

// newEntry is an entry of a type, with the username that EKS gives it.
func (s *Service) newEntry(cluster string, p Principal, kind entryType) AccessEntry {
	now := s.Now()
	e := AccessEntry{
		Cluster: cluster, Principal: p, ID: uuid.NewString(), Type: kind.name,
		Username: kind.username, Groups: slices.Clone(kind.groups), CreatedAt: now, ModifiedAt: now,
	}
	if kind.name == standard {
		e.Username = p.username()
	}
	return e
}

// username is what a principal is called without a word about it: a role by its
// sessions, without its path.
func (p Principal) username() string {
	parsed, ok := parsePrincipal(p.ARN)
	if !ok || parsed.kind != "role" {
		return p.ARN
	}
	return "arn:" + parsed.partition + ":sts::" + parsed.account + ":assumed-role/" + parsed.name + "/{{SessionName}}"
}

// parsedPrincipal is the ARN of an IAM principal that lasts: a user, a role or root.
type parsedPrincipal struct {
	partition, account string
	kind               string // "user", "role", "root"
	name               string // without its path
	linked             bool   // a service-linked role's
}

func parsePrincipal(arn string) (p parsedPrincipal, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] != "iam" || parts[3] != "" || !isAccount(parts[4]) {
		return p, false
	}
	p.partition, p.account = parts[1], parts[4]
	kind, path, cut := strings.Cut(parts[5], "/")
	p.kind, p.name = kind, path[strings.LastIndex(path, "/")+1:]
	p.linked = strings.HasPrefix(parts[5], "role/aws-service-role/")
	switch kind {
	case "root":
		p.name = kind
		return p, !cut
	case "user", "role":
		return p, p.name != "" && !strings.ContainsAny(path, ": *")
	}
	return p, false
}

func isAccount(id string) bool {
	return len(id) == 12 && strings.Trim(id, "0123456789") == ""
}

// entryARN is the ARN of a principal's entry, or a pattern for one that is not there:
// access-entry/CLUSTER/role/ACCOUNT/NAME/UUID, the name without its path.
func (s *Service) entryARN(cluster, principal string) string {
	id := "*"
	if e, ok := s.entries.Get(entryKey(cluster, principal)); ok {
		id = e.ID
	}
	name := "*"
	if p, ok := parsePrincipal(principal); ok {
		name = p.kind + "/" + p.account + "/" + p.name
	}
	return strings.TrimSuffix(s.ARN(""), "cluster/") + "access-entry/" + cluster + "/" + name + "/" + id
}

func (s *Service) entryARNs(cluster, principal *string) []string {
	if cluster == nil || principal == nil {
		return nil
	}
	return []string{s.entryARN(*cluster, *principal)}
}

// clusterAdmin is the policy of a cluster's creator.
const clusterAdmin = "AmazonEKSClusterAdminPolicy"

// creatorEntry is the entry of the principal that created the cluster, if that is to
// have one and still is there.
func (s *Service) creatorEntry(c Cluster) (AccessEntry, bool) {
	id, ok := s.Roles.PrincipalID(c.Creator.ARN)
	if !ok || !c.CreatorAdmin {
		return AccessEntry{}, false
	}
	e := s.newEntry(c.Name, Principal{ARN: c.Creator.ARN, ID: id}, entryTypes[0])
	e.Policies = []AssociatedPolicy{{Policy: clusterAdmin, AssociatedAt: e.CreatedAt, ModifiedAt: e.CreatedAt}}
	return e, true
}

// enterCreator makes the creator's entry before a cluster begins to count entries.
func (s *Service) enterCreator(ctx context.Context, c Cluster) error {
	e, ok := s.creatorEntry(c)
	if !ok || mapping.Mode(c.AuthenticationMode).AccessEntries() {
		return nil
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		s.putEntry(tx, e)
		return nil
	})
}

// putEntry records an entry unless its principal has one.
func (s *Service) putEntry(tx *store.Tx, e AccessEntry) {
	key := entryKey(e.Cluster, e.Principal.ARN)
	if _, there := s.entries.In(tx).Get(key); !there {
		s.entries.In(tx).Put(key, e)
	}
}

// entriesOf are a cluster's entries as memory has them.
func (s *Service) entriesOf(cluster string) iter.Seq[*AccessEntry] {
	return func(yield func(*AccessEntry) bool) {
		for _, e := range s.entries.Shared(cluster + "/") {
			if !yield(e) {
				return
			}
		}
	}
}

// countEntries looks at memory, outside of transactions: a condition for each of
// thousands is more than etcd takes. Calls at the same time may pass the quota by a few.
func (s *Service) countEntries(cluster string) (n int) {
	for range s.entriesOf(cluster) {
		n++
	}
	return n
}

// dropEntries removes all entries of a cluster that is being deleted, some at a time.
func (s *Service) dropEntries(ctx context.Context, cluster string) error {
	var keys []string
	for key := range s.entries.Shared(cluster + "/") {
		keys = append(keys, key)
	}
	for some := range slices.Chunk(keys, 100) {
		err := s.Store.Update(ctx, func(tx *store.Tx) error {
			for _, key := range some {
				s.entries.In(tx).Delete(key)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// EnsureNodeEntry gives a node role an entry of type EC2_LINUX, as EKS does when a
// node group with that role is made in a cluster whose mode counts entries. A role
// that has an entry keeps it. It answers false if the mode counts none.
func (s *Service) EnsureNodeEntry(ctx context.Context, cluster, roleARN string) (counts bool, err error) {
	c, ok := s.clusters.Get(cluster)
	if !ok {
		return false, noCluster(cluster)
	}
	if !mapping.Mode(c.AuthenticationMode).AccessEntries() {
		return false, nil
	}
	id, ok := s.Roles.PrincipalID(roleARN)
	if !ok {
		return true, invalidPrincipal(cluster)
	}
	kind, _ := entryTypeNamed("EC2_LINUX")
	e := s.newEntry(cluster, Principal{ARN: roleARN, ID: id}, kind)
	e.Managed = true
	return true, s.Store.Update(ctx, func(tx *store.Tx) error {
		s.putEntry(tx, e)
		return nil
	})
}

// removeNodeEntry takes away what EnsureNodeEntry made.
func (s *Service) removeNodeEntry(ctx context.Context, cluster, roleARN string) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		if e, ok := s.entries.In(tx).Get(entryKey(cluster, roleARN)); ok && e.Managed {
			s.entries.In(tx).Delete(entryKey(cluster, roleARN))
		}
		return nil
	})
}

func entryTypeNamed(name string) (entryType, bool) {
	i := slices.IndexFunc(entryTypes, func(t entryType) bool { return t.name == name })
	if i < 0 {
		return entryType{}, false
	}
	return entryTypes[i], true
}
