package podidentity

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Settings are the same for all pods of a cluster.
type Settings struct {
	Region string // "us-west-2"
	// CA says that pods are to trust the authority in the ConfigMap TrustName.
	CA bool
}

// Operation is one of a JSON patch.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// identity is one way to credentials.
type identity struct {
	volume, mount, path string // of the token
	audience            string
	env                 func(tokenFile string) []corev1.EnvVar
}

func webIdentity(a Account) identity {
	return identity{
		"aws-iam-token", "/var/run/secrets/eks.amazonaws.com/serviceaccount", "token", a.Audience,
		func(file string) []corev1.EnvVar {
			return []corev1.EnvVar{{Name: "AWS_ROLE_ARN", Value: a.RoleARN}, {Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: file}}
		},
	}
}

// Audience is whom the tokens are for that the agent on a node takes.
const Audience = "pods.eks.amazonaws.com"

var podIdentity = identity{
	"eks-pod-identity-token", "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount", "eks-pod-identity-token", Audience,
	func(file string) []corev1.EnvVar {
		return []corev1.EnvVar{
			{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://169.254.170.23/v1/credentials"},
			{Name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Value: file},
		}
	},
}

// Mutate returns what is to be changed of a pod whose service account asks for a and,
// if associated is set, has a Pod Identity association. Jitter, from 0 up to 1, says
// how much shorter the default life of that one's token is. No operations: nothing.
func Mutate(pod *Pod, a Account, associated bool, jitter float64, s Settings) []Operation {
	who, life := webIdentity(a), expiration(pod.Metadata.Annotations, a.Expiration)
	switch {
	case associated:
		who = podIdentity
		if life == defaultLife {
			life -= int64(jitter * (defaultLife - jitteredLife + 1))
		}
	case a.RoleARN == "":
		return nil
	}
	m := mutation{pod: pod, who: who, regionalSTS: a.RegionalSTS, settings: s, skip: skipped(pod.Metadata.Annotations)}
	m.containers("/spec/initContainers/", pod.Spec.InitContainers)
	m.containers("/spec/containers/", pod.Spec.Containers)
	if associated {
		m.label("eks.amazonaws.com/pod-identity", "enabled")
	}
	if s.CA {
		m.addVolume(trustVolume())
	}
	m.addVolume(corev1.Volume{Name: who.volume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: who.audience, ExpirationSeconds: &life, Path: who.path,
		}}},
	}}})
	return m.patch
}

type mutation struct {
	pod         *Pod
	who         identity
	regionalSTS bool
	settings    Settings
	skip        map[string]bool
	volumes     bool // the pod has, by now
	patch       []Operation
}

func (m *mutation) containers(at string, all []Container) {
	for i, c := range all {
		if !m.skip[c.Name] {
			m.container(at+strconv.Itoa(i), c)
		}
	}
}

// container adds variables in groups: one that has any of its names set is left to
// the container.
func (m *mutation) container(at string, c Container) {
	var env []corev1.EnvVar
	add := func(group ...corev1.EnvVar) {
		taken := slices.ContainsFunc(group, func(e corev1.EnvVar) bool { return has(c.Env, e.Name) })
		if !taken {
			env = append(env, group...)
		}
	}
	if m.regionalSTS {
		add(corev1.EnvVar{Name: "AWS_STS_REGIONAL_ENDPOINTS", Value: "regional"})
	}
	add(corev1.EnvVar{Name: "AWS_DEFAULT_REGION", Value: m.settings.Region}, corev1.EnvVar{Name: "AWS_REGION", Value: m.settings.Region})
	add(m.who.env(m.file(m.who.mount + "/" + m.who.path))...)
	mounts := []corev1.VolumeMount{{Name: m.who.volume, ReadOnly: true, MountPath: m.who.mount}}
	if m.settings.CA {
		add(corev1.EnvVar{Name: "AWS_CA_BUNDLE", Value: m.file(trustFile)})
		add(corev1.EnvVar{Name: "NODE_EXTRA_CA_CERTS", Value: m.file(trustFile)})
		mounts = append(mounts, corev1.VolumeMount{Name: TrustName, ReadOnly: true, MountPath: trustMount})
	}
	mounts = slices.DeleteFunc(mounts, func(v corev1.VolumeMount) bool { return has(c.VolumeMounts, v.Name) })
	m.patch = appendAll(m.patch, at+"/env", len(c.Env) > 0, env)
	m.patch = appendAll(m.patch, at+"/volumeMounts", len(c.VolumeMounts) > 0, mounts)
}

// appendAll adds to a list, which is made if the object has none.
func appendAll[T any](patch []Operation, path string, there bool, items []T) []Operation {
	if len(items) == 0 {
		return patch
	}
	if !there {
		return append(patch, Operation{"add", path, items})
	}
	for _, item := range items {
		patch = append(patch, Operation{"add", path + "/-", item})
	}
	return patch
}

// file is a path as the pod's system has it.
func (m *mutation) file(path string) string {
	of := m.pod.Spec.NodeSelector
	if of["kubernetes.io/os"] == "windows" || of["beta.kubernetes.io/os"] == "windows" {
		return "C:" + strings.ReplaceAll(path, "/", `\`)
	}
	return path
}

// addVolume puts a volume before the others, if there is none of its name.
func (m *mutation) addVolume(v corev1.Volume) {
	switch {
	case has(m.pod.Spec.Volumes, v.Name):
	case len(m.pod.Spec.Volumes) == 0 && !m.volumes:
		m.patch, m.volumes = append(m.patch, Operation{"add", "/spec/volumes", []corev1.Volume{v}}), true
	default:
		m.patch = append(m.patch, Operation{"add", "/spec/volumes/0", v})
	}
}

func (m *mutation) label(key, value string) {
	if len(m.pod.Metadata.Labels) == 0 {
		m.patch = append(m.patch, Operation{"add", "/metadata/labels", map[string]string{key: value}})
		return
	}
	if m.pod.Metadata.Labels[key] != value {
		m.patch = append(m.patch, Operation{"add", "/metadata/labels/" + strings.ReplaceAll(key, "/", "~1"), value})
	}
}
