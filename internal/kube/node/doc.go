// Package node writes what a node needs to be one: its containerd and kubelet
// settings, its credentials, its init's orders.
//
// A node is an EC2 instance with a network namespace of its own (package vpc),
// started by the keeper as a sandboxed init (package internal/node/boot). Its
// kubelet knows no shared secret: it proves itself by a token signed with the
// instance role that the metadata service gives it, as on EKS. The mapping of
// that role in aws-auth, or an access entry, is what makes it a node.
package node

import (
	"net/netip"
	"path/filepath"
)

// Config describes one node.
type Config struct {
	ID           string     // instance id: i- and 17 hex digits
	Name         string     // ip-10-0-64-5.us-west-2.compute.internal
	Address      netip.Addr // of its first interface
	Zone         string     // us-west-2a
	Region       string
	InstanceType string
	MaxPods      int
	Labels       map[string]string
	Taints       []string // that it is registered with: "key=value:NoSchedule"

	Cluster     string
	Endpoint    string // https://….eks.amazonaws.com
	CA          []byte // PEM of the cluster's certificate authority
	ClusterDNS  netip.Addr
	ResolverIP  netip.Addr // the VPC's resolver
	ServiceCIDR netip.Prefix

	// SandboxImage is the pause image's full name.
	SandboxImage string
	// Mirror is the URL of the image registry inside the node.
	Mirror string
	// CNI is the text of the network configuration list.
	CNI string

	NetNS    string // file that names the node's network namespace
	Dir      string // the node's folder under the state directory
	Programs string // folder of the programs
	CgroupV2 bool
}

// Paths of a node's folder.
func (c Config) path(name string) string { return filepath.Join(c.Dir, name) }

// ControlSocket is where the node's init takes orders.
func (c Config) ControlSocket() string { return c.path("init.sock") }

// Gate is where the node's CNI plugin asks for its pods' network policies.
func (c Config) Gate() string { return c.path("gate.sock") }

// CNIState is the folder of the node's that holds its pods' addresses.
const CNIState = "cni-state"

// Cgroup is the node's control group.
func (c Config) Cgroup() string { return "/eksact/" + c.ID }

// Mountpoints are the host's folders that a node's own are bound over.
var Mountpoints = []string{"/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni-eksact", "/var/log"}
