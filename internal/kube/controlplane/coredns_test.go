package controlplane

import "testing"

func TestRemove(t *testing.T) {
	object := func() map[string]any {
		return map[string]any{"spec": map[string]any{"replicas": int64(2), "template": map[string]any{"containers": []any{
			map[string]any{"name": "a", "image": "a:1"}, map[string]any{"name": "b", "image": "b:1"}}}}}
	}
	for path, removed := range map[string]bool{
		".spec.replicas": true,
		`.spec.template.containers[name="b"].image`: true,
		`.spec.template.containers[name="c"].image`: false,
		".spec.none":                          false,
		".spec.replicas.deeper":               false,
		`.spec["a"]`:                          false,
		"":                                    false,
		`.spec.template.containers[name="b"]`: false,
	} {
		if got := remove(object(), path); got != removed {
			t.Errorf("%s: %t", path, got)
		}
	}
	o := object()
	remove(o, `.spec.template.containers[name="b"].image`)
	b := o["spec"].(map[string]any)["template"].(map[string]any)["containers"].([]any)[1].(map[string]any)
	if _, there := b["image"]; there || b["name"] != "b" {
		t.Errorf("left %v", b)
	}
}
