package up

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/hint"
)

const head = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: c}\n"

// fileOf is a manifest of a text, which must be right.
func fileOf(t *testing.T, text string) *manifest {
	t.Helper()
	m, err := read(t, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m
}

func read(t *testing.T, text string) (*manifest, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := daemon.Default(t.TempDir(), t.TempDir())
	return readManifest(path, &c, &ranges{})
}

// TestValuesOfAFile: what calls would refuse is refused by its place, before there is
// anything to call.
func TestValuesOfAFile(t *testing.T) {
	const entries = "accessConfig:\n  accessEntries:\n  - "
	foreign := "m6g.large"
	if runtime.GOARCH == "arm64" {
		foreign = "m5.large"
	}
	for text, want := range map[string]string{
		"metadata: {name: c, version: '1.30'}":                                                               `3:30: metadata.version: unsupported Kubernetes version 1.30`,
		"metadata: {name: '-c'}":                                                                             `3:18: metadata.name: The parameter name contains invalid characters`,
		"metadata: {name: c, tags: {'aws:x': y}}":                                                            `3:27: metadata.tags: Tag keys that begin with aws: are reserved: aws:x`,
		"vpc: {clusterEndpoints: {publicAccess: false, privateAccess: false}}":                               `4:25: vpc.clusterEndpoints: Private and public endpoint access cannot be false`,
		"vpc: {publicAccessCIDRs: [10.0.0.0/8]}":                                                             `4:26: vpc.publicAccessCIDRs: The following CIDRs are not allowed`,
		"accessConfig: {authenticationMode: CONFIG_MAP, bootstrapClusterCreatorAdminPermissions: false}":     `4:15: accessConfig: bootstrapClusterCreatorAdminPermissions must be true`,
		"addons: [{name: foo}]":                                                                              `4:17: addons[0].name: Addon foo specified is not supported in 1.37 kubernetes version`,
		"addons:\n- {name: coredns, version: v1.0.0}":                                                        `5:28: addons[0].version: Addon version specified is not supported`,
		"addons:\n- {name: coredns, configurationValues: '{\"x\":1}'}":                                       `5:40: addons[0].configurationValues: ConfigurationValue provided in request is not supported`,
		"addons:\n- {name: coredns, serviceAccountRoleARN: 'arn:aws:iam::111122223333:role/r'}":              `5:42: addons[0].serviceAccountRoleARN: serviceAccountRoleArn is not supported by eksact`,
		"nodeGroups:\n- {name: a, minSize: 3, maxSize: 1}":                                                   `5:22: nodeGroups[0].minSize: desired capacity 3 can't be greater than max size 1`,
		"nodeGroups:\n- {name: a, minSize: 3, desiredCapacity: 1}":                                           `5:22: nodeGroups[0].minSize: Minimum capacity 3 can't be greater than desired size 1`,
		"nodeGroups:\n- {name: a, instanceType: m9.huge}":                                                    `5:27: nodeGroups[0].instanceType: The following supplied instance types do not exist: [m9.huge]`,
		"nodeGroups:\n- {name: a, instanceTypes: [" + foreign + "]}":                                         `5:28: nodeGroups[0].instanceTypes: amiType`,
		"nodeGroups:\n- {name: a, labels: {ok: '1', kubernetes.io/x: '1'}}":                                  `5:31: nodeGroups[0].labels.kubernetes.io/x: Label cannot contain reserved prefixes`,
		"nodeGroups:\n- {name: a b}":                                                                         `5:10: nodeGroups[0].name: The nodegroup name`,
		"nodeGroups:\n- {name: a, iam: {attachPolicyARNs: [arn:aws:iam::aws:policy/None]}}":                  `5:38: nodeGroups[0].iam.attachPolicyARNs[0]: there is no policy arn:aws:iam::aws:policy/None here`,
		"nodeGroups:\n- {name: a, iam: {attachPolicyARNs: [x]}}":                                             `5:38: nodeGroups[0].iam.attachPolicyARNs[0]: "x" is no ARN of a managed policy`,
		"nodeGroups:\n- {name: a, iam: {instanceRoleARN: x}}":                                                `5:36: nodeGroups[0].iam.instanceRoleARN: "x" is no role of account 111122223333`,
		"nodeGroups:\n- {name: a, updateConfig: {maxUnavailable: 0}}":                                        `5:27: nodeGroups[0].updateConfig: maxUnavailable must be between 1 and 100`,
		entries + "{principalARN: x}":                                                                        `6:20: accessConfig.accessEntries[0].principalARN: The specified principalArn is invalid`,
		entries + "{principalARN: 'arn:aws:iam::111122223333:user/u', type: X}":                              `6:62: accessConfig.accessEntries[0].type: AccessEntry type must be one of`,
		entries + "{principalARN: 'arn:aws:iam::111122223333:user/u', kubernetesGroups: ['system:masters']}": `6:74: accessConfig.accessEntries[0].kubernetesGroups: The kubernetes group name system:masters is invalid`,
		entries + "principalARN: arn:aws:iam::111122223333:user/u\n    accessPolicies:\n    - {policyARN: 'arn:aws:eks::aws:cluster-access-policy/None', accessScope: {type: cluster}}": `8:7: accessConfig.accessEntries[0].accessPolicies[0]: The specified policyArn could not be found`,
		"iam:\n  withOIDC: true\n  serviceAccounts:\n  - metadata: {name: a}\n    attachPolicy: {Statement: [{Effect: Maybe}]}":                                                         `8:19: iam.serviceAccounts[0].attachPolicy: `,
	} {
		if !strings.HasPrefix(text, "metadata") {
			text = head + text
		} else {
			text = head[:strings.Index(head, "metadata")] + text
		}
		_, err := read(t, text)
		if err == nil || !strings.Contains(err.Error(), "c.yaml:"+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\n  %v\n  want %s", text, err, want)
		}
	}
	_, err := read(t, head+"addons: [{name: foo}]\nnodeGroups: [{name: a, minSize: 2, maxSize: 1}, {name: b, instanceType: x}]\nvpc: {clusterEndpoints: {publicAccess: false}}\n")
	if err == nil {
		t.Fatal("a wrong file is taken")
	}
	var places []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		places = append(places, strings.Join(strings.SplitN(strings.TrimPrefix(line[strings.Index(line, "c.yaml:"):], "c.yaml:"), ":", 3)[:2], ":"))
	}
	if got := strings.Join(places, " "); got != "4:17 5:33 5:73 6:25" {
		t.Errorf("faults at %s", got)
	}
}

// TestErrorsOfCalls: an API's error is told by the place in the file, its code and its
// message, and leaves the account up.
func TestErrorsOfCalls(t *testing.T) {
	m := fileOf(t, head+"addons: [{name: coredns}]\n")
	refusal := &smithy.OperationError{ServiceID: "EKS", OperationName: "CreateAddon", Err: &smithy.GenericAPIError{Code: "InvalidParameterException", Message: "No."}}
	if got := m.located("addons[0]", refusal); got.Error() != m.file+":4:10: addons[0]: InvalidParameterException: No." || !has(got, "InvalidParameterException") {
		t.Errorf("%v", got)
	}
	if m.located("addons[0]", nil) != nil {
		t.Error("no error is one")
	}
	if err := m.stays(refusal); !errors.Is(err, errFile) || !strings.Contains(err.Error(), m.file+":3:18: metadata.name: InvalidParameterException: No.") || len(hint.Lines(err)) == 0 {
		t.Errorf("%v", err)
	}
	if err := m.stays(context.Canceled); err != context.Canceled {
		t.Errorf("%v", err)
	}
}

// TestRegionOfAFile: a file can't move an account that was made.
func TestRegionOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(head, "name: c", "name: c, region: eu-west-1", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := daemon.Default(t.TempDir(), t.TempDir())
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	_, err := readManifest(path, &c, &ranges{})
	if err == nil || err.Error() != path+":3:29: metadata.region: the account was made in us-west-2, and can't be moved to eu-west-1" {
		t.Errorf("%v", err)
	}
}
