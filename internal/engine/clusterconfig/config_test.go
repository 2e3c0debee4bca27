package clusterconfig

import (
	"strings"
	"testing"
)

const whole = `
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: blue, region: us-west-2, version: "1.37", tags: {team: a}}
vpc:
  cidr: 10.3.0.0/16
  clusterEndpoints: {publicAccess: true, privateAccess: true}
  publicAccessCIDRs: [10.0.0.0/8]
  nat: {gateway: Single}
cloudWatch: {clusterLogging: {enableTypes: ["*"]}}
accessConfig:
  authenticationMode: API_AND_CONFIG_MAP
  bootstrapClusterCreatorAdminPermissions: false
  accessEntries:
    - principalARN: arn:aws:iam::111122223333:user/u
      kubernetesGroups: [viewers]
      accessPolicies: [{policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy, accessScope: {type: namespace, namespaces: [default]}}]
iam:
  withOIDC: true
  serviceAccounts:
    - metadata: {name: s3, namespace: default, labels: {a: b}}
      attachPolicyARNs: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]
    - metadata: {name: own, namespace: default}
      attachPolicy: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
      roleName: own
  podIdentityAssociations:
    - {namespace: default, serviceAccountName: p, permissionPolicyARNs: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess], createServiceAccount: true}
addons: [{name: vpc-cni, configurationValues: '{"enableNetworkPolicy":"true"}', resolveConflicts: overwrite}, {name: eks-pod-identity-agent}]
nodeGroups:
  - {name: ng, instanceType: m5.large, desiredCapacity: 1, privateNetworking: true, taints: {dedicated: "x:NoSchedule"}}
managedNodeGroups:
  - {name: pool, instanceTypes: [m5.large, m5.xlarge], minSize: 1, maxSize: 3, volumeSize: 40, labels: {l: "1"}, taints: [{key: k, effect: NoExecute}], updateConfig: {maxUnavailable: 2}}
`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "blue" || c.Version != "1.37" || c.VPC.String() != "10.3.0.0/16" || !*c.Public || !*c.Private || len(c.LogTypes) != 5 || c.Mode != "API_AND_CONFIG_MAP" || *c.CreatorAdmin || !c.OIDC {
		t.Errorf("%+v", c)
	}
	if e := c.AccessEntries[0]; e.Groups[0] != "viewers" || e.Policies[0].Scope != "namespace" || e.Policies[0].Namespaces[0] != "default" {
		t.Errorf("%+v", e)
	}
	if len(c.Accounts) != 2 || c.Accounts[0].Labels["a"] != "b" || !strings.Contains(c.Accounts[1].Inline, `"Action":"s3:*"`) || c.Accounts[1].RoleName != "own" {
		t.Errorf("%+v", c.Accounts)
	}
	if a := c.Associations[0]; a.Account != "p" || !a.CreateAccount || len(a.Policies) != 1 {
		t.Errorf("%+v", a)
	}
	if a := c.Addons[0]; a.Conflicts != "OVERWRITE" || a.Values != `{"enableNetworkPolicy":"true"}` {
		t.Errorf("%+v", a)
	}
	own, pool := c.Nodegroups[0], c.Nodegroups[1]
	if own.Managed || own.Types[0] != "m5.large" || *own.Desired != 1 || !own.Private || own.Taints[0] != (Taint{"dedicated", "x", "NoSchedule"}) {
		t.Errorf("%+v", own)
	}
	if !pool.Managed || len(pool.Types) != 2 || *pool.Max != 3 || pool.Disk != 40 || pool.Labels["l"] != "1" || pool.Taints[0] != (Taint{"k", "", "NoExecute"}) || *pool.Unavailable != 2 {
		t.Errorf("%+v", pool)
	}
}

func TestRefusals(t *testing.T) {
	const head = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: c}\n"
	for text, want := range map[string]string{
		"":                    "1:1: the file is empty",
		"# nothing\n":         "1:1: the file is empty",
		"a: b\nc: d\ne: [f\n": "3:1: this is not YAML",
		"- a":                 "1:1: a ClusterConfig must be an object",
		"kind: ClusterConfig\nmetadata: {name: c}":            "1:1: apiVersion is required: eksctl.io/v1alpha5",
		"apiVersion: eksctl.io/v1alpha5\nmetadata: {name: c}": "1:1: kind is required: ClusterConfig",
		head + "---\n" + head:                                 "5:1: a second document",
		head + "accessConfig: {authenticationMode: CONFIG_MAP, accessEntries: [{principalARN: x}]}":      "4:63: accessConfig.accessEntries: with authenticationMode CONFIG_MAP no entry counts",
		head + "iam:\n  podIdentityAssociations:\n  - {namespace: a, serviceAccountName: b, roleARN: c}": "6:5: iam.podIdentityAssociations[0]: without the add-on eks-pod-identity-agent",
		head + "nodeGroups:\n- {name: a}\nmanagedNodeGroups:\n- {name: a}":                               `7:10: managedNodeGroups[0].name: node groups need names of their own, and "a" is the one's at 5:3`,
		head + "nodeGroups:\n- {desiredCapacity: 1}":                                                     "5:3: nodeGroups[0]: name is required",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: c}":                                                 "1:13: apiVersion: v1 is not supported by eksact, eksctl.io/v1alpha5 is",
		head[:len(head)-len("metadata: {name: c}\n")] + "metadata: {region: x}":                          "3:11: metadata: metadata.name is required",
		head + "fargateProfiles: []":                                                                     "4:1: fargateProfiles is not supported by eksact",
		head + "nodeGroups:\n- name: a\n  ssh: {allow: true}":                                            "6:3: nodeGroups[0].ssh is not supported by eksact",
		head + "nodeGroups: [{name: a}, {name: a}]":                                                      `4:32: nodeGroups[1].name: node groups need names of their own`,
		head + "nodeGroups: [{name: a, amiFamily: Bottlerocket}]":                                        "4:35: nodeGroups[0].amiFamily: Bottlerocket is not supported by eksact, AmazonLinux2023 is",
		head + "nodeGroups: [{name: a, desiredCapacity: x}]":                                             "nodeGroups[0].desiredCapacity must be a number",
		head + "nodeGroups: [{name: a, taints: {k: Never}}]":                                             `"k=:Never" is no taint`,
		head + "vpc: {id: vpc-1}":                                                                        "4:7: vpc.id is not supported by eksact",
		head + "vpc: {cidr: x}":                                                                          `vpc.cidr: "x" is no range of addresses`,
		head + "vpc: []":                                                                                 "vpc must be an object",
		head + "addons: {}":                                                                              "addons must be a list",
		head + "cloudWatch: {clusterLogging: {enableTypes: [all, x]}}":                                   `"x" is none of api, audit`,
		head + "iam: {withOIDC: maybe}":                                                                  "iam.withOIDC must be true or false",
		head + "iam: {serviceAccounts: [{metadata: {name: a}, attachPolicyARNs: [x]}]}":                  "4:25: iam.serviceAccounts[0]: iam.withOIDC must be true",
		head + "metadata: {name: d}":                                                                     "4:1: metadata is given twice",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n  %v\n  want %s", text, err, want)
		}
	}
	_, err := Parse([]byte(head + "iam: {withOIDC: true, serviceAccounts: [{metadata: {name: a}, wellKnownPolicies: {ebsCSIController: true}}]}"))
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("what follows from a fault is told beside it: %v", err)
	}
	_, err = Parse([]byte(head + "a: 1\nb: 2"))
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("not all faults are told: %v", err)
	}
}

func TestPlaces(t *testing.T) {
	c, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"metadata.tags.team":                        "4:67",
		"metadata.name":                             "4:18",
		c.Nodegroups[1].Path + ".minSize":           "32:65",
		c.Nodegroups[1].Path + ".labels.l":          "32:105",
		c.Nodegroups[1].Path + ".nothing.there":     "32:5",
		"nothing":                                   "2:1",
		c.Accounts[0].Path + ".attachPolicyARNs[0]": "22:26",
	} {
		if got := c.At(path); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
	if !c.Given("vpc.cidr") || c.Given("vpc.id") {
		t.Error("what is given is not told from what isn't")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := Parse([]byte(text)); err == nil && c.Name == "" {
			t.Error("a cluster without a name")
		}
	})
}
