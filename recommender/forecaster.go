package recommender

import (
	"cmp"
	"sync"
	"time"

	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// A fit is used for refitAfter at most, less a part of refitSpread that differs between targets, so that fits made together at
// a start are not made together again. Short histories are fitted anew whenever they grew by one part in refitGrowth.
const (
	refitAfter  = 24 * time.Hour
	refitSpread = time.Hour
	refitGrowth = 8
)

// DemandForecast is what a container's history says of the demand to come, before advice.
type DemandForecast struct {
	// CPU of all pods together, in cores, by the hour.
	CPU forecast.Forecast
	// NextHour bounds the same in the hour that runs.
	NextHour forecast.HourBound
}

// Forecaster makes forecasts and keeps what is dear about them: a fit is made once a day, a forecast once an hour.
//
// What it keeps can be lost at any time: the next forecast then rests on a fit of its own. The zero Forecaster is ready; it
// may be used by many goroutines, each for another target.
type Forecaster struct {
	// InPlaceLevel is the share of hours that the bound of the hour covers; 0 means sizing.InPlaceLevel, as it is shipped.
	InPlaceLevel float64

	mu      sync.Mutex
	targets map[Target]map[string]*fitted
}

// fitted is what is kept of one container.
type fitted struct {
	fit      *forecast.Fitted
	nextHour *forecast.NextHour
	// at is when the fit was made, until when it is to be used, hours the length of the history behind it.
	at, until time.Time
	hours     int
	// hour and end tell what the forecast was made of.
	hour, end time.Time
	forecast  DemandForecast
}

// Forecasts returns the forecasts of the containers to size, from the history in the input. Of a container without history
// there is none. Within an hour, and as long as no whole hour of history is added, the answer is the same.
func (f *Forecaster) Forecasts(in Input, now time.Time) map[string]DemandForecast {
	known := f.of(in.Target)
	terms := terms{
		horizon: in.Cadence.Horizon, level: cmp.Or(f.InPlaceLevel, sizing.InPlaceLevel),
		lifetime: refitAfter - time.Duration(in.Target.spread()*float64(refitSpread)),
	}
	kept, result := make(map[string]*fitted, len(in.Containers)), make(map[string]DemandForecast, len(in.Containers))
	for _, container := range in.Containers {
		if in.batch() { // Its runs are no demand that goes on.
			break
		}
		usage, ok := in.History.Containers[container.Name]
		if !ok {
			continue
		}
		one := known[container.Name].update(usage.CPUTotal, terms, now)
		kept[container.Name], result[container.Name] = one, one.forecast
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.targets[in.Target] = kept
	return result
}

// Forget drops what is kept of a target.
func (f *Forecaster) Forget(target Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.targets, target)
}

func (f *Forecaster) of(target Target) map[string]*fitted {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.targets == nil {
		f.targets = map[Target]map[string]*fitted{}
	}
	return f.targets[target]
}

// terms are how far and how surely to look ahead, and how long a fit is good.
type terms struct {
	horizon, lifetime time.Duration
	level             float64
}

// update returns what is known now. It does not change what was known before, which may be nothing.
func (f *fitted) update(demand forecast.Usage, t terms, now time.Time) *fitted {
	hour := now.Truncate(time.Hour)
	if f != nil && f.hour.Equal(hour) && f.end.Equal(demand.HourlyMax.End()) {
		return f
	}
	next := fitted{}
	if f != nil {
		next = *f
	}
	next.hour, next.end = hour, demand.HourlyMax.End()
	if next.outgrown(demand.HourlyMax, now) {
		next.at, next.until, next.hours = now, now.Add(t.lifetime), demand.HourlyMax.Len()
		next.fit = forecast.Fit(demand.HourlyMax, forecast.Options{
			Now: now, Horizon: int(t.horizon / time.Hour), Levels: []float64{sizing.ReplicaLevel}, Limit: sizing.MaxCores,
		})
		next.nextHour = forecast.FitNextHour(demand, t.level, sizing.MaxCores, now)
	}
	next.forecast = DemandForecast{CPU: next.fit.Predict(demand.HourlyMax, now), NextHour: next.nextHour.Bound(demand, now)}
	return &next
}

// outgrown reports whether there is no fit, or it is too old for the history.
func (f *fitted) outgrown(demand forecast.Series, now time.Time) bool {
	grown := demand.Len() - f.hours
	return f.fit == nil || now.Before(f.at) || !now.Before(f.until) || grown < 0 || grown*refitGrowth > f.hours
}
