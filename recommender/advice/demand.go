package advice

import (
	"fmt"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// Apply returns the forecast with the accepted Demand adjustments in it. Where windows overlap, the largest demand counts:
// two announcements of one sale are one sale. It does not write to f. A step that lies only partly in a window is raised as
// a whole. Adjustments under 100 %, which Check never accepts, change nothing.
func Apply(f forecast.Forecast, a Advice) forecast.Forecast {
	at := func(step int) time.Time { return f.Start.Add(time.Duration(step) * f.Step) }
	demand := func(step int) int32 {
		percent, _ := largest(a, at(step), at(step+1))
		return percent
	}
	// Steps in a row with the same demand are scaled together, each step once.
	for from := 0; from < len(f.Mean); {
		until := from + 1
		for until < len(f.Mean) && demand(until) == demand(from) {
			until++
		}
		if percent := demand(from); percent > plainPercent {
			f = forecast.Scale(f, at(from), at(until), float64(percent)/plainPercent)
		}
		from = until
	}
	return f
}

// DemandPercent returns the largest accepted demand between now and now+lead, and whose reason it is. It is 100 and the
// reason empty where nothing is expected. With a lead of 0 only windows that are open now count.
func DemandPercent(a Advice, now time.Time, lead time.Duration) (percent int32, reason string) {
	percent, found := largest(a, now, now.Add(max(lead, 1)))
	if found == nil {
		return percent, ""
	}
	return percent, fmt.Sprintf("%s, from %s to %s", found.Reason, stamp(found.Start), stamp(found.End))
}

// largest returns the largest demand of the windows that meet [from, until), and 100 and nil if none is larger than that.
func largest(a Advice, from, until time.Time) (int32, *Adjustment) {
	percent, found := int32(plainPercent), (*Adjustment)(nil)
	for i, d := range a.Accepted {
		if d.Kind == Demand && d.Percent > percent && d.Start.Before(until) && d.End.After(from) {
			percent, found = d.Percent, &a.Accepted[i]
		}
	}
	return percent, found
}
