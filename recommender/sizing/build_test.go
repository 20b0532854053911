package sizing

import (
	"math"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// now is at a full hour; histories in these tests end here.
var now = time.Date(2026, 3, 16, 12, 0, 0, 0, time.UTC)

const gib = 1 << 30

// usage is a history of two weeks with the given hourly values (mean and maximum alike, repeated as often as needed) whose
// last day is there in 5-minute values too.
func usage(hourly ...float32) forecast.Usage {
	values := slices.Repeat(hourly, (14*24+len(hourly)-1)/len(hourly))
	return usageOf(values[len(values)-14*24:])
}

func usageOf(hourly []float32) forecast.Usage {
	s := forecast.Series{Start: now.Add(-time.Duration(len(hourly)) * time.Hour), Step: time.Hour, Values: hourly}
	recent := forecast.Series{Start: now.Add(-24 * time.Hour), Step: 5 * time.Minute}
	for i := range 24 * valuesPerHour {
		recent.Values = append(recent.Values, float32(s.At(recent.TimeAt(i))))
	}
	return forecast.Usage{HourlyMean: s, HourlyMax: s, Recent: recent}
}

// flat is a forecast of a constant for two days.
func flat(cores float64) forecast.Forecast {
	values := slices.Repeat([]float64{cores}, 48)
	return forecast.Forecast{Start: now, Step: time.Hour, Mean: values, Quantiles: []forecast.Quantile{
		{Level: ReplicaLevel, Values: values},
	}}
}

// bound is a bound of the hour that runs.
func bound(cores float64) forecast.HourBound {
	return forecast.HourBound{Start: now, Level: InPlaceLevel, Coverage: 0.9, Upper: cores}
}

// container is an unremarkable container: 0.8 cores over two pods, 1 GiB each.
func container() ContainerInput {
	return ContainerInput{
		Name: "app", CPUTotal: usage(0.8), CPUHottest: usage(0.4), MemoryHottest: usage(gib),
		CPUForecast: flat(0.8), BaseForecast: flat(0.8), NextHour: bound(0.8),
		Current: Resources{Requests: Amounts{CPUMillis: 500, MemoryBytes: 2 * gib}},
	}
}

// input is a workload of two pods of that container under the default policy.
func input(containers ...ContainerInput) Input {
	return Input{
		Now: now, Containers: containers, Pods: usage(2), CurrentReplicas: 2, DeclaredReplicas: 2, DemandPercent: 100,
		Policy: Policy{
			CPU:         ResourcePolicy{Quantile: 0.95, Margin: 0.15},
			Memory:      ResourcePolicy{Quantile: 1, Margin: 0.15},
			Replicas:    ReplicaPolicy{Mode: "recommend", Min: 1, TargetUtilization: 0.7, LeadTime: 10 * time.Minute, LowerAfter: time.Hour},
			MaxGiveBack: 0.25,
		},
	}
}

// with returns the usual container after a change.
func with(change func(*ContainerInput)) ContainerInput {
	c := container()
	change(&c)
	return c
}

func missing(u forecast.Usage) forecast.Usage {
	none := func(s forecast.Series) forecast.Series {
		s.Values = slices.Repeat([]float32{float32(math.NaN())}, len(s.Values))
		return s
	}
	return forecast.Usage{HourlyMean: none(u.HourlyMean), HourlyMax: none(u.HourlyMax), Recent: none(u.Recent)}
}
