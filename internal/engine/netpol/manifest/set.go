package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	kubejson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/engine/netpol"
)

// Set is a cluster as manifests describe it.
type Set struct {
	Cluster netpol.Cluster
	// PodCIDR is where pods are that have no address yet.
	PodCIDR netip.Prefix
	// Served says that the objects are those of an API server: a policy with a problem is
	// in force there, with what remains of it, and a note.
	Served bool
	// Notes are of what was read and can't be looked at.
	Notes    []string
	services map[netpol.PodName]*corev1.Service
	// kinds has the pods that stand for those of a workload, by the pod's name.
	kinds map[netpol.PodName]bool
	seen  map[string]string // objects, and the file each is in
}

// object is what all objects have.
type object struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Items           []json.RawMessage `json:"items"`
}

// Add reads a file of manifests. What is no object of Kubernetes is an error.
func (s *Set) Add(file string, text []byte) error {
	r := kubeyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for n := 1; ; n++ {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = s.document(file, doc)
		}
		if err != nil {
			return fmt.Errorf("%s: document %d: %w", file, n, err)
		}
	}
}

func (s *Set) document(file string, doc []byte) error {
	text, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "))
	}
	if string(text) == "null" {
		return nil
	}
	return s.object(file, text, metav1.TypeMeta{})
}

// object reads an object; those of a list may leave their kind to it.
func (s *Set) object(file string, text []byte, of metav1.TypeMeta) error {
	var o object
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(text, &o); err != nil {
		return err
	}
	if o.Kind == "" && o.APIVersion == "" {
		o.TypeMeta = of
	}
	if o.Kind == "" || o.APIVersion == "" {
		return errors.New("it has no kind or no apiVersion, so it is no object of Kubernetes")
	}
	if element, isList := strings.CutSuffix(o.Kind, "List"); isList {
		kind := metav1.TypeMeta{APIVersion: o.APIVersion, Kind: element}
		if element == "" {
			kind = metav1.TypeMeta{}
		}
		for i, item := range o.Items {
			if err := s.object(file, item, kind); err != nil {
				return fmt.Errorf("items[%d]: %w", i, err)
			}
		}
		return nil
	}
	if o.Metadata.Namespace == "" {
		o.Metadata.Namespace = metav1.NamespaceDefault
	}
	if err := s.read(file, &o, text); err != nil {
		return fmt.Errorf("%s %s: %w", o.Kind, o.Metadata.Name, err)
	}
	return nil
}

// group is an apiVersion without its version.
func (o *object) group() string {
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

func (s *Set) read(file string, o *object, text []byte) error {
	group, name := o.group(), netpol.PodName{Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}
	known := true
	var err error
	switch {
	case group == "" && o.Kind == "Namespace":
		if err = s.once(file, o, ""); err == nil {
			s.namespace(o.Metadata.Name, o.Metadata.Labels)
		}
		return err
	case group == "" && o.Kind == "Node":
		if err = s.once(file, o, ""); err == nil {
			err = s.node(text)
		}
		return err
	case group == "" && o.Kind == "Pod":
		err = s.pod(o, text)
	case group == "" && o.Kind == "Service":
		err = s.service(name, text)
	case group == netpol.NetworkingGroup && o.Kind == "NetworkPolicy":
		err = s.networkPolicy(o, text)
	case (group == netpol.UpstreamGroup || group == netpol.AWSGroup) && o.Kind == "ClusterNetworkPolicy":
		if err = s.once(file, o, ""); err != nil {
			return err
		}
		return s.clusterPolicy(text)
	case isWorkload(group, o.Kind):
		err = s.workload(o, text)
	default:
		known = false
		s.other(o, group)
	}
	if err != nil || !known {
		return err
	}
	s.namespace(o.Metadata.Namespace, nil)
	return s.once(file, o, o.Metadata.Namespace)
}

// once refuses an object that was read before: which of the two counts, nobody knows.
func (s *Set) once(file string, o *object, namespace string) error {
	key := strings.Join([]string{o.group(), o.Kind, namespace, o.Metadata.Name}, "/")
	if before, found := s.seen[key]; found {
		return fmt.Errorf("it is in %s too", before)
	}
	if s.seen == nil {
		s.seen = map[string]string{}
	}
	s.seen[key] = file
	return nil
}

// namespace adds a namespace. Objects imply their own, with the label that all have.
func (s *Set) namespace(name string, labels map[string]string) {
	n, found := s.Cluster.Namespaces[name]
	if !found {
		n = netpol.Namespace{Name: name, Labels: map[string]string{corev1.LabelMetadataName: name}}
	}
	for k, v := range labels {
		n.Labels[k] = v
	}
	if s.Cluster.Namespaces == nil {
		s.Cluster.Namespaces = map[string]netpol.Namespace{}
	}
	s.Cluster.Namespaces[name] = n
}

func (s *Set) node(text []byte) error {
	var n corev1.Node
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(text, &n); err != nil {
		return err
	}
	s.Cluster.Nodes = append(s.Cluster.Nodes, netpol.NodeOf(&n))
	return nil
}

func (s *Set) pod(o *object, text []byte) error {
	var p corev1.Pod
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(text, &p); err != nil {
		return err
	}
	p.Namespace = o.Metadata.Namespace
	s.Cluster.Pods = append(s.Cluster.Pods, netpol.PodOf(&p))
	return nil
}

func (s *Set) service(name netpol.PodName, text []byte) error {
	var svc corev1.Service
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(text, &svc); err != nil {
		return err
	}
	if s.services == nil {
		s.services = map[netpol.PodName]*corev1.Service{}
	}
	s.services[name] = &svc
	return nil
}

func (s *Set) networkPolicy(o *object, text []byte) error {
	var np networkingv1.NetworkPolicy
	unknown, err := kubejson.UnmarshalStrict(text, &np)
	switch {
	case err != nil:
		return err
	case len(unknown) > 0 && !s.Served:
		return unknown[0]
	}
	np.Namespace = o.Metadata.Namespace
	return s.policy(netpol.FromNetworkPolicy(&np))
}

func (s *Set) clusterPolicy(text []byte) error {
	p, err := netpol.FromClusterNetworkPolicy(text)
	if err != nil {
		return err
	}
	return s.policy(p)
}

func (s *Set) policy(p *netpol.Policy) error {
	for _, problem := range p.Problems {
		if !s.Served {
			return errors.New(problem)
		}
		s.Notes = append(s.Notes, p.PolicyName.String()+": "+problem)
	}
	s.Cluster.Policies = append(s.Cluster.Policies, p)
	return nil
}

// others are policies that are enforced elsewhere, by the group or kind.
var others = []string{"projectcalico.org", "cilium.io", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ApplicationNetworkPolicy", "SecurityGroupPolicy"}

// other notes a policy that isn't looked at. Objects that are none are of no concern.
func (s *Set) other(o *object, group string) {
	if slices.ContainsFunc(others, func(name string) bool {
		return o.Kind == name || strings.Contains(group, name) && strings.Contains(o.Kind, "Policy")
	}) {
		s.Notes = append(s.Notes, fmt.Sprintf("%s %s of %s is not looked at", o.Kind, o.Metadata.Name, o.APIVersion))
	}
}
