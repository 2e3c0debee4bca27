package networkpolicy

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/verify"
)

// The pods, by name and label.
const (
	label  = "eksact-verify"
	server = "server"
	first  = "client-1"
	second = "client-2"
)

const (
	serverPort = 5300
	clientPort = "8053"
	// silence is how long no answer must come for a packet to count as dropped: one
	// comes in milliseconds, as the client's own does each time.
	silence = 700 * time.Millisecond
)

// corefile is of all three pods. A connection to the server is not used again: what a
// policy does to connections that are open is another question.
const corefile = `.:%[1]d {
    template IN TXT . {
        answer "{{ .Name }} 0 IN TXT reached"
    }
}
https://near.:%[2]s {
    template IN TXT . {
        answer "{{ .Name }} 0 IN TXT alive"
    }
}
https://far.:%[2]s {
    forward . %[3]s {
        force_tcp
        max_fails 0
        expire 1ms
    }
}
`

// yard is a server and its clients.
type yard struct {
	s         *verify.Session
	namespace string
}

func newYard(ctx context.Context, s *verify.Session) (*yard, error) {
	g, err := s.Guest(ctx)
	if err != nil {
		return nil, err
	}
	dnsPods, err := s.Admin.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(dnsPods.Items, func(p corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
	if i < 0 {
		return nil, verify.Skip("no pod of the cluster's DNS runs, whose image the probes could use")
	}
	y := &yard{s, g.Role}
	service, err := s.Admin.CoreV1().Services(y.namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: server},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{label: server}, Ports: []corev1.ServicePort{{Port: serverPort}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(corefile, serverPort, clientPort, net.JoinHostPort(service.Spec.ClusterIP, fmt.Sprint(serverPort)))
	_, err = s.Admin.CoreV1().ConfigMaps(y.namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: label}, Data: map[string]string{"Corefile": config},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{server, first, second} {
		if err := y.pod(ctx, name, &dnsPods.Items[i].Spec.Containers[0]); err != nil {
			return nil, err
		}
	}
	return y, nil
}

// pod starts a pod with the image and the program of the cluster's DNS.
func (y *yard) pod(ctx context.Context, name string, like *corev1.Container) error {
	const dir = "/etc/coredns"
	now, never := int64(0), false
	_, err := y.s.Admin.CoreV1().Pods(y.namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{label: name}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &now, AutomountServiceAccountToken: &never,
			NodeSelector: map[string]string{corev1.LabelOSStable: "linux"},
			Containers: []corev1.Container{{
				Name: "dns", Image: like.Image, ImagePullPolicy: corev1.PullIfNotPresent,
				Command: like.Command, Args: []string{"-conf", dir + "/Corefile"},
				VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: dir, ReadOnly: true}},
			}},
			Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{
				ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: label}},
			}}},
		},
	}, metav1.CreateOptions{})
	return err
}

// open waits until both clients answer, and reach the server.
func (y *yard) open(ctx context.Context) error {
	running := func(name string) bool {
		p, err := y.s.Admin.CoreV1().Pods(y.namespace).Get(ctx, name, metav1.GetOptions{})
		return err == nil && p.Status.Phase == corev1.PodRunning
	}
	for _, name := range []string{server, first, second} {
		if _, err := until(ctx, starting, func() bool { return running(name) }); err != nil {
			return fmt.Errorf("pod %s has not started: %w", name, err)
		}
	}
	for _, client := range []string{first, second} {
		var silent error
		_, err := until(ctx, patience, func() bool { silent = y.alive(ctx, client); return silent == nil })
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return verify.Skip("the API server does not reach a pod on port %s: %v", clientPort, silent)
		}
		if _, err := until(ctx, patience, func() bool { return y.reaches(ctx, client) }); err != nil {
			return fmt.Errorf("without policies, pod %s does not reach pod %s", client, server)
		}
	}
	return nil
}

// policy makes one that selects the server, with these rules.
func (y *yard) policy(ctx context.Context, name string, rules []networkingv1.NetworkPolicyIngressRule) error {
	_, err := y.s.Admin.NetworkingV1().NetworkPolicies(y.namespace).Create(ctx, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{label: server}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: rules,
		},
	}, metav1.CreateOptions{})
	return err
}

// reaches is whether a client's packets get to the server and back.
func (y *yard) reaches(ctx context.Context, client string) bool {
	answer, err := y.ask(ctx, client, "far.")
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		answer = fmt.Sprintf("no answer within %s", silence)
	case err != nil:
		answer = err.Error()
	}
	y.s.Note(client+" asks "+server, "%s", answer)
	return answer == "reached"
}

// alive is an error unless a client answers for itself: one that doesn't would prove
// nothing by not reaching the server.
func (y *yard) alive(ctx context.Context, client string) error {
	answer, err := y.ask(ctx, client, "near.")
	if err != nil {
		return err
	}
	y.s.Note(client+" asks itself", "%s", answer)
	if answer != "alive" {
		return fmt.Errorf("pod %s answers %s for itself", client, answer)
	}
	return nil
}

// ask asks a client for a name, through the API server, and returns the TXT record's
// text, or what the client says instead.
func (y *yard) ask(ctx context.Context, client, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	question, err := new(dns.Msg).SetQuestion(name, dns.TypeTXT).Pack()
	if err != nil {
		return "", err
	}
	body, err := y.s.Admin.CoreV1().Pods(y.namespace).ProxyGet("http", client, clientPort, "/dns-query",
		map[string]string{"dns": base64.RawURLEncoding.EncodeToString(question)}).DoRaw(ctx)
	if err != nil {
		return "", err
	}
	var answer dns.Msg
	if err := answer.Unpack(body); err != nil {
		return "", fmt.Errorf("pod %s: %w", client, err)
	}
	for _, record := range answer.Answer {
		if text, ok := record.(*dns.TXT); ok && len(text.Txt) == 1 {
			return text.Txt[0], nil
		}
	}
	return dns.RcodeToString[answer.Rcode], nil
}
