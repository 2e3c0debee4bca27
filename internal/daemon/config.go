package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/daemon/preflight"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/logstore/clickhouse"
	"github.com/eksact/eksact/internal/node/keep"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc"
)

// Config is what `up` was told. It is kept in the state directory, so that a
// start after the first needs no flags.
type Config struct {
	StateDir string
	RunDir   string

	Account string
	Region  string
	// Listen is the address of the AWS front door on loopback, TLS and plain
	// HTTP on one port.
	Listen string
	// Cluster is made when the account has none, with so many nodes.
	Cluster string
	Nodes   int
	// EtcdEndpoints of an external etcd; none means one of our own.
	EtcdEndpoints []string `json:",omitempty"`
	// Files for endpoints that speak TLS.
	EtcdCA, EtcdCert, EtcdKey string `json:",omitempty"`
	// ClickHouse is the address of a server that log events are brought to and queries of
	// logs are run on; none means here.
	ClickHouse string `json:",omitempty"`
	// Hosts keeps a block of names in the machine's hosts file.
	Hosts bool
	// Offline forbids the image registry to fetch what it lacks.
	Offline bool
	// HiddenEndpoints keeps the name of an endpoint without public access from
	// resolving outside the VPC.
	HiddenEndpoints bool `json:",omitempty"`

	VPC    netip.Prefix // 10.0.0.0/16
	Public netip.Prefix // 198.18.0.0/16: what stands for public addresses
}

// Default is the account and network of a first `up`.
func Default(stateDir, runDir string) Config {
	return Config{
		StateDir: stateDir,
		RunDir:   runDir,
		Account:  "111122223333",
		Region:   "us-west-2",
		Listen:   "127.0.0.1:4600",
		Cluster:  "cluster",
		Nodes:    1,
		VPC:      netip.MustParsePrefix("10.0.0.0/16"),
		Public:   netip.MustParsePrefix("198.18.0.0/16"),
	}
}

// smallestVPC is the longest prefix of a VPC whose subnets, eighths of it, hold
// nodes with blocks of addresses for their pods.
const smallestVPC = 21

// Place is the account in the terms of the AWS half.
func (c Config) Place() api.Place {
	return api.Place{Partition: "aws", AccountID: c.Account, Region: c.Region}
}

// URL is the front door's, plain HTTP.
func (c Config) URL() string { return "http://" + c.Listen }

// SecureURL is the same by TLS, for users' clients: policies that refuse what comes
// without it (aws:SecureTransport) are not to bite here more than on AWS.
func (c Config) SecureURL() string { return "https://" + c.Listen }

func (c Config) file() string             { return filepath.Join(c.StateDir, "config.json") }
func (c Config) state(path string) string { return filepath.Join(c.StateDir, path) }
func (c Config) keeper() supervise.Client { return supervise.Client{Path: keep.Socket(c.RunDir)} }

// LoadConfig reads the configuration kept in a state directory, or the default
// one when there is none.
func LoadConfig(stateDir, runDir string) (Config, error) {
	c := Default(stateDir, runDir)
	data, err := os.ReadFile(c.file())
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, hint.Wrap(fmt.Errorf("reading %s: %w", c.file(), err), "eksact down removes it with everything else, for a fresh start")
	}
	c.StateDir, c.RunDir = stateDir, runDir
	return c, nil
}

// Kept says whether there is a configuration in the state directory.
func (c Config) Kept() bool {
	_, err := os.Stat(c.file())
	return err == nil
}

// CheckNetwork refuses address ranges that the machine uses itself, and a VPC that
// its subnets don't fit.
func (c Config) CheckNetwork() error {
	err := vpc.Check(c.Network())
	if err != nil && len(hint.Lines(err)) == 0 {
		return hint.Wrap(err, "choose others with --vpc-cidr and --public-cidr")
	}
	return err
}

// Save keeps the configuration.
func (c Config) Save() error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.StateDir, 0o711); err != nil {
		return err
	}
	return renameio.WriteFile(c.file(), append(data, '\n'), 0o600)
}

// Check refuses what no cluster could be built on.
func (c Config) Check() error {
	if len(c.Account) != 12 {
		return hint.New(fmt.Sprintf("account %q is not twelve digits", c.Account), "for instance --account 111122223333")
	}
	for _, r := range c.Account {
		if r < '0' || r > '9' {
			return hint.New(fmt.Sprintf("account %q is not twelve digits", c.Account), "for instance --account 111122223333")
		}
	}
	if !eks.ValidName(c.Cluster) {
		return hint.New(fmt.Sprintf("cluster name %q is not one that EKS takes", c.Cluster), "letters, digits, - and _, at most 100, not - or _ first")
	}
	address, err := netip.ParseAddrPort(c.Listen)
	if err != nil || !address.Addr().IsLoopback() {
		return hint.New(fmt.Sprintf("the front door can't listen at %q", c.Listen), "give an address on loopback, for instance --listen 127.0.0.1:4600")
	}
	if _, err := clickhouse.Open(c.ClickHouse); c.ClickHouse != "" && err != nil {
		return hint.Wrap(err, "for instance --clickhouse clickhouse://127.0.0.1:9000/logs, or --clickhouse '' for none")
	}
	if c.VPC.Overlaps(c.Public) {
		return hint.New(fmt.Sprintf("the VPC's addresses %s and the public ones %s overlap", c.VPC, c.Public), "choose others with --vpc-cidr and --public-cidr")
	}
	if !c.VPC.Addr().Is4() || c.VPC.Bits() < 16 || c.VPC.Bits() > smallestVPC {
		return hint.New(fmt.Sprintf("the VPC can't have the addresses %s", c.VPC),
			fmt.Sprintf("an IPv4 range from /16 to /%d, for instance --vpc-cidr 10.0.0.0/16", smallestVPC))
	}
	return nil
}

// Preflight checks the machine against what is kept in the state directory.
func Preflight(stateDir, runDir string) []preflight.Check {
	c, err := LoadConfig(stateDir, runDir)
	checks := []preflight.Check{{Name: "configuration", Err: err}}
	needs := preflight.Needs{StateDir: stateDir, Listen: c.Listen, Nodes: true}
	if Running(runDir) {
		needs.Listen = "" // the port is ours
	}
	checks = append(checks, preflight.Run(needs)...)
	if err == nil {
		checks = append(checks, c.ranges())
	}
	return checks
}

// ranges checks that the machine does not use the network's addresses itself.
func (c Config) ranges() preflight.Check {
	check := preflight.Check{Name: "address ranges", Err: c.CheckNetwork()}
	lines := hint.Lines(check.Err)
	if len(lines) == 0 {
		return check
	}
	if check.Mend = lines[0]; c.Kept() {
		check.Mend = "eksact down --purge, then " + check.Mend + ": a network that was made can't be moved"
	}
	return check
}
