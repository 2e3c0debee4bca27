package matcher

import (
	"testing"

	cyclonus "github.com/mattfenwick/cyclonus/pkg/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/eksact/eksact/internal/engine/netpol"
)

// TestKnownDifferences holds the differences that the random policies step around to
// what Kubernetes' own library says. When cyclonus has mended one, it can be asked too.
func TestKnownDifferences(t *testing.T) {
	for name, tc := range map[string]struct {
		selector metav1.LabelSelector
		labels   map[string]string
	}{
		"NotIn, without the label":             {metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "NotIn", Values: []string{"b"}}}}, nil},
		"an empty value, without the label":    {metav1.LabelSelector{MatchLabels: map[string]string{"a": ""}}, nil},
		"an empty value, without it among two": {metav1.LabelSelector{MatchLabels: map[string]string{"a": "", "b": "c"}}, map[string]string{"b": "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			kubernetes, err := metav1.LabelSelectorAsSelector(&tc.selector)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := netpol.NewSelector(&tc.selector)
			if err != nil {
				t.Fatal(err)
			}
			right := kubernetes.Matches(labels.Set(tc.labels))
			if ours.Matches(tc.labels) != right {
				t.Errorf("ours says %v", !right)
			}
			if cyclonus.IsLabelsMatchLabelSelector(tc.labels, tc.selector) == right {
				t.Error("cyclonus is right by now: let TestMatcher ask this")
			}
		})
	}
}
