package logs_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// TestLiveTailByBoto3: an address as the endpoint will do, as eksact env has it.
func TestLiveTailByBoto3(t *testing.T) {
	const program = `
import boto3, botocore.configprovider as c, sys
if 'disable_host_prefix_injection' not in c.BOTOCORE_DEFAUT_SESSION_VARIABLES: sys.exit(7)
logs = boto3.client('logs')
for e in logs.start_live_tail(logGroupIdentifiers=[sys.argv[1]], logEventFilterPattern='ERROR')['responseStream']:
    if 'sessionStart' in e:
        print('started', flush=True)
    for r in e.get('sessionUpdate', {}).get('sessionResults', []):
        print(r['message'], flush=True)
        sys.exit(0)
`
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		t.Skip("boto3 is not installed (pip install boto3)")
	}
	a := open(t)
	a.group(t, "g", "s")
	keys := a.AdminKey(t)
	cmd := exec.CommandContext(t.Context(), "python3", "-c", program, arns+"log-group:g")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey, "AWS_DEFAULT_REGION="+doortest.Place.Region,
		"AWS_CONFIG_FILE=/dev/null", "AWS_ENDPOINT_URL="+a.door.URL, "AWS_DISABLE_HOST_PREFIX_INJECTION=true")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for all := bufio.NewScanner(out); all.Scan(); {
		if lines = append(lines, all.Text()); all.Text() == "started" {
			doortest.Must(t)(a.put("g", "s", "-2 fine", "-1 ERROR 1"))
		}
	}
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() == 7 {
		t.Skip("this boto3 does not read AWS_DISABLE_HOST_PREFIX_INJECTION")
	}
	if err != nil || strings.Join(lines, "|") != "started|ERROR 1" {
		t.Errorf("%q, %v\n%s", lines, err, said.String())
	}
}

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
