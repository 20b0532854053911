package forecast

import "time"

// Fitted is what Fit learned from a series: everything about a forecast that is expensive and need not be repeated every
// hour. It does not change, is safe for concurrent use, and small next to the history that it comes from.
type Fitted struct {
	options Options
}

// Fit learns how to forecast s. It never returns nil: a series that cannot be forecast gives a Fitted whose forecasts are
// empty. The result depends on nothing but the arguments.
func Fit(s Series, o Options) *Fitted {
	return &Fitted{options: o}
}

// Predict forecasts s, the series that f was fitted to or a newer part of it, as known at the time now. Nothing is learned
// anew, which makes it cheap. The zero time means the end of s.
func (f *Fitted) Predict(s Series, now time.Time) Forecast {
	o := f.options
	o.Now = now
	return predict(s, o)
}
