package forecast

import (
	"cmp"
	"math"
	"slices"
)

// holtWinters is additive exponential smoothing of the logarithms with two seasons and an autoregressive error, after
// Taylor, "Short-term electricity demand forecasting using double seasonal exponential smoothing" (2003), without trend:
//
//	e(t) = log y(t) − l(t−1) − s(t−m) − w(t−L)
//	l(t) = l(t−1) + α·e(t),  s(t) = s(t−m) + δ·e(t),  w(t) = w(t−L) + ω·e(t)
//	log ŷ(n+h) = l(n) + s(n+h−m) + w(n+h−L) + φʰ·e(n)
//
// The gains are those of a fixed grid with the least mean absolute one-step error e(t) − φ·e(t−1); the prediction is the
// mean of the four best ones. There is no search, so the cost is known and the answer is the same everywhere. It starts
// with the means of two cycles, or of what there is.
//
// Minimum length: two short seasons; without one and a half long ones w is 0. Gaps that were filled in move its state as any value does.
type holtWinters struct{}

func (holtWinters) name() string { return "holt-winters" }

func (holtWinters) least(s seasons) int { return 2 * s.short }

// gains are how fast the parts of a smoothing follow; phi is the share of an error that is left a step later.
type gains struct{ level, short, long, phi float64 }

// gainGrid returns the combinations that are tried.
func gainGrid(long bool) []gains {
	longGains := []float64{0}
	if long {
		longGains = []float64{0.08, 0.25}
	}
	var grid []gains
	for _, level := range []float64{0.003, 0.03, 0.15} {
		for _, short := range []float64{0.03, 0.15} {
			for _, l := range longGains {
				for _, phi := range []float64{0.6, 0.9, 0.98} {
					grid = append(grid, gains{level: level, short: short, long: l, phi: phi})
				}
			}
		}
	}
	return grid
}

// mixedGains is how many of the best gains are used.
const mixedGains = 4

func (holtWinters) fit(t *training) []predictor {
	long := t.hasLong(t.origins[0])
	grid := gainGrid(long)
	initial, work := newSmoothing(t.seasons, long), newSmoothing(t.seasons, long)
	scored := initial.start(t.logs[:t.origins[0]])
	type candidate struct {
		gains
		loss float64
	}
	candidates := make([][]candidate, len(t.origins))
	for _, g := range grid {
		work.set(initial)
		work.gains = g
		loss, seen := 0.0, 0
		for k, n := range t.origins {
			loss += work.run(t.logs[:n], seen, scored)
			candidates[k], seen = append(candidates[k], candidate{g, loss}), n
		}
	}
	result := make([]predictor, len(t.origins))
	for k, c := range candidates {
		slices.SortStableFunc(c, func(a, b candidate) int { return cmp.Compare(a.loss, b.loss) })
		best := &fittedHoltWinters{hasLong: long}
		for i := range best.gains {
			best.gains[i] = c[i].gains
		}
		result[k] = best
	}
	return result
}

type fittedHoltWinters struct {
	gains   [mixedGains]gains
	hasLong bool
}

func (m *fittedHoltWinters) predict(h *history, n int, out []float64) {
	x := h.logs[:n]
	initial, work := newSmoothing(h.seasons, m.hasLong), newSmoothing(h.seasons, m.hasLong)
	initial.start(x)
	within := limitsOf(x)
	clear(out)
	for _, g := range m.gains {
		work.set(initial)
		work.gains = g
		work.run(x, 0, n)
		e := work.err
		for i := range out {
			e *= g.phi
			v := work.level + e + work.short[(n+i)%len(work.short)] + work.long[(n+i)%len(work.long)]
			out[i] += math.Exp(within.hold(v)) / mixedGains
		}
	}
}

// smoothing is the state of a Holt-Winters recursion.
type smoothing struct {
	gains
	level, err  float64
	short, long []float64
}

// newSmoothing returns a state of zeros. Without a long season it has one with a single place, which stays zero.
func newSmoothing(s seasons, long bool) *smoothing {
	if !long {
		s.long = 1
	}
	return &smoothing{short: make([]float64, s.short), long: make([]float64, s.long)}
}

func (s *smoothing) set(other *smoothing) {
	s.level, s.err = other.level, other.err
	copy(s.short, other.short)
	copy(s.long, other.long)
}

// start sets the state before the first value from the means of the first two cycles, or as much as there is, and returns
// how many values that took.
func (s *smoothing) start(x []float64) int {
	x = x[:min(len(x), 2*max(len(s.short), len(s.long)))]
	for _, v := range x {
		s.level += v / float64(len(x))
	}
	s.season(s.short, x)
	if len(s.long) > 1 {
		s.season(s.long, x)
	}
	return len(x)
}

// season sets one season to what the state leaves of x at each of its places.
func (s *smoothing) season(season, x []float64) {
	for i := range season {
		sum, n := 0.0, 0.0
		for t := i; t < len(x); t += len(season) {
			sum += x[t] - s.level - s.short[t%len(s.short)]
			n++
		}
		season[i] += sum / n
	}
}

// run goes on with the values from one index on, and returns the sum of the absolute one-step errors from the index
// scored on.
func (s *smoothing) run(x []float64, from, scored int) float64 {
	i, j := from%len(s.short), from%len(s.long)
	level, err, sum := s.level, s.err, 0.0 // In registers: this loop is most of what a fit costs.
	for t := from; t < len(x); t++ {
		before := err
		err = x[t] - level - s.short[i] - s.long[j]
		level += s.gains.level * err
		s.short[i] += s.gains.short * err
		s.long[j] += s.gains.long * err
		if t >= scored {
			sum += math.Abs(err - s.phi*before)
		}
		if i++; i == len(s.short) {
			i = 0
		}
		if j++; j == len(s.long) {
			j = 0
		}
	}
	s.level, s.err = level, err
	return sum
}
