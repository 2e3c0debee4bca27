package podidentity

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// change applies a mutation to a pod in YAML as the API server does.
func change(t *testing.T, text []byte, patch []Operation) []byte {
	t.Helper()
	document, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	operations, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		t.Fatal(err)
	}
	if len(patch) > 0 {
		if document, err = decoded.Apply(document); err != nil {
			t.Fatalf("%v: %s", err, operations)
		}
	}
	out, err := yaml.JSONToYAML(document)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, text []byte) *Pod {
	t.Helper()
	if err := yaml.UnmarshalStrict(text, new(corev1.Pod)); err != nil {
		t.Fatal(err)
	}
	pod := new(Pod)
	if err := yaml.Unmarshal(text, pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// of is a pod of containers with those names.
func of(containers ...string) *Pod {
	pod := new(Pod)
	for _, name := range containers {
		pod.Spec.Containers = append(pod.Spec.Containers, Container{Name: name})
	}
	return pod
}

// Each case is a pod, testdata/NAME.yaml, and what it becomes, NAME.golden.yaml; what
// its service account says is in the table.
func TestMutate(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/aws-s3-read"
	annotated := func(more ...string) map[string]string {
		all := map[string]string{"eks.amazonaws.com/role-arn": role}
		for i := 0; i < len(more); i += 2 {
			all["eks.amazonaws.com/"+more[i]] = more[i+1]
		}
		return all
	}
	with := Settings{Region: "us-west-2"}
	trusting := Settings{Region: "us-west-2", CA: true}
	for _, c := range []struct {
		name, pod  string
		account    map[string]string
		associated bool
		settings   Settings
	}{
		{"irsa", "plain", annotated(), false, with},
		{"irsa-trusting", "plain", annotated(), false, trusting},
		{"irsa-annotations", "plain", annotated("audience", "https://example.com", "sts-regional-endpoints", "false", "token-expiration", "3600"), false, with},
		{"irsa-short", "plain", annotated("token-expiration", "60"), false, with},
		{"irsa-unreadable", "plain", annotated("token-expiration", "soon", "sts-regional-endpoints", "perhaps"), false, with},
		{"irsa-containers", "containers", annotated("token-expiration", "7200"), false, trusting},
		{"irsa-own", "own", annotated(), false, trusting},
		{"irsa-windows", "windows", annotated(), false, with},
		{"pod-identity", "plain", nil, true, with},
		{"pod-identity-wins", "plain", annotated("token-expiration", "1200", "sts-regional-endpoints", "false"), true, with},
		{"pod-identity-containers", "containers", nil, true, trusting},
		{"pod-identity-own", "own", nil, true, with},
		{"none", "plain", nil, false, trusting},
		{"none-role", "plain", map[string]string{"eks.amazonaws.com/audience": "x"}, false, trusting},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", c.pod+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			patch := Mutate(read(t, text), ReadAccount(c.account), c.associated, 0.5, c.settings)
			got := change(t, text, patch)
			golden := filepath.Join("testdata", c.name+".golden.yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(got) != string(want) {
				t.Errorf("%v\n%s", err, got)
			}
			// Asked again, as by reinvocation, it changes nothing more.
			if again := Mutate(read(t, got), ReadAccount(c.account), c.associated, 0.5, c.settings); len(again) != 0 {
				t.Errorf("once more: %v", again)
			}
			if strings.HasPrefix(c.name, "none") && len(patch) != 0 {
				t.Errorf("changed without an identity: %v", patch)
			}
		})
	}
}

// The default life of Pod Identity's tokens is spread over two hours, one that was
// asked for is kept.
func TestTheLifeOfPodIdentityTokens(t *testing.T) {
	life := func(a Account, jitter float64) int64 {
		patch := Mutate(of("a"), a, true, jitter, Settings{})
		volumes := patch[len(patch)-1].Value.([]corev1.Volume)
		return *volumes[0].Projected.Sources[0].ServiceAccountToken.ExpirationSeconds
	}
	for _, c := range []struct {
		expiration int64
		jitter     float64
		want       int64
	}{{86400, 0, 86400}, {86400, 0.999999, 79200}, {86400, 0.5, 82800}, {3600, 0.5, 3600}} {
		if got := life(Account{Expiration: c.expiration}, c.jitter); got != c.want {
			t.Errorf("%d with jitter %v: %d, want %d", c.expiration, c.jitter, got, c.want)
		}
	}
}

func BenchmarkMutate(b *testing.B) {
	pod := of("a", "b")
	a := Account{RoleARN: "arn:aws:iam::111122223333:role/r", Audience: "sts.amazonaws.com", RegionalSTS: true, Expiration: 86400}
	for b.Loop() {
		if len(Mutate(pod, a, false, 0, Settings{Region: "us-west-2", CA: true})) == 0 {
			b.Fatal("nothing changed")
		}
	}
}
