package node

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/kube/gc"
	"github.com/eksact/eksact/internal/node/podagent"
	"github.com/eksact/eksact/internal/supervise"
)

const containerdSocket = "/run/containerd/containerd.sock"

// VethPrefix begins the names of the node's ends of its pods' links; kube-proxy
// tells pods' traffic by it.
const VethPrefix = "eni"

func (c Config) program(name string, args ...string) supervise.Spec {
	return supervise.Spec{
		Name:      name,
		Path:      filepath.Join(c.Programs, name),
		Argv:      append([]string{name}, args...),
		Env:       append(c.environment(), gc.Env(gc.Default)),
		Log:       "/var/log/" + name + ".log",
		StopAfter: 3 * time.Second,
	}
}

func (c Config) containerd() supervise.Spec {
	return c.program("containerd", "--config", c.path("containerd.toml"))
}

func (c Config) kubelet() supervise.Spec {
	args := []string{
		"--config=" + c.path("kubelet.yaml"),
		"--kubeconfig=" + c.path("kubeconfig"),
		"--hostname-override=" + c.Name,
		"--node-ip=" + c.Address.String(),
		"--node-labels=" + c.labels(),
		"--v=1",
	}
	if len(c.Taints) > 0 {
		args = append(args, "--register-with-taints="+strings.Join(c.Taints, ","))
	}
	return c.program("kubelet", args...)
}

// Proxy is kube-proxy's spec, for the node's init. It is best started once the
// Node object exists: it polls for that, up to half a minute.
func (c Config) Proxy() supervise.Spec {
	return c.program("kube-proxy", "--config="+c.path("kube-proxy.yaml"), "--v=1")
}

// PodAgentSocket is one that the agent serves, at one of its addresses, to be kept by the
// node's init.
func PodAgentSocket(a netip.Addr) supervise.Socket {
	s := supervise.Socket{Name: podAgent, Network: "tcp4", Address: netip.AddrPortFrom(a, 80).String()}
	if a.Is6() {
		s.Name, s.Network = podAgent+"6", "tcp6"
	}
	return s
}

const podAgent = "pod-identity-agent"

// PodAgent is the EKS Pod Identity agent's spec, for the node's init. It trusts the
// authorities in the file, and serves these addresses.
func (c Config) PodAgent(authorities string, addresses []netip.Addr) supervise.Spec {
	s := c.program("eksact-node", append([]string{"podagent"}, podagent.Args(c.Cluster, c.Region, authorities, len(addresses))...)...)
	s.Name, s.Log = podAgent, "/var/log/"+podAgent+".log"
	for _, a := range addresses {
		s.Sockets = append(s.Sockets, PodAgentSocket(a).Name)
	}
	return s
}

// containerdConfig gives the runtime what CRI needs and no more. The plugins
// that are named as disabled would only log that the machine has no use for
// them.
func (c Config) containerdConfig() string {
	return fmt.Sprintf(`version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
# Lowering a process's OOM score takes CAP_SYS_RESOURCE, which a machine that is
# itself a guest may not have.
[grpc]
  address = %q
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  max_container_log_line_size = 262144
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = false
[plugins."io.containerd.cri.v1.runtime".cni]
  use_internal_loopback = true
  bin_dirs = [%q]
  conf_dir = %q
[plugins."io.containerd.cri.v1.images"]
  max_concurrent_downloads = 4
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = %q
[plugins."io.containerd.cri.v1.images".registry]
  config_path = %q
`, containerdSocket, c.Programs, c.path("cni"), c.SandboxImage, c.path("certs.d"))
}

// mirrorConfig makes the daemon's registry the one source of every image: it
// answers from what it has, and fetches the rest itself when it may.
func (c Config) mirrorConfig() string {
	return fmt.Sprintf("server = %q\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", c.Mirror, c.Mirror)
}

func (c Config) kubeletConfiguration() map[string]any {
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true, "cacheTTL": "2m0s"},
			"x509":      map[string]any{"clientCAFile": c.path("ca.crt")},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"serverTLSBootstrap":       true,
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               c.Cgroup(),
		"failCgroupV1":             false,
		"cgroupsPerQOS":            true,
		"enforceNodeAllocatable":   []string{"pods"},
		"clusterDNS":               []string{c.ClusterDNS.String()},
		"clusterDomain":            "cluster.local",
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"providerID":               "aws:///" + c.Zone + "/" + c.ID,
		"maxPods":                  c.MaxPods,
		"address":                  "0.0.0.0",
		"resolvConf":               "/etc/resolv.conf",
		"failSwapOn":               false,
		"serializeImagePulls":      false,
		"makeIPTablesUtilChains":   false,
		"hairpinMode":              "hairpin-veth",
		"protectKernelDefaults":    false,
		"featureGates":             map[string]bool{"RotateKubeletServerCertificate": true},
		// The disk is the host's, whose other files are not ours to weigh.
		"evictionHard": map[string]string{
			"memory.available": "50Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%",
		},
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,
		"kubeReserved":                map[string]string{"cpu": "70m", "memory": "256Mi"},
		"nodeStatusUpdateFrequency":   "10s",
		"shutdownGracePeriod":         "0s",
		"logging":                     map[string]any{"verbosity": 1},
		"volumePluginDir":             c.path("volumeplugins"),
	}
}

func (c Config) proxyConfiguration() map[string]any {
	return map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"clientConnection": map[string]any{"kubeconfig": c.path("kubeconfig")},
		"hostnameOverride": c.Name,
		"mode":             "nftables",
		"detectLocalMode":  "InterfaceNamePrefix",
		"detectLocal":      map[string]any{"interfaceNamePrefix": VethPrefix},
		// The kernel's connection tracking is the host's to size.
		"conntrack": map[string]any{
			"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
		},
		"nftables":           map[string]any{"minSyncPeriod": "0s", "syncPeriod": "30s"},
		"metricsBindAddress": "127.0.0.1:10249",
	}
}

// Describe names the node in a message.
func (c Config) Describe() string {
	return strings.TrimSuffix(c.Name, "."+c.Region+".compute.internal")
}
