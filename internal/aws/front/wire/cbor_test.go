package wire

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/aws/api"
)

// CloudWatch alone speaks RPC v2 CBOR; what its shapes don't show is shown on a small
// service.
const metricsTable = "service\tmetrics\tmonitoring\t2010-08-01\tsmithy-rpc-v2-cbor,json,query\t1.0\tGraniteServiceVersion20100801\thttp://monitoring.amazonaws.com/doc/2010-08-01/\tCloudWatch\n" +
	"O\tPutMetricData\tPOST\t/\t\tPutInput\tPutOutput\tPutMetricDataResult\t\tInvalidFault\n" +
	"S\tPutInput\t\tNamespace Text !\tData Data\tLimits Limits\tRaw Blob\n" +
	"S\tPutOutput\t\tId Text\tDatum Datum\n" +
	"S\tInvalidFault\terror=400 code=InvalidParameterValue\tmessage Text\n" +
	"L\tData\t\t\t\tDatum\n" +
	"S\tDatum\t\tName Text\tAt Time\tValue Double\tCount Long\tOn Bool\n" +
	"M\tLimits\t\t\t\tText\tDouble\n" +
	"T\tText\t\t\t\t\n" +
	"V\tTime\t\t\t\ttimestamp\n" + "V\tDouble\t\t\t\tdouble\n" + "V\tLong\t\t\t\tlong\n" + "V\tBool\t\t\t\tboolean\n" + "V\tBlob\t\t\t\tblob\n"

type (
	datum struct {
		Name  *string
		At    *time.Time
		Value *float64
		Count *int64
		On    *bool
	}
	putInput struct {
		Namespace *string
		Data      []datum
		Limits    map[string]float64
		Raw       []byte
	}
	putOutput struct {
		Id    *string
		Datum *datum
	}
)

func cborCall(t *testing.T, codec *Codec, body []byte) *Call {
	r := httptest.NewRequest("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", strings.NewReader(string(body)))
	r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	call, err := codec.Route(r, body, "monitoring")
	if err != nil {
		t.Fatal(err)
	}
	return call
}

func TestCBOR(t *testing.T) {
	codec, err := newCodec([]string{metricsTable})
	if err != nil {
		t.Fatal(err)
	}
	body := cbor.Encode(cbor.Map{
		"Namespace": cbor.String("n"), "Unknown": cbor.List{cbor.Map{}}, "Raw": cbor.Slice("\x00\xff"),
		"Limits": cbor.Map{"a": cbor.Uint(3), "b": cbor.Float32(1.5)},
		"Data":   cbor.List{cbor.Map{"Name": cbor.String("é"), "At": &cbor.Tag{ID: 1, Value: cbor.Float64(1700000000.25)}, "Value": cbor.NegInt(2), "Count": cbor.NegInt(7), "On": cbor.Bool(false)}, cbor.Map{"Name": &cbor.Nil{}}},
	})
	want := &putInput{
		Namespace: aws.String("n"), Raw: []byte("\x00\xff"), Limits: map[string]float64{"a": 3, "b": 1.5},
		Data: []datum{{aws.String("é"), aws.Time(time.UnixMilli(1700000000250).UTC()), aws.Float64(-2), aws.Int64(-7), aws.Bool(false)}, {}},
	}
	got := &putInput{}
	call := cborCall(t, codec, body)
	if err := call.Decode(got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}

	// What is encoded decodes to itself.
	f := filler{rng: rand.New(rand.NewPCG(1, 2))}
	for range 100 {
		out := &putInput{}
		f.fill(reflect.ValueOf(out).Elem(), 0)
		n, v, err := call.plan(out, false)
		if err != nil {
			t.Fatal(err)
		}
		value, err := cborOf(n, v)
		if err != nil {
			t.Fatal(err)
		}
		back := &putInput{}
		if err := cborCall(t, codec, cbor.Encode(value)).Decode(back); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(out, back, sameStruct); d != "" {
			t.Fatal(d)
		}
	}
}

func TestCBORAnswers(t *testing.T) {
	codec, err := newCodec([]string{metricsTable})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	if err := cborCall(t, codec, nil).Encode(rec, &putOutput{Id: aws.String("x")}, requestID); err != nil {
		t.Fatal(err)
	}
	value, err := cbor.Decode(rec.Body.Bytes())
	if d := cmp.Diff(cbor.Value(cbor.Map{"Id": cbor.String("x")}), value); d != "" || err != nil {
		t.Error(d, err)
	}
	if got := asSent(rec.Header(), "smithy-protocol"); len(got) != 1 || got[0] != "rpc-v2-cbor" {
		t.Errorf("smithy-protocol: %v", got)
	}

	rec = httptest.NewRecorder()
	cborCall(t, codec, nil).Fail(rec, api.Errorf(http.StatusForbidden, "AccessDenied", "no"), requestID)
	value, err = cbor.Decode(rec.Body.Bytes())
	if d := cmp.Diff(cbor.Value(cbor.Map{"__type": cbor.String("AccessDenied"), "message": cbor.String("no")}), value); d != "" || err != nil {
		t.Error(d, err)
	}
	if rec.Code != http.StatusForbidden || strings.Join(asSent(rec.Header(), "x-amzn-query-error"), "") != "AccessDenied;Sender" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	for _, bad := range []string{"\xa1", "\xff", "\x81\x1c", strings.Repeat("\x81", 100) + "\x01", "\xa1\x64Data\x01", "\xa1\x69Namespace\x01"} {
		if err := cborCall(t, codec, []byte(bad)).Decode(&putInput{}); err == nil || !strings.HasPrefix(err.Error(), "SerializationException") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if got, want := codec.Service("metrics").protocols, []protocol{cborRPC, jsonRPC, queryProtocol}; !reflect.DeepEqual(got, want) {
		t.Errorf("protocols %v", got)
	}

	// The same service in its older protocols.
	r, body := form(`{"Namespace":"n"}`, "X-Amz-Target", "GraniteServiceVersion20100801.PutMetricData")
	call, err := codec.Route(r, body, "monitoring")
	in := &putInput{}
	if err != nil || call.Protocol() != "json" || call.Decode(in) != nil || aws.ToString(in.Namespace) != "n" {
		t.Errorf("JSON: %v %v", err, in.Namespace)
	}
	r, body = form("Action=PutMetricData&Version=2010-08-01&Data.member.1.Name=x")
	call, err = codec.Route(r, body, "monitoring")
	if err != nil || call.Protocol() != "query" || call.Decode(in) != nil || len(in.Data) != 1 {
		t.Errorf("query: %v %v", err, in.Data)
	}
}
