package podagent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/eksact/eksact/internal/node/credential"
)

// Args is Main's command line.
func Args(cluster, region, ca string, sockets int) []string {
	return []string{"--cluster", cluster, "--region", region, "--ca", ca, "--sockets", strconv.Itoa(sockets)}
}

// Main serves the TCP sockets passed as fd 3, 4, …
func Main(args []string) error {
	flags := flag.NewFlagSet("podagent", flag.ContinueOnError)
	cluster := flags.String("cluster", "", "name of the cluster")
	region := flags.String("region", "", "its region")
	count := flags.Int("sockets", 1, "how many sockets are passed")
	ca := flags.String("ca", "", "file of the authorities that EKS Auth's certificate may be of")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var sockets []net.Listener
	for fd := range *count {
		l, err := net.FileListener(os.NewFile(uintptr(3+fd), "socket"))
		if err != nil {
			return fmt.Errorf("podagent: the socket that should be passed as fd %d: %w", 3+fd, err)
		}
		sockets = append(sockets, l)
	}
	authorities, err := os.ReadFile(*ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authorities) {
		return fmt.Errorf("podagent: %s holds no certificate", *ca)
	}
	c := &Client{
		Cluster: *cluster, Region: *region, URL: "https://eks-auth." + *region + ".amazonaws.com",
		HTTP: &http.Client{Timeout: fetchTime, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}},
		Keys: func(ctx context.Context) (aws.Credentials, error) {
			k, err := credential.InstanceCredentials(ctx, http.DefaultClient, credential.Metadata)
			return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}, err
		},
	}
	server := &http.Server{
		Handler:           &Agent{Fetch: c.Fetch, Now: time.Now, Log: slog.Default()},
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
	}
	ended := make(chan error, len(sockets))
	for _, l := range sockets {
		go func() { ended <- server.Serve(l) }()
	}
	return <-ended
}

// Client asks EKS Auth as the node.
type Client struct {
	Cluster, Region string
	URL             string // https://eks-auth.REGION.amazonaws.com
	HTTP            *http.Client
	// Keys fetches the node's credentials.
	Keys func(ctx context.Context) (aws.Credentials, error)

	mu   sync.Mutex
	keys aws.Credentials
	at   time.Time
}

// nodeKeysLast is how long the node's own credentials are remembered: the metadata
// service has newer ones long before they end.
const nodeKeysLast = 5 * time.Minute

func (c *Client) nodeKeys(ctx context.Context) (aws.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < nodeKeysLast {
		return c.keys, nil
	}
	k, err := c.Keys(ctx)
	if err != nil {
		return k, fmt.Errorf("credentials of the node's role: %w", err)
	}
	c.keys, c.at = k, time.Now()
	return k, nil
}

const longestAnswer = 1 << 20

// Fetch implements Agent.Fetch.
func (c *Client) Fetch(ctx context.Context, token string) (out Credentials, err error) {
	keys, err := c.nodeKeys(ctx)
	if err != nil {
		return out, err
	}
	body, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		return out, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/clusters/"+url.PathEscape(c.Cluster)+"/assume-role-for-pod-identity", bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	r.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, keys, r, hex.EncodeToString(sum[:]), "eks-auth", c.Region, time.Now()); err != nil {
		return out, err
	}
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return out, fmt.Errorf("unable to fetch credentials from EKS Auth: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	if err != nil {
		return out, fmt.Errorf("unable to fetch credentials from EKS Auth: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return out, refusal(answer, text)
	}
	return read(text)
}

// refusal reads an error as REST-JSON has it.
func refusal(answer *http.Response, text []byte) error {
	var said struct {
		Message string `json:"message"`
		Type    string `json:"__type"`
	}
	_ = json.Unmarshal(text, &said) // without a message the code must do
	code := answer.Header.Get("X-Amzn-ErrorType")
	if code == "" {
		code = said.Type
	}
	code, _, _ = strings.Cut(code, ":")
	return &Refusal{answer.StatusCode, code, said.Message, answer.Header.Get("X-Amzn-RequestId")}
}

// read reads an answer of AssumeRoleForPodIdentity.
func read(text []byte) (out Credentials, err error) {
	var a struct {
		Credentials struct {
			AccessKeyID     string  `json:"accessKeyId"`
			SecretAccessKey string  `json:"secretAccessKey"`
			SessionToken    string  `json:"sessionToken"`
			Expiration      float64 `json:"expiration"` // seconds since 1970
		} `json:"credentials"`
		User struct {
			ARN string `json:"arn"`
		} `json:"assumedRoleUser"`
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return out, fmt.Errorf("reading EKS Auth's answer: %w", err)
	}
	parts := strings.SplitN(a.User.ARN, ":", 6)
	if a.Credentials.AccessKeyID == "" || a.Credentials.Expiration == 0 || len(parts) != 6 {
		return out, errors.New("EKS Auth's answer lacks credentials")
	}
	c := a.Credentials
	return Credentials{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, parts[4], time.UnixMilli(int64(c.Expiration * 1000)).UTC()}, nil
}
