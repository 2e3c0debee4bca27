// Package shell opens a terminal inside the account: on a machine in the VPC, as
// the workshop's Cloud9 is, or, with --laptop, outside of it.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/cli/access"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/hosts"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	var laptop bool
	as := access.Admin
	cmd := &cobra.Command{
		Use:   "shell [--laptop] [--root] [-- COMMAND ARGS…]",
		Short: "Open a terminal in the VPC (or outside it), or run one command there",
		Long: `Open a terminal on a machine inside the VPC, as the workshop's Cloud9 is: with
the VPC's resolver, so that AWS's own names lead to this account, with trust in
its certificates, the admin's credentials, kubectl, and a HOME of its own whose
environment folder holds the workshop's files. Nothing of yours is touched.

With --laptop the terminal is outside the VPC: it sees the public side. With --root
its tools are the account's root user for an hour, whom no policy limits.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := daemon.Reach(g.RunDir); err != nil {
				return err
			}
			place := daemon.ShellPlace{Laptop: laptop}
			var at control.Attachment
			if err := control.Dial(g.RunDir).Call(cmd.Context(), "/shell", place, &at); err != nil {
				return err
			}
			return enter(cmd.Context(), g, at, laptop, as, args)
		},
	}
	cmd.Flags().BoolVar(&laptop, "laptop", false, "stand outside the VPC")
	cmd.Flags().BoolFunc("root", "as the account's root user, for an hour", func(string) error {
		as = access.Root
		return nil
	})
	return cmd
}

func enter(ctx context.Context, g *global.Options, at control.Attachment, laptop bool, as access.Identity, args []string) error {
	vars, err := access.Shell(ctx, g.StateDir, g.RunDir, as)
	if err != nil {
		return err
	}
	home, err := access.Home(ctx, g.StateDir, g.RunDir, laptop, as)
	if err != nil {
		return err
	}
	environment := merge(os.Environ(), vars, home, at.Name)
	workdir := filepath.Join(home, "environment")
	// A single command is run where it was typed, so that its files are found.
	if len(args) > 0 {
		if workdir, err = os.Getwd(); err != nil {
			return err
		}
	}
	// The namespaces entered below are this thread's; exec makes it the only one.
	runtime.LockOSThread()
	if err := join(at.NetNS, home); err != nil {
		return err
	}
	if err := os.Chdir(workdir); err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"bash", "--rcfile", filepath.Join(home, ".bashrc"), "-i"}
	}
	path, err := lookPath(args[0], environment)
	if err != nil {
		return err
	}
	return fmt.Errorf("running %s: %w", path, syscall.Exec(path, args, environment))
}

// join moves the calling thread into the network and gives it a mount namespace
// in which /etc/resolv.conf and /etc/hosts are the home's.
func join(netns, home string) error {
	if netns != "" {
		f, err := os.Open(netns)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering the network: %w", err)
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("a view of the files of one's own: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if netns != "" {
		// /sys/class/net is to show this network.
		_ = unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
	for own, file := range map[string]string{".resolv.conf": "/etc/resolv.conf", ".hosts": hosts.File} {
		target, err := filepath.EvalSymlinks(file)
		if own == ".hosts" && errors.Is(err, fs.ErrNotExist) {
			continue // there is none to be led astray by
		}
		if err != nil {
			return err
		}
		if err := unix.Mount(filepath.Join(home, own), target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("an %s of one's own: %w", file, err)
		}
	}
	return nil
}

// merge puts ours over the caller's environment.
func merge(environment []string, vars map[string]string, home, host string) []string {
	all := map[string]string{}
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	path := vars["PATH"] + ":" + all["PATH"]
	maps.Copy(all, vars)
	all["PATH"], all["HOME"], all["EKSACT_SHELL"] = path, home, host
	// These would lead around the names that the resolver gives.
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_DATA_PATH", "KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "SSL_CERT_DIR"} {
		delete(all, name)
	}
	for _, name := range access.Foreign {
		if vars[name] == "" {
			delete(all, name)
		}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, name+"="+all[name])
	}
	return pairs
}

// lookPath finds a program by the PATH of an environment.
func lookPath(name string, environment []string) (string, error) {
	for _, pair := range environment {
		if path, ok := strings.CutPrefix(pair, "PATH="); ok {
			if err := os.Setenv("PATH", path); err != nil {
				return "", err
			}
		}
	}
	return exec.LookPath(name)
}
