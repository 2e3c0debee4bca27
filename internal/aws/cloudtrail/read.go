package cloudtrail

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Record is an event as it is found in a file.
type Record struct {
	EventVersion      string         `json:"eventVersion"`
	UserIdentity      map[string]any `json:"userIdentity"`
	EventTime         time.Time      `json:"eventTime"`
	EventSource       string         `json:"eventSource"`
	EventName         string         `json:"eventName"`
	AWSRegion         string         `json:"awsRegion"`
	SourceIPAddress   string         `json:"sourceIPAddress"`
	UserAgent         string         `json:"userAgent"`
	ErrorCode         string         `json:"errorCode"`
	ErrorMessage      string         `json:"errorMessage"`
	RequestParameters map[string]any `json:"requestParameters"`
	ResponseElements  map[string]any `json:"responseElements"`
	RequestID         string         `json:"requestID"`

	// AdditionalEventData holds the authorizationId of a refused call.
	AdditionalEventData map[string]any `json:"additionalEventData"`

	EventID          string         `json:"eventID"`
	ReadOnly         bool           `json:"readOnly"`
	EventType        string         `json:"eventType"`
	ManagementEvent  bool           `json:"managementEvent"`
	RecipientAccount string         `json:"recipientAccountId"`
	EventCategory    string         `json:"eventCategory"`
	TLSDetails       map[string]any `json:"tlsDetails"`

	Raw json.RawMessage `json:"-"` // the line
}

// Read returns the events of a trail's directory that happened at or after
// since (to the second, as events are timed), oldest first. A last line that is
// still being written is left out.
func Read(dir string, since time.Time) ([]Record, error) {
	list, err := listSegments(dir)
	if err != nil {
		return nil, fmt.Errorf("trail: %w", err)
	}
	since = since.Truncate(time.Second)
	var records []Record
	for _, one := range list {
		file, err := os.Open(filepath.Join(dir, one.name))
		if os.IsNotExist(err) {
			continue // its time had come meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("trail: %w", err)
		}
		records, err = readSegment(records, file, since)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("trail: %s: %w", one.name, err)
		}
	}
	return records, nil
}

func readSegment(records []Record, r io.Reader, since time.Time) ([]Record, error) {
	lines := bufio.NewReaderSize(r, batch)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		var record Record
		if err := json.Unmarshal(line, &record); err != nil {
			return records, fmt.Errorf("line %d: %w", n, err)
		}
		if record.EventTime.Before(since) {
			continue
		}
		record.Raw = json.RawMessage(line[:len(line)-1])
		records = append(records, record)
	}
}
