package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
)

// lastPrediction is what a candidate predicts for the hour after a history of hourly maxima.
func lastPrediction(candidate int, maxima []float32) float64 {
	u := hourlyUsage(maxima...)
	h := newHours(u, 0, u.HourlyMax.End())
	out := make([]float64, 1)
	h.predict(candidate, fitRegressions(h), out)
	return math.Exp(out[0])
}

func TestEachCandidateLooksAtTheHoursThatItSays(t *testing.T) {
	const n = 15 * day
	flat := func(changes map[int]float32) []float32 { // All hours are 1 but those that are so many before the next one.
		values := make([]float32, n)
		for i := range values {
			values[i] = 1
		}
		for back, v := range changes {
			values[n-back] = v
		}
		return values
	}
	for name, c := range map[string]struct {
		candidate int
		maxima    []float32
		want      float64
	}{
		"the largest of three hours":              {recent, flat(map[int]float32{3: 5, 2: 2}), 5},
		"a fourth hour is not recent":             {recent, flat(map[int]float32{4: 5, 1: 2}), 2},
		"the largest of this hour in seven days":  {highest, flat(map[int]float32{7 * day: 5, day: 2}), 5},
		"eight days are too long ago":             {highest, flat(map[int]float32{8 * day: 5, day: 2}), 2},
		"other hours are not this one":            {highest, flat(map[int]float32{day + 1: 5, day - 1: 5, 1: 5}), 1},
		"the mean of this hour in two weeks":      {weekly, flat(map[int]float32{week: 4, 2 * week: 9}), 6},
		"other days are not this one":             {weekly, flat(map[int]float32{day: 4, week - 1: 9}), 1},
		"the mean of this hour in seven days":     {profile, flat(map[int]float32{day: 1 << 7, 7 * day: 1 << 7}), 4},
		"a gap, by a half for the last hour":      {profile, flat(map[int]float32{1: 4}), 2},
		"and by a quarter for the one before":     {profile, flat(map[int]float32{2: 16}), 2},
		"two days with twice the demand, no more": {profile, flat(map[int]float32{2 * day: 2, day: 2}), math.Exp2(2.0 / 7)},
	} {
		if got := lastPrediction(c.candidate, c.maxima); !(math.Abs(got/c.want-1) < 1e-6) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestAWeekIsEnoughForWhatRepeatsByTheWeek(t *testing.T) {
	values := make([]float32, 8*day)
	for i := range values {
		values[i] = 1
	}
	values[len(values)-week] = 3
	if got := lastPrediction(weekly, values); !(math.Abs(got/3-1) < 1e-6) {
		t.Errorf("got %v, want the 3 of a week ago", got)
	}
}

// TestTheRegressionLearnsHowHoursFollowEachOther gives it a demand whose root goes against the two hours before, and some noise that
// nobody can predict.
func TestTheRegressionLearnsHowHoursFollowEachOther(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 7))
	const hours, noise = 28 * day, 0.1
	roots, values := make([]float64, hours), make([]float32, hours)
	for i := range roots {
		roots[i] = 2
		if i >= 2 {
			roots[i] = 4 - 0.6*roots[i-1] - 0.4*roots[i-2] + noise*chance.NormFloat64()
		}
		values[i] = float32(roots[i] * roots[i])
	}
	u := hourlyUsage(values...)
	h := newHours(u, 0, u.HourlyMax.End())
	out := make([]float64, 10*day)
	h.predict(regressed, fitRegressions(h), out)
	missed := 0.0
	first := hours + 1 - len(out)
	for j, predicted := range out[:len(out)-1] {
		missed += math.Abs(math.Exp(predicted/2)-roots[first+j]) / float64(len(out)-1)
	}
	if expected := noise * math.Sqrt(2/math.Pi); !(missed < 1.15*expected) {
		t.Errorf("the mean error of the root is %.4f, of which %.4f is noise", missed, expected)
	}
}
