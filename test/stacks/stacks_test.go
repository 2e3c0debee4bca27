package stacks

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
)

func TestStacks(t *testing.T) {
	l := lab.Start(t, "--nodes", "0")
	sh := l.Host(t).AWS(t, "2").After("cd " + t.TempDir())
	t.Run("access", func(t *testing.T) { access(t, sh) })
	t.Run("network", func(t *testing.T) { network(t, sh) })
	t.Run("the daemon is killed", func(t *testing.T) { killed(t, l, sh) })
	t.Run("CDK", func(t *testing.T) { cdk(t, sh) })
}

// file is a line that writes a file.
func file(name, text string) string { return "cat >" + name + " <<'EOF'\n" + text + "\nEOF\n" }

const accessTemplate = `
Parameters: {Policy: {Type: String, Default: AmazonEKSViewPolicy}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: viewer
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: !Ref AWS::AccountId}, Action: "sts:AssumeRole"}]}
  Entry:
    Type: AWS::EKS::AccessEntry
    Properties:
      ClusterName: cluster
      PrincipalArn: !GetAtt Role.Arn
      AccessPolicies: [{PolicyArn: !Sub "arn:${AWS::Partition}:eks::aws:cluster-access-policy/${Policy}", AccessScope: {Type: cluster}}]
Outputs: {Role: {Value: !GetAtt Role.Arn}}`

// access is a role with an access entry: who assumes it may read the cluster, after an
// update may write, and after the deletion may nothing.
func access(t *testing.T, sh lab.Terminal) {
	sh.Must(t, "aws eks update-cluster-config --name cluster --access-config authenticationMode=API_AND_CONFIG_MAP >/dev/null; aws eks wait cluster-active --name cluster")
	began := time.Now()
	sh.Must(t, file("access.yaml", accessTemplate)+"aws cloudformation deploy --stack-name access --template-file access.yaml --capabilities CAPABILITY_NAMED_IAM", "Successfully created/updated stack - access")
	t.Logf("aws cloudformation deploy: %.1f s", time.Since(began).Seconds())
	sh.Must(t, "aws eks update-kubeconfig --name cluster --kubeconfig viewer --role-arn $(aws cloudformation describe-stacks --stack-name access --query 'Stacks[0].Outputs[0].OutputValue' --output text)")
	sh.Must(t, "kubectl --kubeconfig viewer get pods -A")
	sh.Refused(t, "kubectl --kubeconfig viewer create configmap c", "forbidden")
	sh.Must(t, file("access.yaml", accessTemplate)+"aws cloudformation deploy --stack-name access --template-file access.yaml --capabilities CAPABILITY_NAMED_IAM", "No changes to deploy. Stack access is up to date")
	sh.Must(t, "aws cloudformation deploy --stack-name access --template-file access.yaml --capabilities CAPABILITY_NAMED_IAM --parameter-overrides Policy=AmazonEKSEditPolicy", "Successfully created/updated")
	sh.Must(t, "kubectl --kubeconfig viewer create configmap c", "created")
	sh.Must(t, "aws cloudformation describe-stack-events --stack-name access --query 'StackEvents[].[LogicalResourceId,ResourceStatus]' --output text", "access\tUPDATE_COMPLETE", "Entry\tUPDATE_COMPLETE")
	sh.Must(t, "aws cloudformation delete-stack --stack-name access && aws cloudformation wait stack-delete-complete --stack-name access")
	sh.Refused(t, "kubectl --kubeconfig viewer get pods -A", "")
	sh.Refused(t, "aws cloudformation describe-stacks --stack-name access", "(ValidationError)", "Stack with id access does not exist")
}

// network is a security group in the VPC that runs, which refuses what EC2 refuses.
func network(t *testing.T, sh lab.Terminal) {
	sh.Must(t, file("group.yaml", `
Parameters: {VPC: {Type: "AWS::EC2::VPC::Id"}}
Resources:
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: g, VpcId: !Ref VPC, SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8}]}}
  Self: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Group, IpProtocol: "-1", SourceSecurityGroupId: !Ref Group}}
Outputs: {Group: {Value: !Ref Group}}`)+
		`aws cloudformation deploy --stack-name group --template-file group.yaml --parameter-overrides VPC=$(aws ec2 describe-vpcs --query 'Vpcs[0].VpcId' --output text)`, "Successfully")
	sh.Must(t, "aws ec2 describe-security-group-rules --filters Name=group-id,Values=$(aws cloudformation describe-stacks --stack-name group --query 'Stacks[0].Outputs[0].OutputValue' --output text) --query 'length(SecurityGroupRules)'", "3")
	sh.Refused(t, "aws cloudformation deploy --stack-name none --template-file group.yaml --parameter-overrides VPC=vpc-0000000000000000f", "Parameter validation failed: parameter value vpc-0000000000000000f for parameter name VPC does not exist")
	sh.Must(t, "aws cloudformation delete-stack --stack-name group && aws cloudformation wait stack-delete-complete --stack-name group")
}

// killed kills the daemon while it makes a chain of roles.
func killed(t *testing.T, l *lab.Lab, sh lab.Terminal) {
	template := map[string]any{}
	before := ""
	for n := range 100 {
		name := "R" + strings.Repeat("x", n)
		r := map[string]any{"Type": "AWS::IAM::Role", "Properties": map[string]any{"AssumeRolePolicyDocument": map[string]any{
			"Version": "2012-10-17", "Statement": map[string]any{"Effect": "Allow", "Principal": map[string]any{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}}}
		if before != "" {
			r["DependsOn"] = before
		}
		template[name], before = r, name
	}
	text, err := json.Marshal(map[string]any{"Resources": template})
	if err != nil {
		t.Fatal(err)
	}
	sh.Must(t, file("chain.json", string(text)))
	create := sh.Command("aws cloudformation create-stack --stack-name chain --template-body file://chain.json --capabilities CAPABILITY_IAM")
	if err := create.Start(); err != nil {
		t.Fatal(err)
	}
	sh.Soon(t, 30*time.Second, "aws iam list-roles --query 'Roles[].RoleName'", "chain-R")
	was := daemon(t, l)
	if err := syscall.Kill(was.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = create.Wait() // it may have been answered, or not
	status := sh.Must(t, "until aws cloudformation describe-stacks --stack-name chain --query 'Stacks[0].StackStatus' --output text 2>/dev/null; do sleep 0.1; done")
	t.Logf("after the start the stack is %s", status)
	sh.Must(t, "aws cloudformation wait stack-create-complete --stack-name chain")
	if now := daemon(t, l); now.Pid == was.Pid || now.Restarts != was.Restarts+1 {
		t.Errorf("the daemon was %+v, is %+v", was, now)
	}
	sh.Must(t, "aws iam list-roles --query 'length(Roles[?starts_with(RoleName, `chain-R`)])'", "100")
	sh.Must(t, "aws cloudformation delete-stack --stack-name chain && aws cloudformation wait stack-delete-complete --stack-name chain")
	sh.Must(t, "aws iam list-roles --query 'length(Roles[?starts_with(RoleName, `chain-R`)])'", "0")
}

func daemon(t *testing.T, l *lab.Lab) control.Process {
	t.Helper()
	var s control.Status
	if err := json.Unmarshal([]byte(l.Eksact(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Processes, func(p control.Process) bool { return p.Name == "eksact" })
	if i < 0 {
		t.Fatalf("no daemon among %+v", s.Processes)
	}
	return s.Processes[i]
}

// cdk runs CDK's own command, over TLS, with an app that needs no bootstrap.
func cdk(t *testing.T, sh lab.Terminal) {
	program, err := exec.LookPath("cdk")
	if err != nil {
		t.Skip("cdk is not on PATH: npm install aws-cdk@2.1148.1")
	}
	sh = sh.With("NODE_OPTIONS=--use-openssl-ca", "CDK_DISABLE_CLI_TELEMETRY=true", "NO_COLOR=1").After("export NODE_EXTRA_CA_CERTS=$AWS_CA_BUNDLE")
	run := filepath.Join(filepath.Dir(program), "cdk") + " --app . --ci --no-notices "
	sh.Must(t, file("manifest.json", `{"version":"36.0.0","artifacts":{"App":{"type":"aws:cloudformation:stack","environment":"aws://111122223333/us-west-2","displayName":"App",
		"properties":{"templateFile":"App.template.json","validateOnSynth":false}}}}`)+
		file("App.template.json", `{"Resources":{"Bucket":{"Type":"AWS::S3::Bucket"},"Group":{"Type":"AWS::Logs::LogGroup","Properties":{"RetentionInDays":7}},"CDKMetadata":{"Type":"AWS::CDK::Metadata"}}}`)+
		run+"deploy --require-approval never 2>&1", "App")
	sh.Must(t, "aws cloudformation describe-stacks --stack-name App --query 'Stacks[0].StackStatus' --output text", "CREATE_COMPLETE")
	sh.Must(t, run+"deploy --require-approval never 2>&1", "no changes")
	sh.Must(t, run+"destroy --force 2>&1", "destroyed")
	sh.Refused(t, "aws cloudformation describe-stacks --stack-name App", "does not exist")
}
