package cloudwatch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/sha256"
	"encoding/hex"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

func TestMetricsAreKeptInAllThreeWays(t *testing.T) {
	a := open(t)
	at := aws.Time(a.time().Add(-5 * time.Minute))
	dims := []types.Dimension{{Name: aws.String("b"), Value: aws.String("2")}, {Name: aws.String("a"), Value: aws.String("1")}}
	doortest.Must(t)(a.admin.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: []types.MetricDatum{
		{MetricName: aws.String("time"), Dimensions: dims, Value: aws.Float64(3), Unit: types.StandardUnitSeconds, Timestamp: at},
		{MetricName: aws.String("time"), Dimensions: dims, Values: []float64{1, 10}, Counts: []float64{2, 1}, Unit: types.StandardUnitSeconds, Timestamp: at},
		{MetricName: aws.String("time"), Dimensions: dims, StatisticValues: &types.StatisticSet{SampleCount: aws.Float64(2), Sum: aws.Float64(8), Minimum: aws.Float64(4), Maximum: aws.Float64(4)}, Unit: types.StandardUnitSeconds, Timestamp: at},
		{MetricName: aws.String("time"), Dimensions: dims, Value: aws.Float64(7), Unit: types.StandardUnitCount, Timestamp: at},
		{MetricName: aws.String("time"), Value: aws.Float64(99), Timestamp: at},
	}}))
	slices.Reverse(dims)
	out, err := a.admin.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("shop"), MetricName: aws.String("time"), Dimensions: dims, StartTime: aws.Time(at.Add(-time.Minute)), EndTime: aws.Time(at.Add(time.Minute)), Period: aws.Int32(60),
		Statistics: []types.Statistic{"Average", "Sum", "SampleCount", "Minimum", "Maximum"}, ExtendedStatistics: []string{"p50", "TM(10%:90%)"}, Unit: types.StandardUnitSeconds,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Datapoints) != 1 || *out.Label != "time" {
		t.Fatalf("got %+v", out)
	}
	p := out.Datapoints[0]
	if *p.Sum != 23 || *p.SampleCount != 6 || *p.Minimum != 1 || *p.Maximum != 10 || math.Abs(*p.Average-23.0/6) > 1e-9 || p.ExtendedStatistics["p50"] != 3 || p.Unit != types.StandardUnitSeconds || !p.Timestamp.Equal(at.Truncate(time.Minute)) {
		t.Errorf("got %+v", p)
	}

	listed, err := a.admin.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String("shop"), Dimensions: []types.DimensionFilter{{Name: aws.String("a")}}})
	if err != nil || len(listed.Metrics) != 1 || *listed.Metrics[0].Dimensions[0].Name != "a" {
		t.Errorf("listed %+v, %v", listed, err)
	}
	if listed, err = a.admin.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{MetricName: aws.String("time")}); err != nil || len(listed.Metrics) != 2 {
		t.Errorf("listed %+v, %v", listed, err)
	}
}

func TestMetricDataAndMath(t *testing.T) {
	a := open(t)
	start := a.time().Truncate(time.Minute)
	for i, v := range []float64{1, 2, 3, 4} {
		for name, value := range map[string]float64{"orders": v, "errors": v * v} {
			if name == "errors" && i == 2 {
				continue
			}
			doortest.Must(t)(a.admin.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: []types.MetricDatum{
				{MetricName: aws.String(name), Value: aws.Float64(value), Timestamp: aws.Time(start.Add(time.Duration(i-4) * time.Minute))},
			}}))
		}
	}
	of := func(id, name string, hidden bool) types.MetricDataQuery {
		return types.MetricDataQuery{Id: aws.String(id), ReturnData: aws.Bool(!hidden), MetricStat: &types.MetricStat{Metric: &types.Metric{Namespace: aws.String("shop"), MetricName: aws.String(name)}, Period: aws.Int32(60), Stat: aws.String("Sum")}}
	}
	math := func(id, text string) types.MetricDataQuery {
		return types.MetricDataQuery{Id: aws.String(id), Expression: aws.String(text)}
	}
	in := &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(start.Add(-4 * time.Minute)), EndTime: aws.Time(start), ScanBy: types.ScanByTimestampAscending,
		MetricDataQueries: []types.MetricDataQuery{of("o", "orders", false), of("e", "errors", true), math("rate", "100 * e / o"), math("filled", "FILL(rate, 0)")},
	}
	got := map[string][]float64{}
	for p := cloudwatch.NewGetMetricDataPaginator(a.admin, in, func(o *cloudwatch.GetMetricDataPaginatorOptions) { o.Limit = 3 }); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.MetricDataResults {
			got[*r.Id] = append(got[*r.Id], r.Values...)
			if len(r.Values) != len(r.Timestamps) || len(r.Values) > 3 {
				t.Errorf("a page has %+v", r)
			}
		}
	}
	for id, want := range map[string][]float64{"o": {1, 2, 3, 4}, "rate": {100, 200, 400}, "filled": {100, 200, 0, 400}, "e": nil} {
		if !slices.Equal(got[id], want) {
			t.Errorf("%s: %v, want %v", id, got[id], want)
		}
	}
	for name, change := range map[string]func(*cloudwatch.GetMetricDataInput){
		"itself": func(in *cloudwatch.GetMetricDataInput) {
			in.MetricDataQueries = []types.MetricDataQuery{math("x", "y"), math("y", "x + 1")}
		},
		"no metric": func(in *cloudwatch.GetMetricDataInput) {
			in.MetricDataQueries = []types.MetricDataQuery{math("x", "z")}
		},
		"SEARCH": func(in *cloudwatch.GetMetricDataInput) {
			in.MetricDataQueries = []types.MetricDataQuery{math("x", "SEARCH('a', 'Sum')")}
		},
		"not unique": func(in *cloudwatch.GetMetricDataInput) {
			in.MetricDataQueries = []types.MetricDataQuery{of("x", "orders", false), of("x", "errors", false)}
		},
		"lower case": func(in *cloudwatch.GetMetricDataInput) {
			in.MetricDataQueries = []types.MetricDataQuery{of("X", "orders", false)}
		},
		"less than": func(in *cloudwatch.GetMetricDataInput) { in.EndTime = in.StartTime },
		"MetricStat.Sta": func(in *cloudwatch.GetMetricDataInput) {
			q := of("x", "orders", false)
			q.MetricStat.Stat = aws.String("Median")
			in.MetricDataQueries = []types.MetricDataQuery{q}
		},
		"dynamic": func(in *cloudwatch.GetMetricDataInput) {
			q := of("x", "orders", false)
			q.Label = aws.String("${MAX}")
			in.MetricDataQueries = []types.MetricDataQuery{q}
		},
	} {
		bad := *in
		change(&bad)
		_, err := a.admin.GetMetricData(t.Context(), &bad)
		doortest.Refused(t, err, "ValidationError", name)
	}
}

func TestDataThatIsRefused(t *testing.T) {
	a := open(t)
	one := func(change func(d *types.MetricDatum)) *cloudwatch.PutMetricDataInput {
		d := types.MetricDatum{MetricName: aws.String("m"), Value: aws.Float64(1), Timestamp: aws.Time(a.time())}
		change(&d)
		return &cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: []types.MetricDatum{d}}
	}
	tooMany := make([]types.MetricDatum, 1001)
	for i := range tooMany {
		tooMany[i] = types.MetricDatum{MetricName: aws.String("m"), Value: aws.Float64(1)}
	}
	for _, c := range []struct {
		in         *cloudwatch.PutMetricDataInput
		code, text string
	}{
		{&cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/EC2"), MetricData: tooMany[:1]}, "InvalidParameterValue", "AWS/"},
		{&cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: tooMany}, "InvalidParameterValue", "1000"},
		{&cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), EntityMetricData: []types.EntityMetricData{{}}}, "InvalidParameterValue", "EntityMetricData is not supported"},
		{one(func(d *types.MetricDatum) { d.Value = nil }), "MissingParameter", "MetricData.member.1.Value"},
		{one(func(d *types.MetricDatum) {
			d.StatisticValues = &types.StatisticSet{SampleCount: aws.Float64(1), Sum: aws.Float64(1), Minimum: aws.Float64(1), Maximum: aws.Float64(1)}
		}), "InvalidParameterCombination", "mutually exclusive"},
		{one(func(d *types.MetricDatum) { d.Value = aws.Float64(math.NaN()) }), "InvalidParameterValue", "NaN"},
		{one(func(d *types.MetricDatum) { d.Value = aws.Float64(1e200) }), "InvalidParameterValue", "1e+200"},
		{one(func(d *types.MetricDatum) { d.Value, d.Values, d.Counts = nil, []float64{1, 2}, []float64{1} }), "InvalidParameterValue", "same size"},
		{one(func(d *types.MetricDatum) { d.Value, d.Values = nil, make([]float64, 151) }), "InvalidParameterValue", "150"},
		{one(func(d *types.MetricDatum) { d.Value, d.Values, d.Counts = nil, []float64{1}, []float64{0} }), "InvalidParameterValue", "Counts"},
		{one(func(d *types.MetricDatum) { d.Timestamp = aws.Time(a.time().Add(-15 * 24 * time.Hour)) }), "InvalidParameterValue", "Timestamp"},
		{one(func(d *types.MetricDatum) { d.Timestamp = aws.Time(a.time().Add(3 * time.Hour)) }), "InvalidParameterValue", "Timestamp"},
		{one(func(d *types.MetricDatum) { d.StorageResolution = aws.Int32(30) }), "InvalidParameterValue", "StorageResolution"},
		{one(func(d *types.MetricDatum) {
			d.Dimensions = []types.Dimension{{Name: aws.String("a"), Value: aws.String("1")}, {Name: aws.String("a"), Value: aws.String("2")}}
		}), "InvalidParameterValue", "twice"},
	} {
		_, err := a.admin.PutMetricData(t.Context(), c.in)
		doortest.Refused(t, err, c.code, c.text)
	}
	if a.ours.Sets() != 0 {
		t.Errorf("%d sets are kept of refused data", a.ours.Sets())
	}
	var modelled *types.InvalidParameterValueException
	if _, err := a.admin.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/X"), MetricData: tooMany[:1]}); !errors.As(err, &modelled) {
		t.Errorf("the client does not know the error: %v", err)
	}
}

// TestLargeData: the SDK compresses what is larger than 10 kB.
func TestLargeData(t *testing.T) {
	a := open(t)
	data := make([]types.MetricDatum, 1000)
	for i := range data {
		data[i] = types.MetricDatum{MetricName: aws.String(fmt.Sprintf("metric-%04d", i)), Value: aws.Float64(float64(i)), Timestamp: aws.Time(a.time())}
	}
	compressed := false
	client := cloudwatch.NewFromConfig(a.Admin, func(o *cloudwatch.Options) {
		inner := o.HTTPClient
		o.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
			compressed = r.Header.Get("Content-Encoding") == "gzip"
			return inner.Do(r)
		})
	})
	doortest.Must(t)(client.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: data}))
	if !compressed {
		t.Error("the client did not compress")
	}
	var names []string
	for p := cloudwatch.NewListMetricsPaginator(a.admin, &cloudwatch.ListMetricsInput{}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Metrics {
			names = append(names, *m.MetricName)
		}
	}
	if len(names) != 1000 || !slices.IsSorted(names) {
		t.Errorf("%d metrics are listed", len(names))
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestQueryProtocol: older clients speak query and read XML.
func TestQueryProtocol(t *testing.T) {
	a := open(t)
	call := func(form string) (int, string) {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), "POST", a.URL+"/", strings.NewReader(form+"&Version=2010-08-01"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		sum := sha256.Sum256([]byte(form + "&Version=2010-08-01"))
		key, err := a.Admin.Credentials.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := v4.NewSigner().SignHTTP(t.Context(), key, r, hex.EncodeToString(sum[:]), "monitoring", "us-west-2", time.Now()); err != nil {
			t.Fatal(err)
		}
		res, err := a.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	if status, body := call("Action=PutMetricData&Namespace=shop&MetricData.member.1.MetricName=orders&MetricData.member.1.Value=3&MetricData.member.1.Dimensions.member.1.Name=a&MetricData.member.1.Dimensions.member.1.Value=1"); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := call("Action=ListMetrics&Namespace=shop"); status != 200 || !strings.Contains(body, "<MetricName>orders</MetricName>") || !strings.Contains(body, `xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := call("Action=PutMetricData&Namespace=AWS/X&MetricData.member.1.MetricName=orders&MetricData.member.1.Value=3"); status != 400 || !strings.Contains(body, "<Code>InvalidParameterValue</Code>") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := call("Action=PutDashboard&DashboardName=x&DashboardBody=y"); status != 400 || !strings.Contains(body, "PutDashboard") {
		t.Errorf("%d %s", status, body)
	}
}

func TestStatisticsThatAreRefused(t *testing.T) {
	a := open(t)
	in := func(change func(in *cloudwatch.GetMetricStatisticsInput)) *cloudwatch.GetMetricStatisticsInput {
		in := &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String("shop"), MetricName: aws.String("m"), StartTime: aws.Time(a.time().Add(-time.Hour)), EndTime: aws.Time(a.time()), Period: aws.Int32(60), Statistics: []types.Statistic{"Sum"},
		}
		change(in)
		return in
	}
	for _, c := range []struct {
		in         *cloudwatch.GetMetricStatisticsInput
		code, text string
	}{
		{in(func(in *cloudwatch.GetMetricStatisticsInput) { in.Period = aws.Int32(90) }), "InvalidParameterValue", "Period"},
		{in(func(in *cloudwatch.GetMetricStatisticsInput) { in.EndTime = in.StartTime }), "InvalidParameterCombination", "less than"},
		{in(func(in *cloudwatch.GetMetricStatisticsInput) { in.StartTime = aws.Time(a.time().Add(-48 * time.Hour)) }), "InvalidParameterCombination", "1440"},
		{in(func(in *cloudwatch.GetMetricStatisticsInput) { in.Statistics = nil }), "InvalidParameterCombination", "At least one"},
		{in(func(in *cloudwatch.GetMetricStatisticsInput) {
			in.Statistics, in.ExtendedStatistics = nil, []string{"p101"}
		}), "InvalidParameterValue", "p101"},
	} {
		_, err := a.admin.GetMetricStatistics(t.Context(), c.in)
		doortest.Refused(t, err, c.code, c.text)
	}
}

// TestAging: data become coarser, their sums stay.
func TestAging(t *testing.T) {
	a := open(t)
	for i := range 120 {
		doortest.Must(t)(a.admin.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: []types.MetricDatum{
			{MetricName: aws.String("m"), Value: aws.Float64(1), StorageResolution: aws.Int32(1), Timestamp: aws.Time(a.time().Add(-time.Duration(i) * time.Second))},
		}}))
	}
	start := a.time().Add(-10 * time.Minute)
	sum := func() (total float64) {
		out, err := a.admin.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String("shop"), MetricName: aws.String("m"), StartTime: aws.Time(start), EndTime: aws.Time(start.Add(time.Hour)), Period: aws.Int32(3600), Statistics: []types.Statistic{"Sum"},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out.Datapoints {
			total += *p.Sum
		}
		return total
	}
	for _, c := range []struct {
		age  time.Duration
		sets int
		sum  float64
	}{{0, 120, 120}, {4 * time.Hour, 3, 120}, {16 * 24 * time.Hour, 2, 120}, {64 * 24 * time.Hour, 2, 120}, {500 * 24 * time.Hour, 0, 0}} {
		a.ours.Tick(context.Background(), a.time().Add(c.age))
		if n := a.ours.Sets(); n > c.sets || c.sets > 0 && n == 0 {
			t.Errorf("after %v: %d sets, want %d", c.age, n, c.sets)
		}
		if c.age < 63*24*time.Hour {
			if got := sum(); got != c.sum {
				t.Errorf("after %v: the sum is %v", c.age, got)
			}
		}
	}
}

// TestRestarts: what was taken is there after a restart, also when the journal's end is
// torn, and when it was compacted.
func TestRestarts(t *testing.T) {
	a := open(t)
	a.ours.CompactAt(2000)
	for i := range 50 {
		a.put(t, float64(i))
	}
	files, err := filepath.Glob(filepath.Join(a.dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files are %v, %v", files, err)
	}
	a.put(t, 1000)
	journal, _ := filepath.Glob(filepath.Join(a.dir, "journal.*"))
	f, err := os.OpenFile(journal[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`deadbeef {"Metric":{"Name":"torn"`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for range 2 {
		b := &account{topics: &topics{}, dir: a.dir, now: a.time()}
		base := doortest.New(t)
		b.ours = b.start(t, base)
		b.Door = base.Open(t, b.ours.Service())
		b.admin = cloudwatch.NewFromConfig(b.Admin)
		out, err := b.admin.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String("shop"), MetricName: aws.String("orders"), StartTime: aws.Time(a.time().Add(-time.Minute)), EndTime: aws.Time(a.time().Add(time.Minute)), Period: aws.Int32(60),
			Statistics: []types.Statistic{"Sum", "SampleCount"}, ExtendedStatistics: []string{"p50"},
		})
		if err != nil || len(out.Datapoints) != 1 || *out.Datapoints[0].Sum != 49*25+1000 || *out.Datapoints[0].SampleCount != 51 || out.Datapoints[0].ExtendedStatistics["p50"] != 25 {
			t.Errorf("got %+v, %v", out, err)
		}
	}
}
