// Package up starts everything, and makes the workshop's cluster where there is
// none yet.
package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/cli/ui"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/daemon/preflight"
	"github.com/eksact/eksact/internal/hint"
)

// options are the flags, over what the state directory remembers.
type options struct {
	config   daemon.Config
	timeout  time.Duration
	manifest *manifest // of --file; nil: there is none
	// nodesAsked says that the number of nodes was given this time.
	nodesAsked bool
}

// New makes the command.
func New(g *global.Options) *cobra.Command {
	defaults := daemon.Default("", "")
	var o options
	var ranges ranges
	var file string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the account and its clusters; the first time, make one",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := preflight.First([]preflight.Check{preflight.Root()}); err != nil {
				return err
			}
			kept, err := daemon.LoadConfig(g.StateDir, g.RunDir)
			if err != nil {
				return err
			}
			o.config = override(kept, o.config, cmd.Flags().Changed)
			o.nodesAsked = cmd.Flags().Changed("nodes")
			if err := samePlace(kept, o.config); err != nil {
				return err
			}
			if file != "" {
				if cmd.Flags().Changed("cluster") || cmd.Flags().Changed("nodes") {
					return hint.New("--cluster and --nodes don't go with --file, which says both", "change the file, or leave the flags out")
				}
				if o.manifest, err = readManifest(file, &o.config, &ranges); err != nil {
					return err
				}
			}
			if err := ranges.into(&o.config, kept); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			summary, err := run(ctx, o)
			if err != nil {
				return err
			}
			if o.manifest != nil {
				for _, line := range o.manifest.warnings {
					fmt.Fprintf(cmd.ErrOrStderr(), "eksact: warning: %s\n", line)
				}
			}
			if g.JSON() {
				return global.Print(cmd.OutOrStdout(), summary)
			}
			summary.show(cmd.OutOrStdout(), cmd.Flags().Changed("hosts") || kept.Hosts)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "an eksctl ClusterConfig that says which cluster to make")
	f.StringVar(&o.config.Cluster, "cluster", defaults.Cluster, "name of the cluster to make when there is none")
	f.IntVar(&o.config.Nodes, "nodes", defaults.Nodes, "nodes of that cluster")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "give up after this long")
	f.BoolVar(&o.config.Hosts, "hosts", false, "keep a block in "+hostsFile+" with the names of clusters, load balancers and the registry")
	f.BoolVar(&o.config.Offline, "offline", false, "never fetch an image from the network")
	f.BoolVar(&o.config.HiddenEndpoints, "hide-private-endpoints", false, "names of endpoints without public access don't resolve outside the VPC, as until December 2019")
	f.StringVar(&o.config.Account, "account", defaults.Account, "the account's number")
	f.StringVar(&o.config.Region, "region", defaults.Region, "the region")
	f.StringVar(&ranges.vpc, "vpc-cidr", "", "addresses of the VPC (default "+defaults.VPC.String()+")")
	f.StringVar(&ranges.public, "public-cidr", "", "addresses that stand for public ones (default "+defaults.Public.String()+")")
	f.StringVar(&o.config.Listen, "listen", defaults.Listen, "loopback address of the AWS front door")
	f.StringSliceVar(&o.config.EtcdEndpoints, "etcd-endpoints", nil, "URLs of an etcd cluster to use instead of one of our own")
	f.StringVar(&o.config.EtcdCA, "etcd-cacert", "", "its certificate authority, a PEM file")
	f.StringVar(&o.config.EtcdCert, "etcd-cert", "", "client certificate for it, a PEM file")
	f.StringVar(&o.config.EtcdKey, "etcd-key", "", "key of that certificate, a PEM file")
	f.StringVar(&o.config.ClickHouse, "clickhouse", "", "run queries of logs on this server, to which log events are brought: clickhouse://USER:PASSWORD@HOST:9000/DATABASE?table=TABLE")
	return cmd
}

const hostsFile = "/etc/hosts"

// override lays the flags that were given over the configuration that was kept.
func override(kept, given daemon.Config, changed func(flag string) bool) daemon.Config {
	for flag, apply := range map[string]func(){
		"cluster":                func() { kept.Cluster = given.Cluster },
		"nodes":                  func() { kept.Nodes = given.Nodes },
		"hosts":                  func() { kept.Hosts = given.Hosts },
		"offline":                func() { kept.Offline = given.Offline },
		"hide-private-endpoints": func() { kept.HiddenEndpoints = given.HiddenEndpoints },
		"account":                func() { kept.Account = given.Account },
		"region":                 func() { kept.Region = given.Region },
		"listen":                 func() { kept.Listen = given.Listen },
		"clickhouse":             func() { kept.ClickHouse = given.ClickHouse },
		"etcd-endpoints":         func() { kept.EtcdEndpoints = given.EtcdEndpoints },
		"etcd-cacert":            func() { kept.EtcdCA = absolute(given.EtcdCA) },
		"etcd-cert":              func() { kept.EtcdCert = absolute(given.EtcdCert) },
		"etcd-key":               func() { kept.EtcdKey = absolute(given.EtcdKey) },
	} {
		if changed(flag) {
			apply()
		}
	}
	return kept
}

// absolute is a file's path wherever it is read from. Without a working folder,
// which can't be known then, it stays as it was given.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil && path != "" {
		return full
	}
	return path
}

// summary is what up ends with.
type summary struct {
	Seconds float64        `json:"seconds"`
	Steps   []control.Step `json:"timeline"`
	Status  control.Status `json:"status"`
}

func run(ctx context.Context, o options) (*summary, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := o.check(); err != nil {
		return nil, err
	}
	release, err := daemon.Exclusive(o.config.RunDir)
	if err != nil {
		return nil, err
	}
	defer release()
	running := daemon.Running(o.config.RunDir)
	if running {
		err = unchanged(o.config)
	} else {
		err = ready(ctx, o.config)
	}
	if err != nil {
		return nil, err
	}
	progress := ui.New(os.Stderr)
	defer progress.Close()
	err = begin(ctx, o, running, progress)
	if err != nil && !running && !errors.Is(err, errAdmin) && !errors.Is(err, errFile) {
		// What never served leaves nothing behind but its data and logs.
		err = errors.Join(err, daemon.TearDown(context.WithoutCancel(ctx), o.config, false, progress.Do))
	}
	if err != nil {
		return nil, explain(err, o)
	}
	s := &summary{Seconds: time.Since(start).Seconds()}
	client := control.Dial(o.config.RunDir)
	var p control.Progress
	if err := client.Call(ctx, "/progress", -1, &p); err != nil {
		return nil, err
	}
	s.Steps = p.Steps
	return s, client.Call(ctx, "/status", daemon.StatusQuestion{}, &s.Status)
}

// check refuses settings that no machine could do.
func (o options) check() error {
	if o.config.Nodes < 0 {
		return hint.New(fmt.Sprintf("%d nodes can't be made", o.config.Nodes), "--nodes 0 makes a control plane alone")
	}
	return o.config.Check()
}

// ready ends what a killed keeper left, and checks what is needed of the machine
// and of an etcd elsewhere, before anything is made.
func ready(ctx context.Context, c daemon.Config) error {
	if err := c.Ours(); err != nil {
		return err
	}
	if err := daemon.EndStrays(); err != nil {
		return err
	}
	needs := preflight.Needs{StateDir: c.StateDir, Listen: c.Listen, Nodes: true}
	if err := preflight.First(preflight.Run(needs)); err != nil {
		return err
	}
	if err := c.CheckNetwork(); err != nil {
		return err
	}
	return c.CheckEtcd(ctx)
}

// unchanged refuses flags that a running daemon can't take up.
func unchanged(want daemon.Config) error {
	if err := want.Ours(); err != nil {
		return err
	}
	have, err := daemon.LoadConfig(want.StateDir, want.RunDir)
	if err != nil {
		return err
	}
	if want.Account != have.Account || want.Region != have.Region || want.Listen != have.Listen ||
		want.VPC != have.VPC || want.Public != have.Public || strings.Join(want.EtcdEndpoints, ",") != strings.Join(have.EtcdEndpoints, ",") {
		return hint.New("eksact runs already, with other settings", "eksact down first, then up with the new ones")
	}
	return nil
}

func begin(ctx context.Context, o options, running bool, progress *ui.Progress) error {
	if err := o.config.Save(); err != nil {
		return err
	}
	if err := o.config.Claim(); err != nil {
		return err
	}
	if err := daemon.Launch(ctx, o.config); err != nil {
		return err
	}
	client := control.Dial(o.config.RunDir)
	var before control.Progress
	if running {
		if err := client.Call(ctx, "/progress", -1, &before); err != nil {
			return err
		}
	}
	following, stop := context.WithCancel(ctx)
	shown := make(chan struct{})
	go func() { defer close(shown); follow(following, client, progress, before) }()
	defer func() { stop(); <-shown }()
	if err := client.Call(ctx, "/hosts", daemon.HostsQuestion{On: o.config.Hosts}, nil); err != nil {
		return err
	}
	make := firstCluster
	if o.manifest != nil {
		make = func(ctx context.Context, client *control.Client, o options) error {
			return fromManifest(ctx, client, o, o.manifest)
		}
	}
	if err := make(ctx, client, o); err != nil {
		return err
	}
	return client.Call(ctx, "/ready", nil, nil)
}

// follow shows the daemon's steps as they come, until ctx ends, and what is left
// to show then. Those that had ended before are an earlier up's.
func follow(ctx context.Context, client *control.Client, progress *ui.Progress, before control.Progress) {
	begun, ended, changes := 0, map[int]bool{}, -1
	for i, s := range before.Steps {
		ended[i] = s.Took > 0
	}
	show := func(p control.Progress) {
		changes = p.Changes
		for i, s := range p.Steps {
			if i >= begun && ended[i] {
				begun = i + 1
			}
			if i >= begun {
				progress.Begin(s.Name)
				begun = i + 1
			}
			if s.Took > 0 && !ended[i] {
				progress.End(s.Name, s.Took, s.Error)
				ended[i] = true
			}
		}
	}
	for {
		var p control.Progress
		if err := client.Call(ctx, "/progress", changes, &p); err != nil {
			break
		}
		show(p)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	var p control.Progress
	if client.Call(last, "/progress", -1, &p) == nil {
		show(p)
	}
}

func explain(err error, o options) error {
	if errors.Is(err, context.Canceled) {
		return hint.New("interrupted: what had been started is ended again", "eksact up starts anew; what was kept so far is in "+o.config.StateDir)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return hint.Wrap(fmt.Errorf("not ready within %s: %w", o.timeout, err), "the logs are in "+o.config.StateDir+"/logs", "eksact status shows what runs")
	}
	return err
}

func (s *summary) show(w io.Writer, hosts bool) {
	fmt.Fprintf(w, "\nReady in %.1f s. Account %s in %s, AWS API at %s\n", s.Seconds, s.Status.Account, s.Status.Region, s.Status.Endpoint)
	for _, c := range s.Status.Clusters {
		fmt.Fprintf(w, "Cluster %s, Kubernetes %s, %s\n", c.Name, c.Version, c.Endpoint)
		for _, n := range c.Nodes {
			fmt.Fprintf(w, "  node %s\n", n.Name)
		}
	}
	fmt.Fprint(w, "\nNext:\n  eval \"$(eksact env)\"     point aws, eksctl and kubectl here\n  eksact shell             a terminal in the VPC\n")
	if !hosts {
		fmt.Fprint(w, "  eksact up --hosts        let the names of clusters, load balancers and the registry resolve on this machine\n")
	}
}
