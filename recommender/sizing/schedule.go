package sizing

import (
	"slices"
	"time"
)

// schedule returns the number of pods over the horizon in at most maxWindows windows.
func (p *ReplicaProposal) schedule(groups []podGroup, now time.Time) []ReplicaWindow {
	plain := groups[0].forecast
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
		windows = join(windows, ReplicaWindow{From: from, Until: until, Replicas: p.clamp(pods)})
	}
	return condense(windows)
}

// join adds a window, to the last one if the number is the same.
func join(windows []ReplicaWindow, next ReplicaWindow) []ReplicaWindow {
	if n := len(windows); n > 0 && windows[n-1].Replicas == next.Replicas && windows[n-1].Until.Equal(next.From) {
		windows[n-1].Until = next.Until
		return windows
	}
	return append(windows, next)
}

// condense joins neighbours until there are at most maxWindows, each time those for which taking the larger number adds the
// fewest pod-hours. It never lowers a number.
func condense(windows []ReplicaWindow) []ReplicaWindow {
	for len(windows) > maxWindows {
		cheapest, least := 0, cost(windows[0], windows[1])
		for i := 1; i+1 < len(windows); i++ {
			if c := cost(windows[i], windows[i+1]); c < least {
				cheapest, least = i, c
			}
		}
		a, b := windows[cheapest], windows[cheapest+1]
		windows[cheapest] = ReplicaWindow{From: a.From, Until: b.Until, Replicas: max(a.Replicas, b.Replicas)}
		windows = slices.Delete(windows, cheapest+1, cheapest+2)
	}
	return windows
}

// cost is the pod-time that joining two neighbours adds.
func cost(a, b ReplicaWindow) float64 {
	if a.Replicas < b.Replicas {
		return float64(b.Replicas-a.Replicas) * float64(a.Until.Sub(a.From))
	}
	return float64(a.Replicas-b.Replicas) * float64(b.Until.Sub(b.From))
}
