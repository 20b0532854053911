package sizing

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/forecast"
)

// anyUsage draws a history up to a bound, with faults: missing, negative, infinite and absurd values, of any length, with
// series that do not fit together.
func anyUsage(t *rapid.T, name string, most float32) forecast.Usage {
	value := rapid.OneOf(
		rapid.Float32Range(0, most), rapid.Float32Range(0, most), rapid.Float32Range(0, most),
		rapid.SampledFrom([]float32{
			0, -1, 1e20, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
		}),
	)
	series := func(part string, length int, steps ...time.Duration) forecast.Series {
		values := rapid.SliceOfN(value, 0, length).Draw(t, name+part)
		step := rapid.SampledFrom(steps).Draw(t, name+part+" step")
		return forecast.Series{Start: now.Add(-time.Duration(len(values)) * step), Step: step, Values: values}
	}
	return forecast.Usage{
		HourlyMean: series(" mean", 200, time.Hour),
		HourlyMax:  series(" max", 200, time.Hour),
		Recent:     series(" recent", 100, 5*time.Minute, 5*time.Minute, 0),
	}
}

func anyInput(t *rapid.T) Input {
	c := ContainerInput{
		Name:          "app",
		CPUTotal:      anyUsage(t, "total", 50),
		CPUHottest:    anyUsage(t, "hottest", 20),
		MemoryHottest: anyUsage(t, "memory", 8*gib),
		Throttled:     anyUsage(t, "throttled", 1),
		OOMFloorBytes: rapid.Int64Range(0, 8*gib).Draw(t, "floor"),
		Current: Resources{Requests: Amounts{
			CPUMillis:   rapid.Int64Range(0, 8000).Draw(t, "cpu request"),
			MemoryBytes: rapid.Int64Range(0, 8*gib).Draw(t, "memory request"),
		}},
	}
	c.BaseForecast = forecast.Predict(c.CPUTotal.HourlyMax, forecast.Options{Now: now, Limit: MaxCores})
	c.CPUForecast = forecast.Scale(c.BaseForecast, now, now.Add(time.Hour), 2)
	if rapid.Bool().Draw(t, "bound") {
		c.NextHour = forecast.HourBound{Start: now, Level: InPlaceLevel, Upper: rapid.Float64Range(0, 50).Draw(t, "next hour")}
	}
	in := input(c)
	in.Pods = anyUsage(t, "pods", 10)
	in.CurrentReplicas = rapid.Int32Range(0, 10).Draw(t, "replicas")
	in.Policy.Replicas.Mode = rapid.SampledFrom([]string{"off", "recommend", "auto"}).Draw(t, "mode")
	in.ReplicasFixed = rapid.Bool().Draw(t, "fixed")
	in.DemandPercent = rapid.Int32Range(0, 1000).Draw(t, "demand")
	in.Policy.MaxGiveBack = rapid.Float64Range(0, 0.9).Draw(t, "give-back")
	in.Policy.CPU.Quantile = rapid.Float64Range(0.5, 1).Draw(t, "quantile")
	return in
}

func TestAProposalIsSoundWhateverTheInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		proposal := Propose(in)
		checkSizes(t, in, proposal.Containers[0])
		if r := proposal.Replicas; r.Target != 0 && (r.Target < r.Min || r.Target > r.Max || r.Min < 1) {
			t.Fatalf("replicas %+v", r)
		}
	})
}

func checkSizes(t *rapid.T, in Input, got ContainerProposal) {
	t.Helper()
	if got.Target.CPUMillis < 0 || got.Target.MemoryBytes < 0 || got.InPlace.CPUMillis < 0 || got.Peak.CPUMillis < 0 {
		t.Fatalf("negative: %+v", got)
	}
	if (got.Target.CPUMillis == 0) != (got.InPlace.CPUMillis == 0) || got.Target.MemoryBytes != got.InPlace.MemoryBytes {
		t.Fatalf("target %+v, in place %+v", got.Target, got.InPlace)
	}
	if least := (1 - in.Policy.MaxGiveBack) * float64(got.Target.CPUMillis); float64(got.InPlace.CPUMillis) < least*(1-1e-6) {
		t.Fatalf("in place %dm gives back more than to %.1fm", got.InPlace.CPUMillis, least)
	}
	const most = 50 * 1000 * 2 * 10 // All demand that is ever drawn on each of ten pods, doubled for margin and advice.
	if got.Target.CPUMillis > most || got.InPlace.CPUMillis > most {
		t.Fatalf("absurd size %+v", got)
	}
	if len(got.Trail) < 2 {
		t.Fatalf("numbers without a reason: %v", got.Trail)
	}
}

func TestMemoryIsNeverUnderWhatWasObservedOrTaughtByAKill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		got := Propose(in).Containers[0].Target.MemoryBytes
		if got < in.Containers[0].OOMFloorBytes {
			t.Fatalf("%d is under the floor", got)
		}
		u := in.Containers[0].MemoryHottest
		for _, s := range []forecast.Series{u.HourlyMean, u.HourlyMax, u.Recent} {
			for _, v := range s.Values {
				if x := float64(v); s.Step > 0 && x >= 0 && x <= MaxBytes && float64(got) < x {
					t.Fatalf("%d is under %v, which was observed", got, x)
				}
			}
		}
	})
}

func TestMoreDemandNeverMeansLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		less := Propose(in).Containers[0]
		in.DemandPercent += rapid.Int32Range(0, 500).Draw(t, "more")
		more := Propose(in).Containers[0]
		if more.Target.CPUMillis < less.Target.CPUMillis || more.InPlace.CPUMillis < less.InPlace.CPUMillis {
			t.Fatalf("%+v became %+v", less, more)
		}
	})
}

func TestAHigherPeakNeverMeansLessMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		less := Propose(in).Containers[0].Target.MemoryBytes
		recent := in.Containers[0].MemoryHottest.Recent
		if recent.Len() == 0 {
			return
		}
		recent.Values[0] = 9 * gib
		if more := Propose(in).Containers[0].Target.MemoryBytes; more < less {
			t.Fatalf("%d became %d", less, more)
		}
	})
}

func TestADemandThatWasMeasuredBeforeGivesTheSameProposal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		want := Propose(in)
		c := &in.Containers[0]
		c.Demand = Measure(*c, in.Policy.CPU.Quantile, in.Pods, in.Now)
		if diff := cmp.Diff(want, Propose(in), cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("measured in Propose, and before:\n%s", diff)
		}
	})
}

func TestTheSameInputGivesTheSameProposal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		if diff := cmp.Diff(Propose(in), Propose(in), cmpopts.EquateNaNs()); diff != "" {
			t.Fatal(diff)
		}
	})
}
