package vpc

import (
	"fmt"
	"syscall"
	"testing"
)

// policies select the pods with groups of their own.
const policies = `
apiVersion: vpcresources.k8s.aws/v1beta1
kind: SecurityGroupPolicy
metadata: {name: clerk}
spec:
  podSelector: {matchLabels: {role: clerk}}
  securityGroups: {groupIds: [%s]}
`

const shop = `
apiVersion: v1
kind: Pod
metadata: {name: %[1]s, labels: {role: %[1]s}}
spec:
  nodeSelector: {kubernetes.io/hostname: %[2]s}
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: busybox, command: ` + serve + `}
---
`

// cutOff is what is said of a command that timeout ended: nobody answered.
const cutOff = "command terminated with exit code 143"

// pods gives one pod a group that a database in the VPC lets in: a listener on the
// terminal, as RDS is one.
func (h *house) pods(t *testing.T) {
	h.host.Soon(t, soon, "kubectl get crd securitygrouppolicies.vpcresources.k8s.aws -o name", "securitygrouppolicies")
	id, address := h.terminalENI(t)
	clerks, database := h.createGroup(t, "clerks"), h.createGroup(t, "database")
	h.host.Must(t, "aws ec2 authorize-security-group-ingress --group-id "+database+" --protocol tcp --port 5432 --source-group "+clerks)
	// Cluster DNS is among the nodes' pods.
	h.host.Must(t, "aws ec2 authorize-security-group-ingress --group-id "+h.group+" --protocol all --source-group "+clerks)
	h.regroup(t, id, database)
	stop := h.listen(t)
	defer stop()

	h.apply(t, fmt.Sprintf(policies, clerks))
	h.host.Must(t, "kubectl get sgp clerk", clerks)
	node := h.nodes[0].Name
	h.apply(t, fmt.Sprintf(shop, "clerk", node)+fmt.Sprintf(shop, "thief", node))
	h.host.Must(t, "kubectl wait --for=condition=Ready pod/clerk pod/thief --timeout=180s")

	ip := h.host.Must(t, "kubectl get pod clerk -o jsonpath='{.status.podIP}'")
	h.host.Must(t, `kubectl get pod clerk -o jsonpath='{.metadata.annotations.vpc\.amazonaws\.com/pod-eni}'`, `"privateIp":"`+ip+`"`, `"eniId":"eni-0`)
	h.host.Must(t, "aws ec2 describe-network-interfaces --filters Name=interface-type,Values=branch --query 'NetworkInterfaces[].[PrivateIpAddress,Groups[0].GroupId]' --output text", ip, clerks)

	query := "kubectl exec %s -- timeout 3 nc " + address + " 5432 </dev/null"
	h.host.Soon(t, soon, fmt.Sprintf(query, "clerk"), "rows")
	h.host.Refused(t, fmt.Sprintf(query, "thief"), cutOff)
	// On one node: the clerk lets nobody in, but its own.
	h.host.Refused(t, "kubectl exec thief -- timeout 3 wget -qO- http://"+ip+"/", cutOff)
	h.host.Must(t, "aws ec2 authorize-security-group-ingress --group-id "+clerks+" --protocol tcp --port 80 --source-group "+h.group)
	h.host.Soon(t, soon, "kubectl exec thief -- timeout 3 wget -qO- http://"+ip+"/", "hello")
	// The group that is revoked is so on packets.
	h.host.Must(t, "aws ec2 revoke-security-group-ingress --group-id "+database+" --protocol tcp --port 5432 --source-group "+clerks)
	h.host.Refused(t, fmt.Sprintf(query, "clerk"), cutOff)

	h.host.Must(t, "kubectl delete pod clerk thief --timeout=180s")
	h.host.Soon(t, soon, "aws ec2 describe-network-interfaces --filters Name=interface-type,Values=branch --query 'length(NetworkInterfaces)'", "0")
	h.regroup(t, id, h.group)
}

// listen makes the database.
func (h *house) listen(t *testing.T) (stop func()) {
	t.Helper()
	cmd := h.shell.Command(`exec python3 -c '
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("", 5432)); s.listen(16)
while True:
    c, _ = s.accept(); c.sendall(b"rows\n"); c.close()
'`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() }
}
