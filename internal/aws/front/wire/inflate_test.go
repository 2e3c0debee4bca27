package wire

import (
	"bytes"
	"compress/gzip"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
)

func TestCompressedBodies(t *testing.T) {
	codec, err := New()
	if err != nil {
		t.Fatal(err)
	}
	zip := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		return b.String()
	}
	form := "Action=PutMetricData&Version=2010-08-01&Namespace=shop&MetricData.member.1.MetricName=orders&MetricData.member.1.Value=3"
	for _, c := range []struct{ name, body, want string }{
		{"a form", zip(form), ""},
		{"no gzip", form, "SerializationException"},
		{"one that was cut", zip(form)[:40], "SerializationException"},
		{"more than the limit", zip(form + "&x=" + strings.Repeat("a", mostInflated)), "RequestEntityTooLarge"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Content-Encoding", "gzip")
			call, err := codec.Route(r, []byte(c.body), "monitoring")
			if c.want != "" {
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Fatalf("got %v, want %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			in := &cloudwatch.PutMetricDataInput{}
			if err := call.Decode(in); err != nil {
				t.Fatal(err)
			}
			if *in.Namespace != "shop" || len(in.MetricData) != 1 || *in.MetricData[0].Value != 3 {
				t.Errorf("decoded %+v", in)
			}
		})
	}
}
