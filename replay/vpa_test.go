package replay

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var monday = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// fed returns a VPA that has seen days of the same use, once a minute.
func fed(days int, cores, bytes float64) *VPA {
	v := NewVPA(VPAOptions{})
	for i := range days * 24 * 60 {
		at := monday.Add(time.Duration(i) * time.Minute)
		v.AddCPU(at, cores)
		v.AddMemory(at, bytes)
	}
	return v
}

func TestVPAGivesTheEndOfTheBucketAndItsMargin(t *testing.T) {
	got := fed(8, 1, 1e9).Recommendation()
	// 1 core lies in bucket 36, which ends at 0.01·(1.05³⁷ − 1) ÷ 0.05 = 1.016 cores: 1016m and 15 % more.
	if got.Target.CPUMillis != 1016+152 {
		t.Errorf("CPU target: %dm", got.Target.CPUMillis)
	}
	// 1e9 bytes lie in bucket 36 too: 1.0163e9 and 15 %.
	near(t, "memory target", float64(got.Target.MemoryBytes), 1.0162814e9*1.15, 1e6)
	near(t, "lower bound", float64(got.Lower.CPUMillis), 1168, 1)
	near(t, "upper bound after eight days", float64(got.Upper.CPUMillis), 1168*(1+1.0/8), 2)
}

func TestVPAsUpperBoundNarrowsWithTheDaysItHasSeen(t *testing.T) {
	for days, factor := range map[int]float64{1: 2, 7: 1 + 1.0/7} {
		got := fed(days, 1, 1e9).Recommendation()
		near(t, "upper ÷ target", float64(got.Upper.CPUMillis)/float64(got.Target.CPUMillis), factor, 0.01)
	}
	if got := NewVPA(VPAOptions{}).Recommendation(); got != (VPARecommendation{}) {
		t.Errorf("without samples: %+v", got)
	}
}

func TestVPAAddsAKillToThePeaks(t *testing.T) {
	for request, want := range map[float64]float64{
		2e9:   2.4e9,         // 1.2 times.
		2.5e8: 2.5e8 + 100e6, // At least 100 MiB more.
	} {
		v := fed(1, 0.1, 1e8)
		v.RecordOOM(monday.Add(24*time.Hour), request)
		got := float64(v.Recommendation().Target.MemoryBytes) / (1 + vpaMargin)
		if got < want || got > want*1.06+10e6 {
			t.Errorf("killed at %v: the target without margin is %v, want the bucket of %v", request, got, want)
		}
	}
	for request := 1e8; request < 4e8; request += 2e6 { // Some are where a bucket ends, so that every MiB counts.
		v := fed(1, 0.1, 1e8)
		v.RecordOOM(monday.Add(24*time.Hour), request)
		if got, want := float64(v.Recommendation().Target.MemoryBytes)/(1+vpaMargin), request+100*mib; got < want-1 {
			t.Errorf("killed at %v: the target without margin is %v, want at least %v", request, got, want)
		}
	}
	v := fed(3, 0.1, 1e8)
	before := v.Recommendation()
	v.RecordOOM(monday.Add(time.Hour), 2e9)
	if v.Recommendation() != before {
		t.Error("a kill of two days ago counted")
	}
}

func TestVPAForgetsAPeak(t *testing.T) {
	v := NewVPA(VPAOptions{})
	for day := range 12 {
		at, bytes := monday.AddDate(0, 0, day), 1e9
		if day == 0 {
			bytes = 8e9
		}
		v.AddMemory(at, bytes)
		target := v.Recommendation().Target.MemoryBytes
		if high := target > 8e9; high != (day < 3) { // The peak weighs 1 of 2ⁿ⁺¹ − 1 after n days: 14 % after two, 7 % after three.
			t.Errorf("day %d: target %d", day, target)
		}
	}
}

func TestVPAIgnoresWhatIsNotANumberOrComesLate(t *testing.T) {
	v := fed(2, 1, 1e9)
	before := v.Recommendation()
	v.AddCPU(monday, 50)
	v.AddCPU(monday.AddDate(0, 0, 5), math.NaN())
	v.AddCPU(monday.AddDate(0, 0, 5), -1)
	v.AddMemory(monday, 1e11)
	v.AddMemory(monday.AddDate(0, 0, 5), math.NaN())
	if got := v.Recommendation(); got != before {
		t.Errorf("got %+v, want %+v", got, before)
	}
}

func TestAHistogramsQuantileIsWithinABucketOfTheSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistogram(firstCPUBucket, lastCPUBucket)
		values := rapid.SliceOfN(rapid.Float64Range(0, 900), 1, 200).Draw(t, "values")
		for i, v := range values { // Within so short a time nothing decays.
			h.add(v, sampleWeight, monday.Add(time.Duration(i)*time.Millisecond))
		}
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		sorted := slices.Sorted(slices.Values(values))
		// The decay of milliseconds may move the quantile by one sample.
		at := max(0, int(math.Ceil(q*float64(len(sorted))))-1)
		low, high := sorted[max(0, at-1)], sorted[min(len(sorted)-1, at+1)]
		if got := h.quantile(q); got < low*(1-1e-9) || got > high*bucketGrowth+firstCPUBucket*(1+1e-9) {
			t.Fatalf("the quantile %v of %v is %v", q, sorted, got)
		}
	})
}

func TestAHistogramIsTheSameAfterItsReferenceMoved(t *testing.T) {
	h := newHistogram(firstCPUBucket, lastCPUBucket)
	h.add(1, sampleWeight, monday)
	h.add(2, sampleWeight, monday.AddDate(0, 0, 150)) // Far beyond the largest exponent.
	if got := h.quantile(0.5); got < 2 || got > 2.2 {
		t.Errorf("after 150 days the median is %v", got)
	}
}

func TestVPAReplacesAPodOutsideItsBoundsAtOnceAndAnOldOneFarFromItsTarget(t *testing.T) {
	w := constant("web", 10, 1, gib)
	tr := newTrace(&w, monday)
	const i = 9 * keptSteps
	decide := func(have Amounts, changed int) bool {
		v := newVPAPolicy(vpaTarget)(tr, 0)
		return v.want(i, pod{have: have, changed: changed}) != have
	}
	v := newVPAPolicy(vpaTarget)(tr, 0).(*vpaPolicy)
	v.feed(i)
	target := v.vpa.Recommendation().Target
	less := func(share float64) Amounts {
		return Amounts{CPUMillis: int64(share * float64(target.CPUMillis)), MemoryBytes: target.MemoryBytes}
	}
	for _, test := range []struct {
		name    string
		have    Amounts
		changed int
		want    bool
	}{
		{"at its target", target, 0, false},
		{"young and under the lower bound", less(0.5), i - 1, true},
		{"young and over the upper bound", less(1.5), i - 1, true},
		{"young and 11 % over its target, inside the bounds", less(1.1), i - 1, false},
		{"old and 15 % over its target is outside its bounds", less(1.15), i - vpaLifetime, true},
		{"old and 11 % over its target, inside the bounds", less(1.105), i - vpaLifetime, false},
	} {
		if got := decide(test.have, test.changed); got != test.want {
			t.Errorf("%s: replaced %v, want %v", test.name, got, test.want)
		}
	}
}
