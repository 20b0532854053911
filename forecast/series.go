// Package forecast predicts the demand of workloads from their history.
//
// It knows numbers and times only: no Kubernetes, no network, no clock, no logger. The same input gives the same output.
package forecast

import (
	"math"
	"time"
)

// Series is an evenly spaced sequence of measurements.
//
// Values[i] stands for the interval [Start + i·Step, Start + (i+1)·Step). NaN marks a missing measurement. The zero Series
// is empty and valid. CPU is in cores, memory in bytes, counts are plain numbers.
type Series struct {
	// Start of the first interval.
	Start time.Time
	// Step is the length of every interval; positive unless the series is empty.
	Step time.Duration
	// Values in time order. float32 keeps 20,000 containers in about half a gigabyte.
	Values []float32
}

// Len returns the number of intervals, missing ones included.
func (s Series) Len() int { return len(s.Values) }

// End returns the end of the last interval, or Start if the series is empty.
func (s Series) End() time.Time {
	return s.Start.Add(time.Duration(len(s.Values)) * s.Step)
}

// TimeAt returns the start of interval i.
func (s Series) TimeAt(i int) time.Time { return s.Start.Add(time.Duration(i) * s.Step) }

// At returns the value of the interval that contains t; NaN where it is missing or t lies outside the series.
func (s Series) At(t time.Time) float64 {
	if len(s.Values) == 0 || t.Before(s.Start) || !t.Before(s.End()) {
		return math.NaN()
	}
	return float64(s.Values[t.Sub(s.Start)/s.Step])
}

// Known returns how many values are not missing.
func (s Series) Known() int {
	n := 0
	for _, v := range s.Values {
		if !math.IsNaN(float64(v)) {
			n++
		}
	}
	return n
}

// Max returns the largest known value, and false if there is none.
func (s Series) Max() (float64, bool) {
	largest, found := 0.0, false
	for _, v := range s.Values {
		if x := float64(v); !math.IsNaN(x) && (!found || x > largest) {
			largest, found = x, true
		}
	}
	return largest, found
}

// Since returns the part of the series whose intervals start at or after t. It shares its values with s.
func (s Series) Since(t time.Time) Series {
	if len(s.Values) == 0 || !t.After(s.Start) {
		return s
	}
	age := t.Sub(s.Start)
	skip := int(age / s.Step)
	if age%s.Step > 0 {
		skip++
	}
	if skip >= len(s.Values) {
		return Series{Start: s.End(), Step: s.Step}
	}
	return Series{Start: s.TimeAt(skip), Step: s.Step, Values: s.Values[skip:]}
}

// Usage is one measurement of one container at the resolutions that sizing needs.
//
// HourlyMean and HourlyMax cover up to 28 days and have the same Start and length; Recent has 5-minute values of the last
// 24 hours. All end at or before the time the history was read.
type Usage struct {
	HourlyMean Series
	HourlyMax  Series
	Recent     Series
}

// KnownHours returns the number of hours with a measurement.
func (u Usage) KnownHours() int { return u.HourlyMax.Known() }
