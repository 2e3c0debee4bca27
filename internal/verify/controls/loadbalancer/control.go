// Package loadbalancer is the control load-balancer, see README.md.
package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksact/eksact/internal/verify"
)

// Control is the claim.
var Control = verify.Control{ID: "load-balancer", Claim: "a Service of type LoadBalancer is reached from outside by its name", Check: check}

// patience is how long a load balancer may take: on AWS minutes.
const patience = 5 * time.Minute

func check(ctx context.Context, s *verify.Session) (proof string, err error) {
	g, err := s.Guest(ctx)
	if err != nil {
		return "", err
	}
	pods, err := s.Admin.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(pods.Items, ready) {
		return "", verify.Skip("no pod of the cluster's DNS is ready, to be reached by a load balancer")
	}
	services := s.Admin.CoreV1().Services(metav1.NamespaceSystem)
	_, err = services.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: g.Role},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"k8s-app": "kube-dns"},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}, // CoreDNS's plugin health
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	deleted := false
	remove := func(ctx context.Context) error {
		deleted = true
		return services.Delete(ctx, g.Role, metav1.DeleteOptions{})
	}
	defer func() {
		if !deleted {
			err = errors.Join(err, remove(context.WithoutCancel(ctx)))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	host, err := name(ctx, s, g.Role)
	if err != nil {
		return "", err
	}
	url := "http://" + host + "/health"
	var answer string
	took, err := until(ctx, func() bool { answer = ask(ctx, s, url); return answer == "OK" })
	s.Note("GET "+url, "%s", answer)
	if err != nil {
		return "", verify.Refute("kubectl describe service -n kube-system "+g.Role, "%s has not answered: %s", host, answer)
	}
	if err := remove(ctx); err != nil {
		return "", err
	}
	if _, err := until(ctx, func() bool { answer = ask(ctx, s, url); return answer != "OK" }); err != nil {
		return "", verify.Refute("aws elbv2 describe-load-balancers", "%s still answers after its Service was deleted", host)
	}
	s.Note("GET "+url+" after the Service was deleted", "%s", answer)
	return fmt.Sprintf("%s answered from outside after %.1f s, and not after its Service was deleted", host, took.Seconds()), nil
}

func ready(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// name waits for the load balancer's DNS name.
func name(ctx context.Context, s *verify.Session, service string) (host string, err error) {
	_, err = until(ctx, func() bool {
		got, err := s.Admin.CoreV1().Services(metav1.NamespaceSystem).Get(ctx, service, metav1.GetOptions{})
		if err == nil && len(got.Status.LoadBalancer.Ingress) > 0 {
			host = got.Status.LoadBalancer.Ingress[0].Hostname
		}
		return host != ""
	})
	if err != nil {
		return "", verify.Refute("kubectl describe service -n kube-system "+service, "the Service got no name within %s", patience)
	}
	if !strings.HasSuffix(host, ".amazonaws.com") {
		return "", verify.Refute("", "the Service's name is %s, which is none of AWS's", host)
	}
	return host, nil
}

// ask returns a page's text, or why there is none.
func ask(ctx context.Context, s *verify.Session, url string) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DialContext: s.Dial, DisableKeepAlives: true}}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(q)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// until tries again until done, and says how long it took.
func until(ctx context.Context, done func() bool) (time.Duration, error) {
	began := time.Now()
	for !done() {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return time.Since(began), nil
}
