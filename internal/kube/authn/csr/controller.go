package csr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	certsv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	certsclient "k8s.io/client-go/kubernetes/typed/certificates/v1"
	"k8s.io/client-go/util/workqueue"

	"github.com/eksact/eksact/internal/kube/authn/follow"
)

// Instances knows the machines that are nodes.
type Instances interface {
	// Lookup answers with all DNS names and addresses of the instance that is
	// the node so named, and false when there is none.
	Lookup(nodeName string) (dns []string, ips []netip.Addr, ok bool)
}

// Controller approves and signs the requests of one cluster. All fields but Now
// must be set.
type Controller struct {
	// Requests is a client that may approve and sign: of system:masters.
	Requests  certsclient.CertificateSigningRequestInterface
	Instances Instances
	// Authority is asked for at each signature, so that a renewed CA is used at
	// once.
	Authority func() (Authority, error)
	Log       *slog.Logger
	Now       func() time.Time // nil means time.Now
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	if c.Requests == nil || c.Instances == nil || c.Authority == nil || c.Log == nil {
		return errors.New("certificate requests: the controller lacks a client, instances, an authority or a log")
	}
	queue := workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[string](50*time.Millisecond, 10*time.Second))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for c.next(ctx, queue) {
		}
	}()
	offer := func(object runtime.Object) {
		if csr, ok := object.(*certsv1.CertificateSigningRequest); ok && c.decide(csr).Verdict != Leave {
			queue.Add(csr.Name)
		}
	}
	follow.Feed{
		List: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return c.Requests.List(ctx, o)
		},
		Watch: c.Requests.Watch,
		Reset: func(all []runtime.Object) {
			for _, object := range all {
				offer(object)
			}
		},
		Changed: func(kind watch.EventType, object runtime.Object) {
			if kind != watch.Deleted {
				offer(object)
			}
		},
		Failed: func(err error) { c.Log.Warn("certificate requests cannot be followed; trying again", "error", err) },
	}.Run(ctx)
	queue.ShutDown()
	<-done
	return nil
}

// next handles one request of the queue; false means that the queue is closed.
func (c *Controller) next(ctx context.Context, queue workqueue.TypedRateLimitingInterface[string]) bool {
	name, closed := queue.Get()
	if closed {
		return false
	}
	defer queue.Done(name)
	err := c.handle(ctx, name)
	switch {
	case err == nil:
		queue.Forget(name)
	case ctx.Err() == nil:
		c.Log.Warn("certificate request not answered; trying again", "request", name, "error", err)
		queue.AddRateLimited(name)
	}
	return true
}

func (c *Controller) decide(csr *certsv1.CertificateSigningRequest) Decision {
	return Decide(csr, c.Instances.Lookup)
}

// handle decides on the request as it stands now, and again after each step:
// what is approved is then signed.
func (c *Controller) handle(ctx context.Context, name string) error {
	csr, err := c.Requests.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for d := c.decide(csr); d.Verdict != Leave; d = c.decide(csr) {
		if csr, err = c.act(ctx, csr.DeepCopy(), d); err != nil {
			return fmt.Errorf("%s: %w", d.Verdict, err)
		}
		c.Log.Info("certificate request", "request", name, "signer", csr.Spec.SignerName, "requester", csr.Spec.Username,
			"verdict", string(d.Verdict), "reason", d.Reason, "message", d.Message)
	}
	return nil
}

// act carries a decision out. An update by somebody else in between makes it
// fail, and the decision is taken anew.
func (c *Controller) act(ctx context.Context, csr *certsv1.CertificateSigningRequest, d Decision) (*certsv1.CertificateSigningRequest, error) {
	condition := certsv1.CertificateSigningRequestCondition{
		Status: corev1.ConditionTrue, Reason: d.Reason, Message: d.Message, LastUpdateTime: metav1.NewTime(c.now()),
	}
	switch d.Verdict {
	case Approve, Deny:
		condition.Type = certsv1.CertificateApproved
		if d.Verdict == Deny {
			condition.Type = certsv1.CertificateDenied
		}
		csr.Status.Conditions = append(csr.Status.Conditions, condition)
		return c.Requests.UpdateApproval(ctx, csr.Name, csr, metav1.UpdateOptions{})
	case Fail:
		condition.Type = certsv1.CertificateFailed
		csr.Status.Conditions = append(csr.Status.Conditions, condition)
	case Sign:
		ca, err := c.Authority()
		if err != nil {
			return nil, err
		}
		if csr.Status.Certificate, err = ca.issue(csr, c.now()); err != nil {
			return nil, err
		}
	}
	return c.Requests.UpdateStatus(ctx, csr, metav1.UpdateOptions{})
}

func (c *Controller) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
