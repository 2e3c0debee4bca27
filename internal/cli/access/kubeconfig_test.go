package access

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/daemon"
)

func answerOf(t *testing.T, names ...string) *answer {
	t.Helper()
	a := &answer{config: daemon.Default(t.TempDir(), t.TempDir())}
	a.setClusters(names...)
	return a
}

func (a *answer) setClusters(names ...string) {
	a.connections = nil
	for _, name := range names {
		a.connections = append(a.connections, daemon.Connection{Name: name, ARN: "arn:" + name, Address: "198.18.1.4", ServerName: name + ".example", CA: "Q0E="})
	}
}

func (a *answer) written(t *testing.T) kubeconfig {
	t.Helper()
	path, err := a.writeKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	k, err := readKubeconfig(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheKubeconfigFollowsTheClusters(t *testing.T) {
	a := answerOf(t, "old", "new")
	k := a.written(t)
	if len(k.Clusters) != 2 || len(k.Users) != 2 || k.CurrentContext != "arn:old" {
		t.Fatalf("two clusters, the older current: %+v", k)
	}
	a.setClusters("new")
	k = a.written(t)
	if len(k.Clusters) != 1 || len(k.Contexts) != 1 || len(k.Users) != 1 || k.CurrentContext != "arn:new" {
		t.Errorf("the deleted cluster is not gone: %+v", k)
	}
	// Made again, it may get the same address and another authority.
	a.connections[0].CA = "T1RIRVI="
	if got := a.written(t).Clusters[0].Cluster["certificate-authority-data"]; got != "T1RIRVI=" {
		t.Errorf("the authority is still %v", got)
	}
}

func TestWhatTheUserChangedStays(t *testing.T) {
	a := answerOf(t, "one", "two")
	k := a.written(t)
	k.CurrentContext = "eks-user1"
	k.Contexts[0].Context["namespace"] = "user1"
	k.Contexts = append(k.Contexts, entry{Name: "eks-user1", Context: map[string]any{"cluster": "arn:two", "user": "role"}})
	k.Users = append(k.Users, entry{Name: "role", User: map[string]any{"token": "x"}})
	// As aws eks update-kubeconfig writes a cluster: by a name that only a hosts
	// file knows, and whose user is a role.
	k.Clusters[0].Cluster = map[string]any{"server": "https://one.example"}
	k.Users[0].User = map[string]any{"token": "less"}
	text := marshal(t, k)
	path := filepath.Join(a.config.StateDir, "kubeconfig")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}

	k = a.written(t)
	if k.CurrentContext != "eks-user1" || k.Contexts[0].Context["namespace"] != "user1" || find(k.Users, "role") < 0 {
		t.Errorf("the user's changes are lost: %+v", k)
	}
	if k.Users[0].User["token"] != "less" {
		t.Errorf("a user was given other powers than asked for: %+v", k.Users[0])
	}
	if k.Clusters[0].Cluster["server"] != "https://198.18.1.4" {
		t.Errorf("the cluster is not reached by its address: %+v", k.Clusters[0])
	}

	a.setClusters("one")
	if k = a.written(t); k.CurrentContext != "arn:one" || find(k.Contexts, "eks-user1") >= 0 || find(k.Users, "role") >= 0 {
		t.Errorf("what led to the deleted cluster is still there: %+v", k)
	}
}

func TestAnUnchangedKubeconfigIsNotWritten(t *testing.T) {
	a := answerOf(t, "one")
	a.written(t)
	path := filepath.Join(a.config.StateDir, "kubeconfig")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	a.written(t)
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) {
		t.Error("it was written anew, with nothing to change")
	}
}

func marshal(t *testing.T, k kubeconfig) []byte {
	t.Helper()
	data, err := yaml.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
