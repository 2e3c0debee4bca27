package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/eksact/eksact/internal/images"
)

// The system images, named as EKS names them in us-west-2: the account is the
// one that publishes EKS's add-ons there.
const (
	systemRegistry = "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/"
	// Pause is the image of every pod's sandbox.
	Pause = systemRegistry + "pause:3.10"
	// CoreDNS is the image of the cluster's DNS.
	CoreDNS = systemRegistry + "coredns:v1.15.0-eksbuild.1"
	// MetricsServer is the image of the add-on of its name.
	MetricsServer = systemRegistry + "metrics-server:v0.9.0-eksbuild.1"
)

// System makes the system images from the programs in dir (pause, coredns, metrics-server)
// for architecture arch ("amd64", "arm64").
func System(dir, arch string) ([]images.Named, error) {
	pause, err := single(filepath.Join(dir, "pause"), "/pause", arch, v1.Config{
		Entrypoint: []string{"/pause"},
		User:       "65535:65535",
		Env:        []string{"PATH=/"},
	})
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", Pause, err)
	}
	// CoreDNS binds port 53 with the one capability its Deployment leaves to
	// root, NET_BIND_SERVICE; as another user it would have none.
	dns, err := single(filepath.Join(dir, "coredns"), "/coredns", arch, v1.Config{
		Entrypoint:   []string{"/coredns"},
		Env:          []string{"PATH=/"},
		ExposedPorts: map[string]struct{}{"53/udp": {}, "53/tcp": {}},
	})
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", CoreDNS, err)
	}
	metrics, err := single(filepath.Join(dir, "metrics-server"), "/metrics-server", arch, v1.Config{
		Entrypoint: []string{"/metrics-server"},
		User:       "65534",
		Env:        []string{"PATH=/"},
	})
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", MetricsServer, err)
	}
	return []images.Named{{Name: CoreDNS, Image: dns}, {Name: MetricsServer, Image: metrics}, {Name: Pause, Image: pause}}, nil
}

// single makes an image of one program.
func single(program, as, arch string, config v1.Config) (v1.Image, error) {
	f := Files{}
	if err := f.Local(as, 0o755, program); err != nil {
		return nil, err
	}
	f.Dir("tmp", 0o1777)
	f.Dir("etc", 0o755)
	return newImage(f, arch, config)
}

// newImage makes an image of one layer. Its creation time is the epoch: the
// same files give the same digest, whenever they are built.
func newImage(f Files, arch string, config v1.Config) (v1.Image, error) {
	l, err := newLayer(f)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(base, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: "eksact image build", Created: v1.Time{Time: time.Unix(0, 0).UTC()}}})
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", arch, config
	file.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	return mutate.ConfigFile(img, file)
}

type hasher struct{ hash.Hash }

func newHasher() hasher { return hasher{sha256.New()} }

func (h hasher) hash() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}
