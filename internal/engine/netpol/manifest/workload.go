package manifest

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kubejson "sigs.k8s.io/json"

	"github.com/eksact/eksact/internal/engine/netpol"
)

// workloads are the kinds that have a pod template, by their short names too.
var workloads = []struct {
	group, kind string
	names       []string
}{
	{"apps", "Deployment", []string{"deployment", "deployments", "deploy"}},
	{"apps", "StatefulSet", []string{"statefulset", "statefulsets", "sts"}},
	{"apps", "DaemonSet", []string{"daemonset", "daemonsets", "ds"}},
	{"apps", "ReplicaSet", []string{"replicaset", "replicasets", "rs"}},
	{"batch", "Job", []string{"job", "jobs"}},
	{"batch", "CronJob", []string{"cronjob", "cronjobs", "cj"}},
	{"", "ReplicationController", []string{"replicationcontroller", "replicationcontrollers", "rc"}},
}

func isWorkload(group, kind string) bool {
	for _, w := range workloads {
		if w.group == group && w.kind == kind {
			return true
		}
	}
	return false
}

// workloadKind is the kind as it stands in names of pods: deploy is deployment.
func workloadKind(name string) (string, bool) {
	for _, w := range workloads {
		if slices.Contains(w.names, strings.ToLower(name)) {
			return w.names[0], true
		}
	}
	return "", false
}

// workload adds the pod that stands for a workload's: KIND/NAME.
func (s *Set) workload(o *object, text []byte) error {
	var w struct {
		Spec struct {
			Template    corev1.PodTemplateSpec `json:"template"`
			JobTemplate struct {
				Spec struct {
					Template corev1.PodTemplateSpec `json:"template"`
				} `json:"spec"`
			} `json:"jobTemplate"`
		} `json:"spec"`
	}
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(text, &w); err != nil {
		return err
	}
	template := w.Spec.Template
	if o.Kind == "CronJob" {
		template = w.Spec.JobTemplate.Spec.Template
	}
	p := corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	p.Namespace, p.Name = o.Metadata.Namespace, strings.ToLower(o.Kind)+"/"+o.Metadata.Name
	p.Spec.NodeName = ""
	pod := netpol.PodOf(&p)
	s.Cluster.Pods = append(s.Cluster.Pods, pod)
	if s.kinds == nil {
		s.kinds = map[netpol.PodName]bool{}
	}
	s.kinds[pod.Key()] = true
	return nil
}
