package forecast

import "math"

// A one-off is a holiday, an outage or a faulty value: what models, which repeat the day and the week before, must not
// repeat. The deviation of a value is its logarithm minus level and profile; a spread is 1.4826 times the median absolute
// deviation.
const (
	// A quarter of a day is a one-off if its median deviation is over so many spreads of all quarters and over this.
	oneOffSpreads, oneOffLeast = 6.0, 0.3
	// A single value is one if its deviation is over so many spreads of all values and over this, a factor of five.
	spikeSpreads, spikeLeast = 10.0, 1.6
	// longestOneOff is a number of quarters in a row. What lasts longer is no one-off.
	longestOneOffDays = 2
	longestOneOff     = longestOneOffDays * blocksPerSeason
	// The level is a mean that one-offs are part of, so that it is taken anew this often after they were replaced.
	levelRounds = 3
	// mostOneOffs is the share of values that may be one-offs. If there are more, the workload is like that.
	mostOneOffs = 0.05
)

// dropOneOffs replaces one-offs by what was to be expected. They are still what forecasts are scored on. It needs the long
// season, because without it a weekend looks like a holiday.
func (h *history) dropOneOffs(f *seasonalProfile) {
	if len(f.long) == 0 {
		return
	}
	scratch := h.take(2 * h.len())
	defer h.give(len(scratch))
	deviation, scratch := scratch[:h.len()], scratch[h.len():]
	remainder(h, f, deviation)
	odd := make([]bool, h.len())
	h.markOneOffs(deviation, scratch, odd)
	h.markSpikes(deviation, scratch, odd)
	marked := 0
	for _, o := range odd {
		if o {
			marked++
		}
	}
	if float64(marked) > mostOneOffs*float64(h.len()) {
		return
	}
	for range levelRounds {
		for t, o := range odd {
			if o {
				h.logs[t] -= deviation[t]
				h.values[t] = math.Exp(h.logs[t])
			}
		}
		remainder(h, f, deviation)
	}
	for t := range h.trust {
		if odd[t] {
			h.trust[t] = 0
		}
	}
}

// markOneOffs marks quarters of a day that are out of line. What is too high marks nothing until a whole day has been in line
// again, because it may stay; what is too low is taken for a one-off at once, because then the forecast errs to the safe side.
func (h *history) markOneOffs(deviation, scratch []float64, odd []bool) {
	block := max(1, h.short/blocksPerSeason)
	medians := make([]float64, len(deviation)/block)
	first := len(deviation) % block
	for b := range medians {
		medians[b] = median(scratch[:copy(scratch, deviation[first+b*block:first+(b+1)*block])])
	}
	limit := max(oneOffLeast, oneOffSpreads*spreadOf(medians, 0, scratch))
	for _, m := range medians[max(0, len(medians)-blocksPerSeason):] {
		if m > limit {
			return
		}
	}
	run := 0 // Quarters in a row that are out of line.
	for b := range len(medians) + 1 {
		if b < len(medians) && math.Abs(medians[b]) > limit {
			run++
			continue
		}
		if run > 0 && run <= longestOneOff {
			for t := first + (b-run)*block; t < first+b*block; t++ {
				odd[t] = true
			}
		}
		run = 0
	}
}

// markSpikes marks single values between two that are in line, unless there is another one a season before or after, give
// or take a step: that is a job that runs at this time.
func (h *history) markSpikes(deviation, scratch []float64, odd []bool) {
	limit := max(spikeLeast, spikeSpreads*spreadOf(deviation, 0, scratch))
	out := func(t int) bool { return t >= 0 && t < len(deviation) && math.Abs(deviation[t]) > limit }
	for t := 1; t < len(deviation)-1; t++ {
		if !out(t) || out(t-1) || out(t+1) {
			continue
		}
		again := false
		for _, season := range []int{-h.long, -h.short, h.short, h.long} {
			again = again || out(t+season-1) || out(t+season) || out(t+season+1)
		}
		odd[t] = odd[t] || !again
	}
}

// spreadOf returns the robust standard deviation of values around a center. The scratch memory is as long as the values.
func spreadOf(values []float64, center float64, scratch []float64) float64 {
	for i, v := range values {
		scratch[i] = math.Abs(v - center)
	}
	return 1.4826 * median(scratch[:len(values)])
}
