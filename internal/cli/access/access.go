// Package access makes what a user's tools need to reach this AWS account:
// environment variables, trust, kubeconfigs.
//
// There are two places to stand. On the host, tools are pointed at the front
// door on loopback by AWS_ENDPOINT_URL, or, where they are too old to know it,
// by endpoint rules in AWS_DATA_PATH. Inside a shell of ours, AWS's own names
// resolve to the front door, so that tools need no pointing, only trust.
package access

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/programs"
)

// Host returns the variables for a shell on the host. PATH is what to put before
// the shell's own.
func Host(ctx context.Context, stateDir, runDir string, as Identity) (map[string]string, error) {
	stateDir = daemon.DataOf(runDir, stateDir)
	a, err := ask(ctx, stateDir, runDir, as)
	if err != nil {
		return nil, err
	}
	vars := a.credentials()
	a.trust(vars)
	vars["AWS_ENDPOINT_URL"] = a.config.SecureURL()
	vars["AWS_DISABLE_HOST_PREFIX_INJECTION"] = "true" // an address can't have the names of Live Tail and its like before it
	if vars["PATH"], err = linkPrograms(stateDir); err != nil {
		return nil, err
	}
	if vars["AWS_DATA_PATH"], err = a.writeEndpointRules(); err != nil {
		return nil, err
	}
	if vars["KUBECONFIG"], err = a.writeKubeconfig(); err != nil {
		return nil, err
	}
	return vars, nil
}

// Shell returns the variables for a shell of ours, inside the VPC or beside it,
// whose resolver knows AWS's names.
func Shell(ctx context.Context, stateDir, runDir string, as Identity) (map[string]string, error) {
	stateDir = daemon.DataOf(runDir, stateDir)
	a, err := ask(ctx, stateDir, runDir, as)
	if err != nil {
		return nil, err
	}
	vars := a.credentials()
	a.trust(vars)
	vars["PATH"], err = linkPrograms(stateDir)
	return vars, err
}

// linkPrograms makes the folder to be put first in PATH: eksact itself and the
// kubectl that it carries.
func linkPrograms(stateDir string) (dir string, err error) {
	set, err := programs.Locate(stateDir)
	if err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(stateDir, "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for name, target := range map[string]string{"eksact": self, "kubectl": set.Path("kubectl")} {
		link := filepath.Join(dir, name)
		if have, err := os.Readlink(link); err == nil && have == target {
			continue
		}
		if err := renameio.Symlink(target, link); err != nil {
			return "", fmt.Errorf("linking %s: %w", name, err)
		}
	}
	return dir, nil
}

type answer struct {
	config      daemon.Config
	keys        control.Credentials
	connections []daemon.Connection
	bundle      string
}

// Identity is whose credentials the tools get: the daemon's call that tells them.
type Identity string

// Who one can be.
const (
	Admin Identity = "/credentials" // the user admin, by its access key
	Root  Identity = "/root"        // the account's root user, in a session
)

func ask(ctx context.Context, stateDir, runDir string, as Identity) (*answer, error) {
	if err := daemon.Reach(runDir); err != nil {
		return nil, err
	}
	c, err := daemon.LoadConfig(stateDir, runDir)
	if err != nil {
		return nil, err
	}
	a := &answer{config: c, bundle: filepath.Join(stateDir, "trust.pem")}
	client := control.Dial(runDir)
	if err := client.Call(ctx, string(as), nil, &a.keys); err != nil {
		return nil, err
	}
	return a, client.Call(ctx, "/connections", nil, &a.connections)
}

// Foreign are variables that, left over from another account, would win over
// those made here. They are to be unset: to botocore an empty profile is one that
// it can't find.
var Foreign = []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}

func (a *answer) credentials() map[string]string {
	vars := map[string]string{
		"AWS_ACCESS_KEY_ID":     a.keys.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": a.keys.SecretAccessKey,
		// CLI v1 reads only AWS_DEFAULT_REGION, SDKs only AWS_REGION.
		"AWS_DEFAULT_REGION": a.config.Region,
		"AWS_REGION":         a.config.Region,
		"AWS_PAGER":          "",
		// No tool is to ask the real metadata service for anything.
		"AWS_EC2_METADATA_DISABLED": "true",
	}
	if a.keys.SessionToken != "" {
		vars["AWS_SESSION_TOKEN"] = a.keys.SessionToken
	}
	return vars
}

// trust names the bundle of the system's authorities and ours in every variable
// that some tool reads.
func (a *answer) trust(vars map[string]string) {
	for _, name := range []string{"AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} {
		vars[name] = a.bundle
	}
}
