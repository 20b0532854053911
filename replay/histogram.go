package replay

import (
	"math"
	"time"
)

// histogram is the distribution of samples whose weight halves with age, in buckets that grow by 5 %: the memory of the
// Vertical Pod Autoscaler's recommender, written anew from its published constants.
//
// Bucket 0 is [0, first); bucket n starts at first · (1.05ⁿ − 1) ÷ 0.05. Values under 0 fall into bucket 0, values over the
// range into the last. A bucket of less than emptyWeight counts as empty. Weights are kept relative to a reference time, so
// that a newer sample weighs more and nothing has to be scaled as time goes on; the reference moves when the exponent gets
// larger than maxExponent half-lives.
type histogram struct {
	first     float64
	reference time.Time
	weights   []float64
	total     float64
	// lowest and highest bucket that are not empty; lowest > highest where all are.
	lowest, highest int
}

const (
	// bucketGrowth is how much wider each bucket is than the one before.
	bucketGrowth = 1.05
	// emptyWeight is a thousandth of the weight of a CPU sample.
	emptyWeight = 0.001 * sampleWeight
	maxExponent = 100
)

// newHistogram covers values up to most; its buckets start with one of the given size.
func newHistogram(first, most float64) histogram {
	buckets := int(math.Ceil(bucketOf(first, most))) + 1
	return histogram{first: first, weights: make([]float64, buckets), lowest: buckets - 1}
}

// bucketOf returns the bucket of a value as a fraction: its floor is the bucket.
func bucketOf(first, value float64) float64 {
	ratio := float64(bucketGrowth) // Not a constant: 1.05 − 1 has to be rounded as VPA has it rounded, which moves bounds.
	return math.Log(value*(ratio-1)/first+1) / math.Log(ratio)
}

func (h *histogram) find(value float64) int {
	if !(value >= h.first) {
		return 0
	}
	return int(min(bucketOf(h.first, value), float64(len(h.weights)-1)))
}

// start returns the lower end of a bucket.
func (h *histogram) start(bucket int) float64 {
	ratio := float64(bucketGrowth)
	return h.first * (math.Pow(ratio, float64(bucket)) - 1) / (ratio - 1)
}

// add counts a sample of a time.
func (h *histogram) add(value, weight float64, at time.Time) {
	weight *= h.growth(at)
	bucket := h.find(value)
	h.weights[bucket] += weight
	h.total += weight
	if h.weights[bucket] >= emptyWeight {
		h.lowest, h.highest = min(h.lowest, bucket), max(h.highest, bucket)
	}
}

// subtract takes back a sample that was added for that time.
func (h *histogram) subtract(value, weight float64, at time.Time) {
	weight *= h.growth(at)
	bucket := h.find(value)
	h.weights[bucket] = nothingBelow(h.weights[bucket] - weight)
	h.total = nothingBelow(h.total - weight)
	h.shrink()
}

func nothingBelow(weight float64) float64 {
	if weight < emptyWeight {
		return 0
	}
	return weight
}

// growth is how much more a sample of that time weighs than one of the reference time.
func (h *histogram) growth(at time.Time) float64 {
	if at.Sub(h.reference) > maxExponent*vpaHalfLife {
		moved := at.Round(vpaHalfLife)
		factor := math.Exp2(-math.Round(float64(moved.Sub(h.reference)) / float64(vpaHalfLife)))
		for i := range h.weights {
			h.weights[i] *= factor
		}
		h.total *= factor
		h.reference = moved
		h.shrink()
	}
	return math.Exp2(float64(at.Sub(h.reference)) / float64(vpaHalfLife))
}

// shrink finds the lowest and highest bucket again after weights went down.
func (h *histogram) shrink() {
	for h.lowest < len(h.weights)-1 && h.weights[h.lowest] < emptyWeight {
		h.lowest++
	}
	for h.highest > 0 && h.weights[h.highest] < emptyWeight {
		h.highest--
	}
}

// quantile returns the upper end of the bucket that holds the quantile q, and the start of the last bucket, which has no
// end. An empty histogram gives 0.
func (h *histogram) quantile(q float64) float64 {
	if h.weights[h.lowest] < emptyWeight {
		return 0
	}
	wanted, sum, bucket := q*h.total, 0.0, h.lowest
	for ; bucket < h.highest; bucket++ {
		if sum += h.weights[bucket]; sum >= wanted {
			break
		}
	}
	return h.start(min(bucket+1, len(h.weights)-1))
}
