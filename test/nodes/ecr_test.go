package nodes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/eksact/eksact/test/lab"
)

// pushed is the name of an image that is pushed to ECR as docker push does it: BusyBox with a
// file, so that it is one that no node has.
func pushed(t *testing.T, l *lab.Lab, config aws.Config) string {
	t.Helper()
	ctx, repositories, env := t.Context(), ecr.NewFromConfig(config), l.Env(t)
	made, err := repositories.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("team/app")})
	must(t, err)
	login, err := repositories.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	must(t, err)
	raw, err := base64.StdEncoding.DecodeString(*login.AuthorizationData[0].AuthorizationToken)
	must(t, err)
	user, password, _ := strings.Cut(string(raw), ":")
	roots := x509.NewCertPool()
	authorities, err := os.ReadFile(env["AWS_CA_BUNDLE"])
	must(t, err)
	roots.AppendCertsFromPEM(authorities)
	endpoint, err := url.Parse(env["AWS_ENDPOINT_URL"])
	must(t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, endpoint.Host) // ECR's name is known in the VPC
	}}
	file, err := crane.Layer(map[string][]byte{"pushed": []byte("by docker push\n")})
	must(t, err)
	image, err := mutate.AppendLayers(busybox(t, l), file)
	must(t, err)
	ref, err := name.NewTag(*made.Repository.RepositoryUri + ":v1")
	must(t, err)
	must(t, remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: user, Password: password}), remote.WithTransport(transport), remote.WithContext(ctx)))
	return ref.Name()
}

// busybox is the lab's image, out of the archive that it was built as.
func busybox(t *testing.T, l *lab.Lab) v1.Image {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `for f in "$0"/cache/images/*.tar; do tar -xOf "$f" index.json | grep -q library/busybox:latest && exec tar -xf "$f" -C "$1"; done; exit 1`, l.State, dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("no archive of busybox: %v\n%s", err, out)
	}
	index, err := layout.ImageIndexFromPath(dir)
	must(t, err)
	manifest, err := index.IndexManifest()
	must(t, err)
	image, err := index.Image(manifest.Manifests[0].Digest)
	must(t, err)
	return image
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
