package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// wave is demand with one season and noise.
func wave(n int, step, period time.Duration, noise float64) Series {
	chance := rand.New(rand.NewPCG(uint64(n), 2))
	s := Series{Start: monday, Step: step}
	for i := range n {
		angle := 2 * math.Pi * float64(i) * step.Seconds() / period.Seconds()
		s.Values = append(s.Values, float32((2+math.Sin(angle))*math.Exp(noise*chance.NormFloat64())))
	}
	return s
}

func seasonsIn(s Series) seasons {
	p := newPast(s, Options{})
	return findSeasons(newHistory(p, unitOf(p)))
}

func TestASeasonOfAnyLengthIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		series Series
		want   int
	}{
		"half an hour in steps of a minute":    {wave(600, time.Minute, 30*time.Minute, 0.2), 30},
		"an hour in steps of five minutes":     {wave(864, 5*time.Minute, time.Hour, 0.2), 12},
		"six hours, which a day holds":         {wave(672, time.Hour, 6*time.Hour, 0.2), 24},
		"a day in steps of five minutes":       {wave(2016, 5*time.Minute, 24*time.Hour, 0.2), 288},
		"36 hours in steps of an hour":         {wave(672, time.Hour, 36*time.Hour, 0.2), 36},
		"three days in steps of an hour":       {wave(672, time.Hour, 72*time.Hour, 0.2), 72},
		"two weeks in steps of a day":          {wave(120, 24*time.Hour, 14*24*time.Hour, 0.2), 14},
		"a week in steps of a day":             {wave(120, 24*time.Hour, 7*24*time.Hour, 0.2), 7},
		"six hours, known for only two days":   {wave(48, time.Hour, 6*time.Hour, 0.1), 6},
		"a week and a day in steps of an hour": {shop(28, 0.2, 1), 24},
	} {
		if got := seasonsIn(c.series).short; got != c.want {
			t.Errorf("%s: got %d steps, want %d", name, got, c.want)
		}
	}
}

// pulses is demand that doubles every few hours around the clock, with a daily wave, quiet weekends and noise.
func pulses(days, every int, weekend, daily float64, seed uint64) Series {
	chance := rand.New(rand.NewPCG(seed, 7))
	s := Series{Start: monday, Step: time.Hour}
	for i := range days * 24 {
		level := 1 + daily*math.Sin(2*math.Pi*float64(i)/24)
		if i%every == 0 {
			level *= 2
		}
		if i/24%7 >= 5 {
			level *= weekend
		}
		s.Values = append(s.Values, float32(level*math.Exp(0.1*chance.NormFloat64())))
	}
	return s
}

func TestMondayIsNoSurpriseWhereSomethingRepeatsWithinTheDay(t *testing.T) {
	for _, c := range []struct {
		days, every    int
		weekend, daily float64
	}{
		{28, 3, 0.3, 0}, {28, 3, 0.6, 0.15}, {28, 3, 0.3, 0.3}, {28, 4, 0.3, 0}, {28, 5, 0.5, 0}, {28, 6, 0.6, 0}, {28, 12, 0.6, 0}, {14, 3, 0.6, 0},
	} {
		late, miss := 0, 0.0
		for seed := range uint64(3) {
			s := pulses(c.days+1, c.every, c.weekend, c.daily, seed)
			sunday := Series{Start: s.Start, Step: s.Step, Values: s.Values[:c.days*24]}
			f := Predict(sunday, Options{Horizon: 24, Levels: []float64{0.95}})
			for h, mean := range f.Mean {
				truth := float64(s.Values[c.days*24+h])
				miss += math.Abs(mean-truth) / truth / 72
				if truth > f.Quantiles[0].Values[h] {
					late++
				}
			}
		}
		if miss > 0.2 || late > 14 {
			t.Errorf("every %d hours, %g of it at weekends, a wave of %g, %d days: the mean is off by %.0f %%, %d of 72 hours are over p95",
				c.every, c.weekend, c.daily, c.days, 100*miss, late)
		}
	}
}

func TestDayAndWeekAreAssumedWhereNothingElseShows(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 1))
	noise, walk := Series{Start: monday, Step: time.Hour}, Series{Start: monday, Step: time.Hour}
	level := 0.0
	for range 672 {
		level += 0.1 * chance.NormFloat64()
		noise.Values = append(noise.Values, float32(math.Exp(chance.NormFloat64())))
		walk.Values = append(walk.Values, float32(math.Exp(level)))
	}
	constant := wave(672, time.Hour, time.Hour, 0)
	for name, s := range map[string]Series{"noise": noise, "a random walk": walk, "a constant": constant} {
		if got, want := seasonsIn(s), (seasons{short: 24, long: 168}); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	few := Series{Start: monday, Step: time.Hour, Values: noise.Values[:47]}
	if got := seasonsIn(few); got != (seasons{}) {
		t.Errorf("less than two days: got %+v, want none", got)
	}
}

func TestAWaveOfThirtySixHoursIsContinued(t *testing.T) {
	s := wave(672+48, time.Hour, 36*time.Hour, 0.05)
	f := Predict(Series{Start: s.Start, Step: s.Step, Values: s.Values[:672]}, Options{})
	for h, mean := range f.Mean {
		if truth := float64(s.Values[672+h]); math.Abs(mean-truth) > 0.25*truth {
			t.Errorf("step %d: got %.2f, want about %.2f", h, mean, truth)
		}
	}
}
