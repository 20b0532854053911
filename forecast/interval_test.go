package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestQuietNightsKeepNarrowQuantilesBesideWildDays(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 6))
	s := shop(28, 0, 1)
	for i := range s.Values {
		noise := 0.02
		if i%24 >= 12 {
			noise = 0.4
		}
		s.Values[i] *= float32(math.Exp(noise * chance.NormFloat64()))
	}
	f := Predict(s, Options{Horizon: 24, Levels: []float64{0.95}}) // From midnight on.
	for hour, p95 := range f.Quantiles[0].Values {
		margin := p95/f.Mean[hour] - 1
		if hour < 12 && margin > 0.5 {
			t.Errorf("%d o'clock is quiet, but its p95 is %.0f %% over the mean", hour, 100*margin)
		}
		if hour >= 12 && margin < 0.5 {
			t.Errorf("%d o'clock is wild, but its p95 is only %.0f %% over the mean", hour, 100*margin)
		}
	}
}

func TestCoverageIsMeasuredOfTheQuantileThatIsGivenOut(t *testing.T) {
	p := plan{steps: 4, block: 4, season: 4}
	actual, predicted := [][]float64{{1, 8, 1, 8}, {8, 1, 1, 1}, {1, 1, 8, 1}}, [][]float64{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}}
	for _, test := range []struct {
		name    string
		ceiling float64
		want    float64
	}{
		{"all under the cap", 100, 1},
		{"a third over the cap", 2, 8.0 / 12},
	} {
		got := newCalibration(p, actual, predicted, []float64{test.ceiling, test.ceiling, test.ceiling}).test(0.99)
		if math.Abs(got.coverage-test.want) > 1e-9 {
			t.Errorf("%s: coverage %v, want %v", test.name, got.coverage, test.want)
		}
	}
}

func TestCoverageTellsOfADayThatNoOtherCouldTell(t *testing.T) {
	p := plan{steps: 4, block: 4, season: 4}
	actual := [][]float64{{1, 1.1, 1, 0.9}, {1, 0.9, 1.1, 1}, {4, 4, 4, 4}}
	predicted, ceiling := [][]float64{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}}, []float64{100, 100, 100}
	got := newCalibration(p, actual, predicted, ceiling).test(0.99)
	if want := 8.0 / 12; math.Abs(got.coverage-want) > 1e-9 {
		t.Errorf("coverage %v, want %v: none of the other days is like the last", got.coverage, want)
	}
}
