package forecast

import (
	"math"
	"slices"
	"time"
)

// Scale returns a copy of f in which mean and upper quantiles are multiplied by factor from one time until another, which
// is excluded. A factor of 3 is three times the demand.
//
// It is asymmetric about a step that lies only partly inside: a factor over 1 raises it, one under 1 leaves it alone. A
// factor that is negative, NaN or infinite, or an empty window, changes nothing. Coverage and errors stay those of f.
func Scale(f Forecast, from, until time.Time, factor float64) Forecast {
	scaled := f
	scaled.Mean = slices.Clone(f.Mean)
	scaled.Quantiles = slices.Clone(f.Quantiles)
	scaled.Weights = slices.Clone(f.Weights)
	for i := range scaled.Quantiles {
		scaled.Quantiles[i].Values = slices.Clone(f.Quantiles[i].Values)
	}
	if !(factor >= 0) || math.IsInf(factor, 1) || !from.Before(until) {
		return scaled
	}
	for h := range scaled.Mean {
		start := f.Start.Add(time.Duration(h) * f.Step)
		end := start.Add(f.Step)
		touched := start.Before(until) && end.After(from)
		inside := !start.Before(from) && !end.After(until)
		if !touched || (factor < 1 && !inside) {
			continue
		}
		scaled.Mean[h] = min(scaled.Mean[h]*factor, math.MaxFloat64)
		for i := range scaled.Quantiles {
			scaled.Quantiles[i].Values[h] = min(scaled.Quantiles[i].Values[h]*factor, math.MaxFloat64)
		}
	}
	return scaled
}
