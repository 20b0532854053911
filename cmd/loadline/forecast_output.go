package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// writeForecastCSV writes one row for each series and step ahead.
func writeForecastCSV(w io.Writer, r forecastRun) error {
	start, timed := r.end()
	header := []string{"series", "step"}
	if timed {
		header = append(header, "time")
	}
	header = append(header, "mean")
	for _, level := range r.options.Levels {
		header = append(header, "q"+strconv.FormatFloat(level, 'f', -1, 64))
	}
	table := csv.NewWriter(w)
	if err := table.Write(header); err != nil {
		return err
	}
	for i, f := range r.forecasts {
		for h := range r.options.Horizon {
			row := append(make([]string, 0, len(header)), r.table.Names[i], strconv.Itoa(h+1))
			if timed {
				row = append(row, start.Add(time.Duration(h)*r.timing.step).Format(time.RFC3339))
			}
			row = append(row, cell(f.Mean, h))
			for _, level := range r.options.Levels {
				values, _ := f.Quantile(level) // Without a forecast there are none, and the cell is empty.
				row = append(row, cell(values, h))
			}
			if err := table.Write(row); err != nil {
				return err
			}
		}
	}
	table.Flush()
	return table.Error()
}

// cell prints a value with the digits that a 32-bit number has, as the input does.
func cell(values []float64, h int) string {
	if len(values) == 0 {
		return ""
	}
	return strconv.FormatFloat(min(values[h], math.MaxFloat32), 'f', -1, 32)
}

// forecastDocument is the JSON output. Numbers that are not known are null.
type forecastDocument struct {
	// Start of the first step ahead; absent if the input does not say when it was.
	Start       *time.Time       `json:"start,omitempty"`
	StepSeconds float64          `json:"stepSeconds"`
	Horizon     int              `json:"horizon"`
	Series      []seriesDocument `json:"series"`
}

// seriesDocument is the forecast of one series; without one, mean and quantiles are empty.
type seriesDocument struct {
	Name      string             `json:"name"`
	Mean      []float32          `json:"mean"`
	Quantiles []quantileDocument `json:"quantiles"`
	// Weights are the models' shares, which sum to 1.
	Weights []weightDocument `json:"weights"`
	// BacktestError is the mean absolute error on the series' past divided by its mean.
	BacktestError *float32 `json:"backtestError"`
}

type quantileDocument struct {
	Level float64 `json:"level"`
	// Coverage is the share of past outcomes at or under the quantile, Pinball the loss divided by the mean.
	Coverage *float32  `json:"coverage"`
	Pinball  *float32  `json:"pinball"`
	Values   []float32 `json:"values"`
}

type weightDocument struct {
	Model string  `json:"model"`
	Share float32 `json:"share"`
}

func writeForecastJSON(w io.Writer, r forecastRun) error {
	document := forecastDocument{StepSeconds: r.timing.step.Seconds(), Horizon: r.options.Horizon, Series: []seriesDocument{}}
	if start, timed := r.end(); timed {
		document.Start = &start
	}
	for i, f := range r.forecasts {
		document.Series = append(document.Series, newSeriesDocument(r.table.Names[i], f))
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

func newSeriesDocument(name string, f forecast.Forecast) seriesDocument {
	document := seriesDocument{Name: name, Mean: single(f.Mean), Quantiles: []quantileDocument{}, Weights: []weightDocument{}}
	if f.Empty() {
		return document
	}
	document.BacktestError = known(f.BacktestError)
	for _, q := range f.Quantiles {
		document.Quantiles = append(document.Quantiles, quantileDocument{
			Level: q.Level, Coverage: known(q.Coverage), Pinball: known(q.Pinball), Values: single(q.Values),
		})
	}
	for _, weight := range f.Weights {
		document.Weights = append(document.Weights, weightDocument{Model: weight.Model, Share: float32(weight.Share)})
	}
	return document
}

// single narrows values to what the input can hold, which also prints them with its digits.
func single(values []float64) []float32 {
	narrow := make([]float32, len(values))
	for i, v := range values {
		narrow[i] = float32(min(v, math.MaxFloat32))
	}
	return narrow
}

// known returns nil, which becomes null, for a number that could not be measured.
func known(v float64) *float32 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return new(float32(v))
}
