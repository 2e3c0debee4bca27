package resources

import "context"

// handlers are the types that stacks can have. A type of package spec that is not here
// is refused when its template is read.
var handlers = map[string]*Handler{
	"AWS::CDK::Metadata": {create: createNothing, update: updateNothing, remove: deleteNothing},

	"AWS::IAM::Role":            {create: createRole, update: updateRole, remove: deleteRole, finder: roles},
	"AWS::IAM::InstanceProfile": {create: createProfile, update: updateProfile, remove: deleteProfile, finder: profiles},
	"AWS::IAM::OIDCProvider":    {create: createProvider, update: updateProvider, remove: deleteProvider},
	"AWS::IAM::Policy":          {create: createInline, update: updateInline, remove: deleteInline},
	"AWS::IAM::ManagedPolicy":   {create: createManaged, update: updateManaged, remove: deleteManaged, finder: managedPolicies},

	"AWS::S3::Bucket": {
		supports: []string{"AccessControl", "BucketEncryption", "BucketName", "LifecycleConfiguration", "OwnershipControls", "PublicAccessBlockConfiguration", "VersioningConfiguration"},
		create:   createBucket, update: updateBucket, remove: deleteBucket, finder: buckets,
	},
	"AWS::S3::BucketPolicy": {create: createBucketPolicy, update: putBucketPolicy, remove: deleteBucketPolicy},

	"AWS::EKS::Cluster":                {supports: append([]string{"Logging"}, clusterParts...), create: createCluster, update: updateCluster, remove: deleteCluster, finder: clusters},
	"AWS::EKS::Nodegroup":              {supports: append([]string{"ForceUpdateEnabled"}, nodegroupParts...), create: createNodegroup, update: updateNodegroup, remove: deleteNodegroup},
	"AWS::EKS::Addon":                  {create: createAddon, update: updateAddon, remove: deleteAddon},
	"AWS::EKS::AccessEntry":            {create: createEntry, update: updateEntry, remove: deleteEntry},
	"AWS::EKS::PodIdentityAssociation": {create: createAssociation, update: updateAssociation, remove: deleteAssociation},

	"AWS::AutoScaling::AutoScalingGroup": {supports: scalingParts, create: createScaling, update: updateScaling, remove: deleteScaling},

	"AWS::EC2::VPC": {supports: []string{"CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy"}, create: createVPC, update: updateVPC, remove: deleteVPC},
	"AWS::EC2::Subnet": {
		supports: []string{"AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "Ipv6CidrBlock", "MapPublicIpOnLaunch", "VpcId"},
		create:   createSubnet, update: updateSubnet, remove: deleteSubnet,
	},
	"AWS::EC2::InternetGateway":             {create: createGateway, update: updateTags, remove: deleteGateway},
	"AWS::EC2::VPCGatewayAttachment":        {supports: []string{"InternetGatewayId", "VpcId"}, create: attachGateway, update: reattachGateway, remove: detachGateway},
	"AWS::EC2::RouteTable":                  {create: createTable, update: updateTags, remove: deleteTable},
	"AWS::EC2::Route":                       {supports: routeParts, create: createRoute, update: replaceRoute, remove: deleteRoute},
	"AWS::EC2::SubnetRouteTableAssociation": {create: createTableAssociation, remove: deleteTableAssociation},
	"AWS::EC2::EIP":                         {supports: []string{"Address", "Domain", "InstanceId"}, create: createAddress, update: updateAddress, remove: deleteAddress},
	"AWS::EC2::NatGateway":                  {supports: []string{"AllocationId", "ConnectivityType", "SubnetId"}, create: createNAT, update: updateTags, remove: deleteNAT},
	"AWS::EC2::SecurityGroup":               {create: createGroup, update: updateGroup, remove: deleteGroup},
	"AWS::EC2::SecurityGroupIngress":        {create: createIngress, update: describeRule("UpdateSecurityGroupRuleDescriptionsIngress"), remove: deleteIngress},
	"AWS::EC2::SecurityGroupEgress":         {create: createEgress, update: describeRule("UpdateSecurityGroupRuleDescriptionsEgress"), remove: deleteEgress},
	"AWS::EC2::LaunchTemplate":              {create: createTemplate, update: updateTemplate, remove: deleteTemplate},
	"AWS::EC2::VPCEndpoint": {
		supports: []string{"VpcId", "ServiceName", "VpcEndpointType", "PolicyDocument", "RouteTableIds", "SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled", "IpAddressType", "DnsOptions"},
		create:   createEndpoint, update: updateEndpoint, remove: deleteEndpoint,
	},

	"AWS::SSM::Parameter": {
		supports: []string{"AllowedPattern", "DataType", "Description", "Name", "Tier", "Type", "Value"},
		create:   createParameter, update: updateParameter, remove: deleteParameter, finder: parameters,
	},

	"AWS::SNS::Topic": {
		supports: []string{"DisplayName", "FifoTopic", "SignatureVersion", "Subscription", "TopicName", "TracingConfig"},
		create:   createTopic, update: updateTopic, remove: deleteTopic, finder: topics,
	},
	"AWS::SNS::TopicPolicy": {create: putTopicPolicy, update: putTopicPolicy, remove: deleteTopicPolicy},
	"AWS::SNS::Subscription": {
		supports: []string{"DeliveryPolicy", "Endpoint", "FilterPolicy", "FilterPolicyScope", "Protocol", "RawMessageDelivery", "Region", "TopicArn"},
		create:   createSubscription, update: updateSubscription, remove: deleteSubscription,
	},

	"AWS::ECR::Repository": {
		supports: []string{"EmptyOnDelete", "ImageScanningConfiguration", "ImageTagMutability", "LifecyclePolicy", "RepositoryName", "RepositoryPolicyText"},
		create:   createRepository, update: updateRepository, remove: deleteRepository, finder: repositories,
	},

	"AWS::Logs::LogGroup": {
		supports: []string{"LogGroupName", "KmsKeyId", "RetentionInDays"},
		create:   createLogGroup, update: updateLogGroup, remove: deleteLogGroup, finder: logGroups,
	},
	"AWS::Logs::MetricFilter": {
		supports: []string{"FilterName", "FilterPattern", "LogGroupName", "MetricTransformations"},
		create:   createMetricFilter, update: updateMetricFilter, remove: deleteMetricFilter,
	},

	"AWS::CloudWatch::Alarm":          {supports: append([]string{"AlarmName"}, metricParts...), create: createAlarm, update: updateAlarm, remove: deleteAlarm, finder: alarms},
	"AWS::CloudWatch::CompositeAlarm": {supports: append([]string{"AlarmName"}, compositeParts...), create: createComposite, update: updateComposite, remove: deleteAlarm, finder: compositeAlarms},
}

// Nothing is what CDK's metadata are: a resource of no service, which has a name alone.
func createNothing(_ context.Context, j *Job) (Made, error) {
	return Made{j.Name, map[string]any{}}, nil
}

func updateNothing(context.Context, *Job) (Made, error) { return Made{}, nil }

func deleteNothing(context.Context, *Job) error { return nil }
