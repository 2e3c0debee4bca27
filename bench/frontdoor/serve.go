package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/front/wire"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/store"
)

// serve is the body of a server's process: it listens, says so, and serves until
// its standard input ends.
func serve(name, profile string) error {
	input := json.NewDecoder(os.Stdin)
	var says answer
	if err := input.Decode(&says); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	hello := greeting{Address: listener.Addr().String()}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if profile != "" {
		file, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if name == bare {
		if err := json.NewEncoder(os.Stdout).Encode(hello); err != nil {
			return err
		}
		return serveBare(ctx, listener, says)
	}
	d, err := openDoorway(ctx, name == openDoor)
	if err != nil {
		return err
	}
	defer d.close()
	hello.Key, hello.Secret = d.admin.AccessKeyID, d.admin.SecretAccessKey
	if err := json.NewEncoder(os.Stdout).Encode(hello); err != nil {
		return err
	}
	return front.Serve(ctx, listener, &tls.Config{MinVersion: tls.VersionTLS12}, d.front, nil, time.Second)
}

// serveBare is the floor.
func serveBare(ctx context.Context, listener net.Listener, says answer) error {
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the sender's trouble, not the floor's
		for key, values := range says.Header {
			w.Header()[key] = values
		}
		_, _ = w.Write(says.Body)
	})}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// doorway is the front door with IAM and STS behind it, put together as the
// daemon does, over a store in memory; its trail is on disk.
type doorway struct {
	front *front.Front
	admin iam.Admin
	trail *cloudtrail.Trail
	iam   *iam.IAM
	dir   string
}

func openDoorway(ctx context.Context, allowed bool) (*doorway, error) {
	place := api.Place{Partition: "aws", AccountID: "111122223333", Region: region}
	records := store.NewMemory()
	accounts, err := iam.New(records, place, time.Now)
	if err != nil {
		return nil, err
	}
	tokens := sts.New(records, place, accounts, time.Now)
	if err := errors.Join(accounts.Bootstrap(ctx), tokens.Open(ctx)); err != nil {
		return nil, err
	}
	codec, err := wire.New()
	if err != nil {
		return nil, err
	}
	d := &doorway{iam: accounts}
	if d.admin, err = accounts.Admin(); err != nil {
		return nil, err
	}
	if d.dir, err = os.MkdirTemp("", "frontdoor-trail-"); err != nil {
		return nil, err
	}
	if d.trail, err = cloudtrail.Open(d.dir, cloudtrail.Options{Log: slog.Default()}); err != nil {
		return nil, err
	}
	var authorizer front.Authorizer = accounts
	if allowed {
		authorizer = everyone{}
	}
	d.front, err = front.New(front.Config{
		Place: place, Codec: front.Wire(codec), Credentials: keys{tokens}, Authorizer: authorizer, Recorder: d.trail,
		Services: []*api.Service{accounts.Service(), tokens.Service()},
	})
	return d, err
}

func (d *doorway) close() {
	_ = d.trail.Close()
	d.iam.Close()
	_ = os.RemoveAll(d.dir)
}

// everyone allows everything, to show what asking costs.
type everyone struct{}

func (everyone) AuthorizeCall(context.Context, *api.Caller, string, []string, api.Keys) error {
	return nil
}

// keys shows STS's keys to the front door, as the daemon does.
type keys struct{ *sts.STS }

func (k keys) Resolve(ctx context.Context, id, token string, now time.Time) (string, api.Caller, error) {
	secret, who, err := k.STS.Resolve(ctx, id, token, now)
	if errors.Is(err, sts.ErrUnknownKey) {
		err = front.ErrUnknownKey
	}
	return secret, who, err
}
