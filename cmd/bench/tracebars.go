package main

import (
	"math"
	"strings"
	"time"

	"github.com/loadline-dev/loadline/replay"
)

// points is the format of a difference in slack.
const points = "%+.1f points"

// traceBars are what is wanted on a kind of trace.
type traceBars struct{ slack, requested, unmet scale }

// wanted returns what is wanted on a trace, by its name, and false if nothing was ever set for it.
func wanted(name string) (traceBars, bool) {
	switch {
	case strings.Contains(name, "azure"):
		return traceBars{slack: atMost(-5, -10, points), requested: atMost(2.15, 2.05, "%.2f"), unmet: atMost(1, 0.5, "%.2f %%")}, true
	case strings.Contains(name, "bitbrains"):
		return traceBars{slack: atMost(-6, -10, points), requested: atMost(2.45, 2.30, "%.2f"), unmet: atMost(1, 0.7, "%.2f %%")}, true
	default:
		return traceBars{}, false
	}
}

// bars holds the rows against what is wanted. All are the shipped defaults.
func (r *traceResult) bars() []bar {
	want, found := wanted(r.Name)
	if !found {
		return nil
	}
	hour := r.row(replay.LoadlineInPlace, time.Hour)
	day := r.row(replay.LoadlineInPlace, 24*time.Hour)
	blind := r.row(replay.LoadlineNoForecast, time.Hour)
	evict := r.row(replay.LoadlineEvict, 0)
	bars := []bar{
		want.slack.judge(r.Name+": in place, 5 % refused for 1 h, slack against VPA at equal violation", hour.atViolation().withSeeds(hour, seedAgainst(r.VPA))),
		want.requested.judge(r.Name+": its core-hours requested ÷ used", exactly(hour.CPU.RequestedPerUsed).withSeeds(hour, seedRequested)),
		want.unmet.judge(r.Name+": its unmet demand", exactly(100*hour.CPU.Unmet).withSeeds(hour, seedUnmet)),
		atMost(-1, -4, points).judge(r.Name+": what the forecast adds to it", advantage(hour, blind, r.VPA)),
		atMost(0, -3, points).judge(r.Name+": in place, 5 % refused for 24 h, slack against VPA at equal violation", day.atViolation().withSeeds(day, seedAgainst(r.VPA))),
		atMost(-2, -4, points).judge(r.Name+": evict, slack against VPA at equal violation", evict.atViolation()),
		atMost(4, 4, "%.1f").judge(r.Name+": its changes a week", exactly(evict.ChangesPerWeek)),
	}
	if hour.Memory != nil {
		best := better(killsAtSlack(hour, r.VPA), slackAtKills(hour, r.VPA))
		bars = append(bars, atMost(0, -30, "%+.0f %%").judge(r.Name+": memory as shipped, OOM kills at VPA's slack, or slack at VPA's kills", best))
	}
	return bars
}

// row finds a policy at its defaults, with 5 % of its raises refused for so long; 0 means none.
func (r *traceResult) row(policy string, refused time.Duration) row {
	for _, found := range r.Rows {
		if found.Policy == policy && found.Setting.RefusedForSeconds == int(refused.Seconds()) {
			return found
		}
	}
	none := replay.PolicyResult{ChangesPerWeek: math.NaN(), CPU: replay.Usage{Slack: math.NaN(), RequestedPerUsed: math.NaN(), Unmet: math.NaN(), Violation: math.NaN()}}
	return row{PolicyResult: none}
}
