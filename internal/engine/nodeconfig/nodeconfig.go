package nodeconfig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Version and Kind are those of the documents.
const (
	Version = "node.eks.aws/v1alpha1"
	Kind    = "NodeConfig"
)

// Config is what user data says of a node. Zero values are not given.
type Config struct {
	Cluster     string
	Endpoint    string // "https://…"
	CA          []byte // PEM
	ServiceCIDR netip.Prefix
	ClusterDNS  netip.Addr
	MaxPods     int
	Labels      map[string]string
	Taints      []Taint
}

// Taint is one that a node is registered with.
type Taint struct{ Key, Value, Effect string } // the effect as Kubernetes spells it

func (t Taint) String() string {
	if t.Value == "" {
		return t.Key + ":" + t.Effect
	}
	return t.Key + "=" + t.Value + ":" + t.Effect
}

// ErrNone says that user data has no NodeConfig.
var ErrNone = errors.New("the user data has no " + Kind)

// document is a NodeConfig, as far as nodes here know it.
type document struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata,omitempty"`
	Spec       struct {
		Cluster struct {
			Name                 string `json:"name,omitempty"`
			APIServerEndpoint    string `json:"apiServerEndpoint,omitempty"`
			CertificateAuthority string `json:"certificateAuthority,omitempty"` // base64
			CIDR                 string `json:"cidr,omitempty"`
		} `json:"cluster"`
		Kubelet struct {
			Config map[string]any `json:"config,omitempty"`
			Flags  []string       `json:"flags,omitempty"`
		} `json:"kubelet"`
		Containerd map[string]any `json:"containerd,omitempty"`
		Instance   map[string]any `json:"instance,omitempty"`
		Gates      map[string]any `json:"featureGates,omitempty"`
	} `json:"spec"`
}

// Parse reads user data, decoded from base64. Later documents are laid over earlier
// ones: flags add up, a setting that is given again is replaced.
func Parse(userData []byte) (Config, error) {
	parts, err := documents(userData)
	if err != nil {
		return Config{}, err
	}
	if len(parts) == 0 {
		return Config{}, ErrNone
	}
	var c Config
	for _, part := range parts {
		var d document
		if err := yaml.UnmarshalStrict(part, &d); err != nil {
			return Config{}, fmt.Errorf("a %s of the user data can't be read: %w", Kind, err)
		}
		if d.APIVersion != Version || d.Kind != Kind {
			return Config{}, fmt.Errorf("the user data has a document of %q %q; there is %s %s", d.APIVersion, d.Kind, Version, Kind)
		}
		if err := c.add(&d); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

func (c *Config) add(d *document) error {
	for _, field := range []struct {
		name  string
		value map[string]any
	}{{"containerd", d.Spec.Containerd}, {"instance", d.Spec.Instance}, {"featureGates", d.Spec.Gates}} {
		if given(field.value) {
			return fmt.Errorf("spec.%s of a %s is not supported by eksact", field.name, Kind)
		}
	}
	if err := c.addCluster(d); err != nil {
		return err
	}
	for _, flag := range d.Spec.Kubelet.Flags {
		if err := c.addFlag(flag); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Spec.Kubelet.Config)) {
		if err := c.addSetting(name, d.Spec.Kubelet.Config[name]); err != nil {
			return err
		}
	}
	return nil
}

// given says whether there is anything in an object but empty ones: generators write
// their structs out whole.
func given(object map[string]any) bool {
	for _, v := range object {
		if inner, ok := v.(map[string]any); ok && !given(inner) || v == nil {
			continue
		}
		return true
	}
	return false
}

func (c *Config) addCluster(d *document) error {
	k := d.Spec.Cluster
	if k.Name != "" {
		c.Cluster = k.Name
	}
	if k.APIServerEndpoint != "" {
		c.Endpoint = k.APIServerEndpoint
	}
	if k.CertificateAuthority != "" {
		pem, err := base64.StdEncoding.DecodeString(k.CertificateAuthority)
		if err != nil {
			return fmt.Errorf("spec.cluster.certificateAuthority is not base64: %w", err)
		}
		c.CA = pem
	}
	if k.CIDR != "" {
		cidr, err := netip.ParsePrefix(k.CIDR)
		if err != nil {
			return fmt.Errorf("spec.cluster.cidr: %w", err)
		}
		c.ServiceCIDR = cidr
	}
	return nil
}

func (c *Config) addFlag(flag string) error {
	name, value, _ := strings.Cut(flag, "=")
	value = strings.Trim(value, `"'`)
	switch name {
	case "--node-labels":
		return c.addLabels(value)
	case "--register-with-taints":
		for _, text := range fields(value) {
			t, err := parseTaint(text)
			if err != nil {
				return err
			}
			c.addTaint(t)
		}
		return nil
	}
	return fmt.Errorf("spec.kubelet.flags: %s is not supported by eksact", name)
}

func (c *Config) addLabels(list string) error {
	for _, pair := range fields(list) {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return fmt.Errorf("--node-labels: %q is no label", pair)
		}
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		c.Labels[key] = value
	}
	return nil
}

func (c *Config) addTaint(t Taint) {
	c.Taints = slices.DeleteFunc(c.Taints, func(other Taint) bool { return other.Key == t.Key && other.Effect == t.Effect })
	c.Taints = append(c.Taints, t)
}

func (c *Config) addSetting(name string, value any) error {
	switch name {
	case "maxPods":
		n, ok := value.(float64)
		if !ok || n < 1 || n != float64(int(n)) {
			return fmt.Errorf("spec.kubelet.config.maxPods: %v is no number of pods", value)
		}
		c.MaxPods = int(n)
		return nil
	case "clusterDNS":
		list, ok := value.([]any)
		if !ok || len(list) != 1 {
			return errors.New("spec.kubelet.config.clusterDNS: one address is supported by eksact")
		}
		a, err := netip.ParseAddr(fmt.Sprint(list[0]))
		if err != nil {
			return fmt.Errorf("spec.kubelet.config.clusterDNS: %w", err)
		}
		c.ClusterDNS = a
		return nil
	case "registerWithTaints":
		return c.addTaintList(value)
	}
	return fmt.Errorf("spec.kubelet.config.%s is not supported by eksact", name)
}

func (c *Config) addTaintList(value any) error {
	list, ok := value.([]any)
	if !ok {
		return errors.New("spec.kubelet.config.registerWithTaints is no list")
	}
	for _, item := range list {
		m, _ := item.(map[string]any)
		text := func(name string) string { s, _ := m[name].(string); return s }
		t := Taint{text("key"), text("value"), text("effect")}
		if err := t.check(); err != nil {
			return err
		}
		c.addTaint(t)
	}
	return nil
}

// Effects are the effects of taints.
var Effects = []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}

func parseTaint(text string) (Taint, error) {
	what, effect, _ := strings.Cut(text, ":")
	key, value, _ := strings.Cut(what, "=")
	t := Taint{key, value, effect}
	return t, t.check()
}

func (t Taint) check() error {
	if t.Key == "" || !slices.Contains(Effects, t.Effect) {
		return fmt.Errorf("%q is no taint", t.String())
	}
	return nil
}

// fields are the parts of a list with commas.
func fields(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return strings.TrimSpace(s) == "" })
}
