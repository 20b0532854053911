package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// shop is hourly demand with a daily wave, a quiet weekend, and noise that depends on the seed.
func shop(days int, noise float64, seed uint64) Series {
	chance := rand.New(rand.NewPCG(seed, 1))
	s := Series{Start: monday, Step: time.Hour}
	for i := range days * 24 {
		level := 2 + math.Sin(2*math.Pi*float64(i-8)/24)
		if i/24%7 >= 5 {
			level *= 0.6
		}
		s.Values = append(s.Values, float32(level*math.Exp(noise*chance.NormFloat64())))
	}
	return s
}

func TestTheMixtureIsBetterThanRepeatingYesterday(t *testing.T) {
	var ours, yesterday float64
	for seed := range uint64(20) {
		s := shop(23, 0.15, seed)
		past := Series{Start: s.Start, Step: s.Step, Values: s.Values[:21*24]}
		f := Predict(past, Options{Horizon: 48})
		for h, mean := range f.Mean {
			truth := float64(s.Values[21*24+h])
			ours += math.Abs(truth - mean)
			yesterday += math.Abs(truth - float64(past.Values[20*24+h%24]))
		}
	}
	if ours > 0.8*yesterday {
		t.Errorf("error is %.2f of that of repeating yesterday, want at most 0.80", ours/yesterday)
	}
}

func TestMeasuredCoverageIsWhatLaterHappens(t *testing.T) {
	levels := []float64{0.85, 0.95}
	claimed, happened := make([]float64, 2), make([]float64, 2)
	const workloads, horizon = 70, 24
	for seed := range uint64(workloads) {
		days := 21 + int(seed%7) // Each day of the week is as often the next one.
		s := shop(days+1, 0.3, seed)
		past := Series{Start: s.Start, Step: s.Step, Values: s.Values[:days*24]}
		f := Predict(past, Options{Horizon: horizon, Levels: levels})
		for i, q := range f.Quantiles {
			claimed[i] += q.Coverage / workloads
			for h, v := range q.Values {
				if float64(s.Values[days*24+h]) <= v {
					happened[i] += 1.0 / workloads / horizon
				}
			}
		}
	}
	for i, level := range levels {
		if math.Abs(happened[i]-level) > 0.05 {
			t.Errorf("p%.0f covered %.3f of what happened", level*100, happened[i])
		}
		if math.Abs(claimed[i]-happened[i]) > 0.05 {
			t.Errorf("p%.0f claimed to cover %.3f, but covered %.3f", level*100, claimed[i], happened[i])
		}
	}
}

// The error in the result would flatter: with weights that have seen the day, the mixture is half right.
func TestBacktestsTrustNoModelForTheDayThatIsPredicted(t *testing.T) {
	b := backtest{
		plan:      plan{steps: 2, block: 2, season: 2},
		models:    []model{cycleMedian{}, seasonalNaive{}},
		predicted: [][][]float64{{{10, 10}, {5, 5}}, {{5, 5}, {10, 10}}}, // Each is right on one day.
		actual:    [][]float64{{10, 10}, {10, 10}},
		scale:     1,
	}
	if got := relativeError(b.actual, b.combineOthers(b.measure())); math.Abs(got-0.5) > 1e-9 {
		t.Errorf("the error of the mixture is %.3f, want 0.5: the weights for each day must come from the other one", got)
	}
}

func TestTheForecastStartsWithTheHourThatIsNow(t *testing.T) {
	s := shop(14, 0, 1)
	now := s.End().Add(5*time.Hour + 20*time.Minute) // The last five hours are missing.
	f := Predict(s, Options{Now: now, Horizon: 1})
	if want := s.End().Add(5 * time.Hour); !f.Start.Equal(want) {
		t.Errorf("starts at %v, want %v", f.Start, want)
	}
}

func TestScalingDownLeavesAStepThatIsPartlyOutside(t *testing.T) {
	f := Forecast{Start: monday, Step: time.Hour, Mean: []float64{10, 10, 10}}
	got := Scale(f, monday.Add(30*time.Minute), monday.Add(2*time.Hour), 0.5)
	checkNumbers(t, "mean", got.Mean, []float32{10, 5, 10})
}

func TestScalingByNonsenseChangesNothing(t *testing.T) {
	f := Forecast{Start: monday, Step: time.Hour, Mean: []float64{10}}
	for _, factor := range []float64{-1, math.NaN(), math.Inf(1)} {
		checkNumbers(t, "mean", Scale(f, monday, monday.Add(time.Hour), factor).Mean, []float32{10})
	}
}

func TestAtFindsTheIntervalThatContainsATime(t *testing.T) {
	s := Series{Start: monday, Step: time.Hour, Values: []float32{1, 2}}
	for offset, want := range map[time.Duration]float64{0: 1, 59 * time.Minute: 1, time.Hour: 2, -1: math.NaN(), 2 * time.Hour: math.NaN()} {
		if got := s.At(monday.Add(offset)); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("at %v: got %v, want %v", offset, got, want)
		}
	}
}
