package replay

import (
	"math"
	"time"
)

// Constants of the recommender of VPA v1.8.1.
const (
	vpaTarget    = 0.9
	vpaLower     = 0.5
	vpaUpper     = 0.95
	vpaMargin    = 0.15
	vpaHalfLife  = 24 * time.Hour
	sampleWeight = 0.1
	peakWeight   = 1
	// The buckets' first size and the value that the last one starts at or beyond, in cores and bytes.
	firstCPUBucket, lastCPUBucket       = 0.01, 1000
	firstMemoryBucket, lastMemoryBucket = 1e7, 1e12
	// peakWindow is the time whose peak is one sample of memory.
	peakWindow = 24 * time.Hour
	// After a kill: the larger of both.
	oomRatio, oomBytes = 1.2, 100 << 20
)

// VPAOptions say which quantile VPA aims at. The zero VPAOptions are its defaults.
type VPAOptions struct {
	// TargetCPU and TargetMemory are the quantiles that become the request; 0 means 0.9. The upper bound is never of a lower
	// quantile than the target: otherwise VPA would lower at once what it has just set.
	TargetCPU, TargetMemory float64
}

// VPA recommends for one container as the recommender of the Vertical Pod Autoscaler v1.8.1 does with its default settings,
// but without the minimum of 25 millicores and 250 MiB that it gives every pod. It was written anew from the published
// constants:
//
//   - CPU: every sample has weight 0.1 and half of that a day later, whatever the request was;
//   - memory: one sample of weight 1 per day, the day's peak, dated at the end of the day, with the same decay. Days are
//     counted from the pod's first sample on;
//   - the target is the 90th percentile, lower and upper bound are the 50th and the 95th, each plus 15 %;
//   - bounds depend on confidence, the smaller of days seen and samples ÷ 1440: the upper bound is multiplied by
//     (1 + 1 ÷ confidence), the lower one by (1 + 0.001 ÷ confidence)⁻²;
//   - an out-of-memory kill counts as a peak of the larger of 1.2 times and 100 MiB more than the request or, if larger, the
//     day's measured peak.
//
// Amounts are cut to whole millicores and bytes after each step, as there. The zero VPA is not usable; use NewVPA.
type VPA struct {
	options VPAOptions
	cpu     histogram
	memory  histogram

	samples        int
	firstCPUSample time.Time
	lastCPUSample  time.Time

	lastMemorySample time.Time
	// windowEnd is the end of the day whose peak is being looked for; peak and oomPeak are its peaks so far, in bytes.
	windowEnd     time.Time
	peak, oomPeak float64
}

// VPARecommendation is what VPA would write into its object's status.
type VPARecommendation struct{ Target, Lower, Upper Amounts }

// Amounts is CPU in millicores and memory in bytes.
type Amounts struct{ CPUMillis, MemoryBytes int64 }

// NewVPA returns a VPA that has seen nothing.
func NewVPA(o VPAOptions) *VPA {
	if o.TargetCPU == 0 {
		o.TargetCPU = vpaTarget
	}
	if o.TargetMemory == 0 {
		o.TargetMemory = vpaTarget
	}
	return &VPA{
		options: o,
		cpu:     newHistogram(firstCPUBucket, lastCPUBucket),
		memory:  newHistogram(firstMemoryBucket, lastMemoryBucket),
	}
}

// AddCPU takes in the mean use of an interval that began at the given time, in cores. Negative and missing values, and
// those that are not later than the one before, are ignored.
func (v *VPA) AddCPU(at time.Time, cores float64) {
	if !(cores >= 0) || !at.After(v.lastCPUSample) {
		return
	}
	v.cpu.add(sampledCores(cores), sampleWeight, at)
	if v.samples == 0 {
		v.firstCPUSample = at
	}
	v.lastCPUSample = at
	v.samples++
}

// sampledCores is what VPA reads from the Metrics API, which serves nanocores: rounded up to whole millicores.
func sampledCores(cores float64) float64 { return math.Ceil(math.Round(cores*1e9)/1e6) / 1000 }

// AddMemory takes in the use at a time, in bytes. Negative and missing values, and those that are older than the one
// before, are ignored.
func (v *VPA) AddMemory(at time.Time, bytes float64) {
	if !(bytes >= 0) || at.Before(v.lastMemorySample) {
		return
	}
	v.addPeak(at, math.Trunc(bytes), false)
}

// RecordOOM takes in that the container was killed for lack of memory at a time, when it had requested so many bytes. A kill
// that is more than a day older than the last sample is ignored.
func (v *VPA) RecordOOM(at time.Time, requestBytes float64) {
	if !v.lastMemorySample.IsZero() && at.Before(v.lastMemorySample.Add(-peakWindow)) {
		return
	}
	used := math.Max(requestBytes, v.peak)
	v.addPeak(at, math.Trunc(math.Max(used+oomBytes, used*oomRatio)), true)
}

// Replace takes in that the pod gives way to a new one, whose first sample begins a day of its own. The peaks of the old pod
// stay, also that of the day it did not finish.
func (v *VPA) Replace() {
	v.windowEnd, v.lastMemorySample = time.Time{}, time.Time{}
	v.peak, v.oomPeak = 0, 0
}

// addPeak moves the day's peak, in place of the old one, or starts the next day. A day whose peak is 0 keeps it.
func (v *VPA) addPeak(at time.Time, bytes float64, oom bool) {
	v.lastMemorySample = at
	if v.windowEnd.IsZero() {
		v.windowEnd = at
	}
	if at.Before(v.windowEnd) {
		old := math.Max(v.peak, v.oomPeak)
		if old == 0 || bytes <= old {
			return
		}
		v.memory.subtract(old, peakWeight, v.windowEnd)
	} else {
		v.windowEnd = v.windowEnd.Add(at.Sub(v.windowEnd).Truncate(peakWindow) + peakWindow)
		v.peak, v.oomPeak = 0, 0
	}
	v.memory.add(bytes, peakWeight, v.windowEnd)
	if oom {
		v.oomPeak = bytes
	} else {
		v.peak = bytes
	}
}

// Recommendation returns what follows from everything that was taken in. It is zero before the first sample.
func (v *VPA) Recommendation() VPARecommendation {
	confidence := v.confidence()
	raise, lower := 1+1/confidence, math.Pow(1+0.001/confidence, -2)
	at := func(cpuQuantile, memoryQuantile, factor float64) Amounts {
		return Amounts{
			CPUMillis:   scaled(float64(withMargin(v.cpu.quantile(cpuQuantile)*1000)), factor),
			MemoryBytes: scaled(float64(withMargin(v.memory.quantile(memoryQuantile))), factor),
		}
	}
	return VPARecommendation{
		Target: at(v.options.TargetCPU, v.options.TargetMemory, 1),
		Lower:  at(vpaLower, vpaLower, lower),
		Upper:  at(max(vpaUpper, v.options.TargetCPU), max(vpaUpper, v.options.TargetMemory), raise),
	}
}

// confidence is how many days of a sample per minute there are; 0 before the second sample.
func (v *VPA) confidence() float64 {
	const samplesPerDay = 24 * 60
	days := float64(v.lastCPUSample.Sub(v.firstCPUSample)) / float64(24*time.Hour)
	return math.Min(days, float64(v.samples)/samplesPerDay)
}

func withMargin(amount float64) int64 {
	base := scaled(amount, 1)
	return base + scaled(float64(base), vpaMargin)
}

// scaled multiplies an amount and cuts it to a whole number that an int64 holds.
func scaled(amount, factor float64) int64 {
	const most = 1e14
	switch product := amount * factor; {
	case !(product > 0):
		return 0
	case product > most:
		return most
	default:
		return int64(product)
	}
}
