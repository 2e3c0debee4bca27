package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/google/renameio/v2"
	"sigs.k8s.io/yaml"
)

// kubeconfig is kubectl's file as far as it matters here. What is in an entry is
// its owner's.
type kubeconfig struct {
	APIVersion     string         `json:"apiVersion"`
	Kind           string         `json:"kind"`
	CurrentContext string         `json:"current-context"`
	Clusters       []entry        `json:"clusters"`
	Contexts       []entry        `json:"contexts"`
	Users          []entry        `json:"users"`
	Preferences    map[string]any `json:"preferences,omitempty"`
}

type entry struct {
	Name    string         `json:"name"`
	Cluster map[string]any `json:"cluster,omitempty"`
	Context map[string]any `json:"context,omitempty"`
	User    map[string]any `json:"user,omitempty"`
}

// writeKubeconfig brings the host's kubeconfig up to date: every cluster by its
// address, so that no name has to resolve, each with the admin's own token.
func (a *answer) writeKubeconfig() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(a.config.StateDir, "kubeconfig")
	have, err := readKubeconfig(path)
	if err != nil {
		return "", err
	}
	want := a.clusters(self)
	all := merge(have, want)
	if reflect.DeepEqual(have, all) {
		return path, nil
	}
	data, err := yaml.Marshal(all)
	if err != nil {
		return "", err
	}
	if err := renameio.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return path, nil
}

// readKubeconfig reads the file; one that is missing or damaged is empty.
func readKubeconfig(path string) (kubeconfig, error) {
	var k kubeconfig
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, err
	}
	if yaml.Unmarshal(data, &k) != nil {
		return kubeconfig{}, nil
	}
	return k, nil
}

// clusters is a kubeconfig of the clusters there are, the oldest the current one.
func (a *answer) clusters(self string) kubeconfig {
	k := kubeconfig{APIVersion: "v1", Kind: "Config"}
	for _, c := range a.connections {
		k.Clusters = append(k.Clusters, entry{Name: c.ARN, Cluster: map[string]any{
			"server": "https://" + c.Address, "tls-server-name": c.ServerName, "certificate-authority-data": c.CA,
		}})
		k.Contexts = append(k.Contexts, entry{Name: c.ARN, Context: map[string]any{"cluster": c.ARN, "user": c.ARN}})
		k.Users = append(k.Users, entry{Name: c.ARN, User: map[string]any{"exec": map[string]any{
			"apiVersion": "client.authentication.k8s.io/v1beta1", "command": self,
			"args":            []any{"token", "--cluster", c.Name, "--state-dir", a.config.StateDir, "--run-dir", a.config.RunDir},
			"interactiveMode": "Never",
		}}})
	}
	if len(k.Contexts) > 0 {
		k.CurrentContext = k.Contexts[0].Name
	}
	return k
}

// merge lays the clusters there are over a file that its user may have changed,
// by kubectl config or aws eks update-kubeconfig: how clusters are reached is
// ours to say, who one is there is the user's. What leads to no cluster any more
// goes.
func merge(have, want kubeconfig) kubeconfig {
	all := want
	all.Preferences = have.Preferences
	for _, c := range have.Contexts {
		name, _ := c.Context["cluster"].(string)
		if i := find(all.Contexts, c.Name); i >= 0 {
			all.Contexts[i] = c
		} else if find(want.Clusters, name) >= 0 {
			all.Contexts = append(all.Contexts, c)
		}
	}
	for _, u := range have.Users {
		if i := find(all.Users, u.Name); i >= 0 {
			all.Users[i] = u
		} else if used(all.Contexts, u.Name) {
			all.Users = append(all.Users, u)
		}
	}
	if find(all.Contexts, have.CurrentContext) >= 0 {
		all.CurrentContext = have.CurrentContext
	}
	return all
}

func find(entries []entry, name string) int {
	return slices.IndexFunc(entries, func(e entry) bool { return e.Name == name })
}

func used(contexts []entry, user string) bool {
	return slices.ContainsFunc(contexts, func(c entry) bool { return c.Context["user"] == user })
}
