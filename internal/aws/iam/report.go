package iam

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/store"
)

// Report is the account's credential report.
type Report struct {
	Generated time.Time
	Content   []byte // CSV, compressed: a record must fit into one of etcd's
}

// reportKey is the key of its only record.
const reportKey = "report"

// reportAge is how long a report is good, and how long until there can be another.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
const reportAge = 4 * time.Hour

func (i *IAM) expired(r *Report) bool { return i.now().Sub(r.Generated) >= reportAge }

// GenerateCredentialReport makes a report unless there is a good one. It is made
// within the call, which answers all the same that it was started, as AWS's first
// call does: the next answers that it is complete.
func (i *IAM) GenerateCredentialReport(ctx context.Context, _ *iam.GenerateCredentialReportInput) (*iam.GenerateCredentialReportOutput, error) {
	out := &iam.GenerateCredentialReportOutput{}
	err := i.change(ctx, func(tx *store.Tx) error {
		out.State, out.Description = types.ReportStateTypeComplete, nil
		last, ok := i.reports.In(tx).Get(reportKey)
		if ok && !i.expired(&last) {
			return nil
		}
		said := "No report exists. Starting a new report generation task"
		if ok {
			said = "The report has expired. Starting a new report generation task"
		}
		out.State, out.Description = types.ReportStateTypeStarted, &said
		content, err := packed(i.credentialReport())
		if err != nil {
			return fmt.Errorf("credential report: %w", err)
		}
		i.reports.In(tx).Put(reportKey, Report{Generated: i.today(), Content: content})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetCredentialReport shows the last report, while it is good.
func (i *IAM) GetCredentialReport(context.Context, *iam.GetCredentialReportInput) (*iam.GetCredentialReportOutput, error) {
	r, ok := i.reports.Get(reportKey)
	switch {
	case !ok:
		return nil, &types.CredentialReportNotPresentException{}
	case i.expired(&r):
		return nil, &types.CredentialReportExpiredException{}
	}
	content, err := unpacked(r.Content)
	if err != nil {
		return nil, fmt.Errorf("credential report: %w", err)
	}
	return &iam.GetCredentialReportOutput{Content: content, GeneratedTime: &r.Generated, ReportFormat: types.ReportFormatTypeTextCsv}, nil
}

func packed(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unpacked(content []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// reportColumns are AWS's.
var reportColumns = []string{
	"user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed", "password_next_rotation", "mfa_active",
	"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
	"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date", "access_key_2_last_used_region", "access_key_2_last_used_service",
	"cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
}

// What the report says of what is not there.
const (
	notApplicable = "N/A"
	notSupported  = "not_supported"
	noInformation = "no_information"
)

// credentialReport is the report as it is now. Here nobody has a password or a
// certificate, and the root user neither an access key nor an MFA device.
func (i *IAM) credentialReport() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{reportColumns, i.rootRow()}
	for _, u := range i.users.List("") {
		rows = append(rows, i.userRow(&u))
	}
	_ = w.WriteAll(rows) // a buffer takes all
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (i *IAM) rootRow() []string {
	a, _ := i.account.Get(accountKey)
	row := []string{"<root_account>", i.arn("root", "", ""), reportDate(a.Created), notSupported, noInformation, notSupported, notSupported, "false"}
	return append(append(append(row, noKey()...), noKey()...), noCertificates()...)
}

func (i *IAM) userRow(u *User) []string {
	row := []string{u.Name, i.userARN(u), reportDate(u.Created), "false", notApplicable, notApplicable, notApplicable, strconv.FormatBool(len(u.MFA) > 0)}
	keys := i.keysOf(u)
	for n := range keysPerUser {
		if n < len(keys) {
			row = append(row, i.keyCells(&keys[n])...)
		} else {
			row = append(row, noKey()...)
		}
	}
	return append(row, noCertificates()...)
}

// keysOf are a user's keys in the report's order: the active before the inactive,
// the older before the newer.
func (i *IAM) keysOf(u *User) []AccessKey {
	var keys []AccessKey
	for _, id := range u.Keys {
		if k, ok := i.keys.Get(id); ok {
			keys = append(keys, k)
		}
	}
	slices.SortStableFunc(keys, func(a, b AccessKey) int {
		if a.Active != b.Active {
			if a.Active {
				return -1
			}
			return 1
		}
		return a.Created.Compare(b.Created)
	})
	return keys
}

func (i *IAM) keyCells(k *AccessKey) []string {
	cells := []string{strconv.FormatBool(k.Active), reportDate(k.Created), notApplicable, notApplicable, notApplicable}
	if use, ok := i.keyUses.Get(k.ID); ok {
		cells[2], cells[3], cells[4] = reportDate(use.At), use.Region, use.Service
	}
	return cells
}

func noKey() []string {
	return []string{"false", notApplicable, notApplicable, notApplicable, notApplicable}
}

func noCertificates() []string {
	return []string{"false", notApplicable, "false", notApplicable}
}

func reportDate(t time.Time) string {
	if t.IsZero() {
		return notApplicable
	}
	return t.UTC().Format("2006-01-02T15:04:05+00:00")
}
