package kubectl

import (
	"strings"
	"testing"
)

func TestWhichClusterIsAsked(t *testing.T) {
	for line, want := range map[string]struct {
		target
		needed bool
	}{
		"get nodes":                                  {needed: true},
		"-n kube-system get pods -o wide":            {needed: true},
		"get pods --context second":                  {target{context: "second"}, true},
		"--context=second logs -f web":               {target{context: "second"}, true},
		"exec web -- sh --context third -h":          {needed: true},
		"get pods --cluster arn:b":                   {target{cluster: "arn:b"}, true},
		"version":                                    {needed: true},
		"apply -f x.yaml --dry-run=server":           {needed: true},
		"apply -f x.yaml --prune -l app=web":         {needed: true},
		"":                                           {},
		"--help":                                     {},
		"get --help":                                 {},
		"help get":                                   {},
		"version --client":                           {},
		"config use-context second":                  {},
		"completion bash":                            {},
		"__complete get po":                          {},
		"create deployment web --dry-run=client":     {},
		"set image -f x.yaml web=nginx:2 --local":    {},
		"get pods --kubeconfig other":                {},
		"get pods -s https://10.0.0.1":               {},
		"--server=https://10.0.0.1:443 get nodes":    {},
		"kustomize dir --context second --no-such=x": {target{context: "second"}, false},
	} {
		got, needed := asked(strings.Fields(line))
		if got != want.target || needed != want.needed {
			t.Errorf("kubectl %s: asks %+v, %t", line, got, needed)
		}
	}
}
