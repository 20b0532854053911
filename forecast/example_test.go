package forecast_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

func ExamplePredict() {
	// Two weeks in steps of six hours: little at night, much in the afternoon.
	history := forecast.Series{
		Start:  time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
		Step:   6 * time.Hour,
		Values: slices.Repeat([]float32{0.5, 1, 4, 2}, 14),
	}
	f := forecast.Predict(history, forecast.Options{Horizon: 4, Levels: []float64{0.95}})
	p95, _ := f.Quantile(0.95)
	for i, mean := range f.Mean {
		fmt.Printf("%s: %.1f cores, at most %.1f\n", f.Start.Add(time.Duration(i)*f.Step).Format("15:04"), mean, p95[i])
	}
	// Output:
	// 00:00: 0.5 cores, at most 0.5
	// 06:00: 1.0 cores, at most 1.0
	// 12:00: 4.0 cores, at most 4.0
	// 18:00: 2.0 cores, at most 2.0
}

func ExampleScale() {
	f := forecast.Forecast{
		Start: time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC),
		Step:  time.Hour,
		Mean:  []float64{1, 1, 1},
	}
	sale := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	fmt.Println(forecast.Scale(f, sale, sale.Add(time.Hour), 3).Mean)
	// Output: [1 3 1]
}
