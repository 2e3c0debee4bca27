package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ecr"
)

// newRepositories makes ECR over the images that nodes pull.
func (d *Daemon) newRepositories(place api.Place) (*ecr.Service, error) {
	return ecr.New(ecr.Deps{
		Store: d.store, Place: place, IAM: d.iam, Blobs: d.images, Dir: d.config.state("ecr-uploads"), Now: time.Now, Log: slog.Default(),
	})
}

// mirror is a node's image registry: ECR's repositories as its instance's role, all else as
// nodes get it.
func (d *Daemon) mirror(id string) http.Handler {
	return d.ecr.Mirror(func(ctx context.Context) (api.Caller, error) { return d.instanceCaller(ctx, id) }, d.registry)
}

// instanceCaller is a session of an instance's role, as the metadata service gives it.
func (d *Daemon) instanceCaller(ctx context.Context, id string) (api.Caller, error) {
	i, ok := d.ec2.Instance(id)
	if !ok {
		return api.Caller{}, fmt.Errorf("there is no instance %s", id)
	}
	role, ok := d.iam.ProfileRole(i.ProfileARN)
	if !ok {
		return api.Caller{}, fmt.Errorf("instance %s has no role", id)
	}
	keys, err := d.sts.InstanceSession(&role, id, time.Hour, nil)
	if err != nil {
		return api.Caller{}, err
	}
	_, who, err := d.sts.Resolve(ctx, keys.AccessKeyID, keys.SessionToken, time.Now())
	return who, err
}
