package guard

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built is the path of a program that `make build` made; tests of the programs
// are skipped where it did not run.
func built(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("EKSACT_PROGRAMS")
	if dir == "" {
		dir = filepath.Join(root(), "bin")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("EKSACT_INTEGRATION") != "" {
			t.Fatalf("%s is not built", name)
		}
		t.Skipf("%s is not built: run make build first", name)
	}
	return path
}

func output(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(built(t, name), args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestVersions: every component reports the release it is, in EKS's form.
func TestVersions(t *testing.T) {
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"} {
		if got := output(t, nil, name, "--version"); !strings.HasPrefix(got, "Kubernetes v1.37.2-eks-") {
			t.Errorf("%s --version says %q", name, got)
		}
	}
	for name, want := range map[string]string{"etcd": "etcd Version: 3.7.", "containerd": "containerd/v2 v2.4."} {
		if got := output(t, nil, name, "--version"); !strings.Contains(got, want) {
			t.Errorf("%s --version says %q, want %q in it", name, got, want)
		}
	}
	var v struct {
		ClientVersion struct{ Major, Minor, GitVersion, GitTreeState string }
	}
	if err := json.Unmarshal([]byte(output(t, nil, "kubectl", "version", "--client", "-o", "json")), &v); err != nil {
		t.Fatal(err)
	}
	if c := v.ClientVersion; c.Major != "1" || c.Minor != "37" || !strings.HasPrefix(c.GitVersion, "v1.37.2-eks-") || c.GitTreeState != "clean" {
		t.Errorf("kubectl says %+v", c)
	}
}

// TestReleaseIsReplaced: an earlier release is reported when asked for. That
// the replacement happens before upstream's packages look at the version
// depends on the order in which Go initialises them.
func TestReleaseIsReplaced(t *testing.T) {
	env := []string{"EKSACT_KUBERNETES_VERSION=v1.36.4-eks-1a2b3c4"}
	for _, name := range []string{"kube-apiserver", "kubelet"} {
		if got := output(t, env, name, "--version"); got != "Kubernetes v1.36.4-eks-1a2b3c4\n" {
			t.Errorf("%s --version says %q", name, got)
		}
	}
	cmd := exec.Command(built(t, "kubelet"), "--version")
	cmd.Env = append(os.Environ(), "EKSACT_KUBERNETES_VERSION=latest")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("a nonsensical release was taken: %s", out)
	}
}

// TestDispatch: the programs know themselves by name and by first argument.
func TestDispatch(t *testing.T) {
	byName := output(t, nil, "kubelet", "--version")
	if got := output(t, nil, "eksact-kube", "kubelet", "--version"); got != byName {
		t.Errorf("eksact-kube kubelet says %q, kubelet says %q", got, byName)
	}
	cmd := exec.Command(built(t, "eksact-kube"), "kube-nothing")
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), "kube-apiserver") {
		t.Errorf("an unknown component: exit %d, %s", cmd.ProcessState.ExitCode(), out)
	}
}

// TestCoreDNSPlugins: the directives of the Corefile that clusters get are there.
func TestCoreDNSPlugins(t *testing.T) {
	have := strings.Fields(output(t, nil, "coredns", "-plugins"))
	for _, want := range []string{"errors", "health", "ready", "kubernetes", "prometheus", "forward", "cache", "loop", "reload", "loadbalance"} {
		found := false
		for _, h := range have {
			found = found || strings.TrimPrefix(h, "dns.") == want
		}
		if !found {
			t.Errorf("coredns lacks %s; it has %s", want, strings.Join(have, " "))
		}
	}
}

// TestSmallProgramsAreSmall: eksact-node runs beside every pod and at every
// network change, so its size is memory and its start is time.
func TestSmallProgramsAreSmall(t *testing.T) {
	for name, most := range map[string]int64{"pause": 3, "eksact-node": 26, "coredns": 64, "metrics-server": 84, "kubectl": 72, "eksact-kube": 190} {
		info, err := os.Stat(built(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if mb := info.Size() / 1e6; mb > most {
			t.Errorf("%s has grown to %d MB, the limit is %d", name, mb, most)
		}
	}
}

// TestShimKeepsItsName: the shim starts itself anew by /proc/self/exe, which
// must still end in its own name (see programs.Links).
func TestShimKeepsItsName(t *testing.T) {
	name := "containerd-shim-runc-v2"
	info, err := os.Lstat(built(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if !info.Mode().IsRegular() {
		t.Errorf("%s is %s: it must be a hard link", name, info.Mode())
	}
	if got := output(t, nil, name, "-v"); !strings.HasPrefix(got, name+":") || !strings.Contains(got, "v2.4.") {
		t.Errorf("%s -v says %q", name, got)
	}
}
