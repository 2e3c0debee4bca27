package endpoint

import (
	"testing"
	"time"
)

// described asks about add-ons.
func (h *house) described(t *testing.T) {
	sh := h.shell
	sh.Must(t, "aws eks list-addons --cluster-name cluster --output text", "coredns", "kube-proxy", "vpc-cni")
	sh.Must(t, "aws eks describe-addon --cluster-name cluster --addon-name vpc-cni", `"ACTIVE"`, `{\"enableNetworkPolicy\":\"true\"}`)
	sh.Must(t, "aws eks describe-addon-versions --addon-name kube-proxy --kubernetes-version 1.37 --query addons[].addonVersions[].addonVersion --output text", "v1.37.2-eksbuild.1")
	sh.Must(t, "aws eks describe-addon-configuration --addon-name vpc-cni --addon-version v1.21.1-eksbuild.1 --query configurationSchema --output text", "enableNetworkPolicy")
}

// addons types what there is to do with add-ons.
func (h *house) addons(t *testing.T) {
	sh := h.shell
	sh.Refused(t, `aws eks update-addon --cluster-name cluster --addon-name vpc-cni --configuration-values '{"enableNetworkPolicy":true}'`,
		"(InvalidParameterException) when calling the UpdateAddon operation: ConfigurationValue provided in request is not supported: "+
			"Json schema validation failed with error: [$.enableNetworkPolicy: boolean found, string expected]")

	// CoreDNS is really scaled, unless a user's own scale is in the way.
	update := "aws eks update-addon --cluster-name cluster --addon-name coredns --configuration-values "
	wait := " && aws eks wait addon-active --cluster-name cluster --addon-name coredns"
	sh.Must(t, update+`'{"replicaCount":1}'`+wait)
	sh.Must(t, "kubectl -n kube-system get deployment coredns -o jsonpath={.spec.replicas}", "1")
	sh.Must(t, "kubectl -n kube-system scale deployment coredns --replicas 3", "scaled")
	id := sh.Must(t, update+`'{"replicaCount":2}' --query update.id --output text`)
	sh.Soon(t, 20*time.Second, "aws eks describe-update --name cluster --addon-name coredns --update-id "+id,
		`"Failed"`, "ConfigurationConflict", "Deployment.apps coredns - .spec.replicas")
	sh.Must(t, update+`'{"replicaCount":2}' --resolve-conflicts OVERWRITE`+wait)
	sh.Must(t, "kubectl -n kube-system get deployment coredns -o jsonpath={.spec.replicas}", "2")

	// Deleted and made anew.
	sh.Must(t, "aws eks delete-addon --cluster-name cluster --addon-name coredns && aws eks wait addon-deleted --cluster-name cluster --addon-name coredns")
	sh.Refused(t, "kubectl -n kube-system get deployment coredns", "NotFound")
	sh.Refused(t, "aws eks describe-addon --cluster-name cluster --addon-name coredns",
		"(ResourceNotFoundException) when calling the DescribeAddon operation: No addon: coredns found in cluster: cluster")
	sh.Must(t, "aws eks create-addon --cluster-name cluster --addon-name coredns"+wait)
	sh.Must(t, "kubectl -n kube-system rollout status deployment coredns --timeout 180s", "successfully rolled out")
}
