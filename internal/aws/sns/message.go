package sns

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" // what signatures of version 1 are over
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// The kinds of messages.
const (
	notification = "Notification"
	confirmation = "SubscriptionConfirmation"
)

// envelope is a message as endpoints get it.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
type envelope struct {
	Type             string
	MessageID        string `json:"MessageId"`
	Token            string `json:",omitempty"`
	TopicARN         string `json:"TopicArn"`
	Subject          string `json:",omitempty"`
	Message          string
	SubscribeURL     string `json:",omitempty"`
	Timestamp        string
	SignatureVersion string
	Signature        string
	SigningCertURL   string
	UnsubscribeURL   string               `json:",omitempty"`
	Attributes       map[string]Attribute `json:"MessageAttributes,omitempty"`
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Host is the name that SNS is called by in a region.
func Host(region string) string { return "sns." + region + ".amazonaws.com" }

// link is one that a message carries.
func (s *Service) link(action string, parameters ...string) string {
	q := "Action=" + action
	for i := 0; i+1 < len(parameters); i += 2 {
		q += "&" + parameters[i] + "=" + url.QueryEscape(parameters[i+1])
	}
	return "https://" + Host(s.Place.Region) + "/?" + q
}

// wrap makes the envelope of a delivery, signed.
func (s *Service) wrap(d *Delivery, t *Topic, sub *Subscription, key *signer) ([]byte, error) {
	e := envelope{
		Type: d.Kind, MessageID: d.Message.ID, TopicARN: s.arn(t.Name), Subject: d.Message.Subject, Message: d.Message.Text,
		Timestamp: timestamp(d.Message.At), SignatureVersion: t.SignatureVersion, SigningCertURL: "https://" + Host(s.Place.Region) + certificatePath(key.id),
		Attributes: d.Message.Attributes,
	}
	if d.Kind == confirmation {
		e.Token, e.SubscribeURL = sub.Token, s.link("ConfirmSubscription", "TopicArn", s.arn(t.Name), "Token", sub.Token)
	} else {
		e.UnsubscribeURL = s.link("Unsubscribe", "SubscriptionArn", s.arnOf(sub))
	}
	var err error
	if e.Signature, err = key.sign(e.canonical(), e.SignatureVersion); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := json.NewEncoder(&out)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	err = w.Encode(e)
	return bytes.TrimSpace(out.Bytes()), err
}

// canonical is what a signature is over: names and values, each on its line.
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
func (e *envelope) canonical() string {
	var b strings.Builder
	put := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	put("Message", e.Message)
	put("MessageId", e.MessageID)
	switch {
	case e.Type == confirmation:
		put("SubscribeURL", e.SubscribeURL)
	case e.Subject != "":
		put("Subject", e.Subject)
	}
	put("Timestamp", e.Timestamp)
	if e.Type == confirmation {
		put("Token", e.Token)
	}
	put("TopicArn", e.TopicARN)
	put("Type", e.Type)
	return b.String()
}

// signer is a key ready for use.
type signer struct {
	id  string
	key *rsa.PrivateKey
}

func (k *signer) sign(text, version string) (string, error) {
	hash, sum := crypto.SHA1, []byte(nil)
	if version == "2" {
		d := sha256.Sum256([]byte(text))
		hash, sum = crypto.SHA256, d[:]
	} else {
		d := sha1.Sum([]byte(text))
		sum = d[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, k.key, hash, sum)
	return base64.StdEncoding.EncodeToString(signature), err
}
