package podgroups

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

// Annotation tells of a pod's interface, as AWS's VPC resource controller writes it.
const Annotation = "vpc.amazonaws.com/pod-eni"

// Pod is a pod that is about to get a network.
type Pod struct {
	Namespace, Name string
	UID             string
	Address         netip.Addr
	Node            string
}

// Branch is a pod's network interface, as the annotation shows it.
type Branch struct {
	ID         string `json:"eniId"`
	MAC        string `json:"ifAddress"`
	Address    string `json:"privateIp"`
	VLAN       int    `json:"vlanId"`
	SubnetCIDR string `json:"subnetCidr"`
}

// Interfaces makes network interfaces for pods.
type Interfaces interface {
	// Attach gives a pod an interface in these groups, in place of any that had its
	// address, and returns when packets meet the groups. Without groups the address
	// is its node's.
	Attach(ctx context.Context, p Pod, groups []string) (Branch, error)
	// Detach takes the interface of a pod away, by its unique id, if it has the address;
	// without one, whatever it has.
	Detach(ctx context.Context, pod string, at netip.Addr) error
	// Idle are the unique ids of the pods that have interfaces, though no node has a network
	// for them.
	Idle() ([]string, error)
}

// Controller gives the pods of one cluster their groups.
type Controller struct {
	Client     kubernetes.Interface
	Objects    dynamic.Interface
	Interfaces Interfaces
	Log        *slog.Logger
}

//go:embed securitygrouppolicy.yaml
var definition []byte

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// sweepEvery is how often interfaces are looked for whose pod is gone and whose node
// couldn't say so.
const sweepEvery = 30 * time.Second

// Run makes the definition of SecurityGroupPolicies, which EKS's clusters have from the
// beginning, and takes interfaces away whose pods are gone, until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := c.define(ctx)
		if err == nil {
			break
		}
		c.Log.Debug("SecurityGroupPolicies are not defined yet", "error", err)
		if !wait(ctx, pause) {
			return ctx.Err()
		}
	}
	for {
		if err := c.sweep(ctx); err != nil && ctx.Err() == nil {
			c.Log.Error("interfaces of pods that are gone are not removed", "error", err)
		}
		if !wait(ctx, sweepEvery) {
			return ctx.Err()
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (c *Controller) define(ctx context.Context) error {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(definition, &object.Object); err != nil {
		return err
	}
	_, err := c.Objects.Resource(definitions).Create(ctx, object, metav1.CreateOptions{FieldManager: "eksact"})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// Admit gives a pod the groups that policies select for it, and returns when they are
// enforced. An error is a reason to give it no network.
func (c *Controller) Admit(ctx context.Context, p Pod) error {
	pod, err := c.Client.CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("security groups of pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	// The API's copy of a static pod has another id than its kubelet knows.
	if static := pod.Annotations[corev1.MirrorPodAnnotationKey] != ""; p.UID != "" && string(pod.UID) != p.UID && !static {
		return fmt.Errorf("security groups of pod %s/%s: it is another pod now", p.Namespace, p.Name)
	}
	p.UID, p.Node = string(pod.UID), pod.Spec.NodeName
	groups, err := c.groups(ctx, pod)
	if err != nil {
		return fmt.Errorf("security groups of pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	branch, err := c.Interfaces.Attach(ctx, p, groups)
	if err != nil {
		return fmt.Errorf("security groups of pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	if len(groups) == 0 {
		return nil
	}
	return c.annotate(ctx, p, branch)
}

// groups are those of a pod.
func (c *Controller) groups(ctx context.Context, pod *corev1.Pod) ([]string, error) {
	policies, err := c.Objects.Resource(Resource).Namespace(pod.Namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil // not defined
	}
	if err != nil || len(policies.Items) == 0 {
		return nil, err
	}
	account, err := c.Client.CoreV1().ServiceAccounts(pod.Namespace).Get(ctx, pod.Spec.ServiceAccountName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	return groupsOf(policies.Items, pod.Labels, account.GetLabels())
}

func (c *Controller) annotate(ctx context.Context, p Pod, b Branch) error {
	shown, err := json.Marshal([]Branch{b})
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.UID, "annotations": map[string]string{Annotation: string(shown)}}})
	if err != nil {
		return err
	}
	_, err = c.Client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "eksact"})
	return err
}

// Release takes the interface of a pod away whose network at an address is gone. If
// it has another network by now, its interface stays.
func (c *Controller) Release(ctx context.Context, uid string, at netip.Addr) error {
	return c.Interfaces.Detach(ctx, uid, at)
}

// sweep takes the interfaces of pods away that are gone, or whose containers have all
// ended. One that was deleted by force and runs on stays in its groups.
func (c *Controller) sweep(ctx context.Context) error {
	idle, err := c.Interfaces.Idle()
	if err != nil || len(idle) == 0 {
		return err
	}
	pods, err := c.Client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	alive := map[string]bool{}
	for _, p := range pods.Items {
		alive[string(p.UID)] = p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
	}
	var failed error
	for _, uid := range idle {
		if !alive[uid] {
			failed = errors.Join(failed, c.Interfaces.Detach(ctx, uid, netip.Addr{}))
		}
	}
	return failed
}
