package sizing

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/floats"

	"github.com/loadline-dev/loadline/forecast"
)

// What it takes to suspect a leak. The numbers are deliberately strict: a finding that is wrong once is not read again.
const (
	// leakDays without a restart are needed, so that no weekday looks like a trend.
	leakDays = 7
	// maxLeakDays are looked at.
	maxLeakDays = 28
	// hoursPerDay that must be measured for the day to count.
	hoursPerDay = 18
	// restartDrop: a floor under this share of the day before means that the process began anew.
	restartDrop = 0.7
	// leakTau is the least Kendall's tau between the floors and the days; 1 is a floor that rises every day.
	leakTau = 0.8
	// leakRise is the least rise over the days, as a share of the first floor.
	leakRise = 0.2
	// leakSteady is the least share of the whole rise that lies in the second half; 0.5 is a straight line. What warms up
	// and then stays flat has next to nothing there.
	leakSteady = 0.3
)

// leak tells whether the memory's floor rises without end.
type leak struct {
	suspected bool
	// days that were looked at, and the bytes by which the floor rises on a typical day (the median slope between all
	// pairs of days: Theil 1950, Sen 1968).
	days        int
	bytesPerDay float64
}

// findLeak looks at the least memory of each day since the last restart. Daily minima do not see the daily wave, and a
// restart starts the count again. The test for a trend is that of Mann (1945) and Kendall, by its tau.
func findLeak(u forecast.Usage) leak {
	floors := sinceRestart(dailyFloors(u))
	n := len(floors)
	if n < leakDays {
		return leak{}
	}
	first, middle, last := floors[0], floors[n/2], floors[n-1]
	rise := last - first
	if rise <= 0 || rise < leakRise*first || last-middle < leakSteady*rise || last < floats.Max(floors) {
		return leak{}
	}
	tau, slope := trend(floors)
	return leak{suspected: tau >= leakTau, days: n, bytesPerDay: slope}
}

// dailyFloors returns the smallest hourly mean of each day, counted back from the end of the history, oldest first. It
// stops at the first day with too few measurements.
func dailyFloors(u forecast.Usage) []float64 {
	hourly := u.HourlyMean
	if hourly.Len() == 0 {
		hourly = u.HourlyMax
	}
	if hourly.Step <= 0 || hourly.Step > 24*time.Hour {
		return nil
	}
	day := int(24 * time.Hour / hourly.Step)
	var floors []float64
	for end := hourly.Len(); end >= day && len(floors) < maxLeakDays; end -= day {
		floor, measured := math.Inf(1), 0
		for _, v := range hourly.Values[end-day : end] {
			if x := float64(v); !math.IsNaN(x) {
				floor = min(floor, x)
				measured++
			}
		}
		if measured*24 < hoursPerDay*day {
			break
		}
		floors = append(floors, floor)
	}
	slices.Reverse(floors)
	return floors
}

// sinceRestart returns the days from the last restart on.
func sinceRestart(floors []float64) []float64 {
	for i := len(floors) - 1; i > 0; i-- {
		if floors[i] < restartDrop*floors[i-1] {
			return floors[i:]
		}
	}
	return floors
}

// trend returns Kendall's tau of the values against their order, from −1 to 1, and the median slope per step. There are at
// least two values.
func trend(values []float64) (tau, slope float64) {
	var slopes []float64
	for j := range values {
		for i := range j {
			difference := values[j] - values[i]
			slopes = append(slopes, difference/float64(j-i))
			switch {
			case difference > 0:
				tau++
			case difference < 0:
				tau--
			}
		}
	}
	slices.Sort(slopes)
	n := len(slopes)
	return tau / float64(n), (slopes[(n-1)/2] + slopes[n/2]) / 2
}
