package resources

import "context"

// handlers are the types that stacks can have. A type of package spec that is not here
// is refused when its template is read.
var handlers = map[string]*Handler{
	"AWS::CDK::Metadata": {create: createNothing, update: updateNothing, remove: deleteNothing},

	"AWS::IAM::Role":            {create: createRole, update: updateRole, remove: deleteRole},
	"AWS::IAM::InstanceProfile": {create: createProfile, update: updateProfile, remove: deleteProfile},
	"AWS::IAM::OIDCProvider":    {create: createProvider, update: updateProvider, remove: deleteProvider},
	"AWS::IAM::Policy":          {create: createInline, update: updateInline, remove: deleteInline},
	"AWS::IAM::ManagedPolicy":   {create: createManaged, update: updateManaged, remove: deleteManaged},

	"AWS::S3::Bucket": {
		supports: []string{"BucketName", "OwnershipControls", "PublicAccessBlockConfiguration"},
		create:   createBucket, update: updateBucket, remove: deleteBucket,
	},
	"AWS::S3::BucketPolicy": {create: createBucketPolicy, update: putBucketPolicy, remove: deleteBucketPolicy},

	"AWS::EKS::Cluster":                {supports: append([]string{"Logging"}, clusterParts...), create: createCluster, update: updateCluster, remove: deleteCluster},
	"AWS::EKS::Addon":                  {create: createAddon, update: updateAddon, remove: deleteAddon},
	"AWS::EKS::AccessEntry":            {create: createEntry, update: updateEntry, remove: deleteEntry},
	"AWS::EKS::PodIdentityAssociation": {create: createAssociation, update: updateAssociation, remove: deleteAssociation},

	"AWS::Logs::LogGroup": {
		supports: []string{"LogGroupName", "KmsKeyId", "RetentionInDays"},
		create:   createLogGroup, update: updateLogGroup, remove: deleteLogGroup,
	},
}

// Nothing is what CDK's metadata are: a resource of no service, which has a name alone.
func createNothing(_ context.Context, j *Job) (Made, error) {
	return Made{j.Name, map[string]any{}}, nil
}

func updateNothing(context.Context, *Job) (Made, error) { return Made{}, nil }

func deleteNothing(context.Context, *Job) error { return nil }
