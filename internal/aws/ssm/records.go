package ssm

import (
	"fmt"
	"strings"
	"time"
)

// Parameter is a parameter as it is now, under its name.
type Parameter struct {
	Name string
	Version
	Tags map[string]string
}

// Version is what one PutParameter wrote, in a table of its own under versionKey.
type Version struct {
	Number                          int64
	Type, Value, DataType, Tier     string
	Description, Pattern, User, ARN string `json:",omitempty"`
	Modified                        time.Time
	Labels                          []string `json:",omitempty"` // of the table's records alone
}

// versionKey orders a parameter's versions. No name has a colon.
func versionKey(name string, number int64) string { return fmt.Sprintf("%s:%012d", name, number) }

// bare is a name as ARNs have it.
func bare(name string) string { return strings.TrimPrefix(name, "/") }
