package alerts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eksact/eksact/internal/cli/account"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/engine/detect/bundle"
	"github.com/eksact/eksact/internal/hint"
)

// chosen is what enable and template are told.
type chosen struct {
	bundle.Options
	allowed, inside []string
}

func (c *chosen) addTo(flags *pflag.FlagSet, allowed, inside string) {
	flags.StringVar(&c.Cluster, "cluster", "cluster", "the cluster")
	flags.StringSliceVar(&c.Detections, "detection", nil, "alarms of these detections alone (default all)")
	flags.StringSliceVar(&c.allowed, "allowed", nil, "networks that people work from, for the alarm on unexpected ones: 203.0.113.0/24"+allowed)
	flags.StringSliceVar(&c.inside, "inside", nil, "networks that pods and nodes are in, for alarms on accounts from elsewhere: 10.0.0.0/16"+inside)
	flags.StringSliceVar(&c.Namespaces, "namespace", nil, "namespaces, besides kube-system and default, whose secrets other namespaces' accounts may not read")
	flags.StringSliceVar(&c.URLs, "url", nil, "where to send notifications, by HTTP or HTTPS")
}

func (c *chosen) read() (err error) {
	if c.Allowed, err = global.Networks("--allowed", c.allowed); err != nil {
		return err
	}
	if c.Inside, err = global.Networks("--inside", c.inside); err != nil {
		return err
	}
	for _, u := range c.URLs {
		if !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
			return hint.New(fmt.Sprintf("--url %q is neither http nor https", u), "say https://hooks.example/alerts")
		}
	}
	return nil
}

// written is the template.
func (c *chosen) written() (string, error) {
	text, err := bundle.Template(c.Options)
	if err != nil {
		return "", hint.Wrap(err, "eksact audit detections shows what is looked for, with the networks that some need (-o json)")
	}
	return text, nil
}

// template writes the template.
func template() *cobra.Command {
	var c chosen
	cmd := &cobra.Command{
		Use:     "template",
		Short:   "Write the CloudFormation template of the alarms, also for a cluster on AWS",
		Example: "  eksact alerts template --allowed 203.0.113.0/24 --inside 10.0.0.0/16 > alerts.json\n  aws cloudformation deploy --stack-name audit-alerts --template-file alerts.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.read(); err != nil {
				return err
			}
			text, err := c.written()
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
	c.addTo(cmd.Flags(), "", "")
	return cmd
}

// stackOf is the name of a cluster's stack.
func stackOf(cluster string) string { return "audit-alerts-" + cluster }

func enable(g *global.Options) *cobra.Command {
	var c chosen
	cmd := &cobra.Command{
		Use:   "enable",
		Short: "Make alarms on what the detections look for, or change them",
		Long: "Make alarms on what the detections look for in a cluster's audit log: metric filters\n" +
			"and an alarm for each, and one topic that they publish to. They are a stack, made anew\n" +
			"when this is called again.",
		Example: "  eksact alerts enable\n  eksact alerts enable --detection admin-at-work,unexpected-source --allowed 203.0.113.0/24",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.read(); err != nil {
				return err
			}
			for _, text := range c.URLs {
				u, err := url.Parse(text)
				if err == nil {
					err = daemon.Reaches(u)
				}
				if err != nil {
					return hint.Wrap(fmt.Errorf("--url %s: %w", text, err), "listen on 127.0.0.1, or give an address of the Internet")
				}
			}
			config, at, err := account.Admin(cmd.Context(), g)
			if err != nil {
				return err
			}
			if len(c.Allowed) == 0 {
				c.Allowed = []netip.Prefix{at.VPC, at.Public}
			}
			if len(c.Inside) == 0 {
				c.Inside = []netip.Prefix{at.VPC}
			}
			text, err := c.written()
			if err != nil {
				return err
			}
			if err := hasLog(cmd.Context(), cloudwatchlogs.NewFromConfig(config), c.Cluster); err != nil {
				return err
			}
			topic, err := deploy(cmd.Context(), cloudformation.NewFromConfig(config), stackOf(c.Cluster), text)
			if err != nil {
				return err
			}
			list, _ := bundle.Included(c.Options)
			if g.JSON() {
				return global.Print(cmd.OutOrStdout(), map[string]any{"stack": stackOf(c.Cluster), "topic": topic, "alarms": len(list)})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d alarms watch the audit log of %s. They publish to %s.\neksact alerts -f shows how they change.\n", len(list), c.Cluster, topic)
			return err
		},
	}
	c.addTo(cmd.Flags(), " (default the VPC and what stands for the Internet here)", " (default the VPC's)")
	return cmd
}

func disable(g *global.Options) *cobra.Command {
	var cluster string
	cmd := &cobra.Command{
		Use:   "disable",
		Short: "Delete the alarms that enable made",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, _, err := account.Admin(cmd.Context(), g)
			if err != nil {
				return err
			}
			client, name := cloudformation.NewFromConfig(config), stackOf(cluster)
			if _, err := client.DescribeStacks(cmd.Context(), &cloudformation.DescribeStacksInput{StackName: &name}); missing(err) {
				return hint.New("no alarms were made for "+cluster, "eksact alerts enable makes them")
			} else if err != nil {
				return err
			}
			if _, err := client.DeleteStack(cmd.Context(), &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
				return err
			}
			return cloudformation.NewStackDeleteCompleteWaiter(client, quickly).Wait(cmd.Context(), &cloudformation.DescribeStacksInput{StackName: &name}, patience)
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "cluster", "the cluster")
	return cmd
}

// hasLog refuses a cluster without logs, to which no filter could be attached.
func hasLog(ctx context.Context, client *cloudwatchlogs.Client, cluster string) error {
	name := "/aws/eks/" + cluster + "/cluster"
	out, err := client.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil {
		return err
	}
	for _, g := range out.LogGroups {
		if aws.ToString(g.LogGroupName) == name {
			return nil
		}
	}
	return hint.New("there is no log group "+name,
		"aws eks update-cluster-config --name "+cluster+` --logging '{"clusterLogging":[{"types":["audit"],"enabled":true}]}'`)
}

// patience is how long a stack may take.
const patience = 2 * time.Minute

func quickly(o *cloudformation.StackDeleteCompleteWaiterOptions) {
	o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second
}

// deploy makes a stack, or changes it, and gives the topic.
func deploy(ctx context.Context, client *cloudformation.Client, name, text string) (string, error) {
	in := &cloudformation.DescribeStacksInput{StackName: &name}
	_, err := client.DescribeStacks(ctx, in)
	switch {
	case missing(err):
		if _, err := client.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &text}); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	default:
		_, err := client.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: &name, TemplateBody: &text})
		if err != nil && !strings.Contains(err.Error(), "No updates are to be performed") {
			return "", err
		}
	}
	for ends := time.Now().Add(patience); ; {
		out, err := client.DescribeStacks(ctx, in)
		if err != nil {
			return "", err
		}
		s := out.Stacks[0]
		switch status := s.StackStatus; {
		case status == types.StackStatusCreateComplete || status == types.StackStatusUpdateComplete:
			for _, o := range s.Outputs {
				if aws.ToString(o.OutputKey) == "Topic" {
					return aws.ToString(o.OutputValue), nil
				}
			}
			return "", nil
		case !strings.HasSuffix(string(status), "IN_PROGRESS"):
			return "", hint.New(fmt.Sprintf("the stack %s is %s: %s", name, status, aws.ToString(s.StackStatusReason)), "aws cloudformation describe-stack-events --stack-name "+name+" says why", "eksact alerts disable deletes it")
		case time.Now().After(ends):
			return "", fmt.Errorf("the stack %s is still %s", name, status)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// missing says that there is no stack of the name.
func missing(err error) bool {
	var e smithy.APIError
	return errors.As(err, &e) && strings.Contains(e.ErrorMessage(), "does not exist")
}
