package stacks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
)

func TestStacks(t *testing.T) {
	l := lab.New(t)
	l.Images(t, "test/images/busybox.yaml")
	l.Up(t, "--nodes", "0")
	sh := l.Host(t).AWS(t, "2").After("cd " + t.TempDir())
	config, kubeconfig := l.Config(t), l.Env(t)["KUBECONFIG"]
	var app *cdkApp
	before := things(t, config)
	lab.Together(t,
		lab.Sequence("calls",
			lab.Part{Name: "a role for a service account", Test: func(t *testing.T) { serviceAccount(t, config, kubeconfig) }},
			lab.Part{Name: "access", Test: func(t *testing.T) { access(t, sh, config) }},
			lab.Part{Name: "network", Test: func(t *testing.T) { network(t, sh) }}),
		lab.Part{Name: "CDK from bootstrap to destroy", Test: func(t *testing.T) {
			if app = newCDK(t, sh, config); app == nil {
				t.Skip("npm is not installed, which brings CDK")
			}
			app.cycle(t, func() { t.Run("a pod of its cluster", func(t *testing.T) { app.associated(t, l) }) })
		}})
	t.Run("the daemon is killed", func(t *testing.T) { killed(t, l, sh, config) })
	if app != nil {
		t.Run("CDK once more", func(t *testing.T) { app.cycle(t, func() {}) })
		t.Run("nothing is left", func(t *testing.T) { app.empty(t, before) })
	}
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

// access is a role with an access entry, whose policy an update exchanges and which the
// deletion takes away.
func access(t *testing.T, sh lab.Terminal, config aws.Config) {
	client := eks.NewFromConfig(config) // Debian's CLI is older than access entries
	out, err := client.UpdateClusterConfig(t.Context(), &eks.UpdateClusterConfigInput{Name: aws.String("cluster"), AccessConfig: &ekstypes.UpdateAccessConfigRequest{AuthenticationMode: ekstypes.AuthenticationModeApiAndConfigMap}})
	if err != nil {
		t.Fatal(err)
	}
	for done := false; !done; time.Sleep(100 * time.Millisecond) {
		u, err := client.DescribeUpdate(t.Context(), &eks.DescribeUpdateInput{Name: aws.String("cluster"), UpdateId: out.Update.Id})
		if err != nil {
			t.Fatal(err)
		}
		done = u.Update.Status != ekstypes.UpdateStatusInProgress
	}
	began := time.Now()
	sh.Must(t, file("access.yaml", accessTemplate)+"aws cloudformation deploy --stack-name access --template-file access.yaml --capabilities CAPABILITY_NAMED_IAM", "Successfully created/updated stack - access")
	t.Logf("aws cloudformation deploy: %.1f s", time.Since(began).Seconds())
	role := sh.Must(t, "aws cloudformation describe-stacks --stack-name access --query 'Stacks[0].Outputs[0].OutputValue' --output text", ":role/viewer")
	may := func(want ...string) {
		t.Helper()
		out, err := client.ListAssociatedAccessPolicies(t.Context(), &eks.ListAssociatedAccessPoliciesInput{ClusterName: aws.String("cluster"), PrincipalArn: &role})
		var got []string
		if err == nil {
			for _, p := range out.AssociatedAccessPolicies {
				got = append(got, (*p.PolicyArn)[strings.LastIndexByte(*p.PolicyArn, '/')+1:])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("access policies are %v (%v), want %v", got, err, want)
		}
	}
	may("AmazonEKSViewPolicy")
	sh.Must(t, file("access.yaml", accessTemplate)+"aws cloudformation deploy --stack-name access --template-file access.yaml --capabilities CAPABILITY_NAMED_IAM", "No changes to deploy. Stack access is up to date")
	time.Sleep(time.Second) // the CLI names its change sets by the second, and the failed one stays
	sh.Must(t, "aws cloudformation deploy --stack-name access --template-file access.yaml --capabilities CAPABILITY_NAMED_IAM --parameter-overrides Policy=AmazonEKSEditPolicy", "Successfully created/updated")
	may("AmazonEKSEditPolicy")
	sh.Must(t, "aws cloudformation describe-stack-events --stack-name access --query 'StackEvents[].[LogicalResourceId,ResourceStatus]' --output text", "access\tUPDATE_COMPLETE", "Entry\tUPDATE_COMPLETE")
	sh.Must(t, "aws cloudformation delete-stack --stack-name access && aws cloudformation wait stack-delete-complete --stack-name access")
	may()
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
func killed(t *testing.T, l *lab.Lab, sh lab.Terminal, config aws.Config) {
	const many = 300
	template := map[string]any{}
	for n := range many {
		r := map[string]any{"Type": "AWS::IAM::Role", "Properties": map[string]any{"AssumeRolePolicyDocument": map[string]any{"Ref": "P"}}}
		if n > 0 {
			r["DependsOn"] = fmt.Sprintf("R%03d", n-1)
		}
		template[fmt.Sprintf("R%03d", n)] = r
	}
	text, err := json.Marshal(map[string]any{"Resources": template, "Parameters": map[string]any{"P": map[string]any{"Type": "String"}}})
	if err != nil {
		t.Fatal(err)
	}
	client, roles := cloudformation.NewFromConfig(config), iam.NewFromConfig(config)
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	done := make(chan error, 1)
	go func() {
		_, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{
			StackName: aws.String("chain"), TemplateBody: aws.String(string(text)), Capabilities: []types.Capability{types.CapabilityCapabilityIam},
			Parameters: []types.Parameter{{ParameterKey: aws.String("P"), ParameterValue: &trust}}, ClientRequestToken: aws.String("once"),
		})
		done <- err
	}()
	made := func() (n int) {
		p := iam.NewListRolesPaginator(roles, &iam.ListRolesInput{})
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			if err != nil {
				return n
			}
			for _, r := range out.Roles {
				if strings.HasPrefix(*r.RoleName, "chain-R") {
					n++
				}
			}
		}
		return n
	}
	was := daemon(t, l)
	for end := time.Now().Add(lab.Busy * 30 * time.Second); made() < 20; {
		if time.Now().After(end) {
			t.Fatal("no roles are made")
		}
	}
	if err := syscall.Kill(was.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killedAt := time.Now()
	err = <-done // the SDK tries the same call again
	t.Logf("the call: %v", err)
	status := sh.Must(t, "until aws cloudformation describe-stacks --stack-name chain --query 'Stacks[0].StackStatus' --output text 2>/dev/null; do sleep 0.1; done")
	t.Logf("%.1f s after the kill the stack is %s with %d roles", time.Since(killedAt).Seconds(), status, made())
	sh.Must(t, "aws cloudformation wait stack-create-complete --stack-name chain")
	if now := daemon(t, l); now.Pid == was.Pid || now.Restarts != was.Restarts+1 {
		t.Errorf("the daemon was %+v, is %+v", was, now)
	}
	if got := made(); got != many {
		t.Errorf("%d roles are made, want %d", got, many)
	}
	sh.Must(t, "aws cloudformation delete-stack --stack-name chain && aws cloudformation wait stack-delete-complete --stack-name chain")
	if got := made(); got != 0 {
		t.Errorf("%d roles are left", got)
	}
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
