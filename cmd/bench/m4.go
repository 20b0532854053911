package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/internal/bootstrap"
	"github.com/loadline-dev/loadline/internal/m4"
	"github.com/loadline-dev/loadline/internal/widecsv"
)

// seed of the bootstrap.
const seed = 4

// alpha is what the prediction interval leaves out.
const alpha = 0.05

// benchmark is a method whose published scores show that reading and scoring are right.
type benchmark struct {
	name      string
	predict   func(past []float64, horizon int) []float64
	published m4.Score
	// tolerance is how far from the published scores is still right, as a share of them. One percent is left to the
	// methods with a test or a search in them, which may end elsewhere for a few series.
	tolerance float64
}

func benchmarks() []benchmark {
	return []benchmark{
		{name: "seasonal naive", predict: m4.SeasonalNaive, published: m4.Score{SMAPE: 13.912, MASE: 1.193}, tolerance: 0.0005},
		{name: "Naive2", predict: m4.Naive2, published: m4.Score{SMAPE: m4.Naive2SMAPE, MASE: m4.Naive2MASE}, tolerance: 0.01},
		{name: "Theta", predict: m4.Theta, published: m4.Score{SMAPE: 18.138, MASE: 2.455}, tolerance: 0.01},
	}
}

// check says how scores differ from the published ones.
func (p benchmark) check(got m4.Score) error {
	if math.Abs(got.SMAPE/p.published.SMAPE-1) <= p.tolerance && math.Abs(got.MASE/p.published.MASE-1) <= p.tolerance {
		return nil
	}
	return fmt.Errorf("%s scores sMAPE %.3f and MASE %.3f on the test part, published are %.3f and %.3f",
		p.name, got.SMAPE, got.MASE, p.published.SMAPE, p.published.MASE)
}

// hourlySeries is how many series the hourly part of the competition has; the published scores are over all of them.
const hourlySeries = 414

// runM4 checks the harness before it measures anything: known methods have to have their published scores.
func (b bench) runM4(ctx context.Context, found recordings) (*m4Result, error) {
	cases, split, err := b.m4Cases(found)
	if err != nil {
		return nil, err
	}
	b.printf("%s\n\n", split)
	every := 1
	if b.quick {
		every = 3
	}
	r := &m4Result{Split: split}
	var wrong []error
	for _, peer := range benchmarks() {
		scores := make([]m4.Score, len(cases))
		if err := b.each(ctx, peer.name, len(cases), func(i int) error {
			scores[i] = cases[i].Rate(peer.predict(cases[i].Past, m4.Horizon))
			return nil
		}); err != nil {
			return nil, err
		}
		wrong = append(wrong, peer.check(summarise(peer.name, scores).Score))
		r.Rows = append(r.Rows, summarise(peer.name, everyNth(scores, every)))
	}
	if found.m4Test != "" && len(cases) == hourlySeries {
		if err := errors.Join(wrong...); err != nil {
			return nil, fmt.Errorf("the harness is wrong, so M4 was not measured: %w", err)
		}
		b.printf("Reading and scoring are right: seasonal naive, Naive2 and Theta score on all series what was published.\n\n")
		r.Harness = harnessRight
		r.Rows = append(r.Rows, publishedRows()...)
	}
	if err := b.forecastM4(ctx, everyNth(cases, every), r); err != nil {
		return nil, err
	}
	r.write(b)
	return r, nil
}

// publishedRows are the best entrants as the competition published them.
func publishedRows() []m4Row {
	return []m4Row{
		publishedRow("published: best hourly entrant (Doornik et al.)", m4.Score{SMAPE: 8.913, MASE: 0.801}),
		publishedRow("published: winner over all (ES-RNN)", m4.Score{SMAPE: 9.328, MASE: 0.893}),
	}
}

func (b bench) readM4(name string) (series []m4.Series, err error) {
	file, err := widecsv.Open(filepath.Join(b.data, name), nil)
	if err != nil {
		return nil, err // names the file
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if series, err = m4.Read(widecsv.SkipMark(file)); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return series, nil
}

// m4Cases reads the series and says how past and future were split.
func (b bench) m4Cases(found recordings) ([]m4.Case, string, error) {
	train, err := b.readM4(found.m4Train)
	if err != nil {
		return nil, "", err
	}
	if found.m4Test == "" {
		cases, err := m4.HoldOut(train)
		if err != nil {
			return nil, "", fmt.Errorf("score %s: %w", found.m4Train, err)
		}
		return cases, fmt.Sprintf("Validation, not the competition's score: there is no test part, so the last %d hours of the training part of\n"+
			"%d series were held out. The bars are meant for the test part, and published scores cannot be checked.", m4.Horizon, len(cases)), nil
	}
	test, err := b.readM4(found.m4Test)
	if err != nil {
		return nil, "", err
	}
	cases, err := m4.Match(train, test)
	if err != nil {
		return nil, "", fmt.Errorf("score %s: %w", found.m4Test, err)
	}
	split := fmt.Sprintf("Scored on the competition's test part, %d hours after the training part: %d series that both parts have\n"+
		"(%d in the training part, %d in the test part).", m4.Horizon, len(cases), len(train), len(test))
	if len(cases) != hourlySeries {
		split += fmt.Sprintf("\nPublished scores are over %d series and could not be checked.", hourlySeries)
	}
	return cases, split, nil
}

// forecastM4 scores and times Loadline's own forecasts.
func (b bench) forecastM4(ctx context.Context, cases []m4.Case, r *m4Result) error {
	points := make([]m4.Score, len(cases))
	intervals := make([]m4.IntervalScore, len(cases))
	err := b.each(ctx, "forecasts", len(cases), func(i int) error {
		c := cases[i]
		f := predict(c)
		lower, hasLower := f.Quantile(alpha / 2)
		upper, hasUpper := f.Quantile(1 - alpha/2)
		if len(f.Mean) != m4.Horizon || !hasLower || !hasUpper {
			return fmt.Errorf("the forecast of series %s has %d hours; want %d, and the quantiles %g and %g",
				c.ID, len(f.Mean), m4.Horizon, alpha/2, 1-alpha/2)
		}
		points[i] = c.Rate(f.Mean)
		intervals[i] = c.RateInterval(lower, upper, alpha)
		return nil
	})
	if err != nil {
		return err
	}
	r.Rows = slices.Insert(r.Rows, 0, summarise("Loadline", points))
	coverage, msis := make([]float64, len(cases)), make([]float64, len(cases))
	for i, s := range intervals {
		coverage[i], msis[i] = s.Coverage, s.MSIS
	}
	r.Interval = m4.IntervalScore{Coverage: mean(coverage), MSIS: mean(msis)}
	r.CoverageLow, r.CoverageHigh = bootstrap.Mean(coverage, seed)
	r.MSISLow, r.MSISHigh = bootstrap.Mean(msis, seed)
	r.Cost = measure(everyNth(cases, max(1, len(cases)/40)))
	return nil
}

// predict forecasts from the past of one series, with back-tests and intervals. The competition gives no times; the hour of
// the day is the same for all that matters.
func predict(c m4.Case) forecast.Forecast {
	return forecast.Predict(seriesOf(c), forecast.Options{Horizon: m4.Horizon, Levels: []float64{alpha / 2, 1 - alpha/2}, Limit: math.MaxFloat32})
}

func seriesOf(c m4.Case) forecast.Series {
	s := forecast.Series{Start: time.Date(2001, time.January, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour, Values: make([]float32, len(c.Past))}
	for i, v := range c.Past {
		s.Values[i] = float32(v)
	}
	return s
}

// learnHour learns the bound of the coming hour, which the recommender learns beside the forecast.
func learnHour(c m4.Case) *forecast.NextHour {
	s := seriesOf(c)
	return forecast.FitNextHour(forecast.Usage{HourlyMean: s, HourlyMax: s}, 1-alpha/2, math.MaxFloat32, s.Start.Add(time.Duration(len(s.Values))*s.Step))
}

// measure forecasts the cases, and learns what bounds their next hour, one after the other and three times over, and gives the processor time of the fastest round, with
// that of the garbage collector. What else runs on the machine hardly adds to it.
func measure(cases []m4.Case) cost {
	c := cost{Series: len(cases), Milliseconds: math.Inf(1)}
	n := float64(len(cases))
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		started := processorTime()
		for _, one := range cases {
			predict(one)
			learnHour(one)
		}
		taken := processorTime() - started
		runtime.ReadMemStats(&after)
		c.Milliseconds = min(c.Milliseconds, taken.Seconds()*1000/n)
		c.Allocations = float64(after.Mallocs-before.Mallocs) / n
		c.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / n
	}
	return c
}

// processorTime is what this process has used so far, on all cores together.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0 // cannot fail for the process itself
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func everyNth[T any](all []T, n int) []T {
	var some []T
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}
