package nodes

import (
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// nodesStack is what eksctl writes for a managed node group and for one of its own, less
// what is the same in both (pkg/cfn/builder of eksctl 0.230).
const nodesStack = `
AWSTemplateFormatVersion: "2010-09-09"
Description: 'EKS nodes (AMI family: AmazonLinux2023, SSH access: false, private networking: true) [created by eksctl]'
Mappings: {ServicePrincipalPartitionMap: {aws: {EC2: ec2.amazonaws.com, EKS: eks.amazonaws.com}}}
Resources:
  NodeInstanceRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Action: ["sts:AssumeRole"], Effect: Allow, Principal: {Service: [{"Fn::FindInMap": [ServicePrincipalPartitionMap, {Ref: "AWS::Partition"}, EC2]}]}}]}
      ManagedPolicyArns: ["Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonEKSWorkerNodePolicy", "Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonEKS_CNI_Policy"]
      Path: /
      Tags: [{Key: Name, Value: {"Fn::Sub": "${AWS::StackName}/NodeInstanceRole"}}]
  LaunchTemplate:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateName: {"Fn::Sub": "${AWS::StackName}"}
      LaunchTemplateData:
        BlockDeviceMappings: [{DeviceName: /dev/xvda, Ebs: {Iops: 3000, Throughput: 125, VolumeSize: 80, VolumeType: gp3}}]
        MetadataOptions: {HttpPutResponseHopLimit: 2, HttpTokens: required}
        SecurityGroupIds: [GROUP]
        TagSpecifications: [{ResourceType: instance, Tags: [{Key: Name, Value: cluster-managed-Node}]}, {ResourceType: volume, Tags: [{Key: Name, Value: cluster-managed-Node}]}, {ResourceType: network-interface, Tags: [{Key: Name, Value: cluster-managed-Node}]}]
  ManagedNodeGroup:
    Type: AWS::EKS::Nodegroup
    Properties:
      AmiType: AL2023_x86_64_STANDARD
      ClusterName: cluster
      InstanceTypes: [m5.large]
      Labels: {alpha.eksctl.io/cluster-name: cluster, alpha.eksctl.io/nodegroup-name: managed}
      LaunchTemplate: {Id: {Ref: LaunchTemplate}}
      NodeRole: {"Fn::GetAtt": [NodeInstanceRole, Arn]}
      NodegroupName: managed
      ScalingConfig: {DesiredSize: 1, MaxSize: 1, MinSize: 1}
      Subnets: [SUBNETS]
      Tags: {alpha.eksctl.io/nodegroup-name: managed, alpha.eksctl.io/nodegroup-type: managed}
  NodeInstanceProfile: {Type: AWS::IAM::InstanceProfile, Properties: {Path: /, Roles: [{Ref: NodeInstanceRole}]}}
  NodeGroupLaunchTemplate:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateName: {"Fn::Sub": "${AWS::StackName}-own"}
      LaunchTemplateData:
        BlockDeviceMappings: [{DeviceName: /dev/xvda, Ebs: {Encrypted: false, Iops: 3000, Throughput: 125, VolumeSize: 80, VolumeType: gp3}}]
        IamInstanceProfile: {Arn: {"Fn::GetAtt": [NodeInstanceProfile, Arn]}}
        ImageId: IMAGE
        InstanceType: m5.large
        MetadataOptions: {HttpPutResponseHopLimit: 2, HttpTokens: required}
        NetworkInterfaces: [{DeviceIndex: 0, Groups: [GROUP], NetworkCardIndex: 0}]
        TagSpecifications: [{ResourceType: instance, Tags: [{Key: Name, Value: cluster-own-Node}]}, {ResourceType: volume, Tags: [{Key: Name, Value: cluster-own-Node}]}]
        UserData: USERDATA
  NodeGroup:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      DesiredCapacity: "1"
      LaunchTemplate: {LaunchTemplateName: {"Fn::Sub": "${AWS::StackName}-own"}, Version: {"Fn::GetAtt": [NodeGroupLaunchTemplate, LatestVersionNumber]}}
      MaxSize: "1"
      MinSize: "1"
      Tags: [{Key: Name, PropagateAtLaunch: true, Value: cluster-own-Node}, {Key: kubernetes.io/cluster/cluster, PropagateAtLaunch: true, Value: owned}]
      VPCZoneIdentifier: [SUBNETS]
Outputs:
  FeatureLocalSecurityGroup: {Value: true}
  InstanceRoleARN: {Export: {Name: {"Fn::Sub": "${AWS::StackName}::InstanceRoleARN"}}, Value: {"Fn::GetAtt": [NodeInstanceRole, Arn]}}
`

// userData is what eksctl gives its own nodes, in base64.
const userData = `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=//

--//
Content-Type: application/node.eks.aws

apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
metadata: {creationTimestamp: null}
spec:
  cluster: {apiServerEndpoint: ENDPOINT, certificateAuthority: AUTHORITY, cidr: 172.20.0.0/16, name: cluster}
  containerd: {}
  instance: {localStorage: {}}
  kubelet:
    config: {clusterDNS: [172.20.0.10]}
    flags: ["--node-labels=alpha.eksctl.io/cluster-name=cluster,alpha.eksctl.io/nodegroup-name=own", "--register-with-taints=own=yes:NoSchedule"]

--//--
`

// TestEksctl makes the calls that eksctl makes for node groups and add-ons, with the AWS
// CLI. Package eksctl runs eksctl itself, where it is installed.
func TestEksctl(t *testing.T) {
	lab.NeedAWS(t, "1")
	l := lab.Start(t, "--nodes", "0")
	sh := l.Host(t).AWS(t, "1")
	one := func(line string) string { return strings.TrimSpace(sh.Must(t, line)) }
	describe := func(query string) string {
		return one("aws eks describe-cluster --name cluster --output text --query cluster." + query)
	}
	// What every command begins with, and what create nodegroup asks for.
	sh.Must(t, "aws sts get-caller-identity && aws eks describe-cluster-versions --query 'clusterVersions[].clusterVersion' --output text", "1.37", "1.14")
	image := one("aws ec2 describe-images --owners amazon --filters Name=name,Values=amazon-eks-node-al2023-x86_64-standard-1.37-* --query 'Images[0].ImageId' --output text")
	sh.Must(t, "aws ec2 describe-instance-type-offerings --location-type availability-zone --filters Name=instance-type,Values=m5.large --query 'InstanceTypeOfferings[].Location' --output text", "us-west-2a")
	subnets := strings.Join(strings.Fields(one("aws ec2 describe-subnets --filters Name=tag:kubernetes.io/role/internal-elb,Values=1 --query 'Subnets[].SubnetId' --output text")), ", ")
	data := strings.NewReplacer("ENDPOINT", describe("endpoint"), "AUTHORITY", describe("certificateAuthority.data")).Replace(userData)
	data = one("base64 -w0 <<'EOF'\n" + data + "EOF")
	body := strings.NewReplacer("GROUP", describe("resourcesVpcConfig.clusterSecurityGroupId"), "SUBNETS", subnets, "IMAGE", image, "USERDATA", data).Replace(nodesStack)
	sh.Must(t, "cat > stack.yaml <<'EOF'\n"+body+"EOF\naws cloudformation create-stack --stack-name eksctl-cluster-nodegroup-pool --template-body file://stack.yaml --capabilities CAPABILITY_IAM --tags Key=alpha.eksctl.io/cluster-name,Value=cluster", "eksctl-cluster-nodegroup-pool/")
	sh.Soon(t, 90*time.Second, "aws cloudformation describe-stacks --stack-name eksctl-cluster-nodegroup-pool --query 'Stacks[0].StackStatus'", "CREATE_COMPLETE")
	// eksctl maps the role of its own nodes itself; EKS did that of the managed one's: the
	// same here.
	sh.Must(t, "kubectl get configmap -n kube-system aws-auth -o yaml", "eksctl-cluster-nodegroup-pool-NodeInstanceRole-")
	sh.Soon(t, time.Minute, "kubectl get nodes -l alpha.eksctl.io/nodegroup-name=own", " Ready ")
	sh.Must(t, "kubectl get nodes -l alpha.eksctl.io/nodegroup-name=own -o jsonpath='{.items[0].spec.taints}'", `"key":"own"`)
	sh.Must(t, "kubectl get nodes -l eks.amazonaws.com/nodegroup=managed", " Ready ")
	// get nodegroup
	sh.Must(t, "aws cloudformation describe-stack-resource --stack-name eksctl-cluster-nodegroup-pool --logical-resource-id NodeGroup --query StackResourceDetail.PhysicalResourceId", "eksctl-cluster-nodegroup-pool-NodeGroup-")
	sh.Must(t, "aws eks list-nodegroups --cluster-name cluster && aws eks describe-nodegroup --cluster-name cluster --nodegroup-name managed", "managed", `"status": "ACTIVE"`, `"launchTemplate"`)
	// addon
	sh.Must(t, "aws eks describe-addon-versions --addon-name vpc-cni --kubernetes-version 1.37", `"requiresIamPermissions": true`)
	sh.Must(t, "aws eks describe-addon-configuration --addon-name vpc-cni --addon-version $(aws eks describe-addon --cluster-name cluster --addon-name vpc-cni --query addon.addonVersion --output text)", "aws-node", "AmazonEKS_CNI_Policy")
	sh.Must(t, "aws eks update-addon --cluster-name cluster --addon-name vpc-cni --service-account-role-arn $(aws cloudformation describe-stacks --stack-name eksctl-cluster-nodegroup-pool --query 'Stacks[0].Outputs[?OutputKey==`InstanceRoleARN`].OutputValue' --output text) --resolve-conflicts OVERWRITE", `"AddonUpdate"`)
	sh.Soon(t, 20*time.Second, "kubectl get serviceaccount aws-node -n kube-system -o yaml", "eks.amazonaws.com/role-arn: arn:aws:iam::111122223333:role/eksctl-cluster-nodegroup-pool-NodeInstanceRole-")
	// delete nodegroup: of the last nodes, whose drain CoreDNS's disruption budget would hold up, as on EKS
	sh.Must(t, "kubectl delete poddisruptionbudget --namespace kube-system --all")
	sh.Must(t, "aws cloudformation update-termination-protection --stack-name eksctl-cluster-nodegroup-pool --no-enable-termination-protection && aws cloudformation delete-stack --stack-name eksctl-cluster-nodegroup-pool")
	sh.Soon(t, 90*time.Second, "aws cloudformation describe-stacks --stack-name eksctl-cluster-nodegroup-pool 2>&1 || true", "does not exist")
	sh.Must(t, "kubectl get nodes 2>&1; aws eks list-nodegroups --cluster-name cluster", "No resources found", `"nodegroups": []`)
}
