package ecr_test

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
	ours "github.com/eksact/eksact/internal/aws/ecr"
	"github.com/eksact/eksact/internal/images"
)

const host = doortest.Number + ".dkr.ecr.us-west-2.amazonaws.com"

// account is ECR behind a real front door, with its registry on loopback.
type account struct {
	*doortest.Door
	*ecr.Client
	service  *ours.Service
	registry *httptest.Server
	blobs    *images.Store
	now      time.Time
}

func open(t *testing.T) *account {
	t.Helper()
	at := doortest.New(t)
	blobs, err := images.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := &account{blobs: blobs, now: time.Now()}
	a.service, err = ours.New(ours.Deps{
		Store: at.Store, Place: doortest.Place, IAM: at.IAM, Blobs: blobs, Dir: t.TempDir(), Now: func() time.Time { return a.now }, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Door = at.Open(t, a.service.Service())
	a.service.UseDoor(a.Handler)
	a.Client = ecr.NewFromConfig(a.Admin)
	a.registry = httptest.NewServer(a.service.Registry(a.Handler))
	t.Cleanup(a.registry.Close)
	return a
}

// RoundTrip leads the registry's name to where the test has it.
func (a *account) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == host {
		u, err := url.Parse(a.registry.URL)
		if err != nil {
			return nil, err
		}
		there := r.Clone(r.Context())
		there.Host, there.URL.Host, there.URL.Scheme = host, u.Host, "http"
		resp, err := http.DefaultTransport.RoundTrip(there)
		if err == nil {
			resp.Request = r
		}
		return resp, err
	}
	return http.DefaultTransport.RoundTrip(r)
}

// login is what docker login keeps of a caller's token.
func (a *account) login(t *testing.T, who aws.Config) []remote.Option {
	t.Helper()
	out, err := ecr.NewFromConfig(who).GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil || *out.AuthorizationData[0].ProxyEndpoint != "https://"+host {
		t.Fatalf("%+v, %v", out, err)
	}
	user, password, _ := strings.Cut(string(raw), ":")
	return []remote.Option{remote.WithAuth(&authn.Basic{Username: user, Password: password}), remote.WithTransport(a), remote.WithContext(t.Context())}
}

func (a *account) repository(t *testing.T, repository string, change ...func(*ecr.CreateRepositoryInput)) {
	t.Helper()
	in := &ecr.CreateRepositoryInput{RepositoryName: &repository}
	for _, c := range change {
		c(in)
	}
	doortest.Must(t)(a.CreateRepository(t.Context(), in))
}

func ref(t *testing.T, text string) name.Reference {
	t.Helper()
	r, err := name.ParseReference(host + "/" + text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func picture(t *testing.T, layers int64) v1.Image {
	t.Helper()
	i, err := random.Image(300<<10, layers)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func digest(t *testing.T, i interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := i.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

func TestPushAndPull(t *testing.T) {
	a := open(t)
	a.repository(t, "team/app")
	admin := a.login(t, a.Admin)
	image := picture(t, 3)
	if err := remote.Write(ref(t, "team/app:v1"), image, admin...); err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref(t, "team/app:v1"), image, admin...); err != nil {
		t.Errorf("once more: %v", err)
	}
	got, err := remote.Image(ref(t, "team/app:v1"), admin...)
	if err != nil || digest(t, got) != digest(t, image) {
		t.Fatalf("%v, %v", got, err)
	}
	layers, err := got.Layers()
	if err != nil || len(layers) != 3 {
		t.Fatalf("%v, %v", layers, err)
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err == nil {
			_, err = io.Copy(io.Discard, r) // which checks the digest
		}
		if err != nil {
			t.Error(err)
		}
	}
	described, err := a.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("team/app")})
	if err != nil || len(described.ImageDetails) != 1 || !slices.Equal(described.ImageDetails[0].ImageTags, []string{"v1"}) || *described.ImageDetails[0].ImageSizeInBytes < 900<<10 {
		t.Errorf("%+v, %v", described, err)
	}
	list, err := remote.List(ref(t, "team/app:v1").Context(), admin...)
	if err != nil || !slices.Equal(list, []string{"v1"}) {
		t.Errorf("%v, %v", list, err)
	}
	link, err := a.GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("team/app"), LayerDigest: aws.String(digest(t, layers[0]))})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: a}).Get(*link.DownloadUrl)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", resp, err)
	}
	resp.Body.Close()
	index, err := random.Index(1000, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref(t, "team/app:all"), index, admin...); err != nil {
		t.Fatal(err)
	}
	deleted, err := a.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String("team/app"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("all")}, {ImageTag: aws.String("none")}}})
	if err != nil || len(deleted.ImageIds) != 1 || len(deleted.Failures) != 1 || deleted.Failures[0].FailureCode != types.ImageFailureCodeImageNotFound {
		t.Errorf("%+v, %v", deleted, err)
	}
	_, err = a.DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String("team/app")})
	doortest.Refused(t, err, "RepositoryNotEmptyException", "cannot be deleted because it still contains images")
	doortest.Must(t)(a.DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String("team/app"), Force: true}))
	left, err := a.blobs.List()
	if err != nil || len(left) != 0 {
		t.Errorf("images are left: %+v, %v", left, err)
	}
}

// TestPoliciesDecide about each step of a push and a pull, the repository's among them.
func TestPoliciesDecide(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.repository(t, "app")
	a.repository(t, "secret")
	image := picture(t, 1)
	if err := remote.Write(ref(t, "secret:v1"), image, a.login(t, a.Admin)...); err != nil {
		t.Fatal(err)
	}
	const token = `{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}`
	reader := a.login(t, a.User(t, "reader", `{"Version":"2012-10-17","Statement":[`+token+`,{"Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:BatchCheckLayerAvailability"],"Resource":"arn:aws:ecr:us-west-2:111122223333:repository/app"}]}`))
	writer := a.login(t, a.User(t, "writer", `{"Version":"2012-10-17","Statement":[`+token+`,{"Effect":"Allow","Action":"ecr:*","Resource":"arn:aws:ecr:us-west-2:111122223333:repository/app"}]}`))
	refused := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	refused(remote.Write(ref(t, "app:v1"), image, reader...), "user/reader is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:us-west-2:111122223333:repository/app because no identity-based policy allows the ecr:InitiateLayerUpload action")
	if err := remote.Write(ref(t, "app:v1"), image, writer...); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Image(ref(t, "app:v1"), reader...); err != nil {
		t.Error(err)
	}
	_, err := remote.Image(ref(t, "secret:v1"), reader...)
	refused(err, "not authorized to perform: ecr:BatchGetImage")
	set := func(document string) error {
		_, err := a.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("secret"), PolicyText: &document})
		return err
	}
	if err := set(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/reader"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}`); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Image(ref(t, "secret:v1"), reader...); err != nil {
		t.Errorf("the repository's policy allows it: %v", err)
	}
	shown, err := a.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: aws.String("secret")})
	if err != nil || !strings.Contains(*shown.PolicyText, "user/reader") {
		t.Errorf("%+v, %v", shown, err)
	}
	doortest.Refused(t, set(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage","Resource":"*"}]}`), "InvalidParameterException", "Invalid repository policy provided")
	doortest.Refused(t, set(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}]}`), "InvalidParameterException", "Invalid repository policy provided")
	doortest.Must(t)(a.DeleteRepositoryPolicy(ctx, &ecr.DeleteRepositoryPolicyInput{RepositoryName: aws.String("secret")}))
	_, err = a.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: aws.String("secret")})
	doortest.Refused(t, err, "RepositoryPolicyNotFoundException", "Repository policy does not exist for the repository with name 'secret' in the registry with id '111122223333'")

	bad := []remote.Option{remote.WithAuth(&authn.Basic{Username: "AWS", Password: "x"}), remote.WithTransport(a)}
	_, err = remote.Image(ref(t, "app:v1"), bad...)
	refused(err, "UNAUTHORIZED: Not Authorized")
	a.now = a.now.Add(13 * time.Hour)
	_, err = remote.Image(ref(t, "app:v1"), writer...)
	refused(err, "UNAUTHORIZED: Not Authorized")
}

// TestALayerIsItsRepositorys: knowing a digest gives nobody the bytes that another
// repository has.
func TestALayerIsItsRepositorys(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.repository(t, "secret")
	a.repository(t, "mine")
	image := picture(t, 1)
	admin := a.login(t, a.Admin)
	if err := remote.Write(ref(t, "secret:v1"), image, admin...); err != nil {
		t.Fatal(err)
	}
	raw, err := image.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.PutImage(ctx, &ecr.PutImageInput{RepositoryName: aws.String("mine"), ImageManifest: aws.String(string(raw)), ImageTag: aws.String("stolen")})
	doortest.Refused(t, err, "LayersNotFoundException", "do not exist")
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("mine"), LayerDigest: aws.String(digest(t, layers[0]))})
	doortest.Refused(t, err, "LayersNotFoundException", "does not exist")
}

func TestTagsMoveUnlessImmutable(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.repository(t, "app")
	admin := a.login(t, a.Admin)
	one, two := picture(t, 1), picture(t, 1)
	for _, i := range []v1.Image{one, two} {
		if err := remote.Write(ref(t, "app:latest"), i, admin...); err != nil {
			t.Fatal(err)
		}
	}
	untagged, err := a.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: aws.String("app"), Filter: &types.ListImagesFilter{TagStatus: types.TagStatusUntagged}})
	if err != nil || len(untagged.ImageIds) != 1 || *untagged.ImageIds[0].ImageDigest != digest(t, one) {
		t.Errorf("%+v, %v", untagged, err)
	}
	doortest.Must(t)(a.PutImageTagMutability(ctx, &ecr.PutImageTagMutabilityInput{RepositoryName: aws.String("app"), ImageTagMutability: types.ImageTagMutabilityImmutable}))
	if err := remote.Write(ref(t, "app:latest"), one, admin...); err == nil || !strings.Contains(err.Error(), "The image tag 'latest' already exists in the 'app' repository and cannot be overwritten because the tag is immutable.") {
		t.Errorf("%v", err)
	}
	doortest.Must(t)(a.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("app"), LifecyclePolicyText: aws.String(
		`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}`)}))
	if err := a.service.Expire(ctx); err != nil {
		t.Fatal(err)
	}
	if got := a.digests(t, "app"); len(got) != 2 {
		t.Errorf("%v", got)
	}
	a.now = a.now.Add(25 * time.Hour)
	if err := a.service.Expire(ctx); err != nil {
		t.Fatal(err)
	}
	if got := a.digests(t, "app"); !slices.Equal(got, []string{digest(t, two)}) {
		t.Errorf("%v", got)
	}
}

func (a *account) digests(t *testing.T, repository string) (all []string) {
	t.Helper()
	out, err := a.DescribeImages(context.Background(), &ecr.DescribeImagesInput{RepositoryName: &repository})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range out.ImageDetails {
		all = append(all, *i.ImageDigest)
	}
	return all
}

// TestMirror: a node pulls as its role, and where that may not, as the pod's own
// credentials let.
func TestMirror(t *testing.T) {
	a := open(t)
	a.repository(t, "app")
	admin := a.login(t, a.Admin)
	image := mutate.MediaType(picture(t, 1), "application/vnd.oci.image.manifest.v1+json")
	if err := remote.Write(ref(t, "app:v1"), image, admin...); err != nil {
		t.Fatal(err)
	}
	node := api.Caller{Type: api.Anonymous}
	elsewhere := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mirror := a.service.Mirror(func(context.Context) (api.Caller, error) { return node, nil }, elsewhere)
	get := func(path, ns string, login bool) int {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, path+"?ns="+ns, nil)
		if login {
			out, err := a.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Basic "+*out.AuthorizationData[0].AuthorizationToken)
		}
		w := httptest.NewRecorder()
		mirror.ServeHTTP(w, r)
		if w.Code == http.StatusUnauthorized && w.Header().Get("Www-Authenticate") == "" {
			t.Error("it does not say how")
		}
		return w.Code
	}
	for _, c := range []struct {
		path, ns string
		login    bool
		want     int
	}{
		{"/v2/app/manifests/v1", "docker.io", false, http.StatusTeapot},
		{"/v2/other/manifests/v1", host, false, http.StatusTeapot},
		{"/v2/app/manifests/v1", host, false, http.StatusUnauthorized},
		{"/v2/app/manifests/v1", host, true, http.StatusOK},
	} {
		if got := get(c.path, c.ns, c.login); got != c.want {
			t.Errorf("%s of %s: %d, want %d", c.path, c.ns, got, c.want)
		}
	}
	root := "arn:aws:iam::" + doortest.Number + ":root"
	node = api.Caller{Type: api.Account, Partition: "aws", AccountID: doortest.Number, ARN: root, PrincipalARN: root, PrincipalID: doortest.Number, UserID: doortest.Number}
	if got := get("/v2/app/manifests/v1", host, false); got != http.StatusOK {
		t.Errorf("as the node: %d", got)
	}
}

func TestWhatIsRefused(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.repository(t, "app", func(in *ecr.CreateRepositoryInput) {
		in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
	})
	create := func(change func(*ecr.CreateRepositoryInput)) error {
		in := &ecr.CreateRepositoryInput{RepositoryName: aws.String("new")}
		change(in)
		_, err := a.CreateRepository(ctx, in)
		return err
	}
	doortest.Refused(t, create(func(in *ecr.CreateRepositoryInput) { in.RepositoryName = aws.String("app") }), "RepositoryAlreadyExistsException", "The repository with name 'app' already exists in the registry with id '111122223333'")
	doortest.Refused(t, create(func(in *ecr.CreateRepositoryInput) { in.RepositoryName = aws.String("A b") }), "InvalidParameterException", "repositoryName")
	doortest.Refused(t, create(func(in *ecr.CreateRepositoryInput) {
		in.ImageScanningConfiguration = &types.ImageScanningConfiguration{ScanOnPush: true}
	}), "InvalidParameterException", "scanning images is not supported here")
	doortest.Refused(t, create(func(in *ecr.CreateRepositoryInput) {
		in.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms}
	}), "InvalidParameterException", "encryption is not supported here")
	_, err := a.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"none"}})
	doortest.Refused(t, err, "RepositoryNotFoundException", "The repository with name 'none' does not exist in the registry with id '111122223333'")
	_, err = a.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("x")}}})
	doortest.Refused(t, err, "ImageNotFoundException", "The image with imageId {imageDigest:'null', imageTag:'x'} does not exist within the repository with name 'app' in the registry with id '111122223333'")
	_, err = a.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("app"), LifecyclePolicyText: aws.String(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`)})
	doortest.Refused(t, err, "InvalidParameterException", "Lifecycle policy validation failure")
	up, err := a.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: aws.String("app")})
	if err != nil {
		t.Fatal(err)
	}
	part := func(first, last int64) error {
		_, err := a.UploadLayerPart(ctx, &ecr.UploadLayerPartInput{RepositoryName: aws.String("app"), UploadId: up.UploadId, PartFirstByte: &first, PartLastByte: &last, LayerPartBlob: []byte("abc")})
		return err
	}
	doortest.Refused(t, part(1, 3), "InvalidLayerPartException", "not the next one")
	if err := part(0, 2); err != nil {
		t.Fatal(err)
	}
	_, err = a.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{RepositoryName: aws.String("app"), UploadId: up.UploadId, LayerDigests: []string{"sha256:" + strings.Repeat("0", 64)}})
	doortest.Refused(t, err, "InvalidLayerException", "Layer digest does not match")
	tags, err := a.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:ecr:us-west-2:111122223333:repository/app")})
	if err != nil || len(tags.Tags) != 1 {
		t.Errorf("%+v, %v", tags, err)
	}
	resp, err := http.Get(a.registry.URL + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
