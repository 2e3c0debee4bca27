package metric

import "time"

// Age is how long data of a resolution are kept.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#metrics-retention
type Age struct {
	Width int64 // seconds that a set spans
	Kept  time.Duration
}

const day = 24 * time.Hour

// Ages are CloudWatch's, the finest first: what gets older than one allows becomes part
// of a set of the next.
var Ages = []Age{{1, 3 * time.Hour}, {60, 15 * day}, {300, 63 * day}, {3600, 455 * day}}

// WidthAt is the width of sets of an age: at least that of the data themselves, 0 when
// nothing so old is kept.
func WidthAt(width int64, age time.Duration) int64 {
	for _, a := range Ages {
		if a.Width >= width && age <= a.Kept {
			return a.Width
		}
	}
	return 0
}

// Floor is the beginning of the period that a time, in seconds since 1970, is in.
func Floor(at, period int64) int64 {
	if r := at % period; r < 0 {
		return at - r - period
	} else {
		return at - r
	}
}
