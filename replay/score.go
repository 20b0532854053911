package replay

import (
	"math"
	"slices"
	"time"
)

// tally sums up one resource of one workload.
type tally struct {
	used, requested, covered, unmet float64
	samples, over                   int
	changes, kills                  int
}

// count takes in one sample; a missing one counts for nothing.
func (t *tally) count(used, requested float64) {
	if math.IsNaN(used) {
		return
	}
	t.samples++
	t.used += used
	t.requested += requested
	t.covered += min(used, requested)
	// The tolerance is for the rounding of float32.
	if used > requested*(1+1e-6) {
		t.over++
		t.unmet += used - requested
	}
}

// usage returns the scores of the workload. Weeks is how long it was measured.
func (t *tally) usage(weeks float64) Usage {
	return Usage{
		Slack:            1 - ratio(t.covered, t.requested),
		RequestedPerUsed: ratio(t.requested, t.used),
		Violation:        ratio(float64(t.over), float64(t.samples)),
		Violation95:      ratio(float64(t.over), float64(t.samples)),
		Unmet:            ratio(t.unmet, t.used),
		UnmetTotal:       ratio(t.unmet, t.used),
		Requested:        ratio(t.requested, float64(t.samples)),
		Used:             ratio(t.used, float64(t.samples)),
		ChangesPerWeek:   float64(t.changes) / weeks,
		OOMPerWeek:       float64(t.kills) / weeks,
	}
}

// ratio is a ÷ b, and 0 where b is 0.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// played is one workload under one policy.
type played struct {
	cpu, memory      tally
	changes, refused int
	chart            *Chart
}

// score sums up a row over all workloads.
func score(v variant, names []string, all []played, o *Options, span time.Duration) PolicyResult {
	weeks := span.Hours() / (7 * 24)
	row := PolicyResult{Policy: v.policy, Label: v.label, Setting: v.setting}
	var cpu, memory []tally
	for i, p := range all {
		w := WorkloadResult{Name: names[i], CPU: p.cpu.usage(weeks), ChangesPerWeek: float64(p.changes) / weeks, Chart: p.chart}
		if p.memory.samples > 0 {
			w.Memory = new(p.memory.usage(weeks))
			memory = append(memory, p.memory)
		}
		if p.cpu.samples > 0 {
			cpu = append(cpu, p.cpu)
		}
		row.Workloads = append(row.Workloads, w)
		row.ChangesPerWeek += w.ChangesPerWeek / float64(len(all))
		row.RefusedPerWeek += float64(p.refused) / weeks / float64(len(all))
	}
	row.CPU = average(cpu, weeks)
	row.CostPerWeek = row.CPU.Requested * o.Prices.CoreHour
	if len(memory) > 0 {
		row.Memory = new(average(memory, weeks))
		row.CostPerWeek += row.Memory.Requested / (1 << 30) * o.Prices.GiBHour
	}
	row.CostPerWeek *= 7 * 24
	return row
}

// average scores a resource over all workloads that have it.
func average(all []tally, weeks float64) Usage {
	var out Usage
	var total tally
	var violations []float64
	n := float64(max(len(all), 1))
	for _, t := range all {
		u := t.usage(weeks)
		out.Slack += u.Slack / n
		out.Violation += u.Violation / n
		out.Unmet += u.Unmet / n
		out.ChangesPerWeek += u.ChangesPerWeek / n
		out.OOMPerWeek += u.OOMPerWeek / n
		out.Requested += u.Requested
		out.Used += u.Used
		total.requested += t.requested
		total.used += t.used
		total.unmet += t.unmet
		violations = append(violations, u.Violation)
	}
	out.RequestedPerUsed = ratio(total.requested, total.used)
	out.UnmetTotal = ratio(total.unmet, total.used)
	out.Violation95 = quantile(violations, 0.95)
	return out
}

// quantile returns the q-quantile of the values, linear between neighbours, and 0 of none.
func quantile(values []float64, q float64) float64 {
	return sortedQuantile(slices.Sorted(slices.Values(values)), q)
}

func sortedQuantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
