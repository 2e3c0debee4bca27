package auditevents

import "fmt"

// spec is a pod's, as its replica set asks for it.
func (g *Generator) spec(a *app) string {
	return fmt.Sprintf(`"spec":{"volumes":[{"name":"config","configMap":{"name":"%s","defaultMode":420}}],"containers":[{"name":"%s","image":"%s","args":["--config","/etc/app/config.yaml"],"ports":[{"name":"http","containerPort":8080,"protocol":"TCP"}],"env":[{"name":"NAMESPACE","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}},{"name":"PASSWORD","valueFrom":{"secretKeyRef":{"name":"%s","key":"password"}}}],"resources":{"limits":{"memory":"512Mi"},"requests":{"cpu":"250m","memory":"256Mi"}},"volumeMounts":[{"name":"config","readOnly":true,"mountPath":"/etc/app"}],"livenessProbe":{"httpGet":{"path":"/healthz","port":8080,"scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},"readinessProbe":{"httpGet":{"path":"/readyz","port":8080,"scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":5,"successThreshold":1,"failureThreshold":3},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{"capabilities":{"drop":["ALL"]},"runAsNonRoot":true,"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false}}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"%s","serviceAccount":"%s","securityContext":{"fsGroup":1000},"schedulerName":"default-scheduler","tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}`,
		a.config, a.name, a.image, a.secret, a.name, a.name)
}

func (g *Generator) owner(a *app) string {
	return fmt.Sprintf(`"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"%s-%s","uid":"%s","controller":true,"blockOwnerDeletion":true}]`, a.name, a.hash, a.uid)
}

func (g *Generator) managed(a *app, at int64) string {
	return fmt.Sprintf(`"managedFields":[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"%s","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:pod-template-hash":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"%s\"}":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"%s\"}":{".":{},"f:args":{},"f:env":{".":{},"k:{\"name\":\"NAMESPACE\"}":{".":{},"f:name":{},"f:valueFrom":{".":{},"f:fieldRef":{}}},"k:{\"name\":\"PASSWORD\"}":{".":{},"f:name":{},"f:valueFrom":{".":{},"f:secretKeyRef":{}}}},"f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{".":{},"f:failureThreshold":{},"f:httpGet":{".":{},"f:path":{},"f:port":{},"f:scheme":{}},"f:periodSeconds":{},"f:successThreshold":{},"f:timeoutSeconds":{}},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}}},"f:resources":{".":{},"f:limits":{".":{},"f:memory":{}},"f:requests":{".":{},"f:cpu":{},"f:memory":{}}},"f:securityContext":{".":{},"f:allowPrivilegeEscalation":{},"f:capabilities":{".":{},"f:drop":{}}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}},"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:serviceAccount":{},"f:serviceAccountName":{},"f:terminationGracePeriodSeconds":{}}}}]`,
		second(at), a.uid, a.name)
}

func (g *Generator) labels(a *app) string {
	return fmt.Sprintf(`"labels":{"app":"%s","pod-template-hash":"%s"}`, a.name, a.hash)
}

// podCreated is by a replica set: a new pod in the place of an old one.
func podCreated(g *Generator, c *call) {
	g.ofController(c, 4)
	p := g.pod()
	g.pods[g.r.IntN(len(g.pods))] = p
	a := &g.apps[p.app]
	c.level, c.verb, c.resource, c.namespace, c.code = "RequestResponse", "create", "pods", a.namespace, 201
	generate := fmt.Sprintf(`"generateName":"%s-%s-"`, a.name, a.hash)
	c.request = fmt.Sprintf(`{"kind":"Pod","apiVersion":"v1","metadata":{%s,%s,%s},%s,"status":{}}`, generate, g.labels(a), g.owner(a), g.spec(a))
	c.response = fmt.Sprintf(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"%s",%s,"namespace":"%s","uid":"%s","resourceVersion":"%s","generation":1,"creationTimestamp":"%s",%s,%s,%s},%s,"status":{"phase":"Pending","qosClass":"Burstable"}}`,
		p.name, generate, a.namespace, p.uid, g.revision(), second(g.now), g.labels(a), g.owner(a), g.managed(a, g.now), g.spec(a))
	c.took = g.latency(14000)
}

func podDeleted(g *Generator, c *call) {
	p := &g.pods[g.r.IntN(len(g.pods))]
	a := &g.apps[p.app]
	c.u = &g.nodes[p.node].kubelet
	c.level, c.verb, c.resource, c.namespace, c.name = "RequestResponse", "delete", "pods", a.namespace, p.name
	c.request = fmt.Sprintf(`{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,"preconditions":{"uid":"%s"}}`, p.uid)
	c.response = fmt.Sprintf(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"%s","generateName":"%s-%s-","namespace":"%s","uid":"%s","resourceVersion":"%s","generation":2,"creationTimestamp":"%s","deletionTimestamp":"%s","deletionGracePeriodSeconds":0,%s,%s},%s,"status":{"phase":"Running","hostIP":"%s","startTime":"%s","qosClass":"Burstable"}}`,
		p.name, a.name, a.hash, a.namespace, p.uid, g.revision(), second(g.now-3_600_000_000), second(g.now), g.labels(a), g.owner(a), g.spec(a), g.nodes[p.node].address, second(g.now-3_599_000_000))
	c.took = g.latency(16000)
}

func deploymentChanged(g *Generator, c *call) {
	a := g.ofApp(c)
	c.level, c.verb, c.group, c.resource, c.namespace, c.name = "RequestResponse", "patch", "apps", "deployments", a.namespace, a.name
	c.query = "fieldManager=argocd-controller&force=true"
	c.request = fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"annotations":{"deployment.kubernetes.io/revision":"%d"},"name":"%s","namespace":"%s"},"spec":{"replicas":%d,"template":{"spec":{"containers":[{"name":"%s","image":"%s"}]}}}}`, 1+g.r.IntN(40), a.name, a.namespace, 1+g.r.IntN(9), a.name, a.image)
	c.response = fmt.Sprintf(`{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"%s","namespace":"%s","uid":"%s","resourceVersion":"%s","generation":%d,"creationTimestamp":"2026-09-01T08:00:00Z",%s},"spec":{"replicas":%d,"selector":{"matchLabels":{"app":"%s"}},"template":{"metadata":{%s},%s},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%%","maxSurge":"25%%"}},"revisionHistoryLimit":10,"progressDeadlineSeconds":600},"status":{"observedGeneration":%d,"replicas":3,"updatedReplicas":3,"readyReplicas":3,"availableReplicas":3}}`,
		a.name, a.namespace, a.uid, g.revision(), 1+g.r.IntN(90), g.labels(a), 1+g.r.IntN(9), a.name, g.labels(a), g.spec(a), 1+g.r.IntN(90))
	c.took = g.latency(18000)
}
