package sizing

import (
	"slices"
	"testing"

	"github.com/loadline-dev/loadline/forecast"
)

func BenchmarkPropose28Days(b *testing.B) {
	c := container()
	day := []float32{0.3, 0.3, 0.2, 0.2, 0.2, 0.3, 0.5, 0.9, 1.3, 1.4, 1.3, 1.2, 1.1, 1.2, 1.3, 1.4, 1.2, 1, 0.9, 0.7, 0.6, 0.5, 0.4, 0.3}
	c.CPUTotal = usageOf(slices.Repeat(day, 28))
	c.CPUHottest, c.MemoryHottest = c.CPUTotal, c.CPUTotal
	c.BaseForecast = forecast.Predict(c.CPUTotal.HourlyMax, forecast.Options{})
	c.CPUForecast = c.BaseForecast
	in := input(c)
	b.ReportAllocs()
	for b.Loop() {
		Propose(in)
	}
}
