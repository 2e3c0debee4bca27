//lint:file-ignore ST1005 the texts end SNS's own sentences

package sns

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"
)

// retries is how deliveries by HTTP are tried again: in four phases, at once, at the
// shortest pause, at pauses that grow, at the longest.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
type retries struct {
	MinDelay     int    `json:"minDelayTarget"` // seconds
	MaxDelay     int    `json:"maxDelayTarget"`
	Retries      int    `json:"numRetries"`
	MaxDelays    int    `json:"numMaxDelayRetries"`
	NoDelays     int    `json:"numNoDelayRetries"`
	MinDelays    int    `json:"numMinDelayRetries"`
	BackoffShape string `json:"backoffFunction"`
}

var usualRetries = retries{MinDelay: 20, MaxDelay: 20, Retries: 3, BackoffShape: "linear"}

const usualContentType = "text/plain; charset=UTF-8"

// contentTypes are those that a delivery policy may ask for.
var contentTypes = []string{
	usualContentType, "application/json", "application/xml", "application/octet-stream", "application/soap+xml", "application/x-www-form-urlencoded",
	"text/css", "text/csv", "text/html", "text/plain", "text/xml", "application/atom+xml",
}

// effective is what holds for a subscription.
type effective struct {
	retries
	contentType string
	noOverrides bool
}

func (e *effective) text() string {
	raw, _ := json.Marshal(map[string]any{"http": map[string]any{ // of numbers and strings
		"defaultHealthyRetryPolicy": e.retries, "disableSubscriptionOverrides": e.noOverrides,
		"defaultRequestPolicy": map[string]any{"headerContentType": e.contentType},
	}})
	return string(raw)
}

// subscriptionText is the form that a subscription's has.
func (e *effective) subscriptionText() string {
	raw, _ := json.Marshal(map[string]any{ // of numbers and strings
		"healthyRetryPolicy": e.retries, "sicklyRetryPolicy": nil, "throttlePolicy": nil, "requestPolicy": requestPolicy{e.contentType}, "guaranteed": false,
	})
	return string(raw)
}

type requestPolicy struct {
	ContentType string `json:"headerContentType"`
}

// policyForm is a delivery policy: a topic's has its parts under "http", with "default"
// before their names.
type policyForm struct {
	Healthy  json.RawMessage `json:"healthyRetryPolicy"`
	Sickly   json.RawMessage `json:"sicklyRetryPolicy"`
	Throttle json.RawMessage `json:"throttlePolicy"`
	Request  *requestPolicy  `json:"requestPolicy"`
	Guaranty json.RawMessage `json:"guaranteed"`

	HTTP *struct {
		Healthy     json.RawMessage `json:"defaultHealthyRetryPolicy"`
		Sickly      json.RawMessage `json:"defaultSicklyRetryPolicy"`
		Throttle    json.RawMessage `json:"defaultThrottlePolicy"`
		Request     *requestPolicy  `json:"defaultRequestPolicy"`
		NoOverrides bool            `json:"disableSubscriptionOverrides"`
	} `json:"http"`
}

// parseTopicPolicy reads a topic's delivery policy.
func parseTopicPolicy(text string) (effective, error) {
	var form policyForm
	e := effective{retries: usualRetries, contentType: usualContentType}
	if err := json.Unmarshal([]byte(text), &form); err != nil {
		return e, errors.New("failed to parse JSON.")
	}
	if form.HTTP == nil {
		return e, errors.New("Must specify a policy for http.")
	}
	e.noOverrides = form.HTTP.NoOverrides
	return e, e.take(form.HTTP.Healthy, form.HTTP.Throttle, form.HTTP.Request)
}

// parsePolicy reads a subscription's, over what its topic says.
func parsePolicy(text string, e effective) (effective, error) {
	var form policyForm
	if err := json.Unmarshal([]byte(text), &form); err != nil {
		return e, errors.New("failed to parse JSON.")
	}
	return e, e.take(form.Healthy, form.Throttle, form.Request)
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func (e *effective) take(healthy, throttle json.RawMessage, request *requestPolicy) error {
	if !isNull(throttle) {
		return errors.New("a throttle policy is not supported here.")
	}
	if request != nil && request.ContentType != "" {
		if !slices.Contains(contentTypes, request.ContentType) {
			return errors.New("headerContentType is not valid.")
		}
		e.contentType = request.ContentType
	}
	if isNull(healthy) {
		return nil
	}
	r := usualRetries
	if err := json.Unmarshal(healthy, &r); err != nil {
		return errors.New("failed to parse JSON.")
	}
	if r.BackoffShape == "" {
		r.BackoffShape = usualRetries.BackoffShape
	}
	switch {
	case r.Retries < 0 || r.Retries > 100:
		return errors.New("numRetries must be between 0 and 100")
	case r.MinDelay < 1 || r.MinDelay > r.MaxDelay:
		return errors.New("minDelayTarget must be at least 1 and at most maxDelayTarget")
	case r.MaxDelay > 3600:
		return errors.New("maxDelayTarget must be at most 3600")
	case r.NoDelays < 0 || r.MinDelays < 0 || r.MaxDelays < 0 || r.NoDelays+r.MinDelays+r.MaxDelays > r.Retries:
		return errors.New("the phases' retries must not be more than numRetries")
	case !slices.Contains([]string{"linear", "arithmetic", "geometric", "exponential"}, r.BackoffShape):
		return errors.New("backoffFunction must be one of linear, arithmetic, geometric, exponential")
	}
	e.retries = r
	return nil
}

// topicPolicy is what holds for a topic's subscriptions that say nothing themselves.
func topicPolicy(t *Topic) (effective, error) {
	if t.DeliveryPolicy == "" {
		return effective{retries: usualRetries, contentType: usualContentType}, nil
	}
	return parseTopicPolicy(t.DeliveryPolicy)
}

// policyOf is what holds for a subscription.
func policyOf(t *Topic, sub *Subscription) (effective, error) {
	e, err := topicPolicy(t)
	if err != nil || e.noOverrides || sub.DeliveryPolicy == "" {
		return e, err
	}
	return parsePolicy(sub.DeliveryPolicy, e)
}

// after is the pause before the next attempt when failed have failed; false: it is over.
func (r *retries) after(failed int) (time.Duration, bool) {
	growing := r.Retries - r.NoDelays - r.MinDelays - r.MaxDelays
	n := failed - 1 // retries so far
	switch {
	case failed > r.Retries:
		return 0, false
	case n < r.NoDelays:
		return 0, true
	case n < r.NoDelays+r.MinDelays:
		return time.Duration(r.MinDelay) * time.Second, true
	case n < r.NoDelays+r.MinDelays+growing:
		return time.Duration(float64(time.Second) * r.grown(n-r.NoDelays-r.MinDelays, growing)), true
	}
	return time.Duration(r.MaxDelay) * time.Second, true
}

// grown is the pause, in seconds, of the nth of some attempts, from the shortest to the
// longest: by equal steps, by steps that grow, by a factor, or doubling.
func (r *retries) grown(n, of int) float64 {
	low, high := float64(r.MinDelay), float64(r.MaxDelay)
	if of < 2 {
		return low
	}
	x := float64(n) / float64(of-1)
	switch r.BackoffShape {
	case "arithmetic":
		return low + (high-low)*x*x
	case "geometric":
		return low * math.Pow(high/low, x)
	case "exponential":
		return math.Min(high, low*math.Pow(2, float64(n)))
	}
	return low + (high-low)*x
}
