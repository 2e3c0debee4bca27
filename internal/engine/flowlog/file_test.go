package flowlog

import (
	"strings"
	"testing"
	"time"
)

// The first is the example of AWS's documentation.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
func TestKeys(t *testing.T) {
	at := time.Date(2018, 6, 20, 16, 23, 59, 0, time.UTC)
	for _, test := range []struct {
		file File
		key  string
	}{
		{File{Account: "123456789012", Region: "us-east-1", FlowLog: "fl-1234abcd", Time: at, Hash: "fe123456"},
			"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz"},
		{File{Account: "1", Region: "r", FlowLog: "fl-1", Time: at, Hash: "00000000", Folder: "a/b/", PerHour: true},
			"a/b/AWSLogs/1/vpcflowlogs/r/2018/06/20/16/1_vpcflowlogs_r_fl-1_20180620T1620Z_00000000.log.gz"},
		{File{Account: "1", Region: "r", FlowLog: "fl-1", Time: at, Hash: "00000000", Hive: true},
			"AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=r/year=2018/month=06/day=20/1_vpcflowlogs_r_fl-1_20180620T1620Z_00000000.log.gz"},
		{File{Account: "1", Region: "r", FlowLog: "fl-1", Time: at, Hash: "00000000", Hive: true, PerHour: true},
			"AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=r/year=2018/month=06/day=20/hour=16/1_vpcflowlogs_r_fl-1_20180620T1620Z_00000000.log.gz"},
	} {
		if got := test.file.Key(); got != test.key {
			t.Errorf("got  %s\nwant %s", got, test.key)
		}
		if !strings.HasPrefix(test.key, test.file.Below()) {
			t.Errorf("%s is not below %s", test.key, test.file.Below())
		}
	}
}
