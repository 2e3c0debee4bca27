package logs_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// endpoint takes what is posted to it.
type endpoint struct {
	*httptest.Server
	got  chan string
	fail chan bool
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{got: make(chan string, 100), fail: make(chan bool, 10)}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-e.fail:
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		default:
		}
		zip, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		data, _ := io.ReadAll(zip)
		e.got <- string(data)
	}))
	t.Cleanup(e.Close)
	return e
}

// role makes a role that CloudWatch Logs can assume.
func (a *account) role(t *testing.T) *string {
	t.Helper()
	out, err := awsiam.NewFromConfig(a.door.Admin).CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("to-http"),
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"logs.us-west-2.amazonaws.com"},"Action":"sts:AssumeRole"}}`)})
	doortest.Must(t)(out, err)
	return out.Role.Arn
}

func TestSubscriptionToAnEndpoint(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	ctx, must, e := t.Context(), doortest.Must(t), newEndpoint(t)
	must(a.put("g", "s", "-20 before-ERROR"))
	_, err := a.PutDestination(ctx, &cloudwatchlogs.PutDestinationInput{DestinationName: aws.String("d"), TargetArn: aws.String("arn:aws:kinesis:us-west-2:1:stream/x"), RoleArn: a.role(t)})
	doortest.Refused(t, err, "InvalidParameterException", "is not supported")
	role := aws.String("arn:aws:iam::" + doortest.Number + ":role/to-http")
	_, err = a.PutDestination(ctx, &cloudwatchlogs.PutDestinationInput{DestinationName: aws.String("d"), TargetArn: aws.String("http://10.0.0.9/hook"), RoleArn: role})
	doortest.Refused(t, err, "InvalidParameterException", "can't be sent to: 10.0.0.9 is not asked")
	d, err := a.PutDestination(ctx, &cloudwatchlogs.PutDestinationInput{DestinationName: aws.String("d"), TargetArn: aws.String(e.URL + "/hook"), RoleArn: role})
	must(d, err)
	put := func(name, pattern, destination string) error {
		_, err := a.PutSubscriptionFilter(ctx, &cloudwatchlogs.PutSubscriptionFilterInput{LogGroupName: aws.String("g"), FilterName: &name, FilterPattern: &pattern, DestinationArn: &destination})
		return err
	}
	e.fail <- true
	doortest.Refused(t, put("f", "ERROR", *d.Destination.Arn), "InvalidParameterException", "Could not deliver test message to specified destination")
	if err := put("f", "ERROR", *d.Destination.Arn); err != nil {
		t.Fatal(err)
	}
	if control := <-e.got; !strings.Contains(control, `"messageType":"CONTROL_MESSAGE"`) {
		t.Errorf("test message %s", control)
	}
	a.turn(time.Second)
	must(a.put("g", "s", "-9 ERROR-1", "-8 fine"))
	e.fail <- true // it is tried again
	must(a.put("g", "s", "-7 ERROR-2"))
	var all []string
	for len(all) < 2 {
		select {
		case text := <-e.got:
			var p struct {
				MessageType, Owner, LogGroup, LogStream string
				SubscriptionFilters                     []string
				LogEvents                               []struct{ ID, Message string }
			}
			if err := json.Unmarshal([]byte(text), &p); err != nil || p.MessageType != "DATA_MESSAGE" || p.Owner != doortest.Number || p.LogGroup != "g" || p.LogStream != "s" || p.SubscriptionFilters[0] != "f" {
				t.Fatalf("%v: %s", err, text)
			}
			for _, ev := range p.LogEvents {
				all = append(all, ev.Message)
			}
		case <-time.After(60 * time.Second):
			t.Fatalf("only %q came", all)
		}
	}
	if got := strings.Join(all, " "); got != "ERROR-1 ERROR-2" {
		t.Errorf("came: %s", got)
	}
	// Two are allowed; endpoints have a name.
	if err := put("f2", "", *d.Destination.Arn); err != nil {
		t.Fatal(err)
	}
	doortest.Refused(t, put("f3", "", *d.Destination.Arn), "LimitExceededException", "")
	doortest.Refused(t, put("f", "", e.URL), "InvalidParameterException", "PutDestination")
	must(a.DeleteDestination(ctx, &cloudwatchlogs.DeleteDestinationInput{DestinationName: aws.String("d")}))
	out, err := a.DescribeSubscriptionFilters(ctx, &cloudwatchlogs.DescribeSubscriptionFiltersInput{LogGroupName: aws.String("g")})
	if err != nil || len(out.SubscriptionFilters) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

// bucket makes a bucket that CloudWatch Logs may write to.
func (a *account) bucket(t *testing.T, name string, open bool) *awss3.Client {
	t.Helper()
	client := awss3.NewFromConfig(a.door.Admin, func(o *awss3.Options) { o.UsePathStyle = true })
	doortest.Must(t)(client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &name, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "us-west-2"}}))
	if open {
		doortest.Must(t)(client.PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{Bucket: &name, Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
			"Principal":{"Service":"logs.us-west-2.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::` + name + `/*",
			"Condition":{"StringEquals":{"aws:SourceAccount":"` + doortest.Number + `"},"ArnLike":{"aws:SourceArn":"` + arns + `log-group:*"}}}]}`)}))
	}
	return client
}

// objects are a bucket's, by key, without compression.
func objects(t *testing.T, c *awss3.Client, bucket string) map[string]string {
	t.Helper()
	list, err := c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &bucket})
	doortest.Must(t)(list, err)
	all := map[string]string{}
	for _, o := range list.Contents {
		got, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: &bucket, Key: o.Key})
		doortest.Must(t)(got, err)
		data, err := io.ReadAll(got.Body)
		doortest.Must(t)(nil, err)
		if strings.HasSuffix(*o.Key, ".gz") {
			zip, err := gzip.NewReader(strings.NewReader(string(data)))
			doortest.Must(t)(nil, err)
			data, _ = io.ReadAll(zip)
		}
		all[*o.Key] = string(data)
	}
	return all
}

func TestSubscriptionToABucket(t *testing.T) {
	a := open(t)
	a.group(t, "/g", "s/1")
	ctx, must := t.Context(), doortest.Must(t)
	put := func(bucket string) error {
		_, err := a.PutSubscriptionFilter(ctx, &cloudwatchlogs.PutSubscriptionFilterInput{LogGroupName: aws.String("/g"), FilterName: aws.String("f"), FilterPattern: aws.String(""), DestinationArn: aws.String("arn:aws:s3:::" + bucket)})
		return err
	}
	a.bucket(t, "closed", false)
	doortest.Refused(t, put("closed"), "InvalidParameterException", "Could not deliver test message")
	client := a.bucket(t, "archive", true)
	if err := put("archive/logs/"); err != nil {
		t.Fatal(err)
	}
	a.turn(time.Second)
	must(a.put("/g", "s/1", "-3 one"))
	eventually(t, "an object", func() bool { return len(objects(t, client, "archive")) == 1 })
	for key, text := range objects(t, client, "archive") {
		if !strings.HasPrefix(key, "logs/g/f/"+a.now.Format("2006/01/02/15")+"/s-1-") || !strings.Contains(text, `"message":"one"`) {
			t.Errorf("%s: %s", key, text)
		}
	}
}

func TestSubscriptionToATopic(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	ctx, must := t.Context(), doortest.Must(t)
	const topic = "arn:aws:sns:us-west-2:" + doortest.Number + ":alerts"
	put := func() error {
		_, err := a.PutSubscriptionFilter(ctx, &cloudwatchlogs.PutSubscriptionFilterInput{LogGroupName: aws.String("g"), FilterName: aws.String("f"), FilterPattern: aws.String("x"), DestinationArn: aws.String(topic)})
		return err
	}
	a.closed = true
	doortest.Refused(t, put(), "InvalidParameterException", "Could not deliver test message")
	a.closed = false
	if err := put(); err != nil {
		t.Fatal(err)
	}
	must(a.put("g", "s", "-9 no", "-8 "+strings.Repeat("x", 300_000), "-7 xyz"))
	got := func() []string {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.published
	}
	eventually(t, "three messages", func() bool { return len(got()) == 3 })
	for i, want := range []string{`"messageType":"CONTROL_MESSAGE"`, `"messageType":"DATA_MESSAGE"`, `"message":"xyz"`} {
		if m := got()[i]; !strings.HasPrefix(m, topic+" ") || !strings.Contains(m, want) || len(m) > 200_000 {
			t.Errorf("message %d, of %d bytes, lacks %s: %.200s", i, len(m), want, m)
		}
	}
}

// TestSubscriptionOfAGroupMadeAnew: what comes to a group is sent, also if one of its name
// that was deleted had sent more.
func TestSubscriptionOfAGroupMadeAnew(t *testing.T) {
	a := open(t)
	ctx, must := t.Context(), doortest.Must(t)
	sent := func(text string) func() bool {
		return func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return strings.Contains(strings.Join(a.published, " "), text)
		}
	}
	for i, last := range []string{"third", "new"} {
		a.group(t, "g", "s")
		must(a.PutSubscriptionFilter(ctx, &cloudwatchlogs.PutSubscriptionFilterInput{LogGroupName: aws.String("g"), FilterName: aws.String("f"), FilterPattern: aws.String(""), DestinationArn: aws.String("arn:aws:sns:us-west-2:" + doortest.Number + ":alerts")}))
		if i == 0 {
			must(a.put("g", "s", "-9 first", "-8 second"))
		}
		must(a.put("g", "s", "-7 "+last))
		eventually(t, last, sent(last))
		must(a.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("g")}))
		a.turn(time.Second)
	}
}

func TestExports(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s", "t/u")
	ctx, must := t.Context(), doortest.Must(t)
	must(a.put("g", "s", "-9 a", "-8 b", "-1 late"))
	must(a.put("g", "t/u", "-7 c"))
	create := func(bucket string) (*cloudwatchlogs.CreateExportTaskOutput, error) {
		return a.CreateExportTask(ctx, &cloudwatchlogs.CreateExportTaskInput{
			LogGroupName: aws.String("g"), From: aws.Int64(a.now.UnixMilli() - 60_000), To: aws.Int64(a.now.UnixMilli() - 5_000), Destination: &bucket, TaskName: aws.String("n"),
		})
	}
	_, err := create("none")
	doortest.Refused(t, err, "InvalidParameterException", "bucket does not exist")
	a.bucket(t, "closed", false)
	_, err = create("closed")
	doortest.Refused(t, err, "InvalidParameterException", "granted permission")
	client := a.bucket(t, "archive", true)
	task, err := create("archive")
	must(task, err)
	eventually(t, "the task's end", func() bool {
		out, err := a.DescribeExportTasks(ctx, &cloudwatchlogs.DescribeExportTasksInput{TaskId: task.TaskId})
		must(out, err)
		return out.ExportTasks[0].Status.Code == types.ExportTaskStatusCodeCompleted && *out.ExportTasks[0].TaskName == "n"
	})
	at := func(seconds int) string {
		return a.now.Add(time.Duration(seconds) * time.Second).Format("2006-01-02T15:04:05.000Z ")
	}
	want := map[string]string{
		"exportedlogs/aws-logs-write-test":                "Permission Check Successful",
		"exportedlogs/" + *task.TaskId + "/s/000000.gz":   at(-9) + "a\n" + at(-8) + "b\n",
		"exportedlogs/" + *task.TaskId + "/t-u/000000.gz": at(-7) + "c\n",
	}
	if d := cmp.Diff(want, objects(t, client, "archive")); d != "" {
		t.Error(d)
	}
	_, err = a.CancelExportTask(ctx, &cloudwatchlogs.CancelExportTaskInput{TaskId: task.TaskId})
	doortest.Refused(t, err, "InvalidOperationException", "already finished")
	must(a.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(1)}))
	a.turn(24*time.Hour - 7500*time.Millisecond)
	all, err := a.CreateExportTask(ctx, &cloudwatchlogs.CreateExportTaskInput{LogGroupName: aws.String("g"), From: aws.Int64(0), To: aws.Int64(math.MaxInt64), Destination: aws.String("archive")})
	must(all, err)
	eventually(t, "the task's end", func() bool {
		out, err := a.DescribeExportTasks(ctx, &cloudwatchlogs.DescribeExportTasksInput{TaskId: all.TaskId})
		must(out, err)
		return out.ExportTasks[0].Status.Code == types.ExportTaskStatusCodeCompleted
	})
	for name, text := range objects(t, client, "archive") {
		if strings.Contains(name, *all.TaskId) && !strings.HasSuffix(text, "late\n") && !strings.HasSuffix(text, " c\n") || strings.Count(text, "\n") == 3 {
			t.Errorf("%s, of all that is kept: %s", name, text)
		}
	}
	if n := len(objects(t, client, "archive")); n != 5 {
		t.Errorf("there are %d objects", n)
	}
	_, err = a.CancelExportTask(ctx, &cloudwatchlogs.CancelExportTaskInput{TaskId: aws.String("x")})
	doortest.Refused(t, err, "ResourceNotFoundException", "export task")
}
