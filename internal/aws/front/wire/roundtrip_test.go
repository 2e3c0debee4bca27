package wire

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eksauth"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The property: what the real SDK client sends, the codec reads; what the
// codec answers, the real SDK client reads. For every operation.

// sdkClients makes the SDK's clients over one transport.
func sdkClients(do httpDo) map[string]any {
	cfg := aws.Config{
		Region: "us-west-2", BaseEndpoint: aws.String("http://front.test"), HTTPClient: do,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}, nil
		}),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	return map[string]any{
		"iam": iam.NewFromConfig(cfg), "sts": sts.NewFromConfig(cfg), "eks": eks.NewFromConfig(cfg), "eksauth": eksauth.NewFromConfig(cfg),
		"ec2": ec2.NewFromConfig(cfg), "elasticloadbalancingv2": elasticloadbalancingv2.NewFromConfig(cfg), "elasticloadbalancing": elasticloadbalancing.NewFromConfig(cfg),
		"cloudwatchlogs": cloudwatchlogs.NewFromConfig(cfg), "cloudtrail": cloudtrail.NewFromConfig(cfg),
		"s3": s3.NewFromConfig(cfg), "route53": route53.NewFromConfig(cfg),
		"cloudformation": cloudformation.NewFromConfig(cfg),
		"ssm":            ssm.NewFromConfig(cfg), "sns": sns.NewFromConfig(cfg), "ecr": ecr.NewFromConfig(cfg),
		"cloudwatch":  cloudwatch.NewFromConfig(cfg),
		"autoscaling": autoscaling.NewFromConfig(cfg),
	}
}

type httpDo func(*http.Request) (*http.Response, error)

func (f httpDo) Do(r *http.Request) (*http.Response, error) { return f(r) }

// served hands a client's request to a handler as a server would see it.
func served(t testing.TB, handle func(w http.ResponseWriter, r *http.Request, body []byte)) httpDo {
	return func(r *http.Request) (*http.Response, error) {
		var body []byte
		if r.Body != nil {
			var err error
			if body, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
		}
		in := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(body))
		in.Header = r.Header.Clone()
		rec := httptest.NewRecorder()
		handle(rec, in, body)
		res := rec.Result()
		res.Request = r
		return res, nil
	}
}

// scope is the service name of a request's credential scope.
func scope(r *http.Request) string {
	_, cred, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		return ""
	}
	parts := strings.Split(strings.SplitN(cred, ",", 2)[0], "/")
	return parts[len(parts)-2]
}

// noClient are services that the SDK has no client of; their packages test them.
var noClient = []string{"iamtoolbox"}

// notSpoken are operations with event streams.
var notSpoken = []string{"cloudwatchlogs.StartLiveTail", "cloudwatchlogs.GetLogObject"}

func methods(client any) (names []string) {
	t := reflect.TypeOf(client)
	for i := range t.NumMethod() {
		m := t.Method(i)
		if m.Type.NumIn() == 4 && m.Type.NumOut() == 2 && m.Type.In(2).Kind() == reflect.Pointer && strings.HasSuffix(m.Type.In(2).Elem().Name(), "Input") {
			names = append(names, m.Name)
		}
	}
	return names
}

var sameStruct = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreTypes(middleware.Metadata{}),
	cmp.Exporter(func(reflect.Type) bool { return true }),
	cmpopts.EquateNaNs(),
	// The client reads JSON timestamps as floating point, and truncates.
	cmpopts.EquateApproxTime(time.Millisecond),
}

// sortLists orders an input's own lists of strings: the client's signer sorts
// the values of repeated query parameters.
func sortLists(in any) {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String {
			sort.Slice(f.Interface(), func(a, b int) bool { return f.Index(a).String() < f.Index(b).String() })
		}
	}
}

func TestEveryOperationThroughTheSDK(t *testing.T) {
	codec, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range codec.Services() {
		if slices.Contains(noClient, id) {
			continue
		}
		if id == s3ID {
			continue // its client looks into names, lengths and checksums: package s3 tests it
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			count := 0
			for i, op := range methods(sdkClients(nil)[id]) {
				if slices.Contains(notSpoken, id+"."+op) {
					continue
				}
				if id == "ec2" && i%4 != 0 && testing.Short() {
					continue
				}
				count++
				for seed := range uint64(3) {
					roundTrip(t, codec, id, op, seed)
				}
			}
			t.Logf("%d operations", count)
		})
	}
}

// roundTrip fills input and output at random and sends both through.
func roundTrip(t *testing.T, codec *Codec, id, op string, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, uint64(len(op))))
	var got, want, answer any
	do := served(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		call, err := codec.Route(r, body, scope(r))
		if err != nil {
			t.Errorf("%s.%s: route: %v", id, op, err)
			call.Fail(w, err, "id")
			return
		}
		if call.Service.ID() != id || call.Operation.Name != op {
			t.Errorf("%s.%s: routed to %s.%s", id, op, call.Service.ID(), call.Operation.Name)
		}
		got = reflect.New(reflect.TypeOf(want).Elem()).Interface()
		if err := call.Decode(got); err != nil {
			t.Errorf("%s.%s: decode: %v\n%s %s\n%s", id, op, err, r.Method, r.URL, body)
		}
		if err := call.Encode(w, answer, "6a1c0d1e-0000-4000-8000-000000000001"); err != nil {
			t.Errorf("%s.%s: encode: %v", id, op, err)
		}
	})
	method := reflect.ValueOf(sdkClients(do)[id]).MethodByName(op)
	f := filler{rng: rng}
	in := reflect.New(method.Type().In(1).Elem())
	f.fill(in.Elem(), 0)
	out := reflect.New(method.Type().Out(0).Elem())
	f.fill(out.Elem(), 0)
	want, answer = in.Interface(), out.Interface()

	ret := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), in})
	if err, _ := ret[1].Interface().(error); err != nil {
		t.Errorf("%s.%s: the client: %v", id, op, err)
		return
	}
	if codec.Service(id).protocols[0].rest() {
		sortLists(want)
		sortLists(got)
	}
	if d := cmp.Diff(want, got, sameStruct); d != "" {
		t.Errorf("%s.%s: input (-sent +decoded):\n%s", id, op, d)
	}
	if d := cmp.Diff(answer, ret[0].Interface(), sameStruct); d != "" {
		t.Errorf("%s.%s: output (-encoded +received):\n%s", id, op, d)
	}
}

// filler fills values at random, with text that every escaping must survive.
type filler struct{ rng *rand.Rand }

const alphabet = `abcXYZ019-_.~!*'()/:@&=+$,;?#%[]{}|\^ "<>é漢😀`

func (f *filler) text() string {
	runes := []rune(alphabet)
	s := []rune{rune('a' + f.rng.IntN(26))}
	for range f.rng.IntN(12) {
		s = append(s, runes[f.rng.IntN(len(runes))])
	}
	return string(append(s, 'z'))
}

func (f *filler) fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), depth)
	case reflect.Struct:
		if v.Type() == timeType {
			v.Set(reflect.ValueOf(time.UnixMilli(f.rng.Int64N(4e12)).UTC()))
			return
		}
		if v.Type() == reflect.TypeFor[middleware.Metadata]() {
			return
		}
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() || depth > 8 && v.Field(i).Kind() == reflect.Pointer && v.Field(i).Type().Elem().Kind() == reflect.Struct && v.Field(i).Type().Elem() != timeType {
				continue
			}
			f.fill(v.Field(i), depth+1)
		}
	case reflect.Slice:
		n := 1 + f.rng.IntN(3)
		if depth > 14 && v.Type().Elem().Kind() != reflect.String {
			n = 0
		}
		if v.Type() == bytesType {
			b := make([]byte, 1+f.rng.IntN(20))
			for i := range b {
				b[i] = byte(f.rng.IntN(256))
			}
			v.SetBytes(b)
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		if depth > 8 {
			return
		}
		for range 1 + f.rng.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key, depth+1)
			f.fill(value, depth+1)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(true) // a false plain bool is not sent
	case reflect.Int32:
		v.SetInt(1 + int64(f.rng.Int32N(1<<30)))
	case reflect.Int64:
		v.SetInt(1 + f.rng.Int64N(1<<52))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(f.rng.IntN(1<<20))/64 + 1)
	case reflect.Interface:
		members := unionMembers(v.Type())
		if len(members) == 0 {
			panic(fmt.Sprintf("no members of %s", v.Type()))
		}
		p := reflect.New(members[f.rng.IntN(len(members))])
		f.fill(p.Elem().Field(0), depth+1)
		v.Set(p)
	}
}
