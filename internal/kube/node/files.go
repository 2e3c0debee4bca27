package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/node/boot"
	"github.com/eksact/eksact/internal/supervise"
)

// Write makes the node's folder and files, but for the CNI configuration. It changes nothing that is right
// already, so that a running node does not notice.
func (c Config) Write() error {
	for _, dir := range []string{"log", "cni"} {
		if err := os.MkdirAll(c.path(dir), 0o755); err != nil {
			return err
		}
	}
	kubelet, err := yaml.Marshal(c.kubeletConfiguration())
	if err != nil {
		return err
	}
	proxy, err := yaml.Marshal(c.proxyConfiguration())
	if err != nil {
		return err
	}
	orders, err := json.MarshalIndent(c.bootConfig(), "", "  ")
	if err != nil {
		return err
	}
	kubeconfig, err := yaml.Marshal(c.kubeconfig())
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"resolv.conf":                 []byte(c.resolvConf()),
		"hosts":                       []byte(hosts),
		"containerd.toml":             []byte(c.containerdConfig()),
		"certs.d/_default/hosts.toml": []byte(c.mirrorConfig()),
		"ca.crt":                      c.CA,
		"kubelet.yaml":                kubelet,
		"kube-proxy.yaml":             proxy,
		"kubeconfig":                  kubeconfig,
		"init.json":                   orders,
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(c.path(name), files[name]); err != nil {
			return fmt.Errorf("node %s: %w", c.ID, err)
		}
	}
	return nil
}

// conflist is the CNI configuration, without which containerd gives no pod a network and
// the kubelet calls the node NotReady.
const conflist = "cni/10-eksact.conflist"

// Plug writes the CNI configuration. In place: containerd, which watches the folder, does
// not see a file that was moved there.
func (c Config) Plug() error {
	if old, err := os.ReadFile(c.path(conflist)); err == nil && string(old) == c.CNI {
		return nil
	}
	return os.WriteFile(c.path(conflist), []byte(c.CNI), 0o600)
}

// Unplug removes it, of a node that does not run.
func (c Config) Unplug() error {
	if err := os.Remove(c.path(conflist)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Plugged says whether it is there.
func (c Config) Plugged() bool {
	_, err := os.Stat(c.path(conflist))
	return err == nil
}

func writeFile(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, data, 0o600)
}

// Spec is the node as its keeper runs it: a sandboxed init. It is killed to be
// stopped by force; asked to end, it ends its pods first.
func (c Config) Spec() supervise.Spec {
	return supervise.Spec{
		Name:      "node-" + c.ID,
		Path:      filepath.Join(c.Programs, "eksact-node"),
		Argv:      []string{"eksact-node", "init", c.path("init.json")},
		Env:       c.environment(),
		NetNS:     c.NetNS,
		Sandbox:   true,
		Log:       c.path("log/init.log"),
		StopAfter: 4 * time.Second,
	}
}

func (c Config) environment() []string {
	return []string{"PATH=" + c.Programs + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
}

func (c Config) bootConfig() boot.Config {
	return boot.Config{
		Hostname:   c.Name,
		ResolvConf: c.path("resolv.conf"),
		Hosts:      c.path("hosts"),
		Control:    c.ControlSocket(),
		Cgroup:     c.Cgroup(),
		Binds: map[string]string{
			"/var/lib/kubelet":    c.path("kubelet"),
			"/var/lib/containerd": c.path("containerd"),
			"/var/lib/cni-eksact": c.path(CNIState),
			"/var/log":            c.path("log"),
		},
		Processes: []boot.Process{
			{Spec: c.containerd(), Ready: containerdSocket},
			{Spec: c.kubelet()},
		},
	}
}

// hosts is an instance's, which has no names but its resolver's.
const hosts = "127.0.0.1 localhost\n::1 localhost\n"

func (c Config) resolvConf() string {
	return fmt.Sprintf("search %s.compute.internal\nnameserver %s\noptions edns0\n", c.Region, c.ResolverIP)
}

// kubeconfig lets a program of the node speak to the API server as the node:
// with a token made from the instance's own role.
func (c Config) kubeconfig() map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "node",
		"clusters": []any{map[string]any{"name": "cluster", "cluster": map[string]any{
			"server": c.Endpoint, "certificate-authority": c.path("ca.crt"),
		}}},
		"contexts": []any{map[string]any{"name": "node", "context": map[string]any{"cluster": "cluster", "user": "node"}}},
		"users": []any{map[string]any{"name": "node", "user": map[string]any{"exec": map[string]any{
			"apiVersion":      "client.authentication.k8s.io/v1beta1",
			"command":         filepath.Join(c.Programs, "eksact-credential"),
			"args":            []string{"--cluster", c.Cluster, "--region", c.Region},
			"interactiveMode": "Never",
		}}}},
	}
}

func (c Config) labels() string {
	all := map[string]string{
		"node.kubernetes.io/instance-type": c.InstanceType,
		"topology.kubernetes.io/region":    c.Region,
		"topology.kubernetes.io/zone":      c.Zone,
	}
	maps.Copy(all, c.Labels)
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, key+"="+all[key])
	}
	return strings.Join(pairs, ",")
}
