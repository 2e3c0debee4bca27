package sns

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestFilters(t *testing.T) {
	for _, c := range []struct {
		filter, message string
		want            bool
	}{
		{`{"a":["x","y"]}`, `{"a":"y"}`, true},
		{`{"a":["x"]}`, `{"a":"z"}`, false},
		{`{"a":["x"]}`, `{}`, false},
		{`{"a":["x"],"b":[1]}`, `{"a":"x","b":1.0}`, true},
		{`{"a":["x"],"b":[1]}`, `{"a":"x","b":2}`, false},
		{`{"a":[null,true]}`, `{"a":true}`, true},
		{`{"a":[null]}`, `{"a":null}`, true},
		{`{"a":["x"]}`, `{"a":["w","x"]}`, true},
		{`{"a":[{"prefix":"ab"}]}`, `{"a":"abc"}`, true},
		{`{"a":[{"suffix":"bc"}]}`, `{"a":"abc"}`, true},
		{`{"a":[{"suffix":"bc"}]}`, `{"a":"abd"}`, false},
		{`{"a":[{"equals-ignore-case":"ABC"}]}`, `{"a":"abc"}`, true},
		{`{"a":[{"wildcard":"a*/c*"}]}`, `{"a":"ab/b/cd"}`, true},
		{`{"a":[{"wildcard":"a?"}]}`, `{"a":"ab"}`, false},
		{`{"a":[{"anything-but":["x","y"]}]}`, `{"a":"z"}`, true},
		{`{"a":[{"anything-but":["x","y"]}]}`, `{"a":"x"}`, false},
		{`{"a":[{"anything-but":["x"]}]}`, `{}`, false},
		{`{"a":[{"anything-but":{"prefix":"ab"}}]}`, `{"a":"abc"}`, false},
		{`{"a":[{"anything-but":1}]}`, `{"a":2}`, true},
		{`{"a":[{"numeric":["=",1]}]}`, `{"a":1}`, true},
		{`{"a":[{"numeric":[">",1,"<=",3]}]}`, `{"a":3}`, true},
		{`{"a":[{"numeric":[">",1,"<=",3]}]}`, `{"a":1}`, false},
		{`{"a":[{"numeric":["<",1]}]}`, `{"a":"0"}`, false},
		{`{"a":[{"exists":true}]}`, `{"a":"x"}`, true},
		{`{"a":[{"exists":false}]}`, `{"b":"x"}`, true},
		{`{"a":[{"exists":false}]}`, `{"a":"x"}`, false},
		{`{"a":[{"cidr":"10.0.0.0/8"}]}`, `{"a":"10.1.2.3"}`, true},
		{`{"a":[{"cidr":"10.0.0.0/8"}]}`, `{"a":"11.1.2.3"}`, false},
		{`{"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"b":"y"}`, true},
		{`{"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"b":"z"}`, false},
		{`{"a":{"b":["x"]}}`, `{"a":{"b":"x"}}`, true},
		{`{"a":{"b":["x"]}}`, `{"a":[{"b":"w"},{"b":"x"}]}`, true},
		{`{"a":{"b":["x"]}}`, `{"a":"x"}`, false},
	} {
		f, err := parseFilter(c.filter, true)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		var body any
		if err := json.Unmarshal([]byte(c.message), &body); err != nil {
			t.Fatal(err)
		}
		at := map[string][]any{}
		gather(at, body)
		if got := f.matches(at); got != c.want {
			t.Errorf("%s lets %s through: %v", c.filter, c.message, got)
		}
	}
}

func TestFiltersThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                           "failed to parse JSON",
		`{"a":[]}`:                    "Empty arrays are not allowed",
		`{"a":{"b":["x"]}}`:           "does not support nested",
		`{"a":[{"smells":"x"}]}`:      "Unrecognized match type smells",
		`{"a":[["x"]]}`:               "Match value must be String",
		`{"a":[{"exists":"x"}]}`:      "exists match pattern",
		`{"a":[{"numeric":["~",1]}]}`: "Unrecognized numeric range operator",
		`{"a":[{"prefix":1}]}`:        "must be a string",
		`{"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"],"f":["x"]}`:             "more than 5 keys",
		`{"a":[1,2,3,4,5,6,7,8,9,10,11,12,13],"b":[1,2,3,4,5,6,7,8,9,10,11,12,13]}`: "too complex",
	} {
		if _, err := parseFilter(text, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`{"a":[{"anything-but":{"prefix":["x"]}}]}`, `{"a":"y"}`)
	f.Add(`{"$or":[{"a":["x"]},{"b":[{"numeric":[">",1,"<",2]}]}]}`, `{"b":[1.5]}`)
	f.Add(`{"a":[{"wildcard":"\\*a*"}]}`, `{"a":"*b/"}`)
	f.Fuzz(func(t *testing.T, text, message string) {
		filter, err := parseFilter(text, true)
		if err != nil {
			return
		}
		var body any
		_ = json.Unmarshal([]byte(message), &body)
		at := map[string][]any{}
		gather(at, body)
		if first, again := filter.matches(at), filter.matches(at); first != again {
			t.Error("it depends on something else")
		}
	})
}

func TestPauses(t *testing.T) {
	r := retries{MinDelay: 1, MaxDelay: 9, Retries: 6, NoDelays: 1, MinDelays: 1, MaxDelays: 1}
	for shape, want := range map[string]string{
		"linear": "0s 1s 1s 5s 9s 9s", "arithmetic": "0s 1s 1s 3s 9s 9s", "geometric": "0s 1s 1s 3s 9s 9s", "exponential": "0s 1s 1s 2s 4s 9s",
	} {
		r.BackoffShape = shape
		var got []string
		for failed := 1; ; failed++ {
			pause, again := r.after(failed)
			if !again {
				break
			}
			got = append(got, pause.Round(time.Second).String())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", shape, s, want)
		}
	}
}
