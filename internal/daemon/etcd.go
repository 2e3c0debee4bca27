package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/kube/gc"
	"github.com/eksact/eksact/internal/node/relay"
	"github.com/eksact/eksact/internal/supervise"
)

// etcdSocket is where everyone on the machine finds etcd, ours or another.
func (c Config) etcdSocket() string { return filepath.Join(c.RunDir, "etcd.sock") }

// startEtcd makes etcd answer on its socket and returns a client of it.
func (d *Daemon) startEtcd(ctx context.Context) (*clientv3.Client, error) {
	spec, err := d.etcdSpec()
	if err != nil {
		return nil, err
	}
	if err := d.keeper.Ensure(spec); err != nil {
		return nil, err
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            []string{"unix://" + d.config.etcdSocket()},
		Logger:               zap.NewNop(), // its errors reach us as errors
		DialKeepAliveTime:    5 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})},
	})
	if err != nil {
		return nil, err
	}
	if err := awaitEtcd(ctx, client); err != nil {
		client.Close()
		return nil, hint.Wrap(err, "its log is "+d.config.state("logs/"+spec.Name+".log"))
	}
	return client, nil
}

func awaitEtcd(ctx context.Context, client *clientv3.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, 2*time.Second)
		_, err := client.Get(try, "/eksact")
		done()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("etcd does not answer: %w", err)
		}
	}
}

func (d *Daemon) etcdSpec() (supervise.Spec, error) {
	if len(d.config.EtcdEndpoints) > 0 {
		return d.relaySpec()
	}
	data := d.config.state("etcd")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return supervise.Spec{}, err
	}
	socket := "unix://" + d.config.etcdSocket()
	// A path would be listened on as an abstract socket, open to all.
	const peers = "unix://etcd.peer:0"
	return supervise.Spec{
		Name: "etcd",
		Path: d.programs.Path("etcd"),
		Argv: []string{"etcd",
			"--name=eksact", "--data-dir=" + data,
			"--listen-client-urls=" + socket, "--advertise-client-urls=" + socket,
			"--listen-peer-urls=" + peers, "--initial-advertise-peer-urls=" + peers,
			"--initial-cluster=eksact=" + peers,
			"--quota-backend-bytes=8589934592",
			"--max-txn-ops=4096", // renaming a group changes each of its members
			"--log-level=warn",
		},
		Env:       append(os.Environ(), gc.Env(gc.Default)),
		Dir:       d.config.RunDir,
		Log:       d.config.state("logs/etcd.log"),
		StopAfter: 3 * time.Second,
	}, nil
}

func (c Config) relay() relay.Options {
	return relay.Options{Endpoints: c.EtcdEndpoints, CA: c.EtcdCA, Cert: c.EtcdCert, Key: c.EtcdKey}
}

// relaySpec forwards the socket to an etcd elsewhere.
func (d *Daemon) relaySpec() (supervise.Spec, error) {
	err := d.keeper.Keep(supervise.Socket{Name: "etcd", Network: "unix", Address: d.config.etcdSocket(), Mode: 0o600})
	if err != nil {
		return supervise.Spec{}, err
	}
	if len(d.config.EtcdEndpoints) == 0 {
		return supervise.Spec{}, errors.New("no etcd endpoint is given")
	}
	return supervise.Spec{
		Name:    "etcd-relay",
		Path:    d.programs.Path("eksact-node"),
		Argv:    append([]string{"eksact-node", "relay"}, d.config.relay().Args()...),
		Env:     os.Environ(),
		Dir:     "/",
		Log:     d.config.state("logs/etcd-relay.log"),
		Sockets: []string{"etcd"},
	}, nil
}
