package iam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/store"
)

const number = doortest.Number

var (
	place   = doortest.Place
	refused = doortest.Refused
	ok      = doortest.Must
)

// account is an account behind a real front door, for the official SDK's clients.
type account struct {
	*doortest.Door
	store *store.Store
	iam   *iam.IAM
	sts   *sts.STS
	admin *awsiam.Client
	root  aws.Config    // the admin's
	ahead time.Duration // of the clock is IAM
}

func open(t testing.TB, more ...func(*account) *api.Service) *account {
	t.Helper()
	a := &account{}
	base := doortest.NewAt(t, func() time.Time { return time.Now().Add(a.ahead) }, time.Now)
	a.store, a.iam, a.sts = base.Store, base.IAM, base.STS
	var services []*api.Service
	for _, make := range more {
		services = append(services, make(a))
	}
	a.Door = base.Open(t, services...)
	a.root, a.admin = a.Admin, awsiam.NewFromConfig(a.Admin)
	return a
}

// user makes a user with an access key and, unless it is empty, an inline policy.
func (a *account) user(t *testing.T, name, document string) *awsiam.Client {
	t.Helper()
	return awsiam.NewFromConfig(a.User(t, name, document))
}

func (a *account) role(t *testing.T, name, trust string) string {
	t.Helper()
	out, err := a.admin.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Role.Arn
}

// policy makes a managed policy.
func (a *account) policy(t *testing.T, name, document string) *string {
	t.Helper()
	out, err := a.admin.CreatePolicy(t.Context(), &awsiam.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document})
	if err != nil {
		t.Fatal(err)
	}
	return out.Policy.Arn
}

const trustEC2 = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// allow is a policy with one statement, about everything unless more elements say
// otherwise.
func allow(actions string, more ...string) string { return statement("Allow", actions, more...) }
func deny(actions string, more ...string) string  { return statement("Deny", actions, more...) }

func statement(effect, actions string, more ...string) string {
	elements := `"Resource":"*"`
	if len(more) > 0 {
		elements = strings.Join(more, ",")
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":["` + strings.ReplaceAll(actions, ",", `","`) + `"],` + elements + `}]}`
}

// denied checks AWS's sentence.
func denied(t *testing.T, err error, sentence string) {
	t.Helper()
	refused(t, err, "AccessDenied", sentence)
}

func arn(resource string) string { return "arn:aws:iam::" + number + ":" + resource }
