// A CDK app in two stages: the second changes what can be changed in place.
const cdk = require('aws-cdk-lib'), iam = require('aws-cdk-lib/aws-iam'), s3 = require('aws-cdk-lib/aws-s3'), sns = require('aws-cdk-lib/aws-sns'), logs = require('aws-cdk-lib/aws-logs');
const cloudwatch = require('aws-cdk-lib/aws-cloudwatch'), actions = require('aws-cdk-lib/aws-cloudwatch-actions'), ec2 = require('aws-cdk-lib/aws-ec2'), eks = require('aws-cdk-lib/aws-eks-v2');

function app(stage, second) {
  const app = new cdk.App({outdir: stage, analyticsReporting: true});
  const stack = new cdk.Stack(app, 'App', {env: {account: process.env.ACCOUNT, region: process.env.AWS_REGION}, tags: {team: 'a'}});
  const role = new iam.Role(stack, 'Role', {assumedBy: new iam.AccountPrincipal(stack.account), description: stage});
  const bucket = new s3.Bucket(stack, 'Bucket', {versioned: true, enforceSSL: true, removalPolicy: cdk.RemovalPolicy.DESTROY});
  new iam.ManagedPolicy(stack, 'Policy', {roles: [role], statements: [new iam.PolicyStatement({actions: ['s3:GetObject'], resources: [bucket.arnForObjects('*')]})]});
  const topic = new sns.Topic(stack, 'Topic', {displayName: stage});
  topic.grantPublish(role);
  new logs.LogGroup(stack, 'Logs', {retention: logs.RetentionDays.ONE_WEEK, removalPolicy: cdk.RemovalPolicy.DESTROY});
  const errors = new cloudwatch.Metric({namespace: 'App', metricName: 'Errors', statistic: 'Sum', period: cdk.Duration.minutes(1)});
  new cloudwatch.Alarm(stack, 'Alarm', {metric: errors, threshold: second ? 10 : 5, evaluationPeriods: 1}).addAlarmAction(new actions.SnsAction(topic));

  const vpc = ec2.Vpc.fromVpcAttributes(stack, 'Vpc', {vpcId: process.env.VPC, availabilityZones: process.env.ZONES.split(' '), privateSubnetIds: process.env.SUBNETS.split(' ')});
  const cluster = new eks.Cluster(stack, 'Cluster', {
    clusterName: process.env.CLUSTER, version: eks.KubernetesVersion.V1_37, vpc, vpcSubnets: [{subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS}],
    defaultCapacityType: eks.DefaultCapacityType.NODEGROUP, defaultCapacity: 0,
    clusterLogging: second ? [eks.ClusterLoggingTypes.AUDIT] : undefined,
  });
  // The VPC CNI has a role of its own, by an association: the nodes' has no rights for it.
  const managed = name => iam.ManagedPolicy.fromAwsManagedPolicyName(name);
  const forPods = new iam.SessionTagsPrincipal(new iam.ServicePrincipal('pods.eks.amazonaws.com'));
  const cni = new iam.Role(stack, 'CNI', {assumedBy: forPods, managedPolicies: [managed('AmazonEKS_CNI_Policy')]});
  const plugged = new eks.CfnPodIdentityAssociation(stack, 'Plugged', {clusterName: cluster.clusterName, namespace: 'kube-system', serviceAccount: 'aws-node', roleArn: cni.roleArn});
  const nodes = cluster.addNodegroupCapacity('Nodes', {
    nodeRole: new iam.Role(stack, 'Node', {assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'), managedPolicies: ['AmazonEKSWorkerNodePolicy', 'AmazonEC2ContainerRegistryReadOnly'].map(managed)}),
    amiType: eks.NodegroupAmiType[process.env.AMI_TYPE], instanceTypes: [new ec2.InstanceType(process.env.INSTANCE_TYPE)],
    minSize: 1, maxSize: 2, labels: {stage}, taints: [{key: 'app', value: 'only', effect: eks.TaintEffect.NO_SCHEDULE}],
  });
  cluster.grantAccess('Admin', process.env.ADMIN, [eks.AccessPolicy.fromAccessPolicyName('AmazonEKSClusterAdminPolicy', {accessScopeType: eks.AccessScopeType.CLUSTER})]);
  cluster.grantAccess('Reader', role.roleArn, [eks.AccessPolicy.fromAccessPolicyName(second ? 'AmazonEKSEditPolicy' : 'AmazonEKSViewPolicy', {accessScopeType: eks.AccessScopeType.NAMESPACE, namespaces: ['default']})]);
  nodes.node.addDependency(plugged, cluster.eksPodIdentityAgent);
  const pods = new iam.Role(stack, 'Pods', {assumedBy: forPods, managedPolicies: [managed('AmazonS3ReadOnlyAccess')]});
  new eks.CfnPodIdentityAssociation(stack, 'Association', {clusterName: cluster.clusterName, namespace: 'default', serviceAccount: 'reader', roleArn: pods.roleArn});
  new cdk.CfnOutput(stack, 'TopicArn', {value: topic.topicArn});
  app.synth();
}

app('one', false);
app('two', true);
