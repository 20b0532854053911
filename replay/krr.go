package replay

import (
	"math"
	"slices"
)

// KRR recommends as the strategy "simple" of Robusta's Kubernetes Resource Recommender does with its defaults: CPU is a
// percentile of the last 14 days, 95 by default, and memory their maximum plus 15 %. Its minimum of 10 millicores and 100 MB
// is left out, and so is what it can learn of kills, which is off by default.
//
// KRR only prints its numbers. Here they are computed anew every day and applied if CPU or memory moves by more than 10 %,
// at most every twelve hours.
type krr struct {
	trace *trace
	// quantile of CPU.
	quantile float64
	from     int
	latest   Amounts
	computed int // at this step
	scratch  []float64
}

const (
	krrQuantile   = 0.95
	krrBuffer     = 0.15
	krrHistory    = 14 * 24 * stepsPerHour
	krrEvery      = 24 * stepsPerHour
	krrDwell      = 12 * stepsPerHour
	krrLeastShare = 0.1
)

func newKRR(quantile float64) factory {
	return func(t *trace, from int) policy { return &krr{trace: t, quantile: quantile, from: from} }
}

func (k *krr) want(i int, p pod) Amounts {
	if i == k.from || i-k.computed >= krrEvery {
		k.latest, k.computed = k.recommend(i, p.have), i
	}
	if i > k.from && i-p.changed < krrDwell || !moved(p.have, k.latest, krrLeastShare) {
		return p.have
	}
	return k.latest
}

// recommend returns what KRR recommends: what the pod has, where there is no sample.
func (k *krr) recommend(i int, have Amounts) Amounts {
	from := max(0, i-krrHistory)
	k.scratch = k.scratch[:0]
	for _, v := range k.trace.workload.CPU[from:i] {
		if v == v {
			k.scratch = append(k.scratch, float64(v))
		}
	}
	if len(k.scratch) > 0 {
		slices.Sort(k.scratch)
		have.CPUMillis = wholeMillis(sortedQuantile(k.scratch, k.quantile))
	}
	if !k.trace.hasMemory {
		return have
	}
	if memory := k.trace.workload.Memory[from:i]; firstKnown(memory) < len(memory) {
		have.MemoryBytes = wholeMiB((1 + krrBuffer) * largest(memory))
	}
	return have
}

// killed teaches KRR nothing.
func (k *krr) killed(int, int64) {}

// moved reports whether CPU or memory differs by more than a share of what there is.
func moved(from, to Amounts, least float64) bool {
	far := func(a, b int64) bool { return math.Abs(float64(b-a)) > least*float64(a) }
	return far(from.CPUMillis, to.CPUMillis) || far(from.MemoryBytes, to.MemoryBytes)
}

// largest known value, 0 without any.
func largest(values []float32) float64 {
	most := 0.0
	for _, v := range values {
		if float64(v) > most {
			most = float64(v)
		}
	}
	return most
}

// wholeMillis rounds cores up to millicores, at least one. A relative 1e-7 is taken for the rounding of float32.
func wholeMillis(cores float64) int64 { return max(1, int64(math.Ceil(cores*1000*(1-1e-7)))) }

const mib = 1 << 20

// wholeMiB rounds bytes up to a whole MiB, at least one.
func wholeMiB(bytes float64) int64 { return max(1, int64(math.Ceil(bytes/mib))) * mib }
