package flowlog

import (
	"fmt"
	"strings"
	"time"
)

// File is a file of records in a bucket.
type File struct {
	Folder          string // "" or "name/"
	Account, Region string
	FlowLog         string // its id
	Hive            bool   // folders are named as Hive's partitions
	PerHour         bool   // there is a folder for each hour
	Time            time.Time
	Hash            string // 8 hexadecimal digits that tell files of one time apart
}

// filePeriod is what the time in a file's name is rounded down to.
const filePeriod = 5 * time.Minute

// Below is the folder that all of an account's files are in.
func (f File) Below() string {
	if f.Hive {
		return f.Folder + "AWSLogs/aws-account-id=" + f.Account + "/"
	}
	return f.Folder + "AWSLogs/" + f.Account + "/"
}

// Key is the object's name.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
func (f File) Key() string {
	t := f.Time.UTC().Truncate(filePeriod)
	parts := []string{f.Account, "vpcflowlogs", f.Region, t.Format("2006"), t.Format("01"), t.Format("02")}
	if f.PerHour {
		parts = append(parts, t.Format("15"))
	}
	if f.Hive {
		for i, name := range []string{"aws-account-id", "aws-service", "aws-region", "year", "month", "day", "hour"}[:len(parts)] {
			parts[i] = name + "=" + parts[i]
		}
	}
	return fmt.Sprintf("%sAWSLogs/%s/%s_vpcflowlogs_%s_%s_%s_%s.log.gz",
		f.Folder, strings.Join(parts, "/"), f.Account, f.Region, f.FlowLog, t.Format("20060102T1504Z"), f.Hash)
}
