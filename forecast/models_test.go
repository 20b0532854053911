package forecast

import (
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// trained fits a model to a series of hours with the origins given, and returns the history and the predictors.
func trained(m model, values []float32, origins ...int) (*history, []predictor) {
	p := newPast(Series{Start: monday, Step: time.Hour, Values: values}, Options{})
	h := newLesson(p, unitOf(p))
	h.seasons = seasons{short: 24, long: 168}
	t := &training{history: h, origins: append(origins, h.len())}
	for _, n := range t.origins {
		t.profiles = append(t.profiles, learnProfile(h, n))
	}
	return h, m.fit(t)
}

func TestEveryModelContinuesAWeekThatRepeats(t *testing.T) {
	s := shop(30, 0, 1)
	for _, m := range pool() {
		if m == (seasonalNaive{}) { // It does not know the week.
			continue
		}
		h, fitted := trained(m, s.Values[:28*24])
		out := predictWithin(h, h.len(), fitted[0], 48)
		for i, v := range out {
			if want := float64(s.Values[28*24+i]); math.Abs(v*h.unit-want) > 0.1*want {
				t.Errorf("%s, step %d: got %.3f, want %.3f", m.name(), i, v*h.unit, want)
				break
			}
		}
	}
}

func TestEveryModelContinuesAConstant(t *testing.T) {
	for _, constant := range []float32{0, 3, 1e12} {
		for _, m := range pool() {
			h, fitted := trained(m, slices.Repeat([]float32{constant}, 500))
			for i, v := range predictWithin(h, h.len(), fitted[0], 30) {
				if want := float64(constant); math.Abs(v*h.unit-want) > 1e-6*want {
					t.Errorf("%s, step %d: got %v, want %v", m.name(), i, v*h.unit, want)
					break
				}
			}
		}
	}
}

func TestEveryModelWorksFromItsLeastHistoryOn(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 3))
	for _, m := range pool() {
		least := m.least(seasons{short: 24, long: 168})
		for _, n := range []int{least, least + 1, 223, 224, 225, 251, 252, 253} {
			values := make([]float32, max(n, least))
			for i := range values {
				values[i] = chance.Float32()
			}
			h, fitted := trained(m, values)
			out := make([]float64, 60)
			fitted[0].predict(h, h.len(), out)
			if slices.ContainsFunc(out, math.IsNaN) {
				t.Errorf("%s from %d values: got %v", m.name(), len(values), out)
			}
		}
	}
}

// TestTheDesignTellsTheLeastHistory keeps the table of models in step with the code.
func TestTheDesignTellsTheLeastHistory(t *testing.T) {
	page, err := os.ReadFile("../docs/design/0007-forecast.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range pool() {
		row := regexp.MustCompile(`(?m)^ *\| ` + m.name() + ` \|.*\| (\d+) hours\b[^|]*\|$`).FindSubmatch(page)
		if least := m.least(seasons{short: 24, long: 168}); len(row) < 2 || string(row[1]) != strconv.Itoa(least) {
			t.Errorf("no row says that %s needs %d hours", m.name(), least)
		}
	}
}

func TestAModelKnowsNothingOfWhatCameAfterAnOrigin(t *testing.T) {
	s := shop(28, 0.2, 1)
	origins := []int{450, 500, 600}
	for _, m := range pool() {
		h, all := trained(m, s.Values, origins...)
		// The choice of lags follows from the oldest origin, so that is kept.
		before, some := trained(m, s.Values[:500], origins[0])
		want, got := make([]float64, 48), make([]float64, 48)
		some[1].predict(before, 500, want)
		all[1].predict(h, 500, got)
		for i := range want {
			if math.Abs(got[i]*h.unit-want[i]*before.unit) > 1e-6*want[i]*before.unit {
				t.Errorf("%s, step %d: got %v with the future, %v without", m.name(), i, got[i], want[i])
				break
			}
		}
	}
}

func TestTheLagsOfHoursAreThoseThatTheCommentsSay(t *testing.T) {
	hours := seasons{short: 24, long: 168}
	for name, c := range map[string]struct{ got, want []int }{
		"autoregression": {autoregression{}.lags(hours, 1000), []int{
			1, 2, 3, 4, 5, 6, 22, 23, 24, 25, 26, 47, 48, 49, 71, 72, 73, 96, 120, 143, 144, 145, 166, 167, 168, 169, 170,
		}},
		"autoregression, one week": {autoregression{}.lags(hours, 168), []int{1, 2, 3, 23, 24, 25, 48}},
		"seasonal differences": {differences{seasonal: true}.lags(hours, 1000), []int{
			1, 2, 3, 4, 23, 24, 25, 48, 72, 96, 120, 144, 167, 168, 169,
		}},
		"differences": {differences{}.lags(hours, 1000), []int{
			1, 2, 3, 4, 22, 23, 24, 25, 26, 47, 48, 49, 72, 96, 120, 144, 167, 168, 169,
		}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

func TestAnAutoregressionIsFoundAgain(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 4))
	x := make([]float64, 3000)
	for i := 24; i < len(x); i++ {
		x[i] = 0.5*x[i-1] + 0.3*x[i-24] + 0.1*chance.NormFloat64()
		if i%50 == 0 {
			x[i] += 5 // One value in fifty is wrong.
		}
	}
	h := &history{workspace: newWorkspace(0), seasons: seasons{short: 24}, trust: slices.Repeat([]float64{1}, len(x))}
	tr := &training{history: h, origins: []int{len(x)}}
	fit := tr.fitLagged(lagFit{x: x, lags: []int{1, 24}, ridge: 0.1, intercept: true})[0]
	// Every wrong value is also a predictor of the next ones, so that Huber's method cannot repair everything.
	if math.Abs(fit.beta[0]-0.5) > 0.06 || math.Abs(fit.beta[1]-0.3) > 0.06 {
		t.Errorf("got %.3f, want about 0.5 and 0.3", fit.beta)
	}
}

func TestTheMedianIsThatOfSortedValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-5, 5), 1, 40).Draw(t, "values")
		if rapid.Bool().Draw(t, "ties") {
			for i := range values {
				values[i] = math.Round(values[i])
			}
		}
		sorted := slices.Sorted(slices.Values(values))
		if got, want := median(values), sorted[len(sorted)/2]; got != want {
			t.Fatalf("got %v, want %v of %v", got, want, sorted)
		}
	})
}

func TestTheOutermostFifthsOfTheWeightDoNotCount(t *testing.T) {
	for name, c := range map[string]struct {
		votes []vote
		want  float64
	}{
		"one model":                          {[]vote{{3, 1}}, 3},
		"a light outlier is left out":        {[]vote{{100, 0.2}, {1, 0.4}, {2, 0.4}}, 1.5 + 1.0/6},
		"a heavy one is only cut":            {[]vote{{1, 0.5}, {9, 0.5}}, 5},
		"the order does not matter":          {[]vote{{9, 0.5}, {1, 0.5}}, 5},
		"a model with nearly all the weight": {[]vote{{4, 0.9}, {50, 0.1}}, 4},
	} {
		if got := trimmedMean(c.votes); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
