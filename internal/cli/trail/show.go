package trail

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/cli/global"
)

// raw writes events as they were recorded, one a line.
func raw(w io.Writer) func([]cloudtrail.Record) error {
	return func(events []cloudtrail.Record) error {
		for i := range events {
			if _, err := fmt.Fprintf(w, "%s\n", events[i].Raw); err != nil {
				return err
			}
		}
		return nil
	}
}

// table writes events in columns that stay where they are, for more may follow.
func table(w io.Writer) func([]cloudtrail.Record) error {
	const form = "%-19s  %-24s  %-42s  %-15s  %s\n"
	head := false
	return func(events []cloudtrail.Record) error {
		if !head && len(events) > 0 {
			head = true
			if _, err := fmt.Fprintf(w, form, "TIME", "USER", "CALL", "FROM", "RESULT"); err != nil {
				return err
			}
		}
		for i := range events {
			r := &events[i]
			_, err := fmt.Fprintf(w, form, r.EventTime.Local().Format(time.DateTime), who(r), call(r), or(r.SourceIPAddress, "-"), result(r))
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// who is the caller: of a role session the role too.
func who(r *cloudtrail.Record) string {
	if role := r.Role(); role != "" {
		return role + "/" + r.Username()
	}
	return or(r.Username(), "-")
}

// call is the service and the operation, with the first resource that it names; of
// an object in a bucket, both.
func call(r *cloudtrail.Record) string {
	text := strings.TrimSuffix(r.EventSource, ".amazonaws.com") + ":" + r.EventName
	if things := r.Things(); len(things) > 0 {
		text += " " + things[0].Name
	}
	if key, ok := r.RequestParameters["key"].(string); ok && r.EventSource == cloudtrail.Source("s3") {
		text += "/" + key
	}
	return global.Printable(text)
}

// result is the error, with the id that eksact iam explain takes.
func result(r *cloudtrail.Record) string {
	if id := r.AuthorizationID(); id != "" {
		return r.ErrorCode + " " + id
	}
	return or(r.ErrorCode, "ok")
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
