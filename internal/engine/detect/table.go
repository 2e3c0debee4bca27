package detect

import (
	"slices"
	"strings"
)

const (
	guardDuty = "https://docs.aws.amazon.com/guardduty/latest/ug/guardduty-finding-types-eks-audit-logs.html"
	falco     = "https://github.com/falcosecurity/plugins/blob/main/plugins/k8saudit/rules/k8s_audit_rules.yaml"
	stratus   = "https://stratus-red-team.cloud/attack-techniques/kubernetes/"
	workshop  = "https://docs.aws.amazon.com/eks/latest/best-practices/auditing-and-logging.html"
)

// people and some other parts of conditions.
const (
	people   = `user.username not like /^(system|eks):/`
	written  = `verb in ["create", "update", "patch"]`
	changed  = `verb in ["create", "update", "patch", "delete", "deletecollection"]`
	done     = `responseStatus.code < 300`
	bindings = `objectRef.resource in ["clusterrolebindings", "rolebindings"]`
	roles    = `objectRef.resource in ["clusterroles", "roles"]`
	pods     = `objectRef.resource = "pods" and not ispresent(objectRef.subresource) and verb = "create" and ` + kept + ` and ` + done + ` and objectRef.namespace != "kube-system"`

	// kept: what the request writes stays: it is no dry run. What deletes says so in its body,
	// which counts before parameters. (A patch's body is anybody's text.)
	kept  = `not (requestURI like /[?&]dryRun=All(&|$)/)`
	turns = `not (verb in ["create", "update", "patch"] and requestURI like /[?&]dryRun=All(&|$)/) and not (verb in ["delete", "deletecollection"] and requestObject.dryRun.0 = "All")`

	// notBootstrap: not the API server itself, nor the controller that keeps roles.
	notBootstrap = `user.username not in ["system:apiserver", "system:serviceaccount:kube-system:clusterrole-aggregation-controller"]`

	// peer is who connected: the API server writes them last into sourceIPs, behind what the
	// request's headers claim. mostPeers is how many it looks at: a longer list is nobody's.
	peer      = `coalesce(sourceIPs.3, sourceIPs.2, sourceIPs.1, sourceIPs.0)`
	mostPeers = 4

	// account is a service account; outsider one that is not of the namespace it looks into.
	account  = `user.username like /^system:serviceaccount:/`
	outsider = account + ` and user.username not like /^system:serviceaccount:kube-system:/ and ispresent(objectRef.namespace) and startsWith(user.username, concat("system:serviceaccount:", objectRef.namespace, ":")) = 0`
)

// allReaders are the controller manager's controllers that know all objects, secrets included.
var (
	allReaders = []string{"system:serviceaccount:kube-system:generic-garbage-collector", "system:serviceaccount:kube-system:namespace-controller", "system:serviceaccount:kube-system:resourcequota-controller", "system:serviceaccount:kube-system:storage-version-migrator-controller"}
	readers    = `user.username in ["` + strings.Join(allReaders, `", "`) + `"]`
)

// plane is the control plane calling itself: its components and controllers, from the API
// server's own machine, where nothing else runs. Who has such credentials elsewhere has
// another address.
var plane = `(user.username like /^system:(apiserver$|kube-|serviceaccount:kube-system:)/ and ` + within(loopback()...) + `)`

var (
	accounts        = Technique{"T1078", "Valid Accounts", "Initial Access"}
	cloudAccounts   = Technique{"T1078.004", "Valid Accounts: Cloud Accounts", "Initial Access"}
	containerAdmin  = Technique{"T1609", "Container Administration Command", "Execution"}
	proxied         = Technique{"T1090", "Proxy", "Command and Control"}
	deployed        = Technique{"T1610", "Deploy Container", "Execution"}
	containerAPI    = Technique{"T1552.007", "Unsecured Credentials: Container API", "Credential Access"}
	manipulated     = Technique{"T1098", "Account Manipulation", "Persistence"}
	clusterRoles    = Technique{"T1098.006", "Account Manipulation: Additional Container Cluster Roles", "Privilege Escalation"}
	elevation       = Technique{"T1548", "Abuse Elevation Control Mechanism", "Privilege Escalation"}
	escape          = Technique{"T1611", "Escape to Host", "Privilege Escalation"}
	stolenToken     = Technique{"T1528", "Steal Application Access Token", "Credential Access"}
	certificates    = Technique{"T1649", "Steal or Forge Authentication Certificates", "Credential Access"}
	discovery       = Technique{"T1613", "Container and Resource Discovery", "Discovery"}
	firewall        = Technique{"T1562.007", "Impair Defenses: Disable or Modify Cloud Firewall", "Defense Evasion"}
	impairedTools   = Technique{"T1562.001", "Impair Defenses: Disable or Modify Tools", "Defense Evasion"}
	orchestratedJob = Technique{"T1053.007", "Scheduled Task/Job: Container Orchestration Job", "Persistence"}
)

// detections is the table, by id.
func detections() []Detection {
	return append([]Detection{
		{
			ID: "account-outside", Title: "A service account was used from outside of the VPC", Severity: High, Technique: stolenToken,
			Why:       "Pods call the API server from the VPC. A service account's token that is used elsewhere was most likely taken out of a pod.",
			Do:        "Delete the pod or the service account, which ends its tokens, and find out how the token left: secrets, logs, exec.",
			Sources:   []string{stratus, guardDuty},
			Condition: account + ` and isValidIp(` + peer + `) and not {inside} and not ` + plane,
			byParams:  outsiders,
		},
		{
			ID: "admin-at-work", Title: "The cluster's creator is at work", Severity: Low, Technique: cloudAccounts,
			Why:       "kubernetes-admin is whoever made the cluster, member of system:masters, whom no policy binds. It is for emergencies, not for daily work.",
			Do:        "Ask who it was. Give people access entries or mappings with roles of their own, and keep the creator's credentials locked away.",
			Sources:   []string{workshop},
			Condition: `user.username = "kubernetes-admin"`,
			patterns:  meets(`$.user.username = "kubernetes-admin" && ` + metComplete),
		},
		{
			ID: "admission-changed", Title: "Admission control was changed", Severity: High, Technique: impairedTools,
			Why:       "Who changes a webhook or an admission policy can let through what it refused, or read and change all objects that pass it.",
			Do:        "Compare the object with its source, restore it, and look at what was admitted since.",
			Sources:   []string{guardDuty, falco},
			Condition: people + ` and objectRef.resource in ["validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"] and ` + changed + ` and ` + turns + ` and ` + done,
			patterns:  meets(`($.objectRef.resource = "validating*" || $.objectRef.resource = "mutating*") && ` + metChange + ` && ` + metPeople + ` && ` + metTurns + ` && ` + metDone + ` && ` + metComplete),
		},
		{
			ID: "anonymous-allowed", Title: "An anonymous request was allowed", Severity: High, Technique: accounts,
			Why:       "Without credentials, the API server is to tell its health and version, and nothing else.",
			Do:        "Find the binding of system:anonymous or system:unauthenticated that allowed it (the event's annotation names it) and delete it.",
			Sources:   []string{guardDuty, falco},
			Condition: "user.username = \"system:anonymous\" and annotations.`authorization.k8s.io/decision` = \"allow\" and requestURI not like /^\\/(healthz|livez|readyz|version)/",
			patterns:  meets(`$.user.username = "system:anonymous" && $.annotations.['authorization.k8s.io/decision'] = "allow" && $.requestURI != "/healthz*" && $.requestURI != "/livez*" && $.requestURI != "/readyz*" && $.requestURI != "/version*" && ` + metComplete),
		},
		{
			ID: "anonymous-granted", Title: "Rights were granted to everybody", Severity: Critical, Technique: manipulated,
			Why:       "A binding of system:anonymous or system:unauthenticated opens the cluster to whoever reaches its endpoint.",
			Do:        "Delete the binding, close the public endpoint, and look at what anonymous requests were allowed since.",
			Sources:   []string{guardDuty},
			Condition: bindings + ` and ` + written + ` and ` + kept + ` and ` + done + ` and ` + notBootstrap,
			Rule:      "The request writes system:anonymous or system:unauthenticated into the binding's subjects.", decide: bindsEverybody,
			patterns: grants("system:anonymous", "system:unauthenticated"),
		},
		{
			ID: "aws-auth-edited", Title: "The mapping of IAM identities was edited", Severity: High, Technique: manipulated,
			Why:       "aws-auth says which IAM roles and users are whom in the cluster: who can write it can be anybody.",
			Do:        "Compare the config map with its source. Better: use access entries (authentication mode API), which only IAM can change.",
			Sources:   []string{stratus, workshop},
			Condition: `user.username not like /^eks:/ and objectRef.resource = "configmaps" and objectRef.namespace = "kube-system" and objectRef.name = "aws-auth" and ` + changed + ` and ` + turns + ` and ` + done,
			patterns:  meets(`$.objectRef.resource = "configmaps" && $.objectRef.namespace = "kube-system" && $.objectRef.name = "aws-auth" && ` + metChange + ` && $.user.username != "eks:*" && ` + metTurns + ` && ` + metDone + ` && ` + metComplete),
		},
		{
			ID: "client-certificate", Title: "A client certificate was asked for or approved", Severity: Medium, Technique: certificates,
			Why:       "A certificate is a credential that can't be revoked before it expires, and outlives the account that asked for it.",
			Do:        "Delete the request if it is not signed. If it is, the identity in it must lose its rights, for the certificate stays.",
			Sources:   []string{stratus},
			Condition: people + ` and objectRef.resource = "certificatesigningrequests" and (verb = "create" or objectRef.subresource = "approval") and ` + kept + ` and ` + done,
			patterns:  meets(`$.objectRef.resource = "certificatesigningrequests" && ($.verb = "create" || $.objectRef.subresource = "approval") && ` + metPeople + ` && ` + metWritten),
		},
		{
			ID: "cluster-admin-bound", Title: "cluster-admin was given to somebody", Severity: High, Technique: clusterRoles,
			Why:       "cluster-admin may do everything with everything, also give itself to others.",
			Do:        "Delete the binding unless it is meant, and give a role that names what is needed.",
			Sources:   []string{guardDuty, falco, stratus},
			Condition: bindings + ` and ` + written + ` and ` + kept + ` and ` + done + ` and ` + notBootstrap,
			Rule:      "The request writes subjects into a binding of cluster-admin, or the group system:masters into any.", decide: bindsAdmin,
			patterns: slices.Concat(binds("cluster-admin"), grants("system:masters")),
		},
		{
			ID: "debug-container", Title: "A container was added to a running pod", Severity: Medium, Technique: deployed,
			Why:       "An ephemeral container sees the pod's network, volumes and, if it wants, its processes: also its credentials.",
			Do:        "Ask who debugged. Restart the pod, for ephemeral containers stay in it.",
			Sources:   []string{falco},
			Condition: `objectRef.subresource = "ephemeralcontainers" and verb in ["update", "patch"] and ` + kept + ` and ` + done,
			patterns:  meets(`$.objectRef.subresource = "ephemeralcontainers" && ($.verb = "update" || $.verb = "patch") && ` + metWritten),
		},
		{
			ID: "escalation-granted", Title: "A role may give itself more rights", Severity: High, Technique: elevation,
			Why:       "escalate, bind and impersonate are ways around RBAC: they make every other right reachable.",
			Do:        "Take the verbs out of the role, and look at what its subjects made since.",
			Sources:   []string{stratus, workshop},
			Condition: roles + ` and ` + written + ` and ` + kept + ` and ` + done + ` and ` + notBootstrap,
			Rule:      "A rule that the request writes has one of these verbs.", decide: mayEscalate,
			patterns: allows("escalate", "bind", "impersonate"),
		},
		{
			ID: "exec", Title: "A command was run in a container", Severity: Medium, Technique: containerAdmin, Started: true,
			Why:       "exec and attach give whoever calls them the container's rights: its files, its credentials, its network.",
			Do:        "Ask who it was. In production, give nobody pods/exec, and replace the pod.",
			Sources:   []string{guardDuty, falco},
			Condition: `objectRef.subresource in ["exec", "attach"] and verb in ["create", "get"] and responseStatus.code = 101`,
			patterns:  meets(`($.objectRef.subresource = "exec" || $.objectRef.subresource = "attach") && $.responseStatus.code = 101 && $.stage = "ResponseStarted"`),
		},
		{
			ID: "forbidden-burst", Title: "Many requests were forbidden", Severity: Medium, Technique: discovery, Burst: 20,
			Why:       "Somebody who tries what they may do looks like this, and so does a program whose rights were taken away.",
			Do:        "Look at what was tried. Rotate the credentials if the user can't explain it.",
			Sources:   []string{guardDuty},
			Condition: `responseStatus.code = 403 and not ` + plane,
			patterns:  meets(`$.responseStatus.code = 403 && (($.sourceIPs[0] != "127.*" && $.sourceIPs[0] != "::1") || $.sourceIPs[1] = "*" || ($.user.username != "system:apiserver" && $.user.username != "system:kube-*" && $.user.username != "system:serviceaccount:kube-system:*")) && ` + metComplete),
		},
		{
			ID: "host-namespaces", Title: "A pod shares the node's namespaces", Severity: High, Technique: escape,
			Why:       "In the node's network, process or IPC namespace a container sees, and can reach, what belongs to the node and to other pods.",
			Do:        "Delete the pod. Enforce the baseline Pod Security Standard in its namespace.",
			Sources:   []string{guardDuty, falco},
			Condition: pods + ` and @message like /"host(PID|IPC|Network)"/`,
			Rule:      "hostPID, hostIPC or hostNetwork of the pod's spec is true.", decide: sharesNamespaces,
			patterns: meets(`($.requestObject.spec.hostPID IS TRUE || $.requestObject.spec.hostIPC IS TRUE || $.requestObject.spec.hostNetwork IS TRUE) && ` + metPod),
		},
		{
			ID: "host-path", Title: "A pod has a folder of its node", Severity: High, Technique: escape,
			Why:       "A folder of the node can hold the kubelet's credentials, other pods' volumes, and what the node runs as root.",
			Do:        "Delete the pod. Enforce the baseline Pod Security Standard in its namespace.",
			Sources:   []string{guardDuty, falco, stratus},
			Condition: pods + ` and @message like /"hostPath"/`,
			Rule:      "A volume of the pod's spec is a hostPath.", decide: mountsHost,
			patterns: meets(`$.requestObject.spec.volumes[*].hostPath.path = "*" && ` + metPod),
		},
	}, more()...)
}
