package cloudformation_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// TestTheRealCDK runs CDK's own command where it is installed (npm install aws-cdk):
// deploy, deploy again, diff, a change, destroy, of an app that needs no bootstrap.
func TestTheRealCDK(t *testing.T) {
	program, err := exec.LookPath("cdk")
	if err != nil {
		t.Skip("cdk is not on PATH: npm install aws-cdk@2.1148.1")
	}
	a := open(t)
	dir := t.TempDir()
	write := func(name string, v any) {
		t.Helper()
		text, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("manifest.json", map[string]any{"version": "36.0.0", "artifacts": map[string]any{"App": map[string]any{
		"type": "aws:cloudformation:stack", "environment": "aws://" + number + "/us-west-2", "displayName": "App",
		"properties": map[string]any{"templateFile": "App.template.json", "validateOnSynth": false, "tags": map[string]string{"team": "a"}},
	}}})
	template := func(description string) map[string]any {
		return map[string]any{
			"Resources": map[string]any{
				"Role": map[string]any{"Type": "AWS::IAM::Role", "Properties": map[string]any{"Description": description,
					"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Principal": map[string]any{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}}}},
				"Bucket":      map[string]any{"Type": "AWS::S3::Bucket"},
				"CDKMetadata": map[string]any{"Type": "AWS::CDK::Metadata", "Properties": map[string]any{"Analytics": "v2:deflate64:x"}},
			},
			"Outputs": map[string]any{"Arn": map[string]any{"Value": map[string]any{"Fn::GetAtt": []string{"Role", "Arn"}}}},
		}
	}
	key := a.AdminKey(t)
	run := func(want string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, append(args, "--app", dir, "--ci", "--no-notices")...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+a.URL, "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.SecretAccessKey,
			"AWS_REGION=us-west-2", "AWS_EC2_METADATA_DISABLED=true", "HOME="+dir, "CDK_DISABLE_CLI_TELEMETRY=true", "NO_COLOR=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("cdk %s: %v, without %q:\n%s", strings.Join(args, " "), err, want, out)
		}
		t.Logf("cdk %s\n%s", strings.Join(args, " "), out)
	}
	write("App.template.json", template("one"))
	run("App.Arn = arn:aws:iam::"+number+":role/App-Role-", "deploy", "--require-approval", "never")
	a.is(t, "App", types.StackStatusCreateComplete)
	run("no changes", "deploy", "--require-approval", "never")
	write("App.template.json", template("two"))
	run("two", "diff")
	run("App", "deploy", "--require-approval", "never")
	a.is(t, "App", types.StackStatusUpdateComplete)
	run("destroyed", "destroy", "--force")
	if got := a.roles(t); len(got) != 0 {
		t.Errorf("roles are left: %v", got)
	}
}
