package eks

import (
	"net/netip"
	"time"
)

// Status is a cluster's state, spelled as the API spells it.
type Status string

const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Updating Status = "UPDATING"
	Deleting Status = "DELETING"
	Failed   Status = "FAILED"
)

// Cluster is the record of one cluster.
type Cluster struct {
	Name string
	// ID is 32 upper-case hexadecimal digits, drawn at creation: the first label
	// of the endpoint's name and the last part of the issuer. A cluster deleted
	// and created again under its name has another.
	ID        string
	Status    Status
	CreatedAt time.Time

	Version string // "1.37"
	RoleARN string

	// Creator called CreateCluster. When CreatorAdmin is set it is the cluster's
	// admin: in mode CONFIG_MAP hidden, in no ConfigMap, else by an access entry.
	Creator            Principal
	CreatorAdmin       bool
	AuthenticationMode string // a mapping.Mode

	VPC                  string
	Subnets              []string
	SecurityGroups       []string // asked for by the creator
	ClusterSecurityGroup string   // the cluster's own
	ServiceCIDR          netip.Prefix
	PublicAccess         bool
	PrivateAccess        bool
	PublicAccessCIDRs    []string

	// Host is the endpoint's host name: ID.gr7.REGION.eks.amazonaws.com.
	Host string
	// Issuer is the OpenID Connect issuer of the cluster's service account
	// tokens: https://oidc.eks.REGION.amazonaws.com/id/ID.
	Issuer string

	Logging            []string // enabled log types, in LogTypes' order
	SupportType        string   // "EXTENDED", "STANDARD"
	DeletionProtection bool
	Tags               map[string]string

	// Bare says that the cluster begins without self-managed add-ons.
	Bare bool `json:",omitempty"`

	// NetworkPolicyOff is what vpc-cni was last told, if that was not to enforce
	// NetworkPolicies.
	NetworkPolicyOff bool `json:",omitempty"`
	// PodIdentityAgent says that nodes run the agent: its add-on was set up, and not
	// deleted since, unless with preserve.
	PodIdentityAgent bool `json:",omitempty"`

	// Facts are nil until the control plane has served once.
	Facts  *Facts
	Issues []Issue

	// Update is the id of the update in progress while UPDATING.
	Update string

	Token  string // client request token of CreateCluster
	Digest string // of CreateCluster's parameters
}

// Principal is an IAM user, role or the account's root.
type Principal struct {
	ARN string // with its path
	ID  string // AIDA…, AROA…, or the account's id
}

// Facts are what only a started control plane knows of itself.
type Facts struct {
	CertificateAuthority []byte // PEM
	PlatformVersion      string // "eks.1"
}

// Issue is one entry of a cluster's health.
type Issue struct {
	Code        string // a types.ClusterIssueCode
	Message     string
	ResourceIDs []string
}

// Update is the record of one update: of a cluster, an add-on or a node group.
type Update struct {
	ID        string // UUID
	Cluster   string
	Addon     string `json:",omitempty"` // "" of the cluster itself
	Type      string // a types.UpdateType
	Status    string // a types.UpdateStatus
	CreatedAt time.Time
	Params    []Param
	Errors    []UpdateError

	// What is wanted, by type.
	Logging            []string
	DeletionProtection bool
	SupportType        string
	Access             *Access `json:",omitempty"`
	AuthenticationMode string  `json:",omitempty"`
	AddonVersion       string  `json:",omitempty"`
	Configuration      string  `json:",omitempty"`
	Conflicts          string  `json:",omitempty"`
	RoleARN            string  `json:",omitempty"` // of an add-on

	Identities []AddonIdentity `json:",omitempty"`

	// Of a node group.
	Nodegroup string    `json:",omitempty"` // its name
	Marks     *Marks    `json:",omitempty"`
	Source    *Template `json:",omitempty"`
	Force     bool      `json:",omitempty"`

	Token  string
	Digest string
}

// Param is one parameter of an update, as DescribeUpdate shows it.
type Param struct{ Type, Value string }

// UpdateError is why an update failed.
type UpdateError struct{ Code, Message string }

func updateKey(cluster, id string) string { return cluster + "/" + id }
