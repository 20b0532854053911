package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/internal/widecsv"
)

// constantCSV holds two weeks of hours: one series that never changes, one that begins in the second week, and one of
// which nothing is known.
func constantCSV(timed bool) string {
	var text strings.Builder
	if timed {
		text.WriteString("time,")
	}
	text.WriteString("\"web, blue\",new,silent\n")
	for hour := range 14 * 24 {
		if timed {
			fmt.Fprintf(&text, "%d,", 1772409600+3600*hour) // 2026-03-02T00:00:00Z
		}
		if hour < 7*24 {
			text.WriteString("0.25,,\n")
		} else {
			text.WriteString("0.25,1500,\n")
		}
	}
	return text.String()
}

// dailyCSV holds 28 days of hours of series that repeat every day, each on a level of its own.
func dailyCSV(series int) string {
	var text strings.Builder
	for hour := -1; hour < 28*24; hour++ {
		for i := range series {
			if i > 0 {
				text.WriteByte(',')
			}
			if hour < 0 {
				fmt.Fprintf(&text, "s%d", i)
			} else {
				fmt.Fprintf(&text, "%.4f", dailyDemand(i, hour))
			}
		}
		text.WriteByte('\n')
	}
	return text.String()
}

func dailyDemand(series, hour int) float64 {
	return float64(series+1) * (2 + math.Sin(2*math.Pi*float64(hour)/24))
}

func writeFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "usage.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestForecastsComeAsOneRowForEachSeriesAndStep(t *testing.T) {
	silent := "1 of 3 series have no forecast, because they have no value in the last week: silent"
	for name, c := range map[string]struct {
		flags, want string
	}{
		"without times": {flags: "--step 1h", want: "" +
			"series,step,mean,q0.05,q0.95\n" +
			"\"web, blue\",1,0.25,0.25,0.25\n\"web, blue\",2,0.25,0.25,0.25\n" +
			"new,1,1500,1500,1500\nnew,2,1500,1500,1500\n" +
			"silent,1,,,\nsilent,2,,,\n"},
		"with a start": {flags: "--step 1h --start 2026-03-02T01:00:00+01:00", want: "" +
			"series,step,time,mean,q0.05,q0.95\n" +
			"\"web, blue\",1,2026-03-16T00:00:00Z,0.25,0.25,0.25\n\"web, blue\",2,2026-03-16T01:00:00Z,0.25,0.25,0.25\n" +
			"new,1,2026-03-16T00:00:00Z,1500,1500,1500\nnew,2,2026-03-16T01:00:00Z,1500,1500,1500\n" +
			"silent,1,2026-03-16T00:00:00Z,,,\nsilent,2,2026-03-16T01:00:00Z,,,\n"},
	} {
		args := append(strings.Fields("forecast --horizon 2 --quantiles 0.95,0.05,0.95 "+c.flags), writeFile(t, constantCSV(false)))
		out, notes, code := call(t, args...)
		if diff := cmp.Diff(c.want, out); code != exitOK || diff != "" {
			t.Errorf("%s: exit code %d, %s (-want +got):\n%s", name, code, notes, diff)
		}
		if !strings.Contains(notes, silent) {
			t.Errorf("%s: the notes %q do not say %q", name, notes, silent)
		}
	}
}

func TestTimesInTheFileTakeThePlaceOfFlags(t *testing.T) {
	path := writeFile(t, constantCSV(true))
	fromFile, _, code := call(t, "forecast", "--horizon", "2", path)
	if code != exitOK || !strings.Contains(fromFile, "\nnew,1,2026-03-16T00:00:00Z,1500,") {
		t.Errorf("exit code %d:\n%s", code, fromFile)
	}
	if both, _, code := call(t, "forecast", "--horizon", "2", "--step", "60m", "--start", "2026-03-02T00:00:00Z", path); code != exitOK || both != fromFile {
		t.Errorf("flags that agree with the file change the result: exit code %d", code)
	}
	for flags, message := range map[string]string{
		"--step 5m":                    "--step 5m: the rows of the file are 1h0m0s apart",
		"--start 2026-03-03T00:00:00Z": "--start 2026-03-03T00:00:00Z: the file begins at 2026-03-02T00:00:00Z",
	} {
		out, errors, code := call(t, append(strings.Fields("forecast "+flags), path)...)
		if code != exitUsage || out != "" || !strings.Contains(errors, message) {
			t.Errorf("%s: exit code %d, output %q, error %q; want 2 and %q", flags, code, out, errors, message)
		}
	}
}

func TestAMissingRowIsSaidAndMovesNothing(t *testing.T) {
	rows := strings.SplitAfter(constantCSV(true), "\n")
	want, _, _ := call(t, "forecast", "--horizon", "2", writeFile(t, strings.Join(rows, "")))
	got, notes, code := call(t, "forecast", "--horizon", "2", writeFile(t, strings.Join(slices.Delete(rows, 5, 7), "")))
	if diff := cmp.Diff(want, got); code != exitOK || diff != "" || !strings.Contains(notes, "usage.csv: 2 of 336 steps have no row") {
		t.Errorf("exit code %d, %s (-whole +with a gap):\n%s", code, notes, diff)
	}
}

func TestTheLargestValuesArePrintedAsNumbers(t *testing.T) {
	text := "web\n" + strings.Repeat("3.4e38\n3.3e38\n1e38\n2e38\n3e38\n", 100)
	if out, notes, code := call(t, "forecast", "--step", "1h", "--quantiles", "0.999", writeFile(t, text)); code != exitOK || strings.Contains(out, "Inf") {
		t.Errorf("exit code %d, %s\n%s", code, notes, out)
	}
}

func TestForecastsFollowWhatRepeats(t *testing.T) {
	out, _, code := call(t, "forecast", "--step", "1h", "--quantiles", "0.9", writeFile(t, dailyCSV(2)))
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != exitOK || err != nil || len(rows) != 1+2*48 {
		t.Fatalf("exit code %d, %d rows, %v", code, len(rows), err)
	}
	for i, row := range rows[1:] {
		want := dailyDemand(i/48, 28*24+i%48)
		mean, err := strconv.ParseFloat(row[2], 64)
		if err != nil || math.Abs(mean-want) > 0.05*want {
			t.Errorf("%s, step %s: %s, want about %.3f", row[0], row[1], row[2], want)
		}
	}
}

func TestTheNumberOfWorkersChangesNothing(t *testing.T) {
	path := writeFile(t, dailyCSV(7))
	for _, format := range []string{"csv", "json"} {
		one, _, _ := call(t, "forecast", "--step", "1h", "--output", format, "--workers", "1", path)
		many, _, _ := call(t, "forecast", "--step", "1h", "--output", format, "--workers", "5", path)
		if one == "" || one != many {
			t.Errorf("as %s, one worker and five differ:\n%s", format, cmp.Diff(one, many))
		}
	}
}

func TestJSONTellsHowGoodTheForecastIs(t *testing.T) {
	out, _, code := call(t, "forecast", "--step", "1h", "--horizon", "3", "--quantiles", "0.9,0.95", "--output", "json", writeFile(t, dailyCSV(1)))
	var got forecastDocument
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	if got.Start != nil || got.StepSeconds != 3600 || got.Horizon != 3 || len(got.Series) != 1 {
		t.Fatalf("read %+v", got)
	}
	s := got.Series[0]
	if s.Name != "s0" || len(s.Mean) != 3 || s.BacktestError == nil || *s.BacktestError > 0.1 {
		t.Errorf("read %+v", s)
	}
	total := float32(0)
	for _, weight := range s.Weights {
		total += weight.Share
	}
	if math.Abs(float64(total)-1) > 1e-5 {
		t.Errorf("shares sum to %v", total)
	}
	for i, level := range []float64{0.9, 0.95} {
		if q := s.Quantiles[i]; q.Level != level || q.Coverage == nil || *q.Coverage < 0.5 || len(q.Values) != 3 {
			t.Errorf("quantile %v: %+v", level, q)
		}
	}
}

func TestJSONHasNoNumbersThatAreNotKnown(t *testing.T) {
	out, _, code := call(t, "forecast", "--horizon", "2", "--output", "json", writeFile(t, "time,web,silent\n0,1,\n3600,1,\n"))
	var got struct {
		Start  string
		Series []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || got.Start != "1970-01-01T02:00:00Z" {
		t.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	if backtest, ok := got.Series[0]["backtestError"]; !ok || backtest != nil {
		t.Errorf("two hours of history were tested: %v", got.Series[0])
	}
	want := map[string]any{"name": "silent", "mean": []any{}, "quantiles": []any{}, "weights": []any{}, "backtestError": nil}
	if diff := cmp.Diff(want, got.Series[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManySeriesWithoutForecastAreNotAllNamed(t *testing.T) {
	header, row := make([]string, 12), make([]string, 12)
	for i := range header {
		header[i] = fmt.Sprintf("s%d", i)
	}
	text := strings.Join(header, ",") + "\n" + strings.Join(row, ",") + "\n"
	_, notes, code := call(t, "forecast", "--step", "1h", writeFile(t, text))
	if code != exitOK || !strings.Contains(notes, "12 of 12 series") || !strings.HasSuffix(notes, "s9 and 2 more\n") {
		t.Errorf("exit code %d, %q", code, notes)
	}
}

func TestAWrongForecastCallSaysWhatIsLegal(t *testing.T) {
	path := writeFile(t, constantCSV(false))
	for line, message := range map[string]string{
		"forecast":                                  "name exactly one CSV file, or - for standard input; got 0 arguments",
		"forecast FILE FILE":                        "got 2 arguments",
		"forecast FILE":                             "--step: say how far apart the rows are",
		"forecast FILE --step 0":                    `--step "0": legal are durations from 1s to 1d`,
		"forecast FILE --step 2d":                   `--step "2d": legal are durations from 1s to 1d`,
		"forecast FILE --step hourly":               `--step "hourly"`,
		"forecast FILE --step 1h --start noon":      `--start "noon": legal is a time as RFC 3339 writes it`,
		"forecast FILE --step 1h --horizon 0":       "--horizon 0: legal are 1 to 10080 steps",
		"forecast FILE --step 1h --horizon 10081":   "--horizon 10081",
		"forecast FILE --step 1h --quantiles 0.5,1": "--quantiles 1: legal are numbers between 0 and 1",
		"forecast FILE --step 1h --quantiles NaN":   "--quantiles NaN",
		"forecast FILE --step 1h --quantiles=half":  "--quantiles",
		"forecast FILE --step 1h --workers 0":       "--workers 0: legal are 1 and more",
		"forecast FILE --step 1h --output yaml":     `--output "yaml": legal are csv and json`,
	} {
		out, errors, code := call(t, strings.Fields(strings.ReplaceAll(line, "FILE", path))...)
		if code != exitUsage || !strings.Contains(errors, message) || out != "" {
			t.Errorf("loadline %s: exit code %d, output %q, error %q; want 2 and %q", line, code, out, errors, message)
		}
	}
}

func TestABadFileGivesNoOutput(t *testing.T) {
	for text, message := range map[string]string{
		"web,db\n1,2\n3,x\n":        `usage.csv: line 3, column 2: series "db": "x" is not a number`,
		"time,web\n0,1\n172800,1\n": "the rows of the file are 48h0m0s apart",
	} {
		if out, errors, code := call(t, "forecast", writeFile(t, text)); code != exitError || out != "" || !strings.Contains(errors, message) {
			t.Errorf("exit code %d, output %q, error %q; want 1 and %q", code, out, errors, message)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing.csv")
	if out, errors, code := call(t, "forecast", "--step", "1h", missing); code != exitError || out != "" || !strings.Contains(errors, missing) {
		t.Errorf("missing: exit code %d, output %q, error %q", code, out, errors)
	}
}

func TestStandardInputIsReadLikeAFile(t *testing.T) {
	want, _, _ := call(t, "forecast", "--step", "1h", writeFile(t, constantCSV(false)))
	var out, notes bytes.Buffer
	code := run(t.Context(), []string{"forecast", "--step", "1h", "-"}, streams{in: strings.NewReader(constantCSV(false)), out: &out, err: &notes})
	if diff := cmp.Diff(want, out.String()); code != exitOK || diff != "" {
		t.Errorf("exit code %d, %s (-want +got):\n%s", code, notes.String(), diff)
	}
}

func TestAnInterruptEndsTheForecastWithoutOutput(t *testing.T) {
	waiting, input := io.Pipe() // Like a terminal on which nobody types.
	defer func() { _ = input.Close() }()
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupt(errors.New("interrupt signal received"))
	for path, in := range map[string]io.Reader{"-": waiting, writeFile(t, dailyCSV(3)): nil} {
		var out, notes bytes.Buffer
		code := run(ctx, []string{"forecast", "--step", "1h", path}, streams{in: in, out: &out, err: &notes})
		if code != exitError || out.Len() > 0 || !strings.Contains(notes.String(), "interrupt signal received") {
			t.Errorf("%s: exit code %d, output %q, error %q", path, code, out.String(), notes.String())
		}
	}
}

func TestAnInterruptWhileForecastingStopsBeforeTheNextSeries(t *testing.T) {
	table, err := widecsv.Read(strings.NewReader(dailyCSV(5)), "usage.csv")
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	r := forecastRun{table: table, timing: timing{step: time.Hour}}
	err = r.all(ctx, 1, func(done, _ int) {
		if done == 2 {
			interrupt()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped after 2 of 5 series") {
		t.Errorf("%v", err)
	}
}

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, format := range []string{"csv", "json"} {
		var notes bytes.Buffer
		code := run(t.Context(), []string{"forecast", "--step", "1h", "--output", format, writeFile(t, dailyCSV(3))},
			streams{out: brokenWriter{}, err: &notes})
		if code != exitError || !strings.Contains(notes.String(), "write the forecasts: no space left") {
			t.Errorf("%s: exit code %d, error %q", format, code, notes.String())
		}
	}
}

// brokenWriter is a full disk.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left") }
