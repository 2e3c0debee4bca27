package ecr

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLifecycles(t *testing.T) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	days := func(n int) time.Time { return now.AddDate(0, 0, -n) }
	all := []Image{
		{Digest: "a", Tags: []string{"prod-1"}, Pushed: days(1)}, {Digest: "b", Tags: []string{"prod-2", "x"}, Pushed: days(2)},
		{Digest: "c", Tags: []string{"prod-3"}, Pushed: days(30)}, {Digest: "d", Pushed: days(3)}, {Digest: "e", Pushed: days(40)},
		{Digest: "f", Tags: []string{"all"}, Images: []string{"e"}, Pushed: days(40)},
	}
	for _, c := range []struct{ rules, want string }{
		{`{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":2},"action":{"type":"expire"}}`, "d"},
		{`{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPrefixList":["prod"],"countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}`, "b c"},
		{`{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPrefixList":["prod","x"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}`, "b"},
		{`{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["*-3"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}`, "c"},
		{`{"rulePriority":2,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}},
		  {"rulePriority":1,"selection":{"tagStatus":"tagged","tagPrefixList":["prod"],"countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}`, "f"},
	} {
		l, err := parseLifecycle(`{"rules":[` + c.rules + `]}`)
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, i := range l.expired(all, now) {
			got = append(got, i.Digest)
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.rules, s, c.want)
		}
	}
}
