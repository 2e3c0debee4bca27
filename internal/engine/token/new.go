package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Credentials sign a token.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // "" of a user's long-term key
}

// Token is what a client presents as its bearer token.
type Token struct {
	Value string
	// Expires is when to get a new one: a minute before the cluster refuses it.
	Expires time.Time
}

// New makes a token for the cluster so named, at the instant now. The endpoint
// is the STS that clients would call, "https://sts.us-west-2.amazonaws.com" or
// our own door's URL; nothing is sent to it.
func New(c Credentials, endpoint, region, cluster string, now time.Time) (Token, error) {
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return Token{}, errors.New("credentials lack an access key id or a secret access key")
	}
	if cluster == "" || region == "" {
		return Token{}, errors.New("a token needs a cluster's name and a region")
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return Token{}, fmt.Errorf("endpoint %q: %w", endpoint, err)
	}
	if u.Scheme == "" || u.Host == "" {
		return Token{}, fmt.Errorf("endpoint %q is not a URL with a host", endpoint)
	}
	presigned := u.Scheme + "://" + u.Host + "/?" + presign(c, u.Host, region, cluster, now.UTC())
	return Token{
		Value:   prefix + base64.RawURLEncoding.EncodeToString([]byte(presigned)),
		Expires: now.Add(Lifetime - time.Minute),
	}, nil
}

// presign is the query variant of Signature Version 4 for this one call. The
// parameters are written in the order that the canonical request wants.
func presign(c Credentials, host, region, cluster string, now time.Time) string {
	date := now.Format(dateLayout)
	scope := date[:8] + "/" + region + "/sts/aws4_request"
	signedHeaders := "host;" + ClusterHeader
	query := "Action=GetCallerIdentity&Version=" + apiVersion +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=" + escape(c.AccessKeyID+"/"+scope) +
		"&X-Amz-Date=" + date +
		"&X-Amz-Expires=60"
	if c.SessionToken != "" {
		query += "&X-Amz-Security-Token=" + escape(c.SessionToken)
	}
	query += "&X-Amz-SignedHeaders=" + escape(signedHeaders)

	canonical := strings.Join([]string{
		"GET", "/", query,
		"host:" + host, ClusterHeader + ":" + strings.TrimSpace(cluster), "",
		signedHeaders, hexHash(""),
	}, "\n")
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", date, scope, hexHash(canonical)}, "\n")

	key := []byte("AWS4" + c.SecretAccessKey)
	for _, part := range []string{date[:8], region, "sts", "aws4_request", toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return query + "&X-Amz-Signature=" + hex.EncodeToString(key)
}

func hexHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// escape is RFC 3986's percent-encoding: everything but letters, digits and
// "-._~".
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// ExecCredential is what a kubectl or kubelet credential plugin prints, for an
// API version of the group client.authentication.k8s.io ("v1beta1", "v1").
func (t Token) ExecCredential(version string) ([]byte, error) {
	type status struct {
		ExpirationTimestamp string `json:"expirationTimestamp"`
		Token               string `json:"token"`
	}
	return json.Marshal(struct {
		Kind       string   `json:"kind"`
		APIVersion string   `json:"apiVersion"`
		Spec       struct{} `json:"spec"`
		Status     status   `json:"status"`
	}{
		Kind:       "ExecCredential",
		APIVersion: "client.authentication.k8s.io/" + version,
		Status:     status{ExpirationTimestamp: t.Expires.UTC().Format(time.RFC3339), Token: t.Value},
	})
}
