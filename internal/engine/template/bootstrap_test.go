package template_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

// cdk is the version of CDK's command line whose bootstrap template is tried.
const cdk = "aws-cdk@2.1148.1"

// bootstrap fetches CDK's own bootstrap template; the test is skipped where npm
// can't.
func bootstrap(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("fetches 8 MB from npm")
	}
	dir := t.TempDir()
	out, err := exec.Command("npm", "pack", "--silent", "--fetch-retries=0", "--fetch-timeout=20000", "--cache="+filepath.Join(dir, "cache"), "--pack-destination="+dir, cdk).CombinedOutput()
	if err != nil {
		t.Skipf("npm pack %s: %v: %s", cdk, err, out)
	}
	const file = "package/lib/api/bootstrap/bootstrap-template.yaml"
	if out, err := exec.Command("tar", "-xzf", filepath.Join(dir, strings.TrimSpace(string(out))), "-C", dir, file).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestBootstrap evaluates the template that `cdk bootstrap` sends, with its
// parameters, and looks at what stacks are made of: resources, their types, names,
// order.
func TestBootstrap(t *testing.T) {
	tp := parse(t, bootstrap(t))
	if err := spec.Check(tp); err != nil {
		t.Fatal(err)
	}
	if c, _ := spec.Capabilities(tp); c != "CAPABILITY_NAMED_IAM" {
		t.Errorf("capability %q", c)
	}
	env := world
	var err error
	env.Parameters, err = tp.Values(map[string]template.Given{
		"FileAssetsBucketKmsKeyId":        {Value: "AWS_MANAGED_KEY"},
		"CloudFormationExecutionPolicies": {Value: "arn:aws:iam::aws:policy/AdministratorAccess"},
		"TrustedAccounts":                 {Value: ""},
	}, nil, template.Lookups{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tp.In(env)
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Graph()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	there := map[string]template.Made{}
	for len(there) < len(g.Names()) {
		ready := g.Ready(func(n string) bool { return there[n].PhysicalID != "" }, func(n string) bool { return there[n].PhysicalID != "" })
		if len(ready) == 0 {
			t.Fatal("nothing is ready")
		}
		for _, name := range ready {
			r, _ := tp.Resource(name)
			kinds[r.Type]++
			properties, err := s.Properties(r, func(n string) (template.Made, bool) { m, ok := there[n]; return m, ok })
			if err != nil {
				t.Fatal(name, err)
			}
			if !template.Known(properties) {
				t.Errorf("%s is not known when its needs are met", name)
			}
			kind, _ := spec.Find(r.Type)
			if properties, err = kind.Coerce(name, properties); err != nil {
				t.Error(err)
			}
			m := template.Made{PhysicalID: name, Attributes: map[string]any{}}
			for _, a := range kind.Attributes {
				m.Attributes[a.Name] = name + "." + a.Name
			}
			there[name] = m
			if name == "CloudFormationExecutionRole" {
				text, _ := json.Marshal(properties["ManagedPolicyArns"])
				if string(text) != `["arn:aws:iam::aws:policy/AdministratorAccess"]` || properties["RoleName"] != "cdk-hnb659fds-cfn-exec-role-111122223333-us-west-2" {
					t.Errorf("the execution role is %v with %s", properties["RoleName"], text)
				}
			}
		}
	}
	text, _ := json.Marshal(kinds)
	if string(text) != `{"AWS::ECR::Repository":1,"AWS::IAM::Policy":2,"AWS::IAM::Role":5,"AWS::S3::Bucket":1,"AWS::S3::BucketPolicy":1,"AWS::SSM::Parameter":1}` {
		t.Errorf("it makes %s", text)
	}
	outputs, err := s.Outputs(func(n string) (template.Made, bool) { m, ok := there[n]; return m, ok })
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outputs {
		if o.Unknown || o.Name == "BootstrapVersion" && o.Value == "" {
			t.Errorf("output %+v", o)
		}
	}
}
