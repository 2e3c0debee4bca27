package refusals

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/test/lab"
)

const (
	account = "111122223333"
	region  = "us-west-2"
)

// place is a lab with a control plane and no node.
type place struct {
	*lab.Lab
	host  lab.Terminal
	door  string          // URL of the front door
	admin aws.Credentials // of user admin
	old   aws.Credentials // of a session that has expired
	fresh aws.Credentials // of one that has not
}

func TestRefusals(t *testing.T) {
	p := &place{Lab: lab.Start(t, "--nodes", "0")}
	p.host = p.Host(t)
	var env map[string]string
	if err := json.Unmarshal([]byte(p.Eksact(t, "env", "-o", "json")), &env); err != nil {
		t.Fatal(err)
	}
	p.door = lab.Plain(env["AWS_ENDPOINT_URL"])
	p.admin = aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"]}
	p.host.AWS(t, "2").Must(t, `aws iam create-role --role-name guest --assume-role-policy-document `+
		`'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com","AWS":"`+account+`"},"Action":"sts:AssumeRole"}]}'`)
	p.fresh, p.old = p.session(t, 0), p.session(t, -2*time.Hour)

	t.Run("AWS", p.frontDoor)
	t.Run("Kubernetes", p.cluster)
	t.Run("access entries", p.accessEntries)
}

// session is one of role guest's, an hour long, begun so long ago: STS itself
// issues it, with its clock set.
func (p *place) session(t *testing.T, ago time.Duration) aws.Credentials {
	t.Helper()
	ctx := context.Background()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"unix://" + lab.RunDir + "/etcd.sock"}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := store.NewEtcd(client, "/eksact/aws")
	defer records.Close()
	then := func() time.Time { return time.Now().Add(ago) }
	at := api.Place{Partition: "aws", AccountID: account, Region: region}
	roles, err := iam.New(records, at, then)
	if err != nil {
		t.Fatal(err)
	}
	issuer := sts.New(records, at, roles, then)
	if err := records.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if err := issuer.Open(ctx); err != nil {
		t.Fatal(err)
	}
	role, ok := roles.RoleByName("guest")
	if !ok {
		t.Fatal("role guest is not in the store")
	}
	keys, err := issuer.InstanceSession(&role, "i-0123456789abcdef0", time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}
}
