package release

import (
	"testing"

	"k8s.io/component-base/version"
)

func TestSet(t *testing.T) {
	before := gitVersion
	beforeMajor, beforeMinor := gitMajor, gitMinor
	defer func() {
		gitVersion, gitMajor, gitMinor = before, beforeMajor, beforeMinor
		if before != "v0.0.0-master+$Format:%H$" {
			_ = version.SetDynamicVersion(before)
		}
	}()
	if err := set("v1.36.4-eks-1a2b3c4"); err != nil {
		t.Fatal(err)
	}
	got := version.Get()
	if got.GitVersion != "v1.36.4-eks-1a2b3c4" || got.Major != "1" || got.Minor != "36" {
		t.Errorf("version.Get() = %+v", got)
	}
	for _, bad := range []string{"1.36.4", "v1.36", "v2.36.4", "v1.36.4 ", "v1.x.4", "latest", "v1.36.4-"} {
		if err := set(bad); err == nil {
			t.Errorf("set(%q) succeeded", bad)
		}
	}
	if got := version.Get().GitVersion; got != "v1.36.4-eks-1a2b3c4" {
		t.Errorf("a refused version changed the reported one to %s", got)
	}
}
