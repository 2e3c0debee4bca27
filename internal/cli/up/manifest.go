package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	eksservice "github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/clusterconfig"
	"github.com/eksact/eksact/internal/hint"
)

// manifest is an eksctl ClusterConfig in a file.
type manifest struct {
	*clusterconfig.Config
	file  string
	data  []byte
	judge eksservice.Precheck

	before   *manifest         // what was made of a file before; nil: not all of one was
	have     map[string]string // what is there, by the keys of settings
	warnings []string          // differences that stay
}

// readManifest reads an eksctl ClusterConfig, and sets what the account and its network
// are made with. Ranges that the flags say count more.
func readManifest(path string, c *daemon.Config, r *ranges) (*manifest, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parsed, err := clusterconfig.Parse(data)
	if err == nil {
		err = checkValues(parsed, *c)
	}
	if err != nil {
		return nil, hint.New(inFile(path, err), "eksctl's schema is at https://eksctl.io/usage/schema/; what eksact makes of it is in docs/LIMITS.md")
	}
	m := &manifest{Config: parsed, file: path, data: data, judge: c.Precheck()}
	if m.Region != "" && c.Kept() && m.Region != c.Region {
		return nil, elsewhere(m.where("metadata.region")+": metadata.region: the account was made in "+c.Region+", and can't be moved to "+m.Region, *c)
	}
	c.Cluster, c.Nodes = m.Name, 0
	if m.Region != "" {
		c.Region = m.Region
	}
	if m.VPC.IsValid() && r.vpc == "" {
		r.vpc = m.VPC.String()
	}
	return m, nil
}

// inFile is what is wrong with a file, each line with the file's name.
func inFile(path string, err error) string {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		lines = append(lines, path+":"+line)
	}
	return strings.Join(lines, "\n")
}

// where is a field's place, as "file:line:column".
func (m *manifest) where(path string) string { return m.file + ":" + m.At(path) }

// located is an error about a part of the file: an API's by its code and message.
func (m *manifest) located(path string, err error) error {
	if err == nil {
		return nil
	}
	return &locatedError{m.where(path) + ": " + path, err}
}

type locatedError struct {
	place string
	err   error
}

func (e *locatedError) Error() string { return e.place + ": " + brief(e.err) }
func (e *locatedError) Unwrap() error { return e.err }

// brief is an API's error as its code and message, without what the SDK adds.
func brief(err error) string {
	var e interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if errors.As(err, &e) {
		return e.ErrorCode() + ": " + e.ErrorMessage()
	}
	return err.Error()
}

// errFile says that the account is up, and that what the file says could not all be made.
// The daemon goes on: the account's calls are how it is mended.
var errFile = errors.New("the account is up, but not all that the file says")

// fileError is errFile with the reason.
type fileError struct{ reason error }

func (e *fileError) Error() string   { return errFile.Error() + ":\n" + e.reason.Error() }
func (e *fileError) Unwrap() []error { return []error{errFile, e.reason} }

// fromManifest makes what a file asks for and isn't there. What is there stays as it is,
// and what of it is other than the file says is told.
func fromManifest(ctx context.Context, client *control.Client, o options, m *manifest) error {
	if err := m.make(ctx, client, o); err != nil {
		return m.stays(err)
	}
	return m.remember(ctx, client, o)
}

// stays makes an API's error one that leaves the account up.
func (m *manifest) stays(err error) error {
	switch {
	case errors.Is(err, errAdmin) || errors.Is(err, errFile):
		return err
	case isAPI(err):
		if located := (*locatedError)(nil); !errors.As(err, &located) {
			err = m.located("metadata.name", err)
		}
		return hint.Wrap(&fileError{err}, "when what it lacks is mended, eksact up -f "+m.file+" goes on")
	}
	return err
}

// isAPI says whether an API answered with the error, AWS's or Kubernetes'.
func isAPI(err error) bool {
	var e interface{ ErrorCode() string }
	var status apierrors.APIStatus
	return errors.As(err, &e) || errors.As(err, &status)
}

func (m *manifest) make(ctx context.Context, client *control.Client, o options) error {
	var clusters []control.Cluster
	if err := client.Call(ctx, "/clusters", nil, &clusters); err != nil {
		return err
	}
	existed := slices.ContainsFunc(clusters, func(c control.Cluster) bool { return c.Name == m.Name })
	if existed {
		if _, err := awaitActive(ctx, client, m.Name); err != nil {
			return err
		}
	}
	err := asAdmin(ctx, client, o, func(a account) error {
		if existed {
			if err := a.compare(ctx, m, o.config); err != nil {
				return err
			}
		}
		if err := a.requires(ctx, m); err != nil || existed {
			return err
		}
		return a.clusterOf(ctx, m)
	})
	if err != nil {
		return err
	}
	if _, err := awaitActive(ctx, client, m.Name); err != nil {
		return err
	}
	err = asAdmin(ctx, client, o, func(a account) error {
		for _, step := range []func(context.Context, *manifest) error{a.addonsOf, a.nodegroupsOf, a.rolesOf, a.entriesOf} {
			if err := step(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := serviceAccounts(ctx, client, o.config, m); err != nil {
		return err
	}
	nodes := 0
	for _, n := range m.Nodegroups {
		_, _, desired := sizesOf(n)
		nodes += int(desired)
	}
	return awaitNodes(ctx, client, m.Name, nodes)
}

// isThere says whether a thing was there before, by the beginning of its settings' keys.
func (m *manifest) isThere(thing string) bool {
	for key := range m.have {
		if strings.HasPrefix(key, thing+"/") {
			return true
		}
	}
	return false
}

// elsewhere refuses another place for an account that was made.
func elsewhere(what string, kept daemon.Config) error {
	return hint.New(what, "eksact up without it starts the account "+kept.Account+" in "+kept.Region,
		"eksact down --purge removes that with everything in it, for a fresh start")
}

// samePlace refuses flags that say another account or region than the one that was made.
func samePlace(kept, want daemon.Config) error {
	switch {
	case !kept.Kept():
		return nil
	case want.Account != kept.Account:
		return elsewhere(fmt.Sprintf("--account: the account was made as %s, and can't become %s", kept.Account, want.Account), kept)
	case want.Region != kept.Region:
		return elsewhere(fmt.Sprintf("--region: the account was made in %s, and can't be moved to %s", kept.Region, want.Region), kept)
	}
	return nil
}
