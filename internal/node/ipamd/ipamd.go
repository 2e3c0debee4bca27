// Package ipamd does what of the Amazon VPC CNI's address manager takes rights in AWS:
// before a node's pods can have addresses, it looks at the node's network interface in
// EC2, as the role of the service account aws-node if that has one, by Pod Identity or else
// IRSA, else as the node's.
//
//	metadata service ──── the node's role ────┐
//	STS ───── token of kube-system/aws-node ──┤
//	Pod Identity agent ── token of its pod ───┴─► ec2:DescribeNetworkInterfaces
//
// A role without that right, which AmazonEKS_CNI_Policy gives, leaves the node without a
// network for pods, as on EKS.
package ipamd

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"github.com/eksact/eksact/internal/node/credential"
	"github.com/eksact/eksact/internal/node/podagent"
)

// Manager is a node's.
type Manager struct {
	Region    string
	Interface string // the node's network interface, "eni-…"
	// HTTP connects from the node and trusts AWS's names there.
	HTTP *http.Client
	// Account is the role that the service account aws-node is annotated with, and a
	// token of its for STS; no role if it isn't.
	Account func(ctx context.Context) (role, token string, err error)
	// Associated is a token for the node's Pod Identity agent, if a role is associated with
	// the service account; "" if none is. done says that it is of no use any more. Nil: none
	// is associated.
	Associated func(ctx context.Context) (token string, done func(), err error)
	// Agent is the agent's URL; "" is where it is on nodes.
	Agent string
	// Metadata is the metadata service's base; "" is credential.Metadata.
	Metadata string
	// Endpoint is AWS's URL in tests.
	Endpoint *string
}

// Look returns when EC2 has shown the node its interface.
func (m *Manager) Look(ctx context.Context) error {
	keys, err := m.keys(ctx)
	if err != nil {
		return err
	}
	client := ec2.New(ec2.Options{
		Region: m.Region, HTTPClient: m.HTTP, BaseEndpoint: m.Endpoint, RetryMaxAttempts: 1, Credentials: credentials.StaticCredentialsProvider{Value: keys},
		APIOptions: []func(*middleware.Stack) error{awsmiddleware.AddUserAgentKey("amazon-vpc-cni-k8s")},
	})
	out, err := client.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{m.Interface}})
	if err != nil {
		return err
	}
	if len(out.NetworkInterfaces) != 1 || len(out.NetworkInterfaces[0].Ipv4Prefixes) == 0 {
		return fmt.Errorf("EC2 shows no addresses for pods at interface %s", m.Interface)
	}
	return nil
}

// keys are the role's credentials.
func (m *Manager) keys(ctx context.Context) (aws.Credentials, error) {
	if m.Associated != nil {
		token, done, err := m.Associated(ctx)
		if err != nil {
			return aws.Credentials{}, fmt.Errorf("a pod of aws-node: %w", err)
		}
		if token != "" {
			defer done()
			return m.fromAgent(ctx, token)
		}
	}
	role, token, err := m.Account(ctx)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("the service account aws-node: %w", err)
	}
	if role == "" {
		base := m.Metadata
		if base == "" {
			base = credential.Metadata
		}
		k, err := credential.InstanceCredentials(ctx, m.HTTP, base)
		if err != nil {
			return aws.Credentials{}, fmt.Errorf("the node's role: %w", err)
		}
		return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}, nil
	}
	out, err := sts.New(sts.Options{Region: m.Region, HTTPClient: m.HTTP, BaseEndpoint: m.Endpoint, RetryMaxAttempts: 1}).
		AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("aws-node"), WebIdentityToken: &token})
	if err != nil {
		return aws.Credentials{}, err
	}
	c := out.Credentials
	return aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}, nil
}

// fromAgent are the credentials of the associated role, as a pod of aws-node gets them.
func (m *Manager) fromAgent(ctx context.Context, token string) (aws.Credentials, error) {
	url := m.Agent
	if url == "" {
		url = "http://" + podagent.Addresses[0].String() + "/v1/credentials"
	}
	provider := endpointcreds.New(url, func(o *endpointcreds.Options) {
		o.HTTPClient, o.AuthorizationToken, o.Retryer = m.HTTP, token, aws.NopRetryer{}
	})
	keys, err := provider.Retrieve(ctx)
	if err != nil {
		return keys, fmt.Errorf("the Pod Identity agent (add-on eks-pod-identity-agent): %w", err)
	}
	return keys, nil
}
