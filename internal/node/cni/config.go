package cni

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/eksact/eksact/internal/vpc/nft"
)

// Name is the plugin's program name: the "type" of its configuration.
const Name = "eksact-cni"

// VethPrefix begins the names of pods' links on the node, as the Amazon VPC
// CNI's do; kube-proxy tells local traffic by it.
const VethPrefix = "eni"

const (
	stateDir = "/var/lib/cni-eksact"
	uplink   = "eth0"
	cooldown = 30 * time.Second
	// patience is how long a pod's network waits for its policies. The runtime gives
	// up after two minutes; it calls again in any case.
	patience = 30 * time.Second
)

// Node is what the configuration of a node's plugin depends on.
type Node struct {
	Pods []netip.Prefix // the node's blocks of pod addresses
	// Gate is the socket that is asked before a pod gets its network (package gate).
	Gate string
}

// Config gives the text of the node's configuration, for a file such as
// /etc/cni/net.d/10-eksact.conflist.
func Config(n Node) string {
	text, err := json.MarshalIndent(map[string]any{
		"cniVersion": "1.1.0",
		"name":       "eksact",
		"plugins": []any{map[string]any{
			"type":         Name,
			"capabilities": map[string]bool{"portMappings": true},
			"pods":         n.Pods,
			"gate":         n.Gate,
		}},
	}, "", "  ")
	if err != nil {
		panic(err) // prefixes always encode
	}
	return string(text) + "\n"
}

// config is the plugin's part of the configuration, as the runtime passes it.
type config struct {
	types.PluginConf
	Pods []netip.Prefix `json:"pods"`
	Gate string         `json:"gate"`
	// For tests and unusual nodes; the constants above stand for empty ones.
	StateDir string `json:"stateDir"`
	Uplink   string `json:"uplink"`
	Cooldown string `json:"cooldown"`
	Patience string `json:"patience"`

	RuntimeConfig struct {
		PortMappings []portMapping `json:"portMappings"`
	} `json:"runtimeConfig"`

	rest, wait time.Duration // Cooldown and Patience, parsed
}

// portMapping is an entry of the capability portMappings (CNI conventions).
type portMapping struct {
	HostPort      int    `json:"hostPort"`
	ContainerPort int    `json:"containerPort"`
	Protocol      string `json:"protocol"`
	HostIP        string `json:"hostIP"`
}

func parse(stdin []byte) (*config, error) {
	c := &config{StateDir: stateDir, Uplink: uplink, rest: cooldown, wait: patience}
	if err := json.Unmarshal(stdin, c); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "configuration of "+Name+": "+err.Error(), "")
	}
	if err := version.ParsePrevResult(&c.PluginConf); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "prevResult: "+err.Error(), "")
	}
	if len(c.Pods) == 0 {
		return nil, invalid("no blocks of addresses (pods)")
	}
	for _, p := range c.Pods {
		if !p.IsValid() || !p.Addr().Is4() || p != p.Masked() || p.Bits() < 16 {
			return nil, invalid("block %s: want an aligned IPv4 prefix from /16", p)
		}
	}
	for name, d := range map[string]struct {
		text string
		into *time.Duration
	}{"cooldown": {c.Cooldown, &c.rest}, "patience": {c.Patience, &c.wait}} {
		if d.text == "" {
			continue
		}
		var err error
		if *d.into, err = time.ParseDuration(d.text); err != nil {
			return nil, invalid("%s: %v", name, err)
		}
	}
	return c, nil
}

// hostPorts checks the port mappings and leads them to the pod.
func (c *config) hostPorts(pod netip.Addr) ([]nft.HostPort, error) {
	var out []nft.HostPort
	for _, m := range c.RuntimeConfig.PortMappings {
		proto, ok := nft.ProtoNumber(m.Protocol)
		if !ok {
			return nil, invalid("port mapping of unknown protocol %q", m.Protocol)
		}
		if m.HostPort == 0 {
			continue // only names a container's port
		}
		if m.HostPort < 0 || m.HostPort > 65535 || m.ContainerPort <= 0 || m.ContainerPort > 65535 {
			return nil, invalid("port mapping %d to %d: no such port", m.HostPort, m.ContainerPort)
		}
		p := nft.HostPort{Proto: proto, Port: uint16(m.HostPort), Pod: netip.AddrPortFrom(pod, uint16(m.ContainerPort))}
		if m.HostIP != "" {
			addr, err := netip.ParseAddr(m.HostIP)
			if err != nil {
				return nil, invalid("port mapping's host address: %v", err)
			}
			if addr = addr.Unmap(); addr.Is6() && !addr.IsUnspecified() {
				return nil, invalid("port mapping's host address %s: the network is IPv4", addr)
			} else if !addr.IsUnspecified() {
				p.Addr = addr
			}
		}
		out = append(out, p)
	}
	return out, nil
}

func invalid(format string, args ...any) error {
	return types.NewError(types.ErrInvalidNetworkConfig, fmt.Sprintf(format, args...), "")
}
