package nodeconfig

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const head = "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n"
	plain := head + "  cluster: {name: c, apiServerEndpoint: https://a, certificateAuthority: UEVN, cidr: 172.20.0.0/16}\n"
	part := func(kind, text string) string { return "--b\nContent-Type: " + kind + "\n\n" + text + "\n" }
	message := func(parts ...string) string {
		return "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\n" + strings.Join(parts, "") + "--b--\n"
	}
	whole := Config{Cluster: "c", Endpoint: "https://a", CA: []byte("PEM"), ServiceCIDR: netip.MustParsePrefix("172.20.0.0/16")}
	labelled := whole
	labelled.Labels = map[string]string{"a": "1", "b": "2", "c": ""}
	labelled.Taints = []Taint{{"t", "v", "NoSchedule"}, {"u", "", "NoExecute"}}
	full := labelled
	full.MaxPods, full.ClusterDNS = 17, netip.MustParseAddr("172.20.0.10")
	full.Taints = []Taint{{"u", "", "NoExecute"}, {"t", "w", "NoSchedule"}}
	flags := "  kubelet:\n    flags: ['--node-labels=a=0,b=2', '--node-labels=\"a=1,c=\"', '--register-with-taints=t=v:NoSchedule,u:NoExecute']\n"
	for _, test := range []struct {
		name, data string
		want       Config
		refusal    string
	}{
		{"one document", plain, whole, ""},
		{"a message", message(part("application/node.eks.aws", "---\n"+plain)), whole, ""},
		{"a boundary without quotation marks", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=//\n\n--//\nContent-Type: application/node.eks.aws\n\n" + plain + "\n--//--\n", whole, ""},
		{"lines that end as in mail", "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=3e71\r\n\r\n--3e71\r\nContent-Type: application/node.eks.aws\r\n\r\n" + plain + "\r\n--3e71--\r\n", whole, ""},
		{"no boundary", "MIME-Version: 1.0\nContent-Type: multipart/mixed\n\n", Config{}, "not multipart"},
		{"flags", plain + flags, labelled, ""},
		{"two documents", message(
			part("application/node.eks.aws", plain+flags),
			part("application/node.eks.aws; charset=utf-8", head+"  kubelet: {config: {maxPods: 17, clusterDNS: [172.20.0.10], registerWithTaints: [{key: t, value: w, effect: NoSchedule}]}}"),
		), full, ""},
		{"empty objects", plain + "  containerd: {}\n  instance: {localStorage: {}}\n", whole, ""},
		{"nothing", " \n", Config{}, "no NodeConfig"},
		{"no parts", message(), Config{}, "no NodeConfig"},
		{"a script", "#!/bin/bash\n/etc/eks/bootstrap.sh c\n", Config{}, "is a script"},
		{"a script in a message", message(part("text/x-shellscript", "#!/bin/bash")), Config{}, `of type "text/x-shellscript"`},
		{"compressed", "\x1f\x8b\x08", Config{}, "compressed"},
		{"another kind", "apiVersion: v1\nkind: Pod\n", Config{}, `a document of "v1" "Pod"`},
		{"an unknown field", plain + "  more: 1\n", Config{}, `unknown field "more"`},
		{"containerd", plain + "  containerd: {config: 'x = 1'}\n", Config{}, "spec.containerd"},
		{"storage", plain + "  instance: {localStorage: {strategy: RAID0}}\n", Config{}, "spec.instance"},
		{"another flag", plain + "  kubelet: {flags: [--v=9]}\n", Config{}, "--v is not supported"},
		{"another setting", plain + "  kubelet: {config: {cpuManagerPolicy: static}}\n", Config{}, "spec.kubelet.config.cpuManagerPolicy"},
		{"a bad taint", plain + "  kubelet: {flags: ['--register-with-taints=t=v:Never']}\n", Config{}, `"t=v:Never" is no taint`},
		{"a bad label", plain + "  kubelet: {flags: ['--node-labels=alone']}\n", Config{}, `"alone" is no label`},
		{"bad pods", plain + "  kubelet: {config: {maxPods: 1.5}}\n", Config{}, "maxPods"},
		{"a bad range", head + "  cluster: {cidr: x}\n", Config{}, "spec.cluster.cidr"},
		{"bad base64", head + "  cluster: {certificateAuthority: '%'}\n", Config{}, "certificateAuthority"},
	} {
		got, err := Parse([]byte(test.data))
		switch {
		case test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal)), test.refusal == "" && err != nil:
			t.Errorf("%s: %v, want %q", test.name, err, test.refusal)
		case test.refusal == "" && !reflect.DeepEqual(got, test.want):
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestMessage(t *testing.T) {
	c := Config{
		Cluster: "c", Endpoint: "https://a", CA: []byte("PEM"), ServiceCIDR: netip.MustParsePrefix("172.20.0.0/16"), ClusterDNS: netip.MustParseAddr("172.20.0.10"),
		MaxPods: 29, Labels: map[string]string{"a": "1", "eks.amazonaws.com/nodegroup": "ng"}, Taints: []Taint{{"t", "v", "NoSchedule"}, {"u", "", "NoExecute"}},
	}
	data, err := Message(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(data); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v of\n%s", got, err, data)
	}
	own := "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {kubelet: {config: {maxPods: 5, clusterDNS: [172.20.0.99]}, flags: [--node-labels=mine=yes]}}\n"
	merged, err := Merge(data, []byte(own))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(merged)
	if err != nil || got.Labels["mine"] != "yes" || got.Labels["a"] != "1" || got.MaxPods != 5 || got.ClusterDNS.String() != "172.20.0.99" || got.Cluster != "c" {
		t.Errorf("%+v, %v of\n%s", got, err, merged)
	}
	if _, err := Merge(data, []byte("#!/bin/sh")); err == nil {
		t.Error("a script was merged")
	}
}

func FuzzParse(f *testing.F) {
	data, err := Message(Config{Cluster: "c", Labels: map[string]string{"a": "1"}, Taints: []Taint{{"t", "", "NoExecute"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {kubelet: {config: {maxPods: 17}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		for _, taint := range c.Taints {
			if err := taint.check(); err != nil {
				t.Error(err)
			}
		}
	})
}
