package sizing

import (
	"slices"
	"time"
)

// schedule returns the number of pods over the horizon in at most maxWindows windows.
func (p *ReplicaProposal) schedule(groups []podGroup, now time.Time) []ReplicaWindow {
	plain := groups[0].size.container.plainForecast()
	var windows []ReplicaWindow
	for i := range plain.Mean {
		from := plain.Start.Add(time.Duration(i) * plain.Step)
		until := from.Add(plain.Step)
		if !until.After(now) {
			continue
		}
		pods, _, ok := needed(groups, from, until)
		if !ok {
			continue
		}
		windows = append(windows, ReplicaWindow{From: from, Until: until, Replicas: p.clamp(pods)})
	}
	return condense(windows)
}

// condense joins neighbours, first equal ones, then those for which taking the larger number adds the fewest pod-hours,
// until there are at most maxWindows. It never lowers a number.
func condense(windows []ReplicaWindow) []ReplicaWindow {
	for len(windows) > 1 {
		cheapest, least := 0, cost(windows[0], windows[1])
		for i := 1; i+1 < len(windows); i++ {
			if c := cost(windows[i], windows[i+1]); c < least {
				cheapest, least = i, c
			}
		}
		if least > 0 && len(windows) <= maxWindows {
			break
		}
		a, b := windows[cheapest], windows[cheapest+1]
		windows[cheapest] = ReplicaWindow{From: a.From, Until: b.Until, Replicas: max(a.Replicas, b.Replicas)}
		windows = slices.Delete(windows, cheapest+1, cheapest+2)
	}
	return windows
}

// cost is the pod-hours that joining two neighbours adds.
func cost(a, b ReplicaWindow) float64 {
	if a.Replicas < b.Replicas {
		return float64(b.Replicas-a.Replicas) * a.Until.Sub(a.From).Hours()
	}
	return float64(a.Replicas-b.Replicas) * b.Until.Sub(b.From).Hours()
}
