package clusterpolicy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/engine/netpol"
)

// TestCRD: our definition of ClusterNetworkPolicy says what upstream's says, but for
// what is named here.
func TestCRD(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/network-policy-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "config/crd/standard/policy.networking.k8s.io_clusternetworkpolicies.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	differ(schemas(t, theirs), schemas(t, netpol.CRDs()[0]), "", &found)
	for i, d := range found {
		_, found[i], _ = strings.Cut(d, " ") // both versions differ alike
	}
	slices.Sort(found)
	found = slices.Compact(found)
	known := []string{
		"destinationNamedPort: ours alone",     // of the experimental channel
		"nodes: ours alone",                    // too
		"enum: ours alone",                     // selectors' operators
		"maxItems: ours alone",                 // of matchExpressions, for the rule below
		"required: theirs is other",            // metadata is always there; a status without conditions
		"required: theirs alone",               //
		"pattern: theirs alone",                // of conditions, which eksact alone writes
		"x-kubernetes-validations: ours alone", // values of selectors; named ports of networks
	}
	slices.Sort(known)
	if !slices.Equal(found, known) {
		t.Errorf("they differ in %q", found)
	}
}

// schemas are the definition's, by version.
func schemas(t *testing.T, crd []byte) map[string]any {
	t.Helper()
	var c struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema map[string]any
			}
		}
	}
	if err := yaml.Unmarshal(crd, &c); err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for _, v := range c.Spec.Versions {
		out[v.Name] = v.Schema
	}
	return out
}

// differ collects the paths at which two schemas differ: PATH KEY: HOW.
func differ(theirs, ours map[string]any, path string, found *[]string) {
	for key, a := range theirs {
		b, has := ours[key]
		inA, isMap := a.(map[string]any)
		inB, isMapToo := b.(map[string]any)
		switch {
		case key == "description":
		case !has:
			*found = append(*found, fmt.Sprintf("%s %s: theirs alone", path, key))
		case isMap && isMapToo:
			differ(inA, inB, path+"/"+key, found)
		case !reflect.DeepEqual(a, b) && !(key == "required" && same(a, b)):
			*found = append(*found, fmt.Sprintf("%s %s: theirs is other", path, key))
		}
	}
	for key := range ours {
		if _, has := theirs[key]; !has && key != "description" {
			*found = append(*found, fmt.Sprintf("%s %s: ours alone", path, key))
		}
	}
}

// same compares lists in which order is of no concern.
func same(a, b any) bool {
	words := func(v any) (out []string) {
		for _, w := range v.([]any) {
			out = append(out, fmt.Sprint(w))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(words(a), words(b))
}
