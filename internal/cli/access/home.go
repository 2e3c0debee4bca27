package access

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/renameio/v2"
	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/hosts"
)

// The workshop's files, as its reader finds them in ~/environment.
//
//go:embed environment
var environment embed.FS

// Home makes the home folder of a shell, if it is not there, and returns its
// path: the workshop's files, a kubeconfig as aws eks update-kubeconfig writes
// it, a prompt. What its user changed stays.
func Home(ctx context.Context, stateDir, runDir string, laptop bool, as Identity) (string, error) {
	stateDir = daemon.DataOf(runDir, stateDir)
	a, err := ask(ctx, stateDir, runDir, as)
	if err != nil {
		return "", err
	}
	name := "cloud9"
	if laptop {
		name = "laptop"
	}
	home := filepath.Join(stateDir, "home", name)
	if err := os.MkdirAll(filepath.Join(home, ".kube"), 0o700); err != nil {
		return "", err
	}
	network := a.config.Network()
	resolver := network.Resolver()
	if laptop {
		resolver = network.PublicDNS()
	}
	// The machine's block of names is for those outside who have no resolver of ours.
	names, err := hosts.Without(hosts.File)
	if err != nil {
		return "", err
	}
	always := map[string]string{
		".hosts":       names,
		".resolv.conf": fmt.Sprintf("nameserver %s\noptions edns0\n", resolver),
		".bashrc":      fmt.Sprintf("PS1='%s:\\w $ '\n", name),
	}
	for file, text := range always {
		if err := renameio.WriteFile(filepath.Join(home, file), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	if err := a.homeKubeconfig(home); err != nil {
		return "", err
	}
	return home, copyEnvironment(filepath.Join(home, "environment"))
}

func copyEnvironment(dir string) error {
	return fs.WalkDir(environment, "environment", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel("environment", path)
		target := filepath.Join(dir, rel)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if _, err := os.Stat(target); err == nil {
			return nil
		}
		data, err := environment.ReadFile(path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if filepath.Ext(target) == ".sh" {
			mode = 0o755
		}
		return os.WriteFile(target, data, mode)
	})
}

// homeKubeconfig writes ~/.kube/config for the clusters there are, when the home
// has none yet: neither the file nor one that the workshop moved aside.
func (a *answer) homeKubeconfig(home string) error {
	moved, err := filepath.Glob(filepath.Join(home, ".kube", "config*"))
	if err != nil || len(moved) > 0 || len(a.connections) == 0 {
		return err
	}
	var clusters, contexts, users []any
	for _, c := range a.connections {
		clusters = append(clusters, map[string]any{"name": c.ARN, "cluster": map[string]any{
			"server": "https://" + c.ServerName, "certificate-authority-data": c.CA,
		}})
		contexts = append(contexts, map[string]any{"name": c.ARN, "context": map[string]any{"cluster": c.ARN, "user": c.ARN}})
		exec, err := a.tokenCommand(c)
		if err != nil {
			return err
		}
		users = append(users, map[string]any{"name": c.ARN, "user": map[string]any{"exec": exec}})
	}
	data, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "preferences": map[string]any{}, "current-context": a.connections[0].ARN,
		"clusters": clusters, "contexts": contexts, "users": users,
	})
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(home, ".kube", "config"), data, 0o600)
}

// tokenCommand is what update-kubeconfig would write, where there is an AWS CLI;
// our own command does the same.
func (a *answer) tokenCommand(c daemon.Connection) (map[string]any, error) {
	command := map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws",
		"args": []string{"--region", a.config.Region, "eks", "get-token", "--cluster-name", c.Name, "--output", "json"},
	}
	if _, err := exec.LookPath("aws"); errors.Is(err, exec.ErrNotFound) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		command["command"] = self
		command["args"] = []string{"token", "--cluster", c.Name, "--state-dir", a.config.StateDir, "--run-dir", a.config.RunDir}
	}
	return command, nil
}
