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

var networks = detect.Params{Allowed: prefixes("198.18.0.0/16"), Inside: prefixes("10.0.0.0/16")}

func TestTemplates(t *testing.T) {
	text, err := Template(Options{Params: networks, URLs: []string{"https://hooks.example/a"}})
	if err != nil {
		t.Fatal(err)
	}
	var tpl struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	if err := json.Unmarshal([]byte(text), &tpl); err != nil {
		t.Fatal(err)
	}
	if len(text) > mostTemplate || len(tpl.Resources) > 100 {
		t.Errorf("the template has %d bytes and %d resources", len(text), len(tpl.Resources))
	}
	kinds, expressions := map[string]int{}, 0
	for name, r := range tpl.Resources {
		kinds[r.Type]++
		if r.Type == "AWS::Logs::MetricFilter" {
			pattern, _ := r.Properties["FilterPattern"].(string)
			if p, err := filter.Parse(pattern); err != nil || len(pattern) > 1024 {
				t.Errorf("%s: %v, %d characters", name, err, len(pattern))
			} else if p.Regexps() > 0 {
				expressions++
			}
		}
		if r.Type == "AWS::CloudWatch::Alarm" {
			if tpl.Resources[strings.TrimSuffix(name, "Alarm")+"Filter"].Type != "AWS::Logs::MetricFilter" || len(r.Properties["AlarmDescription"].(string)) > 1024 {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	if expressions > 3 { // a group may have five filters with some, the user's own among them
		t.Errorf("%d filters have regular expressions", expressions)
	}
	if kinds["AWS::CloudWatch::Alarm"] != len(detect.All()) || kinds["AWS::Logs::MetricFilter"] > 50 || kinds["AWS::SNS::Topic"] != 1 || kinds["AWS::SNS::Subscription"] != 1 {
		t.Errorf("it has %v", kinds)
	}
	if again, _ := Template(Options{Params: networks, URLs: []string{"https://hooks.example/a"}}); again != text {
		t.Error("twice is not the same")
	}
	if text, err = Template(Options{Detections: []string{"admin-at-work"}}); err != nil || strings.Count(text, "AWS::CloudWatch::Alarm") != 1 {
		t.Errorf("one alone: %v\n%s", err, text)
	}
	if _, err := Template(Options{Params: detect.Params{Inside: networks.Inside, Allowed: prefixes("10.0.0.0/13", "10.16.0.0/13")}}); err == nil || !strings.Contains(err.Error(), "CloudFormation takes 51200") {
		t.Errorf("of many networks: %v", err)
	}
	for id, want := range map[string]string{"nothing": "no detection", "unexpected-source": "needs networks: --allowed", "account-outside": "needs networks: --inside"} {
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
	list, err := Included(Options{Params: detect.Params{Allowed: prefixes("198.18.0.0/16", "10.0.0.0/16"), Inside: prefixes("10.0.0.0/16")}})
	if err != nil {
		t.Fatal(err)
	}
	patterns := map[string]*filter.Pattern{}
	for _, d := range list {
		for _, text := range d.Patterns {
			if patterns[text], err = filter.Parse(text); err != nil {
				t.Fatal(err)
			}
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
