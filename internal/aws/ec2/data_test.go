package ec2_test

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/crypto/ssh"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
)

// What the VPC CNI publishes of types (misc/eni-max-pods.txt), and AWS of their size.
func TestInstanceTypes(t *testing.T) {
	p := open(t)
	for _, test := range []struct {
		name         string
		cpus, memory int
		arch         types.ArchitectureType
		pods         int
	}{
		{"m5.large", 2, 8, "x86_64", 29}, {"t3.medium", 2, 4, "x86_64", 17}, {"t4g.nano", 2, 0, "arm64", 4}, {"m6g.medium", 1, 4, "arm64", 8},
		{"c5.18xlarge", 72, 144, "x86_64", 737}, {"r5.2xlarge", 8, 64, "x86_64", 58}, {"m7i.48xlarge", 192, 768, "x86_64", 737}, {"c6i.xlarge", 4, 8, "x86_64", 58},
		{"r6i.metal", 128, 1024, "x86_64", 737},
	} {
		out := got(p.admin.DescribeInstanceTypes(t.Context(), &awsec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{types.InstanceType(test.name)}}))
		i := out.InstanceTypes[0]
		pods, _ := ec2.MaxPods(test.name)
		if int(*i.VCpuInfo.DefaultVCpus) != test.cpus || int(*i.MemoryInfo.SizeInMiB)>>10 != test.memory || i.ProcessorInfo.SupportedArchitectures[0] != test.arch || pods != test.pods {
			t.Errorf("%s: %d vCPUs, %d MiB, %s, %d pods", test.name, *i.VCpuInfo.DefaultVCpus, *i.MemoryInfo.SizeInMiB, i.ProcessorInfo.SupportedArchitectures, pods)
		}
	}
	_, err := p.admin.DescribeInstanceTypes(t.Context(), &awsec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{"m5.large", "p5.48xlarge"}})
	doortest.Refused(t, err, "InvalidInstanceType", "The following supplied instance types do not exist: [p5.48xlarge]")
	var families []string
	pages := awsec2.NewDescribeInstanceTypesPaginator(p.admin, &awsec2.DescribeInstanceTypesInput{MaxResults: aws.Int32(50), Filters: where("processor-info.supported-architecture", "arm64")})
	for pages.HasMorePages() {
		for _, i := range got(pages.NextPage(t.Context())).InstanceTypes {
			family, _, _ := strings.Cut(string(i.InstanceType), ".")
			families = append(families, family)
		}
	}
	if f := slices.Compact(families); !slices.Equal(f, []string{"c6g", "c7g", "m6g", "m7g", "r6g", "r7g", "t4g"}) {
		t.Errorf("ARM families: %q", f)
	}
	offers := got(p.admin.DescribeInstanceTypeOfferings(t.Context(), &awsec2.DescribeInstanceTypeOfferingsInput{
		LocationType: types.LocationTypeAvailabilityZone, Filters: where("instance-type", "m5.large"),
	})).InstanceTypeOfferings
	if len(offers) != 2 || *offers[1].Location != "us-west-2b" {
		t.Errorf("%+v", offers)
	}
}

func TestRegionsAndImages(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	if r := got(c.DescribeRegions(ctx, &awsec2.DescribeRegionsInput{})).Regions; len(r) != 1 || *r[0].RegionName != "us-west-2" {
		t.Errorf("%+v", r)
	}
	if z := got(c.DescribeAvailabilityZones(ctx, &awsec2.DescribeAvailabilityZonesInput{})).AvailabilityZones; len(z) != 2 {
		t.Errorf("%+v", z)
	}
	images := got(c.DescribeImages(ctx, &awsec2.DescribeImagesInput{Owners: []string{"amazon"}, Filters: append(where("name", "amazon-eks-node-al2023-x86_64-standard-1.37-*"), where("architecture", "x86_64")...)})).Images
	if len(images) != 1 || *images[0].ImageId != p.service.NodeImage("1.37", "x86_64") {
		t.Errorf("%+v", images)
	}
	if own := got(c.DescribeImages(ctx, &awsec2.DescribeImagesInput{Owners: []string{"self"}})).Images; len(own) != 0 {
		t.Errorf("%+v", own)
	}
	_, err := c.DescribeImages(ctx, &awsec2.DescribeImagesInput{ImageIds: []string{"ami-1"}})
	doortest.Refused(t, err, "InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist")
}

func TestLaunchTemplates(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	name := aws.String("nodes")
	in := &awsec2.CreateLaunchTemplateInput{LaunchTemplateName: name, ClientToken: aws.String("t"), LaunchTemplateData: &types.RequestLaunchTemplateData{
		InstanceType: "m5.large", ImageId: aws.String("ami-1"), MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{HttpTokens: "required", HttpPutResponseHopLimit: aws.Int32(2)},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.String("/dev/xvda"), Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(80), VolumeType: "gp3"}}},
		SecurityGroupIds:    []string{"sg-1"},
		TagSpecifications:   []types.LaunchTemplateTagSpecificationRequest{{ResourceType: "instance", Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}},
	}}
	made := got(c.CreateLaunchTemplate(ctx, in)).LaunchTemplate
	if again := got(c.CreateLaunchTemplate(ctx, in)).LaunchTemplate; *again.LaunchTemplateId != *made.LaunchTemplateId {
		t.Error("the token made another template")
	}
	in.ClientToken = aws.String("u")
	_, err := c.CreateLaunchTemplate(ctx, in)
	doortest.Refused(t, err, "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
	v := got(c.CreateLaunchTemplateVersion(ctx, &awsec2.CreateLaunchTemplateVersionInput{LaunchTemplateName: name, SourceVersion: aws.String("1"),
		LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: "m5.xlarge"}})).LaunchTemplateVersion
	d := v.LaunchTemplateData
	if *v.VersionNumber != 2 || d.InstanceType != "m5.xlarge" || *d.ImageId != "ami-1" || d.MetadataOptions.HttpTokens != "required" ||
		*d.BlockDeviceMappings[0].Ebs.VolumeSize != 80 || *d.TagSpecifications[0].Tags[0].Value != "v" || d.SecurityGroupIds[0] != "sg-1" {
		t.Errorf("%+v", d)
	}
	doortest.Must(t)(c.ModifyLaunchTemplate(ctx, &awsec2.ModifyLaunchTemplateInput{LaunchTemplateName: name, DefaultVersion: aws.String("2")}))
	numbers := func(versions ...string) (list []int64) {
		for _, v := range got(c.DescribeLaunchTemplateVersions(ctx, &awsec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: made.LaunchTemplateId, Versions: versions})).LaunchTemplateVersions {
			list = append(list, *v.VersionNumber)
		}
		return list
	}
	if n := numbers(); !slices.Equal(n, []int64{2, 1}) {
		t.Errorf("%v", n)
	}
	if n := numbers("$Latest", "$Default"); !slices.Equal(n, []int64{2}) {
		t.Errorf("%v", n)
	}
	gone := got(c.DeleteLaunchTemplateVersions(ctx, &awsec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateName: name, Versions: []string{"1", "2", "3"}}))
	if len(gone.SuccessfullyDeletedLaunchTemplateVersions) != 1 || len(gone.UnsuccessfullyDeletedLaunchTemplateVersions) != 2 {
		t.Errorf("%+v", gone)
	}
	_, err = c.DescribeLaunchTemplateVersions(ctx, &awsec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: name, Versions: []string{"1"}})
	doortest.Refused(t, err, "InvalidLaunchTemplateId.VersionNotFound", "Could not find launch template version")
	doortest.Must(t)(c.DeleteLaunchTemplate(ctx, &awsec2.DeleteLaunchTemplateInput{LaunchTemplateName: name}))
	_, err = c.DescribeLaunchTemplates(ctx, &awsec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"nodes"}})
	doortest.Refused(t, err, "InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name nodes, does not exist.")
	if l := got(c.DescribeLaunchTemplates(ctx, &awsec2.DescribeLaunchTemplatesInput{})).LaunchTemplates; len(l) != 0 {
		t.Errorf("%+v", l)
	}
}

func TestKeyPairs(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	made := got(c.CreateKeyPair(ctx, &awsec2.CreateKeyPairInput{KeyName: aws.String("k")}))
	block, _ := pem.Decode([]byte(*made.KeyMaterial))
	key := got(x509.ParsePKCS1PrivateKey(block.Bytes))
	sum := sha1.Sum(got(x509.MarshalPKCS8PrivateKey(key)))
	if strings.ReplaceAll(*made.KeyFingerprint, ":", "") != hex.EncodeToString(sum[:]) {
		t.Errorf("fingerprint %s", *made.KeyFingerprint)
	}
	_, err := c.CreateKeyPair(ctx, &awsec2.CreateKeyPairInput{KeyName: aws.String("k")})
	doortest.Refused(t, err, "InvalidKeyPair.Duplicate", "already exists")
	second := got(c.CreateKeyPair(ctx, &awsec2.CreateKeyPairInput{KeyName: aws.String("e"), KeyType: "ed25519"}))
	signer := got(ssh.ParsePrivateKey([]byte(*second.KeyMaterial)))
	if want := strings.TrimPrefix(ssh.FingerprintSHA256(signer.PublicKey()), "SHA256:"); strings.TrimRight(*second.KeyFingerprint, "=") != want {
		t.Errorf("fingerprint %s, want %s", *second.KeyFingerprint, want)
	}
	doortest.Must(t)(c.ImportKeyPair(ctx, &awsec2.ImportKeyPairInput{KeyName: aws.String("i"), PublicKeyMaterial: ssh.MarshalAuthorizedKey(signer.PublicKey())}))
	_, err = c.ImportKeyPair(ctx, &awsec2.ImportKeyPairInput{KeyName: aws.String("bad"), PublicKeyMaterial: []byte(base64.StdEncoding.EncodeToString([]byte("no key")))})
	doortest.Refused(t, err, "InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	doortest.Must(t)(c.DeleteKeyPair(ctx, &awsec2.DeleteKeyPairInput{KeyName: aws.String("k")}))
	_, err = c.DescribeKeyPairs(ctx, &awsec2.DescribeKeyPairsInput{KeyNames: []string{"k"}})
	doortest.Refused(t, err, "InvalidKeyPair.NotFound", "The key pair 'k' does not exist")
	if l := got(c.DescribeKeyPairs(ctx, &awsec2.DescribeKeyPairsInput{IncludePublicKey: aws.Bool(true), Filters: where("key-name", "i")})).KeyPairs; len(l) != 1 || !strings.HasPrefix(*l[0].PublicKey, "ssh-ed25519 ") {
		t.Errorf("%+v", l)
	}
}

// TestTemplatesRefused: a template is read before it is kept, a version of one too.
func TestTemplatesRefused(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	doortest.Must(t)(c.CreateLaunchTemplate(ctx, &awsec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("there"), LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: "m5.large"}}))
	ebs := func(change types.LaunchTemplateEbsBlockDeviceRequest) types.RequestLaunchTemplateData {
		return types.RequestLaunchTemplateData{BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.String("/dev/xvda"), Ebs: &change}}}
	}
	metadata := func(change types.LaunchTemplateInstanceMetadataOptionsRequest) types.RequestLaunchTemplateData {
		return types.RequestLaunchTemplateData{MetadataOptions: &change}
	}
	for name, tc := range map[string]struct {
		data       types.RequestLaunchTemplateData
		code, text string
	}{
		"user data":      {types.RequestLaunchTemplateData{UserData: aws.String("!!!")}, "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."},
		"long user data": {types.RequestLaunchTemplateData{UserData: aws.String(strings.Repeat("AAAA", 6000))}, "InvalidUserData.Malformed", "User data is limited to 16384 bytes"},
		"instance type":  {types.RequestLaunchTemplateData{InstanceType: "m5.huge"}, "InvalidParameterValue", "m5.huge"},
		"tenancy":        {types.RequestLaunchTemplateData{Placement: &types.LaunchTemplatePlacementRequest{Tenancy: "x"}}, "InvalidParameterValue", "x"},
		"shutdown":       {types.RequestLaunchTemplateData{InstanceInitiatedShutdownBehavior: "x"}, "InvalidParameterValue", "x"},
		"market":         {types.RequestLaunchTemplateData{InstanceMarketOptions: &types.LaunchTemplateInstanceMarketOptionsRequest{MarketType: "x"}}, "InvalidParameterValue", "x"},
		"tags":           {types.RequestLaunchTemplateData{TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{{ResourceType: "x", Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}}}, "InvalidParameterValue", "x"},
		"vpc in tags":    {types.RequestLaunchTemplateData{TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{{ResourceType: "vpc", Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}}}, "InvalidParameterValue", "'vpc' is not a valid taggable resource type for this operation."},
		"volume type":    {ebs(types.LaunchTemplateEbsBlockDeviceRequest{VolumeType: "gp9"}), "InvalidParameterValue", "gp9"},
		"tokens":         {metadata(types.LaunchTemplateInstanceMetadataOptionsRequest{HttpTokens: "maybe"}), "InvalidParameterValue", "maybe"},
		"endpoint":       {metadata(types.LaunchTemplateInstanceMetadataOptionsRequest{HttpEndpoint: "maybe"}), "InvalidParameterValue", "maybe"},
		"hop limit":      {metadata(types.LaunchTemplateInstanceMetadataOptionsRequest{HttpPutResponseHopLimit: aws.Int32(65)}), "InvalidParameterValue", "65"},
	} {
		_, err := c.CreateLaunchTemplate(ctx, &awsec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("other"), LaunchTemplateData: &tc.data})
		_, again := c.CreateLaunchTemplateVersion(ctx, &awsec2.CreateLaunchTemplateVersionInput{LaunchTemplateName: aws.String("there"), SourceVersion: aws.String("1"), LaunchTemplateData: &tc.data})
		for _, err := range []error{err, again} {
			t.Run(name, func(t *testing.T) { doortest.Refused(t, err, tc.code, tc.text) })
		}
	}
}
