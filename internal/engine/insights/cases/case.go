package cases

import (
	"embed"
	"fmt"
	"path"
	"time"

	"sigs.k8s.io/yaml"
)

//go:embed testdata/*.yaml
var files embed.FS

// Start and End are the time that cases ask about, in milliseconds since 1970, from
// 2026-11-22 14:00:00 on, and Now is when they do.
const (
	Start int64 = 1795356000000
	End         = Start + 3600_000 - 1
	Now         = End + 1
)

// Group is the log group that events are in unless they say otherwise, of Account.
const (
	Account = "111122223333"
	Group   = "/aws/eks/cluster/cluster"
)

// A Case is a query with what it must give.
type Case struct {
	Name      string // of the file and the case
	Query     string
	Events    []Event
	Tables    map[string]string // lookup tables, in CSV
	Rows      []map[string]string
	Unordered bool
	// Error is what the text of the query's error begins with; "" if there must be none.
	Error string
	// Known says why the engine is known to fail the case.
	Known string
}

// An Event is one log event.
type Event struct {
	At      int64 // milliseconds since 1970
	Message string
	Stream  string
	Group   string
}

type file struct {
	About       string            `json:"about"`
	Source      string            `json:"source"`
	Events      []event           `json:"events"`
	Tables      map[string]string `json:"tables"`
	Expressions [][2]*string      `json:"expressions"`
	Cases       []struct {
		Name      string              `json:"name"`
		Query     string              `json:"query"`
		Events    []event             `json:"events"`
		Rows      []map[string]string `json:"rows"`
		Unordered bool                `json:"unordered"`
		Error     string              `json:"error"`
		Known     string              `json:"known"`
	} `json:"cases"`
}

type event struct {
	At      string `json:"at"`
	Message string `json:"message"`
	Stream  string `json:"stream"`
	Group   string `json:"group"`
}

// All are all cases.
func All() ([]Case, error) {
	names, err := files.ReadDir("testdata")
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, n := range names {
		text, err := files.ReadFile(path.Join("testdata", n.Name()))
		if err != nil {
			return nil, err
		}
		cases, err := read(n.Name(), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name(), err)
		}
		all = append(all, cases...)
	}
	return all, nil
}

func read(name string, text []byte) ([]Case, error) {
	var f file
	if err := yaml.UnmarshalStrict(text, &f); err != nil {
		return nil, err
	}
	events, err := eventsOf(f.Events)
	if err != nil {
		return nil, err
	}
	var all []Case
	for i, e := range f.Expressions {
		if e[0] == nil || len(events) == 0 {
			return nil, fmt.Errorf("expression %d: there is none, or no event", i)
		}
		row := map[string]string{}
		if e[1] != nil {
			row["r"] = *e[1]
		}
		all = append(all, Case{
			Name: name + ": " + *e[0], Query: "fields " + *e[0] + " as r | display r",
			Events: events[:1], Rows: []map[string]string{row},
		})
	}
	for _, c := range f.Cases {
		own := events
		if c.Events != nil {
			if own, err = eventsOf(c.Events); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
		}
		if c.Name == "" || c.Query == "" || c.Error != "" && c.Rows != nil {
			return nil, fmt.Errorf("case %q needs a name, a query, and rows or an error", c.Name)
		}
		all = append(all, Case{name + ": " + c.Name, c.Query, own, f.Tables, c.Rows, c.Unordered, c.Error, c.Known})
	}
	return all, nil
}

func eventsOf(list []event) ([]Event, error) {
	events := make([]Event, len(list))
	for i, e := range list {
		after, err := time.ParseDuration(e.At)
		if err != nil {
			return nil, err
		}
		events[i] = Event{Start + after.Milliseconds(), e.Message, e.Stream, e.Group}
		if e.Stream == "" {
			events[i].Stream = "stream"
		}
		if e.Group == "" {
			events[i].Group = Group
		}
	}
	return events, nil
}
