package forecast

import (
	"testing"
	"time"
)

func BenchmarkFit28Days(b *testing.B) {
	s := shop(28, 0.2, 1)
	b.ReportAllocs()
	for b.Loop() {
		Fit(s, Options{})
	}
}

func BenchmarkWarmUpdate28Days(b *testing.B) {
	s := shop(29, 0.2, 1)
	fitted := Fit(Series{Start: s.Start, Step: s.Step, Values: s.Values[:28*24]}, Options{})
	newer := Series{Start: s.TimeAt(1), Step: s.Step, Values: s.Values[1 : 28*24+1]}
	b.ReportAllocs()
	for b.Loop() {
		fitted.Predict(newer, time.Time{})
	}
}
