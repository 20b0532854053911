package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/internal/widecsv"
)

// maxHorizon is a week of minutes. Further ahead no forecast is better than the average.
const maxHorizon = 7 * 24 * 60

const forecastHelp = `Forecast every series in a CSV file: one column for each series with its name on top, one row for each step, an empty
cell where a value is missing or a series has not begun yet. Values are numbers from 0 up, in any unit; the forecast is in
the same. The file may be compressed with gzip; - reads standard input.

If the first column is called time or timestamp, --step and --start are taken from it.

The CSV output has one row for each series and step ahead: series, step (1 is the first after the file), time (if known),
mean, and one column for each quantile, such as q0.95, under which 95 % of outcomes are expected. A series with nothing to
forecast from has empty cells. The JSON output also tells which models were used, and how well they did on the series' own
past. Both are written only once every series is done, and do not depend on --workers.`

// forecastFlags are the flags of loadline forecast.
type forecastFlags struct {
	step, start, output string
	horizon, workers    int
	quantiles           []float64
	// given is what step and start say.
	given timing
}

func newForecastCommand(std streams) *cobra.Command {
	flags := &forecastFlags{output: "csv", horizon: 48, workers: runtime.GOMAXPROCS(0), quantiles: []float64{0.5, 0.9, 0.95}}
	cmd := &cobra.Command{
		Use:   "forecast FILE.csv",
		Short: "Forecast the series in a CSV file",
		Long:  forecastHelp,
		Example: "  loadline forecast --step 1h --horizon 48 --quantiles 0.5,0.9,0.95 usage.csv\n" +
			"  loadline forecast --step 5m --start 2026-03-02T00:00:00Z --output json usage.csv.gz\n" +
			"  zcat usage.csv.gz | loadline forecast --step 1h -",
		GroupID: "data",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("name exactly one CSV file, or - for standard input; got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runForecast(cmd.Context(), flags, args[0], std) },
	}
	set := cmd.Flags()
	set.StringVar(&flags.step, "step", "", "time between rows, from 1s to 1d, such as 5m or 1h; needed unless the file has times")
	set.StringVar(&flags.start, "start", "", "time of the first row (RFC 3339), for times in the output")
	set.IntVar(&flags.horizon, "horizon", flags.horizon, fmt.Sprintf("how many steps to forecast, 1 to %d", maxHorizon))
	set.Float64SliceVar(&flags.quantiles, "quantiles", flags.quantiles, "which quantiles to forecast, each between 0 and 1")
	set.StringVarP(&flags.output, "output", "o", flags.output, "csv or json")
	completes(cmd, "output", "csv", "json")
	set.IntVar(&flags.workers, "workers", flags.workers, "how many series to forecast at once (default: one for each core)")
	set.Lookup("quantiles").DefValue = "0.5,0.9,0.95" // As it is written, without zeros at the end.
	set.Lookup("workers").DefValue = "0"              // Said in words: the number differs from machine to machine.
	return cmd
}

func runForecast(ctx context.Context, flags *forecastFlags, path string, std streams) error {
	write, err := flags.check()
	if err != nil {
		return err
	}
	table, err := readTable(ctx, path, std)
	if err != nil {
		return err
	}
	timing, err := flags.timing(table)
	if err != nil {
		return err
	}
	run := forecastRun{
		table:   table,
		timing:  timing,
		options: forecast.Options{Horizon: flags.horizon, Levels: flags.quantiles, Limit: math.MaxFloat32},
	}
	bar := newProgress(std.err, "forecasting")
	err = run.all(ctx, flags.workers, bar.update)
	bar.finish()
	if err != nil {
		return err
	}
	if err := write(std.out, run); err != nil {
		return fmt.Errorf("write the forecasts: %w", err)
	}
	if note := run.note(); note != "" {
		_, _ = fmt.Fprintln(std.err, "loadline:", note) // A note that cannot be written takes nothing from the result.
	}
	return nil
}

// check checks what can be checked without the file, and returns how to write the result.
func (f *forecastFlags) check() (func(io.Writer, forecastRun) error, error) {
	if f.horizon < 1 || f.horizon > maxHorizon {
		return nil, usageError("--horizon %d: legal are 1 to %d steps", f.horizon, maxHorizon)
	}
	if f.workers < 1 {
		return nil, usageError("--workers %d: legal are 1 and more", f.workers)
	}
	if len(f.quantiles) == 0 {
		return nil, usageError("--quantiles: name at least one, such as 0.95")
	}
	for _, q := range f.quantiles {
		if !(q > 0 && q < 1) {
			return nil, usageError("--quantiles %v: legal are numbers between 0 and 1, both excluded, such as 0.95", q)
		}
	}
	slices.Sort(f.quantiles)
	f.quantiles = slices.Compact(f.quantiles)
	if err := f.parseTiming(); err != nil {
		return nil, err
	}
	switch f.output {
	case "csv":
		return writeForecastCSV, nil
	case "json":
		return writeForecastJSON, nil
	default:
		return nil, usageError("--output %q: legal are csv and json", f.output)
	}
}

// timing says when the rows of a table were measured. What is not known is zero.
type timing struct {
	start time.Time
	step  time.Duration
}

// parseTiming sets f.given from --start and --step.
func (f *forecastFlags) parseTiming() error {
	if f.start != "" {
		start, err := time.Parse(time.RFC3339, f.start)
		if err != nil {
			return usageError("--start %q: legal is a time as RFC 3339 writes it, such as 2026-03-02T00:00:00Z", f.start)
		}
		f.given.start = start.UTC()
	}
	if f.step != "" {
		step, err := model.ParseDuration(f.step)
		f.given.step = time.Duration(step)
		if err != nil || !legalStep(f.given.step) {
			return usageError("--step %q: legal are durations from 1s to 1d, such as 1h or 5m", f.step)
		}
	}
	return nil
}

func legalStep(step time.Duration) bool { return step >= time.Second && step <= 24*time.Hour }

// timing returns when the rows of a table were measured, by its own column of times or else by the flags. If there are
// both, they have to agree.
func (f *forecastFlags) timing(table *widecsv.Table) (timing, error) {
	own := timing{start: table.Start, step: table.Step}
	switch {
	case !own.start.IsZero() && !f.given.start.IsZero() && !own.start.Equal(f.given.start):
		return timing{}, usageError("--start %s: the file begins at %s; leave the flag out", f.start, own.start.Format(time.RFC3339))
	case own.step != 0 && f.given.step != 0 && own.step != f.given.step:
		return timing{}, usageError("--step %s: the rows of the file are %s apart; leave the flag out", f.step, own.step)
	case own.step == 0 && f.given.step == 0:
		return timing{}, usageError("--step: say how far apart the rows are, such as 1h or 5m")
	case own.step != 0 && !legalStep(own.step):
		return timing{}, fmt.Errorf("the rows of the file are %s apart: legal are steps from 1s to 1d", own.step)
	}
	return timing{start: cmp.Or(own.start, f.given.start), step: cmp.Or(own.step, f.given.step)}, nil
}

// readTable reads a table, says what was odd about its times, and stops waiting when ctx ends, since reading from a terminal cannot
// be interrupted.
func readTable(ctx context.Context, path string, std streams) (*widecsv.Table, error) {
	type answer struct {
		table *widecsv.Table
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		table, err := widecsv.ReadFile(path, std.in)
		answers <- answer{table, err}
	}()
	select {
	case a := <-answers:
		if a.err == nil {
			noteTimes(std.err, path, a.table)
		}
		return a.table, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("read %s: %w", path, context.Cause(ctx))
	}
}

// noteTimes says which rows are missing from a file or beside the steps of the others.
func noteTimes(w io.Writer, path string, table *widecsv.Table) {
	if table.Missing > 0 {
		_, _ = fmt.Fprintf(w, "loadline: %s: %d of %d steps have no row; they count as missing values\n", path, table.Missing, table.Rows)
	}
	if table.Stray > 0 {
		_, _ = fmt.Fprintf(w, "loadline: %s: the times of %d rows are not a whole number of steps after the first, or occur twice; each counts for the "+
			"nearest step, and of several there the largest value\n", path, table.Stray)
	}
}

// forecastRun is a table and its forecasts, one for each series in the same order.
type forecastRun struct {
	table     *widecsv.Table
	timing    timing
	options   forecast.Options
	forecasts []forecast.Forecast
}

// all forecasts every series, some at once. Each forecast depends on its own series only. seen is told, from several
// goroutines, how many are done and left.
func (r *forecastRun) all(ctx context.Context, workers int, seen func(done, left int)) error {
	start := r.timing.start
	if start.IsZero() {
		start = time.Unix(0, 0).UTC() // The forecast needs a clock to count on, not the date.
	}
	r.forecasts = make([]forecast.Forecast, len(r.table.Columns))
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, values := range r.table.Columns {
		group.Go(func() error {
			if ctx.Err() != nil {
				return fmt.Errorf("stopped after %d of %d series: %w", done.Load(), len(r.forecasts), context.Cause(ctx))
			}
			r.forecasts[i] = forecast.Predict(forecast.Series{Start: start, Step: r.timing.step, Values: values}, r.options)
			count := int(done.Add(1))
			seen(count, len(r.forecasts)-count)
			return nil
		})
	}
	return group.Wait()
}

// end returns the time of the first step ahead, and false if the table does not say when it was.
func (r *forecastRun) end() (time.Time, bool) {
	return r.timing.start.Add(time.Duration(r.table.Rows) * r.timing.step), !r.timing.start.IsZero()
}

// note names the series without a forecast, or is empty.
func (r *forecastRun) note() string {
	const most = 10
	var names []string
	for i, f := range r.forecasts {
		if f.Empty() {
			names = append(names, r.table.Names[i])
		}
	}
	if len(names) == 0 {
		return ""
	}
	listed := strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		listed += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return fmt.Sprintf("%d of %d series have no forecast, because they have no value in the last week: %s", len(names), len(r.forecasts), listed)
}
