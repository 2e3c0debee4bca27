package function

import (
	"math"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

var numbers = []*Function{
	ofNumber("abs", math.Abs),
	ofNumber("ceil", math.Ceil),
	ofNumber("floor", math.Floor),
	{Name: "greatest", Min: 1, Max: -1, eval: extreme(func(a, b float64) bool { return a > b })},
	{Name: "least", Min: 1, Max: -1, eval: extreme(func(a, b float64) bool { return a < b })},
	ofNumber("log", math.Log),
	{Name: "round", Min: 1, Max: 2, eval: round},
	ofNumber("sqrt", math.Sqrt),
	{Name: "haversine", Min: 4, Max: 4, eval: haversine},
	ofNumber("toNumber", func(f float64) float64 { return f }),
	ofNumber("toDouble", func(f float64) float64 { return f }),
	ofNumber("toInt", func(f float64) float64 { return whole(f, math.MinInt32, math.MaxInt32) }),
	ofNumber("toLong", func(f float64) float64 { return whole(f, math.MinInt64, math.MaxInt64) }),
}

// ofNumber makes a function of one number. Results that are no numbers are null.
func ofNumber(name string, f func(float64) float64) *Function {
	return &Function{Name: name, Min: 1, Max: 1, eval: func(_ *Context, args []value.Value) value.Value {
		x, ok := args[0].Number()
		if !ok {
			return value.Value{}
		}
		return value.OfNumber(f(x))
	}}
}

func extreme(better func(a, b float64) bool) Eval {
	return func(_ *Context, args []value.Value) value.Value {
		best, has := 0.0, false
		for _, a := range args {
			x, ok := a.Number()
			if !ok {
				return value.Value{}
			}
			if !has || better(x, best) {
				best, has = x, true
			}
		}
		return value.OfNumber(best)
	}
}

// whole cuts the fraction off. What does not fit is no number.
func whole(f, least, most float64) float64 {
	f = math.Trunc(f)
	if f < least || f > most {
		return math.NaN()
	}
	return f
}

// round rounds half away from zero, to so many digits after the point, or before it if
// they are negative.
func round(_ *Context, args []value.Value) value.Value {
	x, ok := args[0].Number()
	if !ok || len(args) == 1 {
		return value.OfNumber(roundOr(x, ok))
	}
	digits, ok := args[1].Number()
	if !ok || digits != math.Trunc(digits) {
		return value.Value{}
	}
	if digits > 15 || math.Abs(x) >= 1<<53 && digits >= 0 {
		return value.OfNumber(x) // has no digits there
	}
	if digits < -308 {
		return value.OfNumber(0)
	}
	if digits < 0 {
		scale := math.Pow(10, -digits)
		return value.OfNumber(math.Round(x/scale) * scale)
	}
	scale := math.Pow(10, digits)
	return value.OfNumber(math.Round(x*scale) / scale)
}

func roundOr(x float64, ok bool) float64 {
	if !ok {
		return math.NaN()
	}
	return math.Round(x)
}

// earth is the mean radius in kilometres (IUGG).
const earth = 6371.0088

// haversine is the distance in kilometres between two points, given as latitude,
// longitude, latitude, longitude in degrees. Beyond the poles, and more than once around,
// there are none.
func haversine(_ *Context, args []value.Value) value.Value {
	var at [4]float64
	for i := range at {
		degrees, ok := args[i].Number()
		if most := 90 * float64(1+i%2); !ok || math.Abs(degrees) > most {
			return value.Value{}
		}
		at[i] = degrees * math.Pi / 180
	}
	lat, lon := math.Sin((at[2]-at[0])/2), math.Sin((at[3]-at[1])/2)
	h := lat*lat + math.Cos(at[0])*math.Cos(at[2])*lon*lon
	return value.OfNumber(2 * earth * math.Asin(math.Sqrt(min(1, h))))
}
