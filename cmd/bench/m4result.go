package main

import (
	"fmt"
	"strings"

	"github.com/loadline-dev/loadline/internal/bootstrap"
	"github.com/loadline-dev/loadline/internal/m4"
)

// m4Result is how good the forecasts of the M4 hourly series are.
type m4Result struct {
	Split string `json:"split"`
	// Harness is harnessRight if known methods had their published scores, and "" if that could not be known.
	Harness string `json:"harness,omitempty"`
	// Rows start with Loadline.
	Rows []m4Row `json:"rows"`
	// Interval is that of Loadline from quantile 0.025 to 0.975.
	Interval     m4.IntervalScore `json:"interval"`
	CoverageLow  float64          `json:"coverageLow"`
	CoverageHigh float64          `json:"coverageHigh"`
	MSISLow      float64          `json:"msisLow"`
	MSISHigh     float64          `json:"msisHigh"`
	Cost         cost             `json:"cost"`
}

const harnessRight = "right"

// m4Row is the mean score of one method, with a bootstrap interval of its OWA.
type m4Row struct {
	Method string `json:"method"`
	Series int    `json:"series"`
	m4.Score
	OWA     float64 `json:"owa"`
	OWALow  float64 `json:"owaLow"`
	OWAHigh float64 `json:"owaHigh"`
}

// cost of forecasting one series, in processor time.
type cost struct {
	Series       int     `json:"series"`
	Milliseconds float64 `json:"milliseconds"`
	Allocations  float64 `json:"allocations"`
	Bytes        float64 `json:"bytes"`
}

func summarise(method string, scores []m4.Score) m4Row {
	row := m4Row{Method: method, Series: len(scores)}
	owas := make([]float64, len(scores))
	for i, s := range scores {
		row.SMAPE += s.SMAPE / float64(len(scores))
		row.MASE += s.MASE / float64(len(scores))
		owas[i] = s.OWA()
	}
	row.OWA = row.Score.OWA()
	row.OWALow, row.OWAHigh = bootstrap.Mean(owas, seed)
	return row
}

func publishedRow(method string, s m4.Score) m4Row {
	return m4Row{Method: method, Series: hourlySeries, Score: s, OWA: s.OWA()}
}

func mean(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total / float64(len(values))
}

func (r *m4Result) write(b bench) {
	t := table{header: []string{"method", "series", "sMAPE", "MASE", "OWA", "95 % (bootstrap)"}}
	for _, row := range r.Rows {
		between := fmt.Sprintf("%.3f to %.3f", row.OWALow, row.OWAHigh)
		if row.OWALow == 0 {
			between = "–"
		}
		t.add(row.Method, fmt.Sprint(row.Series), fmt.Sprintf("%.3f", row.SMAPE), fmt.Sprintf("%.3f", row.MASE),
			fmt.Sprintf("%.4f", row.OWA), between)
	}
	t.write(b.out)
	b.printf("%s", strings.Join([]string{
		fmt.Sprintf("- 95 %% interval: coverage %.1f %% (%.1f to %.1f), MSIS %.3f (%.3f to %.3f)", 100*r.Interval.Coverage,
			100*r.CoverageLow, 100*r.CoverageHigh, r.Interval.MSIS, r.MSISLow, r.MSISHigh),
		fmt.Sprintf("- cost per series, of the forecast with its back-tests and of the bound of the next hour: %.2f ms of one core, %.0f allocations, %.0f kB (fastest of three rounds over %d series)\n\n",
			r.Cost.Milliseconds, r.Cost.Allocations, r.Cost.Bytes/1000, r.Cost.Series),
	}, "\n"))
}

// bars are what is wanted of the forecasts.
func (r *m4Result) bars() []bar {
	ours := r.Rows[0]
	coverage := number{value: 100 * r.Interval.Coverage, low: 100 * r.CoverageLow, high: 100 * r.CoverageHigh}
	return []bar{
		atMost(0.380, 0.360, "%.4f").judge("M4 hourly OWA", number{value: ours.OWA, low: ours.OWALow, high: ours.OWAHigh}),
		scale{must: limit{93, 97}, aim: limit{93, 97}, format: "%.1f %%"}.judge("M4 hourly coverage of the 95 % interval", coverage),
		atMost(6.1, 5.7, "%.3f").judge("M4 hourly MSIS of it", number{value: r.Interval.MSIS, low: r.MSISLow, high: r.MSISHigh}),
		atMost(20, 10, "%.1f ms").judge("cost per series, back-tests included", exactly(r.Cost.Milliseconds)),
	}
}
