package bundle

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/detect"
	"github.com/eksact/eksact/internal/engine/filter"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// TestSources: the pattern matches addresses outside of the networks, and no others.
func TestSources(t *testing.T) {
	pattern, err := sourcePattern(prefixes("198.18.0.0/16", "203.0.113.0/30", "10.64.0.0/10", "2001:db8::1/128"))
	if err == nil {
		t.Errorf("64 beginnings fit: %s", pattern)
	}
	if pattern, err = sourcePattern(prefixes("198.18.0.0/16", "203.0.113.4/30", "10.0.0.0/14", "2001:db8::1/128")); err != nil {
		t.Fatal(err)
	}
	p, err := filter.Parse(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]bool{
		"198.18.0.9": false, "198.19.0.9": true, "198.180.0.9": true, "203.0.113.5": false, "203.0.113.8": true, "203.0.113.50": true, "10.3.255.1": false, "10.4.0.1": true, "2001:db8::1": false, "2001:db8::2": true,
	} {
		for user, people := range map[string]bool{"jane": true, "system:node:n": false, "eks:x": false} {
			e := `{"stage":"ResponseComplete","user":{"username":"` + user + `"},"sourceIPs":["` + source + `"]}`
			if got := p.Match(e); got != (want && people) {
				t.Errorf("%s from %s: %v", user, source, got)
			}
		}
	}
	if _, err := sourcePattern(prefixes("2001:db8::/32")); err == nil {
		t.Error("an IPv6 network is taken")
	}
}

func TestTemplates(t *testing.T) {
	text, err := Template(Options{Allowed: prefixes("198.18.0.0/16"), URLs: []string{"https://hooks.example/a"}})
	if err != nil {
		t.Fatal(err)
	}
	var tpl struct {
		Resources map[string]struct {
			Type       string
			DependsOn  string
			Properties map[string]any
		}
	}
	if err := json.Unmarshal([]byte(text), &tpl); err != nil {
		t.Fatal(err)
	}
	if len(text) > 51_200 || len(tpl.Resources) > 100 {
		t.Errorf("the template has %d bytes and %d resources", len(text), len(tpl.Resources))
	}
	kinds := map[string]int{}
	for name, r := range tpl.Resources {
		kinds[r.Type]++
		if r.Type == "AWS::Logs::MetricFilter" {
			pattern, _ := r.Properties["FilterPattern"].(string)
			if p, err := filter.Parse(pattern); err != nil || len(pattern) > 1024 {
				t.Errorf("%s: %v, %d characters", name, err, len(pattern))
			} else if p.Regexps() > 0 {
				t.Errorf("%s has a regular expression, of which a group may have five", name)
			}
		}
		if r.Type == "AWS::CloudWatch::Alarm" {
			if tpl.Resources[r.DependsOn].Type != "AWS::Logs::MetricFilter" || len(r.Properties["AlarmDescription"].(string)) > 1024 {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	patterns := 1
	for _, d := range detect.All() {
		if d.Pattern != "" {
			patterns++
		}
	}
	if kinds["AWS::CloudWatch::Alarm"] != patterns || kinds["AWS::Logs::MetricFilter"] != patterns || kinds["AWS::SNS::Topic"] != 1 || kinds["AWS::SNS::Subscription"] != 1 {
		t.Errorf("it has %v", kinds)
	}
	if again, _ := Template(Options{Allowed: prefixes("198.18.0.0/16"), URLs: []string{"https://hooks.example/a"}}); again != text {
		t.Error("twice is not the same")
	}
	if text, err = Template(Options{Detections: []string{"admin-at-work"}}); err != nil || strings.Count(text, "AWS::CloudWatch::Alarm") != 1 {
		t.Errorf("one alone: %v\n%s", err, text)
	}
	for id, want := range map[string]string{"nothing": "no detection", "unexpected-source": "needs the networks", "wildcard-role": "by query alone"} {
		if _, err := Template(Options{Detections: []string{id}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestAStartIsQuiet: no alarm's pattern matches an event of a cluster's start.
func TestAStartIsQuiet(t *testing.T) {
	f, err := os.Open("../testdata/start.log.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	list, err := Included(Options{Allowed: prefixes("198.18.0.0/16", "10.0.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	patterns := map[string]*filter.Pattern{}
	for _, d := range list {
		if patterns[d.ID], err = filter.Parse(d.Pattern); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	lines := bufio.NewScanner(events)
	for lines.Buffer(nil, 1<<20); lines.Scan(); n++ {
		for id, p := range patterns {
			if p.Match(lines.Text()) {
				t.Errorf("%s matches %s", id, lines.Text())
				delete(patterns, id)
			}
		}
	}
	if lines.Err() != nil || n < 1000 {
		t.Errorf("%d events are recorded, %v", n, lines.Err())
	}
}
