// Package verify proves the cluster's controls by trying them.
package verify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/account"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/cli/ui"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/verify"
	"github.com/eksact/eksact/internal/verify/controls"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	var cluster string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "verify [CONTROL…]",
		Short: "Prove the cluster's controls by trying them",
		Long: `Try the claims about who may do what in a cluster, with live probes: a positive
one beside each refusal. Roles, mappings, a namespace, Services, pods, their
identities and policies are made under names of their own, and removed.

It ends with 0 when everything is proven, 1 when something is refuted, 2 when
something could not be tried, 3 on an error. -o json has the evidence.`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			chosen, err := controls.Named(ids)
			if err != nil {
				return err
			}
			// An interrupted run removes what it made, too.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			target, err := here(ctx, g, cluster)
			if err != nil {
				return err
			}
			all, err := try(ctx, target, chosen)
			if err != nil {
				return err
			}
			if g.JSON() {
				err = global.Print(cmd.OutOrStdout(), all)
			} else {
				show(cmd.OutOrStdout(), target.Cluster, all)
			}
			if code := verify.ExitCode(all); err == nil && code != 0 {
				return global.Exit(code)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "name of the cluster, when there are several")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "give up after this long")
	return cmd
}

// here is a cluster of this machine.
func here(ctx context.Context, g *global.Options, name string) (verify.Target, error) {
	if !daemon.Running(g.RunDir) {
		return verify.Target{}, hint.New("eksact does not run here", "eksact up starts it")
	}
	c, err := daemon.LoadConfig(g.StateDir, g.RunDir)
	if err != nil {
		return verify.Target{}, err
	}
	local := control.Dial(g.RunDir)
	var all []daemon.Connection
	if err := local.Call(ctx, "/connections", nil, &all); err != nil {
		return verify.Target{}, err
	}
	cluster, err := choose(all, name)
	if err != nil {
		return verify.Target{}, err
	}
	ca, err := base64.StdEncoding.DecodeString(cluster.CA)
	if err != nil {
		return verify.Target{}, err
	}
	var keys control.Credentials
	if err := local.Call(ctx, "/credentials", nil, &keys); err != nil {
		return verify.Target{}, err
	}
	return verify.Target{
		Cluster: cluster.Name, Region: c.Region, Server: "https://" + cluster.Address, ServerName: cluster.ServerName, CA: ca,
		AWS:  account.Config(c, keys),
		Dial: outside(c.Network().PublicDNS()),
	}, nil
}

func choose(all []daemon.Connection, name string) (daemon.Connection, error) {
	var names []string
	for _, c := range all {
		if c.Name == name || name == "" && len(all) == 1 {
			return c, nil
		}
		names = append(names, c.Name)
	}
	switch {
	case len(all) == 0:
		return daemon.Connection{}, hint.New("no cluster runs here", "eksact up makes one")
	case name == "":
		return daemon.Connection{}, hint.New("several clusters run here", "say which with --cluster: "+strings.Join(names, ", "))
	}
	return daemon.Connection{}, hint.New(fmt.Sprintf("no cluster %q runs here", name), "those that do: "+strings.Join(names, ", "))
}

// outside dials names as they resolve outside the VPC.
func outside(server netip.Addr) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, netip.AddrPortFrom(server, 53).String())
		},
	}}
	return d.DialContext
}

func try(ctx context.Context, t verify.Target, chosen []verify.Control) (all []verify.Report, err error) {
	s, err := verify.Open(ctx, t)
	if err != nil {
		return nil, err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if gone := s.Close(end); gone != nil {
			err = errors.Join(err, fmt.Errorf("removing what was made: %w", gone))
		}
	}()
	progress := ui.New(os.Stderr)
	defer progress.Close()
	for _, c := range chosen {
		if ctx.Err() != nil {
			return all, fmt.Errorf("cut short: %w", context.Cause(ctx))
		}
		progress.Begin(c.Claim)
		r := s.Run(ctx, c)
		failed := ""
		if r.Verdict != verify.Proven {
			failed = string(r.Verdict)
		}
		progress.End(c.Claim, r.Took, failed)
		all = append(all, r)
	}
	return all, nil
}

func show(w io.Writer, cluster string, all []verify.Report) {
	fmt.Fprintf(w, "\nControls of cluster %s, by live probes:\n", cluster)
	counts := map[verify.Verdict]int{}
	for _, r := range all {
		counts[r.Verdict]++
		fmt.Fprintf(w, "  %-9s%-16s %s\n", r.Verdict, r.ID, r.Said)
		if r.Fix != "" {
			fmt.Fprintf(w, "%27sfix: %s\n", "", r.Fix)
		}
	}
	var sum []string
	for _, v := range []verify.Verdict{verify.Proven, verify.Refuted, verify.Unproven, verify.Failed} {
		if counts[v] > 0 {
			sum = append(sum, fmt.Sprintf("%d %s", counts[v], strings.ToLower(string(v))))
		}
	}
	fmt.Fprintln(w, strings.Join(sum, ", "))
}
