package sns_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	ours "github.com/eksact/eksact/internal/aws/sns"
)

const number = doortest.Number

// account is SNS behind a real front door, with what its links lead to.
type account struct {
	*doortest.Door
	*sns.Client
	service *ours.Service
	pages   http.Handler
}

// private refuses a network's endpoints.
func private(u *url.URL) error {
	if strings.HasPrefix(u.Hostname(), "10.") {
		return errors.New(u.Hostname() + " is not asked")
	}
	return nil
}

func open(t *testing.T) *account {
	t.Helper()
	at := doortest.New(t)
	s := ours.New(ours.Deps{
		Store: at.Store, Place: doortest.Place, IAM: at.IAM, Now: time.Now, Client: http.DefaultClient, Reaches: private, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Certify: func(public crypto.PublicKey, from, to time.Time) ([]byte, error) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				return nil, err
			}
			template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, NotBefore: from, NotAfter: to}
			der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
			return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
		},
	})
	a := &account{Door: at.Open(t, s.Service()), service: s}
	a.Client = sns.NewFromConfig(a.Admin)
	a.pages = s.Pages(a.Handler)
	return a
}

// run delivers until the test ends.
func (a *account) run(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { a.service.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
}

func (a *account) topic(t *testing.T, name string, attributes map[string]string) string {
	t.Helper()
	out, err := a.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return *out.TopicArn
}

// get follows a link in a message.
func (a *account) get(t *testing.T, link string) *httptest.ResponseRecorder {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.Host != "sns.us-west-2.amazonaws.com" {
		t.Fatalf("a link is %s", link)
	}
	w := httptest.NewRecorder()
	a.pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, link, nil))
	return w
}

// endpoint is a subscriber.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	fail   []int // statuses of the next answers
	got    chan arrival
	counts int
}

type arrival struct {
	header http.Header
	body   string
}

func listen(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{got: make(chan arrival, 100)}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.counts++
		if len(e.fail) > 0 {
			status := e.fail[0]
			e.fail = e.fail[1:]
			w.WriteHeader(status)
			return
		}
		e.got <- arrival{r.Header, string(body)}
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) next(t *testing.T) arrival {
	t.Helper()
	select {
	case a := <-e.got:
		return a
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
		return arrival{}
	}
}

func (e *endpoint) none(t *testing.T) {
	t.Helper()
	select {
	case a := <-e.got:
		t.Errorf("it came: %s", a.body)
	case <-time.After(200 * time.Millisecond):
	}
}

type message map[string]any

func (m message) text(name string) string { s, _ := m[name].(string); return s }

func parse(t *testing.T, a arrival) message {
	t.Helper()
	var m message
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return m
}

// verify checks a message's signature as SNS's documentation tells receivers to.
func (a *account) verify(t *testing.T, m message) {
	t.Helper()
	w := a.get(t, m.text("SigningCertURL"))
	block, _ := pem.Decode(w.Body.Bytes())
	if w.Code != http.StatusOK || block == nil {
		t.Fatalf("the certificate is %d %s", w.Code, w.Body)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	if m.text("Type") == "SubscriptionConfirmation" {
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	text := ""
	for _, n := range names {
		if v, ok := m[n].(string); ok {
			text += n + "\n" + v + "\n"
		}
	}
	signature, err := base64.StdEncoding.DecodeString(m.text("Signature"))
	if err != nil {
		t.Fatal(err)
	}
	hash, sum := crypto.SHA1, sha1.Sum([]byte(text))
	digest := sum[:]
	if m.text("SignatureVersion") == "2" {
		wide := sha256.Sum256([]byte(text))
		hash, digest = crypto.SHA256, wide[:]
	}
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), hash, digest, signature); err != nil {
		t.Errorf("%v of %s", err, text)
	}
}

// subscribe subscribes an endpoint and confirms by the link that it gets.
func (a *account) subscribe(t *testing.T, topic string, e *endpoint, attributes map[string]string) string {
	t.Helper()
	out, err := a.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("http"), Endpoint: aws.String(e.URL + "/in"), Attributes: attributes, ReturnSubscriptionArn: true})
	if err != nil {
		t.Fatal(err)
	}
	got := e.next(t)
	m := parse(t, got)
	if got.header.Get("X-Amz-Sns-Message-Type") != "SubscriptionConfirmation" || m.text("Type") != "SubscriptionConfirmation" || m.text("TopicArn") != topic {
		t.Fatalf("the confirmation is %+v", got)
	}
	a.verify(t, m)
	w := a.get(t, m.text("SubscribeURL"))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<SubscriptionArn>"+*out.SubscriptionArn+"</SubscriptionArn>") {
		t.Fatalf("confirming: %d %s", w.Code, w.Body)
	}
	return *out.SubscriptionArn
}

func TestMessagesAreDeliveredSigned(t *testing.T) {
	for _, version := range []string{"1", "2"} {
		t.Run(version, func(t *testing.T) {
			a, e := open(t), listen(t)
			a.run(t)
			topic := a.topic(t, "t", map[string]string{"SignatureVersion": version})
			var followed []ours.Notification
			defer a.service.Follow(topic, func(n ours.Notification) { followed = append(followed, n) })()
			arn := a.subscribe(t, topic, e, nil)
			out, err := a.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: aws.String("héllo & <you>"), Subject: aws.String("S"), MessageAttributes: map[string]types.MessageAttributeValue{
				"level": {DataType: aws.String("Number"), StringValue: aws.String("3")}, "raw": {DataType: aws.String("Binary"), BinaryValue: []byte("x")},
			}})
			if err != nil {
				t.Fatal(err)
			}
			got := e.next(t)
			m := parse(t, got)
			if m.text("Message") != "héllo & <you>" || m.text("Subject") != "S" || m.text("MessageId") != *out.MessageId || m.text("SignatureVersion") != version ||
				got.header.Get("X-Amz-Sns-Subscription-Arn") != arn || got.header.Get("Content-Type") != "text/plain; charset=UTF-8" {
				t.Errorf("%+v", got)
			}
			if at, ok := m["MessageAttributes"].(map[string]any); !ok || at["level"].(map[string]any)["Value"] != "3" || at["raw"].(map[string]any)["Value"] != "eA==" {
				t.Errorf("%v", m["MessageAttributes"])
			}
			a.verify(t, m)
			if len(followed) != 1 || followed[0].ID != *out.MessageId || followed[0].Attributes["level"].Value != "3" {
				t.Errorf("followed: %+v", followed)
			}
			if w := a.get(t, m.text("UnsubscribeURL")); w.Code != http.StatusOK {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			doortest.Must(t)(a.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: aws.String("later")}))
			e.none(t)
		})
	}
}

// TestDeliveriesAreTriedAgain: after what may pass, with the pauses of the delivery
// policy; not after what won't; those that nobody carried out when somebody does.
func TestDeliveriesAreTriedAgain(t *testing.T) {
	a, e := open(t), listen(t)
	topic := a.topic(t, "t", map[string]string{"DeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":2,"numNoDelayRetries":1}}}`})
	e.fail = []int{500, 503}
	doortest.Must(t)(a.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("http"), Endpoint: aws.String(e.URL)}))
	e.none(t)
	began := time.Now()
	a.run(t)
	m := parse(t, e.next(t))
	if took := time.Since(began); took < time.Second || e.counts != 3 {
		t.Errorf("%d attempts in %s", e.counts, took)
	}
	if w := a.get(t, m.text("SubscribeURL")); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	e.mu.Lock()
	e.fail, e.counts = []int{404}, 0
	e.mu.Unlock()
	publish := func(text string) {
		t.Helper()
		doortest.Must(t)(a.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: &text}))
	}
	publish("lost")
	e.none(t)
	publish("arrives")
	if m := parse(t, e.next(t)); m.text("Message") != "arrives" {
		t.Errorf("%v", m)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.counts != 2 {
		t.Errorf("%d attempts", e.counts)
	}
}

func TestRawFilteredAndStructured(t *testing.T) {
	a, raw, picky := open(t), listen(t), listen(t)
	a.run(t)
	topic := a.topic(t, "t", nil)
	a.subscribe(t, topic, raw, map[string]string{"RawMessageDelivery": "true"})
	arn := a.subscribe(t, topic, picky, map[string]string{"FilterPolicy": `{"kind":["alarm"]}`})
	publish := func(in *sns.PublishInput) {
		t.Helper()
		in.TopicArn = &topic
		doortest.Must(t)(a.Publish(t.Context(), in))
	}
	publish(&sns.PublishInput{Message: aws.String(`{"default":"d","http":"h","lambda":"l"}`), MessageStructure: aws.String("json")})
	if got := raw.next(t); got.body != "h" || got.header.Get("X-Amz-Sns-Rawdelivery") != "true" {
		t.Errorf("%+v", got)
	}
	picky.none(t)
	publish(&sns.PublishInput{Message: aws.String("m"), MessageAttributes: map[string]types.MessageAttributeValue{"kind": {DataType: aws.String("String"), StringValue: aws.String("alarm")}}})
	if m := parse(t, picky.next(t)); m.text("Message") != "m" {
		t.Errorf("%v", m)
	}
	raw.next(t)
	doortest.Must(t)(a.SetSubscriptionAttributes(t.Context(), &sns.SetSubscriptionAttributesInput{SubscriptionArn: &arn, AttributeName: aws.String("FilterPolicyScope"), AttributeValue: aws.String("MessageBody")}))
	doortest.Must(t)(a.SetSubscriptionAttributes(t.Context(), &sns.SetSubscriptionAttributesInput{SubscriptionArn: &arn, AttributeName: aws.String("FilterPolicy"), AttributeValue: aws.String(`{"a":{"b":[{"prefix":"x"}]}}`)}))
	publish(&sns.PublishInput{Message: aws.String(`{"a":{"b":"y"}}`)})
	publish(&sns.PublishInput{Message: aws.String(`no json`)})
	publish(&sns.PublishInput{Message: aws.String(`{"a":{"b":"xy"}}`)})
	if m := parse(t, picky.next(t)); m.text("Message") != `{"a":{"b":"xy"}}` {
		t.Errorf("%v", m)
	}
	picky.none(t)
}

func TestTopicsAndTheirPolicies(t *testing.T) {
	a, ctx := open(t), t.Context()
	topic := a.topic(t, "t", map[string]string{"DisplayName": "d"})
	if again := a.topic(t, "t", map[string]string{"DisplayName": "d"}); again != topic {
		t.Errorf("%s", again)
	}
	_, err := a.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("t"), Attributes: map[string]string{"DisplayName": "other"}})
	doortest.Refused(t, err, "InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes")
	_, err = a.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("t"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	doortest.Refused(t, err, "InvalidParameter", "Tags Reason: Topic already exists with different tags")
	for name, text := range map[string]string{"t.fifo": "FIFO topics are not supported here", "a b": "Topic Name"} {
		_, err = a.CreateTopic(ctx, &sns.CreateTopicInput{Name: &name})
		doortest.Refused(t, err, "InvalidParameter", text)
	}
	publisher := sns.NewFromConfig(a.User(t, "publisher", ""))
	publish := func(c *sns.Client) error {
		_, err := c.Publish(ctx, &sns.PublishInput{TopicArn: &topic, Message: aws.String("m")})
		return err
	}
	doortest.Refused(t, publish(publisher), "AuthorizationError", "User: arn:aws:iam::"+number+":user/publisher is not authorized to perform: SNS:Publish on resource: "+topic+" because no identity-based policy allows the SNS:Publish action")
	set := func(document string) error {
		_, err := a.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: &topic, AttributeName: aws.String("Policy"), AttributeValue: &document})
		return err
	}
	statement := func(effect, principal, action string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"` + action + `","Resource":"` + topic + `"}]}`
	}
	user := `{"AWS":"arn:aws:iam::` + number + `:user/publisher"}`
	if err := set(statement("Allow", user, "SNS:Publish")); err != nil {
		t.Fatal(err)
	}
	if err := publish(publisher); err != nil {
		t.Errorf("its policy allows it: %v", err)
	}
	shown, err := a.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &topic})
	if err != nil || !strings.Contains(shown.Attributes["Policy"], "user/publisher") || shown.Attributes["DisplayName"] != "d" {
		t.Errorf("%v, %v", shown, err)
	}
	if err := set(statement("Deny", `"*"`, "sns:Pub*")); err != nil {
		t.Fatal(err)
	}
	doortest.Refused(t, publish(a.Client), "AuthorizationError", "with an explicit deny in a resource-based policy")
	doortest.Refused(t, set(statement("Allow", user, "s3:GetObject")), "InvalidParameter", "Invalid parameter: Policy statement action out of service scope!")
	doortest.Refused(t, set(statement("Allow", `{"AWS":"arn:aws:iam::`+number+`:user/nobody"}`, "sns:Publish")), "InvalidParameter", "PrincipalNotFound")
	doortest.Refused(t, set(`{`), "InvalidParameter", "Policy Error")
	doortest.Must(t)(a.AddPermission(ctx, &sns.AddPermissionInput{TopicArn: &topic, Label: aws.String("l"), AWSAccountId: []string{number}, ActionName: []string{"Publish"}}))
	doortest.Must(t)(a.RemovePermission(ctx, &sns.RemovePermissionInput{TopicArn: &topic, Label: aws.String("l")}))
	doortest.Must(t)(a.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &topic}))
	doortest.Must(t)(a.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &topic}))
	doortest.Refused(t, publish(a.Client), "NotFound", "Topic does not exist")
}

// TestServicesPublish: by the topic's policy, that of a new topic lets those that act for
// the account.
func TestServicesPublish(t *testing.T) {
	a := open(t)
	topic := a.topic(t, "t", nil)
	var got []string
	defer a.service.Follow(topic, func(n ours.Notification) { got = append(got, n.Subject+": "+n.Text) })()
	as := func() error {
		_, err := a.service.PublishAs(t.Context(), "cloudwatch.amazonaws.com", topic, ours.Given{Subject: "ALARM", Text: "hot", Source: "arn:aws:cloudwatch:us-west-2:" + number + ":alarm:x"})
		return err
	}
	if err := as(); err != nil {
		t.Fatal(err)
	}
	doortest.Must(t)(a.SetTopicAttributes(t.Context(), &sns.SetTopicAttributesInput{TopicArn: &topic, AttributeName: aws.String("Policy"), AttributeValue: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudwatch.amazonaws.com"},"Action":"sns:Publish","Resource":"` + topic + `","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:cloudwatch:*:*:alarm:x*"}}}]}`)}))
	if err := as(); err != nil {
		t.Error(err)
	}
	doortest.Must(t)(a.SetTopicAttributes(t.Context(), &sns.SetTopicAttributesInput{TopicArn: &topic, AttributeName: aws.String("Policy"), AttributeValue: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sns:Publish","Resource":"` + topic + `"}]}`)}))
	doortest.Refused(t, as(), "AuthorizationError", "cloudwatch.amazonaws.com is not authorized to perform: SNS:Publish on resource: "+topic)
	if !slices.Equal(got, []string{"ALARM: hot", "ALARM: hot"}) {
		t.Errorf("%v", got)
	}
}

func TestWhatIsRefused(t *testing.T) {
	a, ctx := open(t), t.Context()
	topic := a.topic(t, "t", nil)
	subscribe := func(protocol, endpoint string, attributes map[string]string) error {
		_, err := a.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: &protocol, Endpoint: &endpoint, Attributes: attributes})
		return err
	}
	doortest.Refused(t, subscribe("email", "a@b", nil), "InvalidParameter", "Protocol Reason: email is not supported here")
	doortest.Refused(t, subscribe("smoke", "x", nil), "InvalidParameter", "Invalid parameter: Amazon SNS does not support this protocol string: smoke")
	doortest.Refused(t, subscribe("https", "http://x/", nil), "InvalidParameter", "Invalid parameter: Endpoint must match the specified protocol")
	doortest.Refused(t, subscribe("http", "http://10.0.0.9/x", nil), "InvalidParameter", "Invalid parameter: Endpoint Reason: 10.0.0.9 is not asked") // it would stay pending for ever
	doortest.Refused(t, subscribe("http", "http://x/", map[string]string{"FilterPolicy": `{"a":1}`}), "InvalidParameter", `"a" must be an object or an array`)
	doortest.Refused(t, subscribe("http", "http://x/", map[string]string{"RedrivePolicy": `{}`}), "InvalidParameter", "RedrivePolicy: it is not supported here")
	publish := func(in *sns.PublishInput) error {
		in.TopicArn = &topic
		_, err := a.Publish(ctx, in)
		return err
	}
	doortest.Refused(t, publish(&sns.PublishInput{Message: aws.String("")}), "InvalidParameter", "Invalid parameter: Empty message")
	doortest.Refused(t, publish(&sns.PublishInput{Message: aws.String("m"), Subject: aws.String("a\nb")}), "InvalidParameter", "Invalid parameter: Subject")
	doortest.Refused(t, publish(&sns.PublishInput{Message: aws.String(strings.Repeat("m", 256<<10+1))}), "InvalidParameter", "Invalid parameter: Message too long")
	doortest.Refused(t, publish(&sns.PublishInput{Message: aws.String("{}"), MessageStructure: aws.String("json")}), "InvalidParameter", "Message Structure - No default entry in JSON message body")
	doortest.Refused(t, publish(&sns.PublishInput{Message: aws.String("m"), MessageAttributes: map[string]types.MessageAttributeValue{"n": {DataType: aws.String("Number"), StringValue: aws.String("x")}}}), "ParameterValueInvalid", "Could not cast message attribute 'n' value to number.")
	_, err := a.ConfirmSubscription(ctx, &sns.ConfirmSubscriptionInput{TopicArn: &topic, Token: aws.String("x")})
	doortest.Refused(t, err, "InvalidParameter", "Invalid parameter: Token")
	_, err = a.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{{Id: aws.String("1"), Message: aws.String("m")}, {Id: aws.String("1"), Message: aws.String("m")}}})
	doortest.Refused(t, err, "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
	out, err := a.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{{Id: aws.String("1"), Message: aws.String("m")}, {Id: aws.String("2"), Message: aws.String("m"), Subject: aws.String("a\nb")}}})
	if err != nil || len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Code != "InvalidParameter" {
		t.Errorf("%+v, %v", out, err)
	}
	// A link's confirmation without a token that was sent confirms nothing.
	if w := a.get(t, "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn="+url.QueryEscape(topic)+"&Token=x"); w.Code != http.StatusBadRequest {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// Without a signature nothing else is answered.
	if w := a.get(t, "https://sns.us-west-2.amazonaws.com/?Action=ListTopics"); w.Code != http.StatusForbidden {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
