package s3_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
)

// The log delivery writes where the bucket's policy lets it, and the policy is made
// for it by a caller who may change it.
func TestDelivery(t *testing.T) {
	a := open3(t)
	const key = "AWSLogs/" + number + "/vpcflowlogs/x.log.gz"
	deliver := func(key string) error {
		return a.s3.Deliver(t.Context(), "bkt", key, "application/gzip", []byte("records"))
	}
	doortest.Refused(t, deliver(key), "AccessDenied", "Access Denied")
	doortest.Refused(t, a.s3.Deliver(t.Context(), "nothing", key, "", nil), "NoSuchBucket", "does not exist")
	doortest.Refused(t, a.s3.AdmitDelivery(t.Context(), "nothing", ""), "NoSuchBucket", "does not exist")

	// A caller who may not.
	a.user(t, "ann", "")
	ann := api.WithCaller(t.Context(), &api.Caller{Type: api.Anonymous})
	doortest.Refused(t, a.s3.AdmitDelivery(ann, "bkt", ""), "AccessDenied", "")

	mine := document(statement("Allow", "s3:GetObject", "arn:aws:s3:::bkt/*", `"Principal":{"AWS":"`+number+`"}`))
	if err := setPolicy(t, a.admin, mine); err != nil {
		t.Fatal(err)
	}
	root := api.WithCaller(t.Context(), &api.Caller{Type: api.Account, AccountID: number, Partition: "aws", ARN: "arn:aws:iam::" + number + ":root", PrincipalARN: "arn:aws:iam::" + number + ":root", PrincipalID: number})
	for _, folder := range []string{"logs/AWSLogs/" + number + "/", "logs/AWSLogs/" + number + "/", "more/"} { // the second time nothing lacks
		if err := a.s3.AdmitDelivery(root, "bkt", folder); err != nil {
			t.Fatal(err)
		}
	}
	out, err := a.admin.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("bkt")})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(*out.Policy, `"AWSLogDeliveryWrite`); n != 2 || !strings.Contains(*out.Policy, `"s3:GetObject"`) || !strings.Contains(*out.Policy, `"AWSLogDeliveryWrite1"`) || !strings.Contains(*out.Policy, "AWSLogDeliveryAclCheck") {
		t.Errorf("the policy: %s", *out.Policy)
	}
	doortest.Refused(t, deliver(key), "AccessDenied", "Access Denied") // not its folder
	if err := deliver("logs/" + key); err != nil {
		t.Fatal(err)
	}
	if got := get(t, a.admin, "bkt", "logs/"+key); got != "records" {
		t.Errorf("delivered %q", got)
	}
}
