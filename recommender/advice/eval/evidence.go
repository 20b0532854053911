package eval

import (
	"fmt"
	"math"
	"time"

	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender/advice"
)

// Evidence is what an advisor gets to see of the case: what the file says, and a plain forecast of days and nights.
func (c Case) Evidence() advice.Evidence {
	ago := func(hours int) time.Time { return c.Now.Add(-time.Duration(hours) * time.Hour) }
	horizon := time.Duration(c.HorizonHours) * time.Hour
	e := advice.Evidence{
		Now: c.Now, Horizon: horizon, HistoryDays: advice.MaxHistoryDays, MaxDemandPercent: c.MaxDemandPercent,
		Workload: "Deployment shop/checkout", Priority: "standard",
		Windows: advice.ForecastWindows([]string{"app"}, []forecast.Forecast{daily(c.Now, c.HorizonHours)}),
	}
	for _, text := range c.Texts {
		e.Annotations = append(e.Annotations, advice.Annotation{ID: id("A", len(e.Annotations)), Key: "loadline.dev/context", Text: text})
	}
	for _, t := range c.Typed {
		e.Annotations = append(e.Annotations, advice.Annotation{
			ID: id("A", len(e.Annotations)), Key: "loadline.dev/event." + t.Name,
			Text: fmt.Sprintf("%s/%s demand=%d%% %s", t.Start.Format(time.RFC3339), t.End.Format(time.RFC3339), t.DemandPercent, t.Recurrence),
			Event: &advice.TypedEvent{
				Name: t.Name, Start: t.Start, End: t.End, DemandPercent: t.DemandPercent, Recurrence: t.Recurrence,
			},
		})
	}
	var raw []advice.RawEvent
	for _, v := range c.Events {
		raw = append(raw, advice.RawEvent{Type: v.Type, Reason: v.Reason, Message: v.Message, Count: v.Count, Last: ago(v.HoursAgo)})
	}
	e.Events = advice.Events(raw, c.Now)
	for i, r := range c.Rollouts {
		e.Rollouts = append(e.Rollouts, advice.Rollout{ID: id("R", i), Time: ago(r.HoursAgo), Change: r.Change})
	}
	for i, s := range c.Scalings {
		e.Scalings = append(e.Scalings, advice.Scaling{
			ID: id("H", i), Time: ago(s.HoursAgo), From: s.From, To: s.To, AtMaximum: s.AtMaximum, Reason: s.Reason,
		})
	}
	for i, s := range c.Signals {
		e.Signals = append(e.Signals, advice.Signal{
			ID: id("S", i), Name: s.Name, Latest: s.Latest, Mean: s.Mean, Peak: s.Peak, TrendPercent: s.TrendPercent,
		})
	}
	for i, t := range c.Throttling {
		e.Throttling = append(e.Throttling, advice.Throttling{ID: id("T", i), Container: t.Container, Percent: t.Percent})
	}
	return e
}

func id(letter string, index int) string { return fmt.Sprintf("%s%d", letter, index+1) }

// daily is a forecast with its peak at 14:00 UTC, one core and a half, and the trough at night.
func daily(now time.Time, hours int) forecast.Forecast {
	f := forecast.Forecast{Start: now.UTC().Truncate(time.Hour), Step: time.Hour}
	upper := forecast.Quantile{Level: 0.95}
	for h := range hours {
		mean := 1 + 0.5*math.Cos(2*math.Pi*(float64((f.Start.Hour()+h)%24)-14)/24)
		f.Mean, upper.Values = append(f.Mean, mean), append(upper.Values, 1.3*mean)
	}
	f.Quantiles = []forecast.Quantile{upper}
	return f
}
