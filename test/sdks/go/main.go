// Command sdk is the AWS SDK for Go v2 as a program in a pod has it: see package sdks.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: sdk BUCKET ROUNDS SECONDS")
	}
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	pause, err := strconv.ParseFloat(args[2], 64)
	if err != nil {
		return err
	}
	c, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1))
	if err != nil {
		return err
	}
	var first *aws.Credentials
	for i := range rounds {
		if i > 0 {
			time.Sleep(time.Duration(pause * float64(time.Second)))
		}
		if first, err = round(ctx, c, args[0], first); err != nil {
			return err
		}
	}
	return nil
}

type said struct {
	ARN     string   `json:"arn"`
	Buckets []string `json:"buckets"`
	Put     string   `json:"put"`
	Key     string   `json:"key"`
	Old     string   `json:"old"`
}

// round calls, and says what came of it. It returns the credentials of the first round.
func round(ctx context.Context, c aws.Config, bucket string, first *aws.Credentials) (*aws.Credentials, error) {
	who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	client := s3.NewFromConfig(c)
	all, err := client.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return nil, err
	}
	_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("no"), Body: bytes.NewReader([]byte("no"))})
	out := said{ARN: aws.ToString(who.Arn), Put: code(err)}
	for _, b := range all.Buckets {
		out.Buckets = append(out.Buckets, aws.ToString(b.Name))
	}
	keys, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	out.Key = keys.AccessKeyID
	if first == nil {
		first = &keys
	} else {
		_, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) {
			o.Credentials = credentials.StaticCredentialsProvider{Value: *first}
		})
		out.Old = code(err)
	}
	return first, json.NewEncoder(os.Stdout).Encode(out)
}

func code(err error) string {
	var said smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &said):
		return said.ErrorCode()
	}
	return err.Error()
}
