package sns

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/store"
)

const (
	attemptTime = 15 * time.Second // that an endpoint has to answer, as on AWS
	atOnce      = 64               // attempts
	pendingLife = 72 * time.Hour   // of a subscription that nobody confirms
	tokenLife   = 48 * time.Hour   // of its token
)

// enqueue notes a delivery that is to be carried out.
func (s *Service) enqueue(key string) {
	s.mu.Lock()
	s.waiting = append(s.waiting, key)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends, those first that an earlier run left.
func (s *Service) Run(ctx context.Context) {
	var going sync.WaitGroup
	defer going.Wait()
	turns := make(chan struct{}, atOnce)
	clean := time.NewTicker(time.Hour)
	defer clean.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-clean.C:
			if err := s.forgetPending(ctx); err != nil {
				s.Log.Error("sns: subscriptions that nobody confirmed stay", "error", err)
			}
		case <-s.wake:
		}
		s.mu.Lock()
		keys := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		for _, key := range keys {
			going.Go(func() { s.carry(ctx, key, turns) })
		}
	}
}

// carry makes attempts until one succeeds, there is no hope, or the delivery is gone.
func (s *Service) carry(ctx context.Context, key string, turns chan struct{}) {
	for {
		d, ok := s.deliveries.Get(key)
		if !ok || !sleep(ctx, d.Next.Sub(s.Now())) {
			return
		}
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
			return
		}
		err := s.attempt(ctx, key)
		<-turns
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			s.Log.Error("sns: a delivery can't be carried out", "delivery", key, "error", err)
			if !sleep(ctx, time.Second) {
				return
			}
		}
	}
}

// sleep is false when ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt tries once and records what became of it.
func (s *Service) attempt(ctx context.Context, key string) error {
	d, ok := s.deliveries.Get(key)
	if !ok {
		return nil
	}
	t, hasTopic := s.topics.Get(d.Topic)
	sub, hasSub := s.subscriptions.Get(subscriptionKey(d.Topic, d.Subscription))
	if !hasTopic || !hasSub {
		return s.drop(ctx, key, &d)
	}
	how, err := policyOf(&t, &sub)
	if err != nil {
		return err
	}
	signing, err := s.signer(ctx)
	if err != nil {
		return err
	}
	body, err := s.wrap(&d, &t, &sub, signing)
	if err != nil {
		return err
	}
	raw := sub.Raw && d.Kind == notification
	if raw {
		body = []byte(d.Message.Text)
	}
	done, hopeless := s.post(ctx, &d, &sub, body, raw, how.contentType)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		now, ok := s.deliveries.In(tx).Get(key)
		if !ok {
			return nil
		}
		now.Failed++
		pause, again := how.after(now.Failed)
		if done || hopeless || !again {
			s.deliveries.In(tx).Delete(key)
			return nil
		}
		now.Next = s.now().Add(pause)
		s.deliveries.In(tx).Put(key, now)
		return nil
	})
}

// drop gives up a delivery whose subscription is gone. One that was made with it may not
// be seen yet: the transaction tells.
func (s *Service) drop(ctx context.Context, key string, d *Delivery) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		_, hasTopic := s.topics.In(tx).Get(d.Topic)
		_, hasSub := s.subscriptions.In(tx).Get(subscriptionKey(d.Topic, d.Subscription))
		if !hasTopic || !hasSub {
			s.deliveries.In(tx).Delete(key)
		}
		return nil
	})
}

// post sends a message to its endpoint. Answers in the 400s, save 429, leave no hope.
func (s *Service) post(ctx context.Context, d *Delivery, sub *Subscription, body []byte, raw bool, contentType string) (done, hopeless bool) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.Endpoint, bytes.NewReader(body))
	if err != nil {
		return false, true
	}
	h := r.Header
	h.Set("Content-Type", contentType)
	h.Set("User-Agent", "Amazon Simple Notification Service Agent")
	h.Set("X-Amz-Sns-Message-Type", d.Kind)
	h.Set("X-Amz-Sns-Message-Id", d.Message.ID)
	h.Set("X-Amz-Sns-Topic-Arn", s.arn(d.Topic))
	if d.Kind == notification {
		h.Set("X-Amz-Sns-Subscription-Arn", s.arnOf(sub))
	}
	if raw {
		h.Set("X-Amz-Sns-Rawdelivery", "true")
	}
	client := *s.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(r)
	if err != nil {
		s.Log.Info("sns: an endpoint can't be reached", "subscription", s.arnOf(sub), "error", err)
		return false, false
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	_ = answer.Body.Close()
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return true, false
	case code >= 500 || code == http.StatusTooManyRequests:
		s.Log.Info("sns: an endpoint failed", "subscription", s.arnOf(sub), "status", answer.Status)
		return false, false
	}
	s.Log.Info("sns: an endpoint refused a message", "subscription", s.arnOf(sub), "status", answer.Status)
	return false, true
}

// forgetPending deletes subscriptions that nobody confirmed in time.
func (s *Service) forgetPending(ctx context.Context) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		for key, sub := range s.subscriptions.In(tx).List("") {
			if sub.Pending && s.now().Sub(sub.Created) > pendingLife {
				s.end(tx, key)
			}
		}
		return nil
	})
}
