package daemon

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/images"
	"github.com/eksact/eksact/internal/supervise"
)

// serveControl answers the command line from the first moment on.
func (d *Daemon) serveControl(ctx context.Context) error {
	l, err := d.keeper.Listen(supervise.Socket{Name: "control", Network: "unix", Address: control.Socket(d.config.RunDir), Mode: 0o600})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	handle(mux, "/ping", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
	handle(mux, "/status", d.status)
	handle(mux, "/progress", func(ctx context.Context, changes int) (control.Progress, error) {
		return d.timeline.Since(ctx, changes), nil
	})
	handle(mux, "/opened", d.whenOpen)
	handle(mux, "/hosts", afterOpen(d, d.setHosts))
	handle(mux, "/credentials", afterOpen(d, d.credentials))
	handle(mux, "/root", afterOpen(d, d.rootCredentials))
	handle(mux, "/clusters", afterOpen(d, d.listClusters))
	handle(mux, "/connections", afterOpen(d, d.connections))
	handle(mux, "/ready", afterOpen(d, d.waitReady))
	handle(mux, "/shell", afterOpen(d, d.openShell))
	handle(mux, "/denial", afterOpen(d, d.explainDenial))
	handle(mux, "/netpol/wait", afterOpen(d, d.waitPolicies))
	handle(mux, "/netpol/objects", afterOpen(d, d.policyObjects))
	handle(mux, "/netpol/packets", afterOpen(d, d.tryFlows))
	handle(mux, "/logs/problem", afterOpen(d, d.queryProblem))
	handle(mux, "/images", afterOpen(d, d.listImages))
	handle(mux, "/images/remove", afterOpen(d, d.removeImage))
	mux.HandleFunc("POST /images/load", d.loadImages)
	d.serveHTTP(ctx, &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, l)
	return nil
}

func handle[I, O any](mux *http.ServeMux, path string, fn func(context.Context, I) (O, error)) {
	mux.HandleFunc("POST "+path, control.Handle(fn))
}

// afterOpen holds a call back until the front door is open.
func afterOpen[I, O any](d *Daemon, fn func(context.Context, I) (O, error)) func(context.Context, I) (O, error) {
	return func(ctx context.Context, in I) (out O, err error) {
		if _, err := d.whenOpen(ctx, struct{}{}); err != nil {
			return out, err
		}
		return fn(ctx, in)
	}
}

func (d *Daemon) whenOpen(ctx context.Context, _ struct{}) (struct{}, error) {
	select {
	case <-d.open:
		return struct{}{}, nil
	case <-d.failed:
		return struct{}{}, d.failure
	case <-ctx.Done():
		return struct{}{}, ctx.Err()
	}
}

func (d *Daemon) credentials(context.Context, struct{}) (control.Credentials, error) {
	admin, err := d.iam.Admin()
	return control.Credentials{AccessKeyID: admin.AccessKeyID, SecretAccessKey: admin.SecretAccessKey, ARN: admin.ARN}, err
}

// rootCredentials are a session's of the account's root user, whom no policy in the
// account limits: with them an account is mended whose admin can do nothing more.
func (d *Daemon) rootCredentials(context.Context, struct{}) (control.Credentials, error) {
	keys, arn, err := d.sts.RootSession()
	return control.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken, ARN: arn}, err
}

// queryProblem is what went wrong with a query of logs, which AWS's API has no place for;
// "" if nothing is known.
func (d *Daemon) queryProblem(_ context.Context, id string) (string, error) {
	return d.logs.WentWrong(id), nil
}

// ShellPlace says where a shell is to stand.
type ShellPlace struct{ Laptop bool }

// openShell makes the machine in the VPC that shells stand on. Outside of the
// VPC they stand on the host.
func (d *Daemon) openShell(ctx context.Context, p ShellPlace) (control.Attachment, error) {
	if p.Laptop {
		return control.Attachment{Name: "laptop"}, nil
	}
	subnet := d.network.Subnets[0]
	if _, there := d.ec2.Subnet(d.config.subnetID(subnet.Name)); !there {
		return control.Attachment{}, fmt.Errorf("the terminal's subnet, %s, was deleted", subnet.Name)
	}
	address, err := d.addresses.Address(ctx, subnet.Name, terminal)
	if err != nil {
		return control.Attachment{}, err
	}
	if err := d.putTerminal(ctx, address); err != nil {
		return control.Attachment{}, err
	}
	if err := d.ground.Settle(ctx); err != nil {
		return control.Attachment{}, err
	}
	ns, err := d.network.AttachHost(ctx, "cloud9", address)
	return control.Attachment{NetNS: ns, Address: address.String(), Name: "cloud9"}, err
}

// ImageInfo is an image of the daemon's registry.
type ImageInfo struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Pulled bool   `json:"pulled"` // fetched from a registry, not loaded here
}

func info(all []images.Image) []ImageInfo {
	out := []ImageInfo{}
	for _, i := range all {
		out = append(out, ImageInfo{i.Name, i.Digest.String(), i.Size, i.Pulled()})
	}
	return out
}

func (d *Daemon) listImages(context.Context, struct{}) ([]ImageInfo, error) {
	all, err := d.images.List()
	return info(all), err
}

func (d *Daemon) removeImage(_ context.Context, name string) (struct{}, error) {
	full, err := images.Normalize(name)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, d.images.Remove(full)
}

// loadImages takes an archive as the request's body.
func (d *Daemon) loadImages(w http.ResponseWriter, r *http.Request) {
	loaded, err := func() ([]images.Image, error) {
		if _, err := d.whenOpen(r.Context(), struct{}{}); err != nil {
			return nil, err
		}
		f, err := os.CreateTemp(d.config.StateDir, "image-*.tar")
		if err != nil {
			return nil, err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		if _, err := io.Copy(f, r.Body); err != nil {
			return nil, err
		}
		return d.images.Load(f.Name())
	}()
	control.Answer(w, info(loaded), err)
}

// explainDenial tells why a call was refused: the one of an authorization id or
// request id, or the last of all.
func (d *Daemon) explainDenial(_ context.Context, id string) (*iam.Explanation, error) {
	denial, ok := d.iam.Denial(id)
	switch {
	case ok:
		return denial.Explain(), nil
	case id == "":
		return nil, hint.New("no call was refused since the daemon started", "eksact trail --errors shows what failed before")
	}
	return nil, hint.New("no refusal with the id "+id+" is known: the daemon keeps the newest since it started",
		"eksact trail --id "+id+" shows the call", "make the call again, and ask for its id then")
}
