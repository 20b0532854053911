package replay

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// headline says in sentences what the replay found: Loadline's first row beside VPA and what is requested today.
func headline(r Result) []string {
	if len(r.Policies) == 0 {
		return []string{"No policy was replayed."}
	}
	ours := r.Policies[max(0, slices.IndexFunc(r.Policies, func(p PolicyResult) bool { return strings.HasPrefix(p.Policy, "loadline-") }))]
	out := []string{fmt.Sprintf(
		"Over %s and %s, %s would have requested %s cores for each core used (slack %s). Use was over the request in %s of all samples, and %s of the demand was unmet.",
		daysText(r.Split.End.Sub(r.Split.Scored)), count(r.Split.Workloads, "workload"), ours.Label, decimals(ours.CPU.RequestedPerUsed, 2),
		percentText(ours.CPU.Slack), percentText(ours.CPU.Violation), percentText(ours.CPU.Unmet),
	)}
	if vpa := find(r.Policies, VPAPolicy); vpa != nil && vpa.Policy != ours.Policy {
		out = append(out, fmt.Sprintf("VPA would have requested %s cores for each core used (slack %s), with use over the request in %s of all samples and %s of the demand unmet.",
			decimals(vpa.CPU.RequestedPerUsed, 2), percentText(vpa.CPU.Slack), percentText(vpa.CPU.Violation), percentText(vpa.CPU.Unmet)))
	}
	if sentence := equalHarm(r, ours); sentence != "" {
		out = append(out, sentence)
	}
	if now := find(r.Policies, CurrentPolicy); now != nil && now.Policy != ours.Policy && r.Split.CurrentKnown && now.CostPerWeek > 0 {
		out = append(out, fmt.Sprintf("What is requested today costs %s a week; this would have cost %s, %s.",
			decimals(now.CostPerWeek, 0), decimals(ours.CostPerWeek, 0), lessOrMore(1-ours.CostPerWeek/now.CostPerWeek)))
	}
	return out
}

// equalHarm compares the first row with VPA where both do the same harm, if a sweep found such points.
func equalHarm(r Result, ours PolicyResult) string {
	i := slices.IndexFunc(r.Sweeps, func(c Curve) bool { return c.Label == ours.Label })
	if i < 0 {
		return ""
	}
	c := r.Sweeps[i]
	at := slices.IndexFunc(c.Points, func(p Point) bool { return p.Shipped })
	if at < 0 || at >= len(c.Versus) {
		return ""
	}
	var parts []string
	if d := c.Versus[at].AtEqualViolation; d != nil {
		parts = append(parts, pointsBelow(*d)+" VPA's at equal violation"+rangeText(c.Versus[at].ViolationRange))
	}
	if d := c.Versus[at].AtEqualUnmet; d != nil {
		parts = append(parts, pointsBelow(*d)+" VPA's at equal unmet demand"+rangeText(c.Versus[at].UnmetRange))
	}
	if len(parts) == 0 {
		return "VPA's curve does not reach the same violation or unmet demand, so the two cannot be compared at equal harm."
	}
	return fmt.Sprintf("With VPA set so that it does the same harm, the slack of %s is %s.", ours.Policy, strings.Join(parts, ", and "))
}

// rangeText writes the range of a difference in slack for the end of a sentence.
func rangeText(r *Range) string {
	if r == nil || r.Low == nil || r.High == nil {
		return ""
	}
	return fmt.Sprintf(" (95 %% range %s to %s points)", pointsText(r.Low), pointsText(r.High))
}

// pointsBelow writes a difference in slack, where negative is less.
func pointsBelow(difference float64) string {
	side := "below"
	if difference > 0 {
		side = "above"
	}
	return fmt.Sprintf("%s percentage points %s", decimals(math.Abs(difference)*100, 1), side)
}

func lessOrMore(saved float64) string {
	if saved < 0 {
		return percentText(-saved) + " more"
	}
	return percentText(saved) + " less"
}

func find(rows []PolicyResult, policy string) *PolicyResult {
	if i := slices.IndexFunc(rows, func(p PolicyResult) bool { return p.Policy == policy }); i >= 0 {
		return &rows[i]
	}
	return nil
}

// columns explains the table.
func columns(s Split) []definition {
	out := []definition{
		{"Slack", "the part of the request that is not used, on average over the workloads."},
		{"Requested ÷ used", "all core-hours requested for each one used. Nobody wins by requesting too much."},
		{"Violation", "the share of samples in which a workload used more CPU than it requested, on average over the workloads, and for the workload at the 95th percentile."},
		{"Unmet", "the share of the CPU used that was over the request, on average over the workloads. On a full node it would have had to wait."},
		{"Changes a week", "how often a workload's requests were changed, on average over the workloads."},
	}
	if s.HasMemory {
		out = append(out, definition{"OOM kills a week", "how often a workload would have used more memory than it requested, counted once an hour, on average over the workloads."})
	}
	return append(out, definition{"Cost a week", fmt.Sprintf("all requests together at %v for a core and %v for a GiB of memory per hour.", s.Prices.CoreHour, s.Prices.GiBHour)})
}

// limits says what no replay can show.
func limits(r Result) []string {
	out := []string{
		"A replay knows what was used, not what would have been: a workload that got less than it asked for shows too little demand, and one that gets more may use more.",
		"A change takes effect at once and costs nothing here. In a cluster a pod that is replaced has to start, and a node may have no room for a raise" + refusedWords(r) + ".",
		"Policies decide from what was measured before each decision. They never see what comes later, with the exception of oracle, which knows the next hour and is out of reach for everybody.",
		"vpa and krr are written anew from the constants that their projects publish, with the settings that these ship.",
		"Violation and unmet demand are counted against the request. Where nodes have idle CPU, use over the request is not slowed down.",
	}
	if len(r.Sweeps) > 0 {
		out = append(out, "Differences at equal violation or unmet demand are interpolated between points of VPA's curve, never beyond its ends; a dash means that the curve does not reach so far.")
		if r.Split.Workloads >= fewest {
			out = append(out, "The range beside a difference is where 95 % of it lies when the workloads are drawn anew, for both policies alike. It says nothing of other times or other kinds of workloads.")
		}
	}
	return out
}

func refusedWords(r Result) string {
	for _, p := range r.Policies {
		if p.Setting.Refused > 0 {
			return "; the rows that say so let a share of the raises fail"
		}
	}
	return "; no raise fails here"
}

// knobText is what a policy aims at.
func knobText(p Point) string {
	switch {
	case p.Knob == 0:
		return "–"
	case p.Shipped:
		return quantileText(p.Knob) + " ★ default"
	default:
		return quantileText(p.Knob)
	}
}

func quantileText(share float64) string { return "p" + strconv.FormatFloat(share*100, 'f', -1, 32) }

// percentText writes a share with about three digits.
func percentText(share float64) string {
	v := share * 100
	digits := 2
	switch {
	case math.Abs(v) >= 9.95:
		digits = 1
	case v == 0:
		digits = 0
	}
	return decimals(v, digits) + "\u00a0%"
}

// pointsText writes a difference of shares in percentage points, and a dash where there is none.
func pointsText(difference *float64) string {
	if difference == nil {
		return "–"
	}
	if sign := math.Round(*difference * 1000); sign > 0 {
		return "+" + decimals(*difference*100, 1)
	}
	return decimals(*difference*100, 1)
}

// decimals writes a number with the given digits after the point, and thin spaces between thousands.
func decimals(v float64, digits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(math.Abs(v), 'f', digits, 64), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "\u202f" + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if v < 0 && strings.Trim(whole, "0.") != "" {
		return "−" + whole
	}
	return whole
}

func daysText(d time.Duration) string {
	if d < 48*time.Hour {
		return count(int(math.Round(d.Hours())), "hour")
	}
	return strings.TrimSuffix(decimals(d.Hours()/24, 1), ".0") + " days"
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
