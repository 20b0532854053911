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
	// weeks in which the changes and kills were counted.
	weeks float64
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

// add takes in what was summed up elsewhere.
func (t *tally) add(other tally) {
	t.used += other.used
	t.requested += other.requested
	t.covered += other.covered
	t.unmet += other.unmet
	t.samples += other.samples
	t.over += other.over
	t.changes += other.changes
	t.kills += other.kills
	t.weeks += other.weeks
}

// usage returns the scores.
func (t *tally) usage() Usage {
	return Usage{
		Slack:            1 - ratio(t.covered, t.requested),
		RequestedPerUsed: ratio(t.requested, t.used),
		Violation:        ratio(float64(t.over), float64(t.samples)),
		Violation95:      ratio(float64(t.over), float64(t.samples)),
		Unmet:            ratio(t.unmet, t.used),
		UnmetTotal:       ratio(t.unmet, t.used),
		Requested:        ratio(t.requested, float64(t.samples)),
		Used:             ratio(t.used, float64(t.samples)),
		ChangesPerWeek:   ratio(float64(t.changes), t.weeks),
		OOMPerWeek:       ratio(float64(t.kills), t.weeks),
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
	// steps that were scored; 0 if none of them had a sample.
	steps int
	chart *Chart
	// bySeed is what the numbers are the sum of, empty if there was one seed only.
	bySeed []played
}

// end tells how many steps were scored. Where none of them had a sample nothing counts.
func (p *played) end(steps int, c *Chart) {
	if p.cpu.samples == 0 && p.memory.samples == 0 {
		*p = played{chart: c}
		return
	}
	p.steps, p.chart = steps, c
	p.cpu.weeks = (time.Duration(steps) * Step).Hours() / (7 * 24)
	p.memory.weeks = p.cpu.weeks
}

// sum takes plays of the same workload together, as if it had lived through the same days so many times.
func sum(all []played) played {
	out := all[0]
	for _, p := range all[1:] {
		out.cpu.add(p.cpu)
		out.memory.add(p.memory)
		out.changes += p.changes
		out.refused += p.refused
	}
	if len(all) > 1 {
		out.bySeed = all
	}
	return out
}

// score sums up a row over all workloads.
func score(v variant, names []string, all []played, o *Options) PolicyResult {
	row := PolicyResult{Policy: v.policy, Label: v.label, Setting: v.setting}
	for i, p := range all {
		w := WorkloadResult{
			Name: names[i], ScoredSeconds: p.steps * seconds(Step), CPU: p.cpu.usage(),
			ChangesPerWeek: ratio(float64(p.changes), p.cpu.weeks), Chart: p.chart,
		}
		if p.memory.samples > 0 {
			w.Memory = new(p.memory.usage())
		}
		row.Workloads = append(row.Workloads, w)
	}
	row.sumUp(all)
	row.CostPerWeek = row.CPU.Requested * o.Prices.CoreHour
	if row.Memory != nil {
		row.CostPerWeek += row.Memory.Requested / (1 << 30) * o.Prices.GiBHour
	}
	row.CostPerWeek *= 7 * 24
	for s := range all[0].bySeed {
		row.BySeed = append(row.BySeed, ofSeed(o.Seeds[s], s, all))
	}
	return row
}

// ofSeed is what all workloads have with one of several seeds.
func ofSeed(seed uint64, at int, all []played) SeedResult {
	some := make([]played, len(all))
	for i, p := range all {
		some[i] = p.bySeed[at]
	}
	var row PolicyResult
	row.sumUp(some)
	return SeedResult{
		Seed: seed, Slack: row.CPU.Slack, Violation: row.CPU.Violation, Unmet: row.CPU.Unmet,
		RequestedPerUsed: row.CPU.RequestedPerUsed, ChangesPerWeek: row.ChangesPerWeek,
	}
}

// sumUp sets what is of all workloads together.
func (r *PolicyResult) sumUp(all []played) {
	var cpu, memory []tally
	changes, refused, weeks := 0, 0, 0.0
	for _, p := range all {
		if p.cpu.samples > 0 {
			cpu = append(cpu, p.cpu)
		}
		if p.memory.samples > 0 {
			memory = append(memory, p.memory)
		}
		changes += p.changes
		refused += p.refused
		weeks += p.cpu.weeks
	}
	r.CPU = average(cpu)
	if len(memory) > 0 {
		r.Memory = new(average(memory))
	}
	r.ChangesPerWeek, r.RefusedPerWeek = ratio(float64(changes), weeks), ratio(float64(refused), weeks)
}

// average scores a resource over all workloads that have it.
func average(all []tally) Usage {
	var out Usage
	var total tally
	var violations []float64
	n := float64(max(len(all), 1))
	for _, t := range all {
		u := t.usage()
		out.Slack += u.Slack / n
		out.Violation += u.Violation / n
		out.Unmet += u.Unmet / n
		out.Requested += u.Requested
		out.Used += u.Used
		total.add(t)
		violations = append(violations, u.Violation)
	}
	of := total.usage()
	out.RequestedPerUsed, out.UnmetTotal = of.RequestedPerUsed, of.UnmetTotal
	out.ChangesPerWeek, out.OOMPerWeek = of.ChangesPerWeek, of.OOMPerWeek
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
