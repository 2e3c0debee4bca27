package logs_test

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// The commands of the real AWS CLI, as people type them.
func TestAWSCommandLine(t *testing.T) {
	program, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed (apt-get install awscli)")
	}
	a := open(t)
	keys := a.AdminKey(t)
	env := append(os.Environ(), "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey,
		"AWS_DEFAULT_REGION="+doortest.Place.Region, "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "AWS="+program+" --endpoint-url "+a.door.URL)
	type step struct {
		line  string
		wants []string
	}
	run := func(s step) {
		cmd := exec.Command("bash", "-c", s.line)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("$ %s\n%s\n%v", s.line, out, err)
		}
		for _, want := range s.wants {
			if !strings.Contains(string(out), want) {
				t.Errorf("$ %s\n%s\nlacks %s", s.line, out, want)
			}
		}
	}
	for _, s := range []step{
		{"$AWS logs create-log-group --log-group-name /app --tags team=x && $AWS logs create-log-stream --log-group-name /app --log-stream-name s", nil},
		{`t=$(date +%s)000; $AWS logs put-log-events --log-group-name /app --log-stream-name s --log-events "[{\"timestamp\":$t,\"message\":\"{\\\"level\\\":\\\"ERROR\\\",\\\"n\\\":1}\"},{\"timestamp\":$t,\"message\":\"plain\"}]"`, []string{"nextSequenceToken"}},
	} {
		run(s)
	}
	var asking sync.WaitGroup
	for _, s := range []step{
		{`$AWS logs get-log-events --log-group-name /app --log-stream-name s --start-from-head --query 'events[].message' --output text`, []string{`{"level":"ERROR","n":1}`, "plain"}},
		{`$AWS logs filter-log-events --log-group-name /app --filter-pattern '{ $.level = "ERR*" && $.n >= 1 }' --query 'events[].message' --output text`, []string{`{"level":"ERROR","n":1}`}},
		{`$AWS logs test-metric-filter --filter-pattern '[a, b = 4*]' --log-event-messages 'x 404' 'x 200' --query 'matches[].extractedValues'`, []string{`"$b": "404"`}},
		{`id=$($AWS logs start-query --log-group-name /app --start-time $(date -d '1 hour ago' +%s) --end-time $(date -d '1 hour' +%s) --query-string 'fields n | filter level = "ERROR"' --query queryId --output text) &&
			sleep 0.5 && $AWS logs get-query-results --query-id $id`, []string{`"status": "Complete"`, `"field": "n"`, `"recordsScanned": 2`}},
		{`$AWS logs start-query --log-group-name /app --start-time 0 --end-time 10 --query-string 'fields |' 2>&1 || true`, []string{"(MalformedQueryException) when calling the StartQuery operation: unexpected symbol found"}},
		{`$AWS logs put-resource-policy --policy-name p --policy-document '{}' 2>&1 || true`, []string{"PutResourcePolicy"}},
	} {
		asking.Go(func() { run(s) }) // the CLI takes its time to start
	}
	asking.Wait()
}
