package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var firstHour = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// hourlyUsage is a history by the hour; means are four fifths of the maxima.
func hourlyUsage(maxima ...float32) Usage {
	means := slices.Clone(maxima)
	for i := range means {
		means[i] *= 0.8
	}
	return Usage{
		HourlyMax:  Series{Start: firstHour, Step: time.Hour, Values: maxima},
		HourlyMean: Series{Start: firstHour, Step: time.Hour, Values: means},
	}
}

// nextBound is the bound at p90 after the end of a history.
func nextBound(u Usage) HourBound {
	now := u.HourlyMax.End()
	return FitNextHour(u, 0.9, 0, now).Bound(u, now)
}

// firstHours is the part of a usage before hour n.
func firstHours(u Usage, n int) Usage {
	u.HourlyMax.Values, u.HourlyMean.Values = u.HourlyMax.Values[:n:n], u.HourlyMean.Values[:n:n]
	return u
}

func TestABoundOfConstantDemandIsThatDemand(t *testing.T) {
	for _, cores := range []float32{0, 0.002, 3, 40000} {
		got := nextBound(hourlyUsage(slices.Repeat([]float32{cores}, 14*24)...))
		if math.Abs(got.Upper-float64(cores)) > 1e-6*float64(cores) || !got.Start.Equal(firstHour.AddDate(0, 0, 14)) || got.Level != 0.9 {
			t.Errorf("%v cores: %+v", cores, got)
		}
	}
}

// TestNineOfTenHoursStayUnderTheirBound walks through two weeks hour by hour, with a fit that is up to a day old.
func TestNineOfTenHoursStayUnderTheirBound(t *testing.T) {
	month := busyMonth()
	covered, sum, hours := 0, 0.0, 0
	var fit *NextHour
	for n := 14 * 24; n < 28*24; n++ {
		known := firstHours(month, n)
		now := known.HourlyMax.End().Add(5 * time.Minute)
		if n%24 == 0 {
			fit = FitNextHour(known, 0.9, 0, now)
		}
		bound := fit.Bound(known, now)
		actual := float64(month.HourlyMax.Values[n])
		if actual <= bound.Upper {
			covered++
		}
		sum += bound.Upper / actual
		hours++
		if bound.Coverage < 0.85 || bound.Coverage > 0.97 {
			t.Fatalf("hour %d: tested coverage %v", n, bound.Coverage)
		}
	}
	if share := float64(covered) / float64(hours); share < 0.87 || share > 0.96 {
		t.Errorf("%.3f of the hours were covered", share)
	}
	if excess := sum / float64(hours); excess > 1.2 {
		t.Errorf("the bound is %.2f times the demand", excess)
	}
}

func TestABoundFollowsTheHourOfTheDay(t *testing.T) {
	month := busyMonth()
	at := func(hour int) float64 { return nextBound(firstHours(month, 23*24+hour)).Upper }
	if night, noon := at(3), at(15); noon < 2*night {
		t.Errorf("%.2f in the night and %.2f at noon", night, noon)
	}
}

func TestABurstIsNotTakenForMoreThanWasEverSeen(t *testing.T) {
	values := slices.Repeat([]float32{0.01, 4}, 14*12)
	for _, bound := range []float64{nextBound(hourlyUsage(values...)).Upper, nextBound(hourlyUsage(values[1:]...)).Upper} {
		if bound > 4*capOverSeason*(1+1e-6) {
			t.Errorf("bound %v, the largest was 4", bound)
		}
	}
}

func TestWithoutEnoughHistoryThereIsNoBound(t *testing.T) {
	five := slices.Repeat([]float32{1}, 120)
	gone := slices.Repeat([]float32{float32(math.NaN())}, 336)
	for name, u := range map[string]Usage{"none": {}, "119 hours": hourlyUsage(five[1:]...), "all missing": hourlyUsage(gone...)} {
		if got := nextBound(u); got.Known() {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if u := hourlyUsage(five...); !nextBound(u).Known() {
		t.Error("no bound after five days")
	}
	for _, level := range []float64{0, 1, -1, math.NaN()} {
		u := hourlyUsage(five...)
		if got := FitNextHour(u, level, 0, u.HourlyMax.End()).Bound(u, u.HourlyMax.End()); got.Known() {
			t.Errorf("level %v: %+v", level, got)
		}
	}
}

func TestMissingMeansAreNoObstacle(t *testing.T) {
	month := busyMonth()
	with := nextBound(month).Upper
	month.HourlyMean = Series{}
	if without := nextBound(month).Upper; math.Abs(without/with-1) > 0.1 {
		t.Errorf("%v with means, %v without", with, without)
	}
}

func TestABoundDoesNotLookAhead(t *testing.T) {
	month := busyMonth()
	now := firstHour.AddDate(0, 0, 20).Add(7 * time.Minute)
	want := FitNextHour(firstHours(month, 480), 0.9, 0, now).Bound(firstHours(month, 480), now)
	for i := 480; i < len(month.HourlyMax.Values); i++ {
		month.HourlyMax.Values[i] = 1000
	}
	got := FitNextHour(month, 0.9, 0, now).Bound(month, now)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the future changed it (want, got):\n%s", diff)
	}
}

// TestAFitIsGoodForAHistoryThatMovedOn shifts the window of a history, as a store that keeps 28 days does.
func TestAFitIsGoodForAHistoryThatMovedOn(t *testing.T) {
	month := busyMonth()
	fit := FitNextHour(firstHours(month, 640), 0.9, 0, firstHour.Add(640*time.Hour))
	now := month.HourlyMax.End()
	later := Usage{HourlyMax: month.HourlyMax.Since(firstHour.Add(24 * time.Hour)), HourlyMean: month.HourlyMean.Since(firstHour.Add(24 * time.Hour))}
	if a, b := fit.Bound(month, now).Upper, fit.Bound(later, now).Upper; math.Abs(a/b-1) > 0.01 {
		t.Errorf("%v with the first day, %v without it", a, b)
	}
}

func TestABoundIsSoundWhateverTheHistory(t *testing.T) {
	value := rapid.OneOf(rapid.Float32Range(0, 10), rapid.Float32Range(0, 10), rapid.SampledFrom([]float32{
		0, -1, 1e30, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, math.SmallestNonzeroFloat32,
	}))
	rapid.Check(t, func(t *rapid.T) {
		u := hourlyUsage(rapid.SliceOfN(value, 0, 700).Draw(t, "maxima")...)
		u.HourlyMean.Values = rapid.SliceOfN(value, 0, 700).Draw(t, "means")
		u.HourlyMean.Start = rapid.SampledFrom([]time.Time{firstHour, firstHour.Add(time.Minute), {}}).Draw(t, "start of means")
		now := firstHour.Add(time.Duration(rapid.IntRange(-100, 1000).Draw(t, "now")) * time.Hour)
		fit := FitNextHour(u, 0.9, 1e6, now)
		got := fit.Bound(u, now)
		largest := 0.0
		for _, v := range u.HourlyMax.Values {
			if x := float64(v); x <= 1e6 {
				largest = max(largest, x)
			}
		}
		if !(got.Upper >= 0 && got.Upper <= largest*capOverSeason*(1+1e-9)) {
			t.Fatalf("%+v, the largest value was %v", got, largest)
		}
		again := FitNextHour(u, 0.9, 1e6, now).Bound(u, now)
		if diff := cmp.Diff(got, again, cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("not the same again: %s", diff)
		}
	})
}

func TestABoundDoesNotDependOnTheUnit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	values, scaled := make([]float32, 20*24), make([]float32, 20*24)
	for i := range values {
		values[i] = float32(1+math.Sin(float64(i)/4)) * float32(math.Exp(random.NormFloat64()/3))
		scaled[i] = values[i] * 1024
	}
	a, b := nextBound(hourlyUsage(values...)).Upper, nextBound(hourlyUsage(scaled...)).Upper
	if math.Abs(b/a/1024-1) > 1e-6 {
		t.Errorf("%v in one unit and %v in another that is 1,024 times smaller", a, b)
	}
}
