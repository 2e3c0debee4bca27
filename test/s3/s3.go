package s3

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/test/lab"
)

// Commands types `aws s3` where users do.
func Commands(t *testing.T, l *lab.Lab) {
	parts := []lab.Part{
		{Name: "policies", Test: func(t *testing.T) { policies(t, l.Host(t).AWS(t, "2")) }},
		{Name: "many parts", Test: func(t *testing.T) { manyParts(t, l.Host(t)) }},
	}
	add := func(place string, open func() lab.Terminal, cli string, commands func(*testing.T, lab.Terminal)) {
		bucket := place + "-" + cli
		parts = append(parts, lab.Part{Name: bucket, Test: func(t *testing.T) {
			sh := open().AWS(t, cli).After(`D=$(mktemp -d) && cd $D && trap "rm -rf $D" EXIT && export BUCKET=` + bucket)
			sh.Must(t, "aws s3 mb s3://$BUCKET && aws s3 ls", "make_bucket: ", bucket)
			sh.Must(t, "echo hello >a && aws s3 cp a s3://$BUCKET/dir/a && aws s3 cp s3://$BUCKET/dir/a b && cat b", "hello")
			sh.Must(t, "export AWS_CONFIG_FILE=$PWD/config && aws configure set default.s3.signature_version s3v4 && curl -sSf \"$(aws s3 presign s3://$BUCKET/dir/a --expires-in 60)\"", "hello")
			commands(t, sh)
			sh.Must(t, "aws s3 rb s3://$BUCKET --force", "remove_bucket: ")
		}})
	}
	host, old := func() lab.Terminal { return l.Host(t) }, lab.OldestAWS()
	add("host", host, "2", files)
	add("shell", l.Shell, old, files)
	if old != "2" { // what is signed and how it is addressed, of the other two
		none := func(*testing.T, lab.Terminal) {}
		add("host", host, old, none)
		add("shell", l.Shell, "2", none)
	}
	lab.Together(t, parts...) // each has buckets of its own
}

// files are the commands that move files. Each line begins in an empty folder.
func files(t *testing.T, sh lab.Terminal) {
	sh.Must(t, `K="s3://$BUCKET/a/b c+ü"; echo one | aws s3 cp - "$K" && aws s3 cp "$K" - && aws s3 rm "$K"`, "one", "delete: ")
	sh.Must(t, `head -c 20000000 /dev/urandom >big && aws s3 cp big s3://$BUCKET/big --only-show-errors &&
		aws s3 cp s3://$BUCKET/big s3://$BUCKET/copy --only-show-errors && aws s3 mv s3://$BUCKET/copy s3://$BUCKET/moved --only-show-errors &&
		aws s3 cp s3://$BUCKET/moved got --only-show-errors && cmp big got && aws s3 ls s3://$BUCKET/ && echo same`, "PRE dir/", "20000000 big", "20000000 moved", "same")
	sh.Must(t, `mkdir -p d/e && echo 1 >d/1 && echo 2 >d/e/2 && aws s3 sync d s3://$BUCKET/d && aws s3 sync d s3://$BUCKET/d && echo again &&
		aws s3 sync s3://$BUCKET/d got && diff -r d got && echo same`, "upload: d/e/2", "again\n", "same")
	sh.Refused(t, "aws s3 cp s3://$BUCKET/none x", "(404)")
	sh.Refused(t, "aws s3 rb s3://$BUCKET", "BucketNotEmpty", "The bucket you tried to delete is not empty")
	sh.Refused(t, "aws s3 mb s3://No_Bucket", "Invalid")
}

// policies are what refuses and allows.
func policies(t *testing.T, sh lab.Terminal) {
	sh.Must(t, `aws s3 mb s3://guarded && echo secret | aws s3 cp - s3://guarded/k &&
		aws iam create-user --user-name reader && aws iam create-access-key --user-name reader --query 'AccessKey.[AccessKeyId,SecretAccessKey]' --output text >~/keys`)
	reader := sh.After("read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY <~/keys && export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY")
	get := "aws s3api get-object --bucket guarded --key k /dev/stdout"
	reader.Refused(t, get, `User: arn:aws:iam::111122223333:user/reader is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::guarded/k" because no identity-based policy allows the s3:GetObject action`)
	put := func(statement string) string {
		return `aws s3api put-bucket-policy --bucket guarded --policy '{"Version":"2012-10-17","Statement":[` + statement + `]}'`
	}
	const allow = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/reader"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::guarded/*"}`
	sh.Must(t, put(allow))
	reader.Must(t, get, "secret")
	reader.Refused(t, "aws s3 ls s3://guarded", "AccessDenied", "s3:ListBucket")
	reader.Refused(t, "aws s3 rm s3://guarded/k", "AccessDenied", "s3:DeleteObject")
	public := strings.Replace(allow, `{"AWS":"arn:aws:iam::111122223333:user/reader"}`, `"*"`, 1)
	sh.Refused(t, put(public), "AccessDenied", "because public policies are blocked by the BlockPublicPolicy block public access setting.")
	sh.Refused(t, "aws s3api get-object --no-sign-request --bucket guarded --key k /dev/stdout", "Access Denied")
	sh.Must(t, "aws s3api delete-public-access-block --bucket guarded && "+put(public))
	sh.Must(t, "aws s3api get-object --no-sign-request --bucket guarded --key k /dev/stdout", "secret")
}

// manyParts makes an object of more parts, and deletes more keys, than one
// transaction of etcd takes.
func manyParts(t *testing.T, sh lab.Terminal) {
	env := strings.Fields(sh.Must(t, "echo $AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"))
	c := s3.New(s3.Options{
		Region: "us-west-2", BaseEndpoint: aws.String(lab.Plain(env[0])), UsePathStyle: true, HTTPClient: client.New(nil), Credentials: credentials.NewStaticCredentialsProvider(env[1], env[2], ""),
	})
	bucket, key, ctx := aws.String("parts"), aws.String("k"), t.Context()
	sh.Must(t, "aws s3 mb s3://parts")
	u, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	const many, size = 140, 5 << 20
	var parts []types.CompletedPart
	for n := range int32(many) {
		out, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(n + 1), Body: bytes.NewReader(make([]byte, size))})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(n + 1), ETag: out.ETag})
	}
	if _, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}); err != nil {
		t.Fatal(err)
	}
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
	if err != nil || *head.ContentLength != many*size || !strings.HasSuffix(*head.ETag, `-140"`) {
		t.Errorf("%+v, %v", head, err)
	}
	for n := range many {
		if _, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String(fmt.Sprint("n/", n))}); err != nil {
			t.Fatal(err)
		}
	}
	sh.Must(t, "aws s3 rb s3://parts --force", "remove_bucket: parts")
}

// AfterRestart looks for what Commands left, once all was stopped and started again.
func AfterRestart(t *testing.T, l *lab.Lab) {
	sh := l.Host(t).AWS(t, "2")
	sh.Must(t, "aws s3 cp s3://guarded/k -", "secret")
	sh.Must(t, "aws s3api get-bucket-policy --bucket guarded --output text", `"Principal":"*"`)
	sh.Must(t, "aws s3 rb s3://guarded --force", "remove_bucket: guarded")
}
