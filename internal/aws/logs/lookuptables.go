package logs

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/store"
)

// LookupTable is a table of CSV that queries look values up in. Its text is a file of
// its own, named by its hash: it may be larger than a record.
type LookupTable struct {
	Name, Description string
	Fields            []string
	Rows              int64
	Size              int64
	File              string // hash of the text
	Created, Modified int64  // ms since 1970
	Tags              map[string]string
}

// Limits of lookup tables.
const (
	mostLookupTables = 100
	mostTableBytes   = 10 << 20
)

var lookupTableName = regexp.MustCompile(`^[a-zA-Z0-9_]{1,256}$`)

func (s *Service) lookupTableARN(name *string) string {
	return s.arn("lookup-table:" + aws.ToString(name))
}

var noTable = &types.ResourceNotFoundException{Message: aws.String("The specified lookup table does not exist.")}

// readTable checks a table's text and writes it to its file.
func (s *Service) readTable(t *LookupTable, body *string, query, key *string) error {
	if query != nil && body == nil {
		text, err := s.tableText(query)
		if err != nil {
			return err
		}
		body, query = &text, nil
	}
	switch {
	case query != nil:
		return invalid("Exactly one of tableBody and queryId must be specified.")
	case key != nil:
		return invalid("Encryption with a KMS key is not supported.")
	case body == nil || *body == "":
		return invalid("Exactly one of tableBody and queryId must be specified.")
	case len(*body) > mostTableBytes:
		return invalid("The table is larger than 10 MB.")
	}
	rows, err := csv.NewReader(strings.NewReader(*body)).ReadAll()
	if err != nil {
		return invalid("The table is not valid CSV: " + err.Error())
	}
	if len(rows) == 0 || slices.Contains(rows[0], "") || len(slices.Compact(slices.Sorted(slices.Values(rows[0])))) != len(rows[0]) {
		return invalid("The table's first row must have a name for each column, each once.")
	}
	sum := sha256.Sum256([]byte(*body))
	t.Fields, t.Rows, t.Size, t.File, t.Modified = rows[0], int64(len(rows)-1), int64(len(*body)), hex.EncodeToString(sum[:]), s.ms()
	if err := os.MkdirAll(filepath.Join(s.Dir, "tables"), 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(s.tableFile(t.File), []byte(*body), 0o600)
}

func (s *Service) tableFile(hash string) string { return filepath.Join(s.Dir, "tables", hash+".csv") }

// TableText is a table's CSV.
func (s *Service) TableText(name string) (string, error) {
	for last := ""; ; {
		t, ok := s.tables.Get(name)
		if !ok {
			return "", noTable
		}
		data, err := os.ReadFile(s.tableFile(t.File))
		if !errors.Is(err, fs.ErrNotExist) || t.File == last {
			return string(data), err
		}
		last = t.File // which may have another text by now
	}
}

var errNoTable = errors.New("there is no such table")

// table is a table as queries read it.
func (s *Service) table(_ context.Context, name string) (*insights.Table, error) {
	text, err := s.TableText(name)
	if errors.Is(err, noTable) {
		return nil, errNoTable
	}
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, errors.Join(err, errors.New("the lookup table can't be read"))
	}
	return &insights.Table{Columns: rows[0], Rows: rows[1:]}, nil
}

// tableReader reads lookup tables for a query.
type tableReader func(ctx context.Context, name string) (*insights.Table, error)

// tablesOnce reads each table once, and shows it as it was then.
func (s *Service) tablesOnce() tableReader {
	var mu sync.Mutex
	known := map[string]*insights.Table{}
	return func(ctx context.Context, name string) (*insights.Table, error) {
		mu.Lock()
		defer mu.Unlock()
		if t := known[name]; t != nil {
			return t, nil
		}
		t, err := s.table(ctx, name)
		if err == nil {
			known[name] = t
		}
		return t, err
	}
}

// checkTables refuses a query of lookup tables that are not there, or that lack columns
// that it names.
func checkTables(ctx context.Context, q *insights.Query, read tableReader) error {
	err := q.CheckTables(ctx, read)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoTable):
		return &types.ResourceNotFoundException{Message: aws.String(err.Error())}
	}
	return invalid(err.Error())
}

// dropTable removes a file that no table has any more.
func (s *Service) dropTable(hash string) {
	for _, t := range s.tables.List("") {
		if t.File == hash {
			return
		}
	}
	if err := os.Remove(s.tableFile(hash)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Log.Warn("a lookup table's file is left", "error", err)
	}
}

// CreateLookupTable makes a table.
func (s *Service) CreateLookupTable(ctx context.Context, in *cloudwatchlogs.CreateLookupTableInput) (*cloudwatchlogs.CreateLookupTableOutput, error) {
	t := LookupTable{Name: aws.ToString(in.LookupTableName), Description: aws.ToString(in.Description), Created: s.ms(), Tags: in.Tags}
	if !lookupTableName.MatchString(t.Name) {
		return nil, unmatched(t.Name, "lookupTableName", "^[a-zA-Z0-9_]+$")
	}
	if err := checkTags(nil, in.Tags); err != nil {
		return nil, err
	}
	s.making.Lock()
	defer s.making.Unlock()
	if err := s.readTable(&t, in.TableBody, in.QueryId, in.KmsKeyId); err != nil {
		return nil, err
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		count := 0
		for range s.tables.In(tx).List("") {
			count++
		}
		if _, ok := s.tables.In(tx).Get(t.Name); ok {
			return &types.ResourceAlreadyExistsException{Message: aws.String("The specified lookup table already exists")}
		}
		if count >= mostLookupTables {
			return limitExceeded
		}
		s.tables.In(tx).Put(t.Name, t)
		return nil
	})
	if err != nil {
		s.dropTable(t.File)
	}
	return &cloudwatchlogs.CreateLookupTableOutput{LookupTableArn: aws.String(s.lookupTableARN(&t.Name)), CreatedAt: aws.Int64(t.Created)}, err
}

func (s *Service) tableName(arn *string) string {
	return strings.TrimPrefix(aws.ToString(arn), s.lookupTableARN(nil))
}

// UpdateLookupTable gives a table another text.
func (s *Service) UpdateLookupTable(ctx context.Context, in *cloudwatchlogs.UpdateLookupTableInput) (*cloudwatchlogs.UpdateLookupTableOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	old, ok := s.tables.Get(s.tableName(in.LookupTableArn))
	if !ok {
		return nil, noTable
	}
	t := old
	if err := s.readTable(&t, in.TableBody, in.QueryId, in.KmsKeyId); err != nil {
		return nil, err
	}
	if in.Description != nil {
		t.Description = *in.Description
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		now, ok := s.tables.In(tx).Get(t.Name)
		if !ok {
			return noTable
		}
		t.Tags = now.Tags
		s.tables.In(tx).Put(t.Name, t)
		return nil
	})
	s.dropTable(old.File)
	return &cloudwatchlogs.UpdateLookupTableOutput{LookupTableArn: in.LookupTableArn, LastUpdatedTime: aws.Int64(t.Modified)}, err
}

// GetLookupTable shows a table with its text.
func (s *Service) GetLookupTable(_ context.Context, in *cloudwatchlogs.GetLookupTableInput) (*cloudwatchlogs.GetLookupTableOutput, error) {
	t, ok := s.tables.Get(s.tableName(in.LookupTableArn))
	if !ok {
		return nil, noTable
	}
	text, err := s.TableText(t.Name)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.GetLookupTableOutput{
		LookupTableArn: aws.String(s.lookupTableARN(&t.Name)), LookupTableName: aws.String(t.Name), TableBody: aws.String(text), SizeBytes: aws.Int64(t.Size), LastUpdatedTime: aws.Int64(t.Modified),
	}
	if t.Description != "" {
		out.Description = aws.String(t.Description)
	}
	return out, nil
}

// DeleteLookupTable deletes a table.
func (s *Service) DeleteLookupTable(ctx context.Context, in *cloudwatchlogs.DeleteLookupTableInput) (*cloudwatchlogs.DeleteLookupTableOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	name := s.tableName(in.LookupTableArn)
	old, ok := s.tables.Get(name)
	if !ok {
		return nil, noTable
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.tables.In(tx).Get(name); !ok {
			return noTable
		}
		s.tables.In(tx).Delete(name)
		return nil
	})
	if err == nil {
		s.dropTable(old.File)
	}
	return &cloudwatchlogs.DeleteLookupTableOutput{}, err
}

// DescribeLookupTables lists tables by name.
func (s *Service) DescribeLookupTables(_ context.Context, in *cloudwatchlogs.DescribeLookupTablesInput) (*cloudwatchlogs.DescribeLookupTablesOutput, error) {
	var all []LookupTable
	for _, t := range s.tables.List(aws.ToString(in.LookupTableNamePrefix)) {
		all = append(all, t)
	}
	var limit *int32
	if in.MaxResults > 0 {
		limit = &in.MaxResults
	}
	page, next, err := pagedTo(100, all, limit, in.NextToken, func(t LookupTable) string { return t.Name })
	out := &cloudwatchlogs.DescribeLookupTablesOutput{LookupTables: []types.LookupTable{}, NextToken: next}
	for _, t := range page {
		view := types.LookupTable{
			LookupTableArn: aws.String(s.lookupTableARN(&t.Name)), LookupTableName: aws.String(t.Name), TableFields: t.Fields, RecordsCount: aws.Int64(t.Rows),
			SizeBytes: aws.Int64(t.Size), LastUpdatedTime: aws.Int64(t.Modified),
		}
		if t.Description != "" {
			view.Description = aws.String(t.Description)
		}
		out.LookupTables = append(out.LookupTables, view)
	}
	return out, err
}
