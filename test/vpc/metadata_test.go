package vpc

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
)

// A shell on the node and one in a pod of it.
const metadataPods = `
apiVersion: v1
kind: Pod
metadata: {name: node}
spec:
  nodeSelector: {kubernetes.io/hostname: %[1]s}
  hostNetwork: true
  containers: [{name: shell, image: toolbox, imagePullPolicy: IfNotPresent, command: [sleep, infinity], securityContext: {privileged: true}}]
  terminationGracePeriodSeconds: 0
---
apiVersion: v1
kind: Pod
metadata: {name: pod, labels: {app: shell}}
spec:
  nodeSelector: {kubernetes.io/hostname: %[1]s}
  containers: [{name: shell, image: toolbox, imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]
  terminationGracePeriodSeconds: 0
`

const (
	service = "http://169.254.169.254"
	// first is version 1 of the protocol, second version 2.
	first   = "curl -sS -m 20 -w \" %{http_code}\" " + service + "/latest/"
	second  = `T=$(curl -sSf -m 20 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" ` + service + `/latest/api/token) && curl -sS -m 20 -w " %{http_code}" -H "X-aws-ec2-metadata-token: $T" ` + service + "/latest/"
	timeout = "timed out"
	// The same by IPv6, where the service has another address.
	service6 = "http://[fd00:ec2::254]"
)

// metadata is tried on the first node.
func (h *house) metadata(t *testing.T) {
	h.apply(t, fmt.Sprintf(metadataPods, h.nodes[0].Name))
	h.host.Must(t, "kubectl wait --for=condition=Ready pod/node pod/pod --timeout=180s || { kubectl describe pods; false; }")
	i := &instance{h, h.nodes[0]}
	lab.InTurn(t,
		lab.Part{Name: "who the node is", Test: i.identity},
		lab.Part{Name: "tokens required, as a node's are", Test: i.required},
		lab.Part{Name: "the workshop's firewall rule", Test: i.firewall},
		lab.Part{Name: "hop limit 1", Test: i.hops},
		lab.Part{Name: "by IPv6", Test: i.ipv6},
		lab.Part{Name: "version 1, and what it delivers", Test: i.delivery},
		lab.Part{Name: "turned off", Test: i.off},
	)
}

// instance is a node whose metadata is asked for.
type instance struct {
	*house
	node control.Node
}

// on is a line typed in a pod: "node", whose network is the node's, or "pod".
func on(pod, line string) string {
	return fmt.Sprintf("kubectl exec %s -- bash -c '%s'", pod, line)
}

// silent is such a line that nobody is to answer, which is waited for no longer.
func silent(pod, line string) string { return on(pod, strings.ReplaceAll(line, "-m 20", "-m 2")) }

// modify changes options: what is answered is changed.
func (h *instance) modify(t *testing.T, in ec2.ModifyInstanceMetadataOptionsInput) {
	t.Helper()
	in.InstanceId = &h.node.ID
	if is := got(h.ec2.ModifyInstanceMetadataOptions(t.Context(), &in)).InstanceMetadataOptions.State; is != types.InstanceMetadataOptionsStatePending {
		t.Errorf("the change is %s", is)
	}
	if is := h.instance(t, h.node.ID).MetadataOptions.State; is != types.InstanceMetadataOptionsStateApplied {
		t.Errorf("after the change they are %s", is)
	}
}

// typed changes them, with the AWS CLI.
func (h *instance) typed(t *testing.T, options string) {
	t.Helper()
	h.host.Must(t, "aws ec2 modify-instance-metadata-options --instance-id "+h.node.ID+" "+options+" --query InstanceMetadataOptions.State --output text", "pending")
	h.host.Must(t, "aws ec2 describe-instances --instance-ids "+h.node.ID+" --query 'Reservations[].Instances[].MetadataOptions.State' --output text", "applied")
}

func (h *instance) identity(t *testing.T) {
	h.host.Must(t, on("node", second+"meta-data/instance-id"), h.node.ID+" 200")
	h.host.Must(t, on("node", second+"meta-data/local-ipv4"), h.node.Address+" 200")
	interfaces := h.host.Must(t, "aws ec2 describe-instances --instance-ids "+h.node.ID+" --query 'Reservations[].Instances[].NetworkInterfaces[].[NetworkInterfaceId,MacAddress]' --output text")
	id, mac, _ := strings.Cut(interfaces, "\t")
	h.host.Must(t, on("pod", second+"meta-data/network/interfaces/macs/"+mac+"/interface-id"), id+" 200")

	// The document is signed, and whoever trusts this account's authority can check it.
	quiet := strings.Replace(second, ` -w " %{http_code}"`, "", 1)
	h.host.Must(t, on("pod", quiet+"dynamic/instance-identity/document")+" >document")
	h.host.Must(t, "{ echo -----BEGIN PKCS7-----; "+on("pod", quiet+"dynamic/instance-identity/rsa2048")+"; echo; echo -----END PKCS7-----; } >rsa2048")
	h.host.Must(t, "openssl smime -verify -in rsa2048 -inform PEM -content document -CAfile $AWS_CA_BUNDLE -purpose any", "Verification successful", h.node.ID, h.node.Address)
	h.host.Must(t, "openssl smime -verify -in rsa2048 -inform PEM -content document -noverify -certfile "+filepath.Join(h.State, "identity-documents.pem"), "Verification successful")
}

func (h *instance) required(t *testing.T) {
	for _, from := range []string{"node", "pod"} {
		h.host.Must(t, on(from, second+"meta-data/instance-id"), h.node.ID+" 200")
		h.host.Must(t, on(from, first+"meta-data/instance-id"), " 401")
	}
}

// The rule is the one of AWS's documentation, typed on the node.
func (h *instance) firewall(t *testing.T) {
	const rule = "--in-interface eni+ --destination 169.254.169.254/32 --jump DROP"
	h.host.Must(t, on("node", "iptables --insert FORWARD 1 "+rule))
	h.host.Refused(t, silent("pod", second+"meta-data/instance-id"), timeout)
	h.host.Must(t, on("node", second+"meta-data/instance-id"), h.node.ID+" 200")
	h.host.Must(t, on("node", "iptables --delete FORWARD "+rule))
	h.host.Must(t, on("pod", second+"meta-data/instance-id"), h.node.ID+" 200")
}

func (h *instance) hops(t *testing.T) {
	h.modify(t, ec2.ModifyInstanceMetadataOptionsInput{HttpPutResponseHopLimit: aws.Int32(1)})
	h.host.Refused(t, silent("pod", second+"meta-data/instance-id"), timeout)
	h.host.Must(t, on("node", second+"meta-data/instance-id"), h.node.ID+" 200")
	h.modify(t, ec2.ModifyInstanceMetadataOptionsInput{HttpPutResponseHopLimit: aws.Int32(2)})
	h.host.Must(t, on("pod", second+"meta-data/instance-id"), h.node.ID+" 200")
}

// ipv6 asks at the service's other address: who closes the first has to close it too.
func (h *instance) ipv6(t *testing.T) {
	byIPv4 := second
	first, second := strings.ReplaceAll(first, service, service6), strings.ReplaceAll(second, service, service6)
	for _, from := range []string{"node", "pod"} { // not enabled
		h.host.Refused(t, on(from, second+"meta-data/instance-id"), "403")
	}
	h.modify(t, ec2.ModifyInstanceMetadataOptionsInput{HttpProtocolIpv6: types.InstanceMetadataProtocolStateEnabled, HttpPutResponseHopLimit: aws.Int32(1)})
	h.host.Refused(t, silent("pod", second+"meta-data/instance-id"), timeout)
	h.host.Must(t, on("node", second+"meta-data/instance-id"), h.node.ID+" 200")
	h.modify(t, ec2.ModifyInstanceMetadataOptionsInput{HttpPutResponseHopLimit: aws.Int32(2)})
	for _, from := range []string{"node", "pod"} {
		h.host.Must(t, on(from, second+"meta-data/instance-id"), h.node.ID+" 200")
		h.host.Must(t, on(from, first+"meta-data/instance-id"), " 401")
	}

	const rule = "--in-interface eni+ --destination fd00:ec2::254/128 --jump DROP"
	h.host.Must(t, on("node", "ip6tables --insert FORWARD 1 "+rule))
	h.host.Refused(t, silent("pod", second+"meta-data/instance-id"), timeout)
	h.host.Must(t, on("node", "ip6tables --delete FORWARD "+rule))
	h.host.Must(t, on("pod", second+"meta-data/instance-id"), h.node.ID+" 200")

	for _, p := range []struct{ cidr, allowed, refused string }{
		{"169.254.169.254/32", byIPv4, second}, {"fd00:ec2::254/128", second, byIPv4},
	} {
		h.apply(t, fmt.Sprintf(onlyTo, p.cidr))
		h.Eksact(t, "netpol", "wait")
		h.host.Must(t, on("pod", p.allowed+"meta-data/instance-id"), h.node.ID+" 200")
		h.host.Refused(t, silent("pod", p.refused+"meta-data/instance-id"), timeout)
		h.host.Must(t, "kubectl delete networkpolicy only-to")
		h.Eksact(t, "netpol", "wait")
	}
	h.host.Refused(t, on("pod", "curl -sS -m 2 http://[fd65:6b73:6163::"+h.node.Address+"]:10250/"), "curl: (7)")
	h.modify(t, ec2.ModifyInstanceMetadataOptionsInput{HttpProtocolIpv6: types.InstanceMetadataProtocolStateDisabled})
	h.host.Refused(t, on("node", second+"meta-data/instance-id"), "403")
}

// onlyTo lets a pod send to one range alone.
const onlyTo = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-to}
spec: {podSelector: {matchLabels: {app: shell}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: "%s"}}]}]}
`

// delivery reads the role's credentials by both versions and uses them where a
// policy wants those of version 2.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (h *instance) delivery(t *testing.T) {
	h.modify(t, ec2.ModifyInstanceMetadataOptionsInput{HttpTokens: types.HttpTokensStateOptional})
	h.host.Must(t, on("pod", first+"meta-data/instance-id"), h.node.ID+" 200")
	role := strings.Fields(h.host.Must(t, on("node", second+"meta-data/iam/security-credentials/")))[0]
	h.host.Must(t, "aws iam put-role-policy --role-name "+role+` --policy-name v2-only --policy-document '{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"ec2:RoleDelivery":"2.0"}}}]}'`)
	for _, by := range []string{first, second} {
		text := h.host.Must(t, on("node", by+"meta-data/iam/security-credentials/"+role))
		var keys struct{ Code, AccessKeyId, SecretAccessKey, Token string }
		if err := json.Unmarshal([]byte(strings.TrimSuffix(text, " 200")), &keys); err != nil || keys.Code != "Success" {
			t.Fatalf("%v: %s", err, text)
		}
		as := h.host.With("K="+keys.AccessKeyId, "S="+keys.SecretAccessKey, "T="+keys.Token).
			After("export AWS_ACCESS_KEY_ID=$K AWS_SECRET_ACCESS_KEY=$S AWS_SESSION_TOKEN=$T; unset AWS_PROFILE")
		as.Must(t, "aws sts get-caller-identity", "assumed-role/"+role+"/"+h.node.ID)
		if by == first {
			as.Refused(t, "aws s3api list-buckets", "AccessDenied", "with an explicit deny")
		} else {
			as.Must(t, "aws s3api list-buckets", "Buckets")
		}
	}
	h.host.Must(t, "aws iam delete-role-policy --role-name "+role+" --policy-name v2-only")
	h.modify(t, ec2.ModifyInstanceMetadataOptionsInput{HttpTokens: types.HttpTokensStateRequired})
}

func (h *instance) off(t *testing.T) {
	h.typed(t, "--http-endpoint disabled")
	h.host.Must(t, on("node", first+"meta-data/instance-id"), " 403")
	h.host.Refused(t, on("node", second+"meta-data/instance-id"), "403")
	h.typed(t, "--http-endpoint enabled")
	h.host.Soon(t, soon, on("node", second+"meta-data/instance-id"), h.node.ID+" 200")
}
