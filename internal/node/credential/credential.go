// Package credential is a node's exec credential plugin: it prints a token that
// proves the node to its cluster's API server.
//
// The token is signed with the credentials that the instance metadata service
// gives the instance's role, by IMDSv2, as aws-iam-authenticator does on EKS.
// Nothing else on the node would do: without the role, no token.
// See https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
package credential

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/token"
)

// Metadata is where the instance metadata service is.
const Metadata = "http://169.254.169.254/latest/"

// Main runs the plugin with the arguments of its command line.
func Main(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("eksact-credential", flag.ContinueOnError)
	cluster := flags.String("cluster", "", "name of the cluster")
	region := flags.String("region", "", "region of the cluster")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	keys, err := InstanceCredentials(ctx, http.DefaultClient, Metadata)
	if err != nil {
		return fmt.Errorf("credentials of the instance's role: %w", err)
	}
	t, err := token.New(keys, "https://sts."+*region+".amazonaws.com", *region, *cluster, time.Now())
	if err != nil {
		return err
	}
	text, err := t.ExecCredential("v1beta1")
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

// InstanceCredentials asks the metadata service at base for the role of the
// instance and its credentials.
func InstanceCredentials(ctx context.Context, client *http.Client, base string) (token.Credentials, error) {
	session, err := fetch(ctx, client, http.MethodPut, base+"api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60")
	if err != nil {
		return token.Credentials{}, err
	}
	get := func(path string) (string, error) {
		return fetch(ctx, client, http.MethodGet, base+"meta-data/iam/security-credentials/"+path, "X-aws-ec2-metadata-token", session)
	}
	role, err := get("")
	if err != nil {
		return token.Credentials{}, err
	}
	text, err := get(strings.TrimSpace(role))
	if err != nil {
		return token.Credentials{}, err
	}
	var answer struct{ Code, AccessKeyId, SecretAccessKey, Token string }
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return token.Credentials{}, fmt.Errorf("role %s: %w", role, err)
	}
	if answer.Code != "Success" {
		return token.Credentials{}, fmt.Errorf("role %s: the metadata service answers %s", role, answer.Code)
	}
	return token.Credentials{AccessKeyID: answer.AccessKeyId, SecretAccessKey: answer.SecretAccessKey, SessionToken: answer.Token}, nil
}

func fetch(ctx context.Context, client *http.Client, method, url, header, value string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set(header, value)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(method + " " + url + ": " + resp.Status)
	}
	return string(body), nil
}
