package sizing

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// measureWithout computes the demand of one pod with and without the windows that may be left out, and takes the larger. What
// people say of the past can so bring back what an outage or a shutdown hid, and can never take away what was measured. The
// sentences say what was left out; there are none where that made no difference.
func measureWithout(in Input, c ContainerInput, pods forecast.Usage) (Demand, []string) {
	all := c.Demand
	if !all.measured {
		all = measure(c, in.Policy.CPU.Quantile, pods, in.Now)
	}
	if len(in.Ignored) == 0 {
		return all, nil
	}
	c.CPUTotal, c.CPUHottest = without(c.CPUTotal, in.Ignored), without(c.CPUHottest, in.Ignored)
	rest := measure(c, in.Policy.CPU.Quantile, pods, in.Now)
	if !(rest.perPod > all.perPod) { // Also where one of them is unknown.
		return all, nil
	}
	rest.leastImbalance = all.imbalance(math.Inf(1))
	var sentences []string
	for _, w := range in.Ignored {
		sentences = append(sentences, fmt.Sprintf("CPU: what was used from %s to %s is left out: %s",
			w.Start.UTC().Format(time.RFC3339), w.End.UTC().Format(time.RFC3339), w.Reason))
	}
	return rest, sentences
}

// without returns the usage with nothing known of the intervals that begin in one of the windows. It does not write to its
// input.
func without(u forecast.Usage, windows []Ignored) forecast.Usage {
	u.HourlyMean, u.HourlyMax, u.Recent = blank(u.HourlyMean, windows), blank(u.HourlyMax, windows), blank(u.Recent, windows)
	return u
}

func blank(s forecast.Series, windows []Ignored) forecast.Series {
	s.Values = slices.Clone(s.Values)
	for i := range s.Values {
		at := s.TimeAt(i)
		if slices.ContainsFunc(windows, func(w Ignored) bool { return !at.Before(w.Start) && at.Before(w.End) }) {
			s.Values[i] = float32(math.NaN())
		}
	}
	return s
}
