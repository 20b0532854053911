package sizing

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/forecast"
)

// shutDown is the usual container that did next to nothing in the last three days.
func shutDown() ContainerInput {
	quiet := func(busy float32) forecast.Usage {
		hourly := make([]float32, 14*24)
		for i := range hourly {
			hourly[i] = busy
			if i >= 11*24 {
				hourly[i] = 0.02
			}
		}
		return usageOf(hourly)
	}
	return with(func(c *ContainerInput) { c.CPUTotal, c.CPUHottest = quiet(0.8), quiet(0.4) })
}

func TestDaysThatPeopleSayToIgnoreDoNotMakeAWorkloadSmaller(t *testing.T) {
	in := input(shutDown())
	in.Policy.CPU.Quantile = 0.85 // Three days weigh seven eighths: over the p87.5 there is nothing but them.
	checkMillis(t, "with the quiet days", propose(t, in).Target.CPUMillis, 23)
	in.Ignored = []Ignored{{Start: now.Add(-72 * time.Hour), End: now, Reason: "the shop was shut"}}
	got := propose(t, in)
	checkMillis(t, "without", got.Target.CPUMillis, 460)
	checkTrail(t, got.Trail, "CPU: what was used from 2026-03-13T12:00:00Z to 2026-03-16T12:00:00Z is left out: the shop was shut")
}

func TestWhateverIsIgnoredNoSizeGetsSmaller(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		hours := rapid.SliceOfN(rapid.Float32Range(0, 2), 1, 100)
		memory := usage(rapid.Float32Range(0, 2*gib).Draw(rt, "memory"))
		in := input(with(func(c *ContainerInput) {
			c.CPUTotal, c.CPUHottest, c.MemoryHottest = usage(hours.Draw(rt, "total")...), usage(hours.Draw(rt, "hottest")...), memory
		}))
		before := propose(t, in)
		for range rapid.IntRange(1, 3).Draw(rt, "windows") {
			start := now.Add(-time.Duration(rapid.IntRange(-100, 500).Draw(rt, "start")) * time.Hour)
			in.Ignored = append(in.Ignored, Ignored{Start: start, End: start.Add(time.Duration(rapid.IntRange(-5, 400).Draw(rt, "length")) * time.Hour)})
		}
		after := propose(t, in)
		if after.Target.CPUMillis < before.Target.CPUMillis || after.InPlace.CPUMillis < before.InPlace.CPUMillis {
			rt.Fatalf("CPU %+v and %+v in place became %+v and %+v", before.Target, before.InPlace, after.Target, after.InPlace)
		}
		if after.Target.MemoryBytes != before.Target.MemoryBytes || after.Peak != before.Peak {
			rt.Fatalf("memory %d became %d, peak %+v %+v", before.Target.MemoryBytes, after.Target.MemoryBytes, before.Peak, after.Peak)
		}
	})
}
