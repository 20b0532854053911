package replay

// game is one workload under one variant.
type game struct {
	trace   *trace
	variant variant
	// from is the step of the first decision, scored that of the first sample that counts, cadence the steps between
	// decisions.
	from, scored, cadence int
	seed                  uint64
	chartPoints           int
}

// playSeeds replays the workload with each of the seeds where chance has a part in it, and returns the sum.
func (g game) playSeeds(seeds []uint64, stop func() error) (result played, stopped bool) {
	if g.variant.setting.Refused == 0 {
		seeds = seeds[:1]
	}
	all := make([]played, 0, len(seeds))
	for _, g.seed = range seeds {
		one, stopped := g.play(stop)
		if stopped {
			return played{}, true
		}
		all = append(all, one)
		g.variant.noChart = true // One is enough.
	}
	return sum(all), false
}

// play replays the workload. At the start of a step the policy decides from what was before it, what it wants is carried out
// at once, and then the step's use is held against the request. Once a day it asks whether to stop.
func (g game) play(stop func() error) (result played, stopped bool) {
	t := g.trace
	policy := g.variant.make(t, g.from)
	refusals := newRefusals(g.variant.setting, g.seed, t.workload.Name)
	var chart chartist
	if !g.variant.noChart {
		chart = newChartist(t, g.scored, g.chartPoints)
	}
	p := pod{have: initial(t, g.from), changed: g.from, pendingSince: -1}
	lastKill := -stepsPerHour
	var out played
	for i := g.from; i < t.len(); i++ {
		if i%keptSteps == 0 && stop() != nil {
			return out, true
		}
		if (i-g.from)%g.cadence == 0 {
			before := p.have
			g.change(i, &p, policy.want(i, p), &refusals, &out)
			if before != p.have && i >= g.scored {
				out.countChange(before, p.have)
			}
		}
		cores, bytes := t.usage(i)
		kill := bytes > float64(p.have.MemoryBytes) && i-lastKill >= stepsPerHour
		if kill {
			lastKill = i
			policy.killed(i, p.have.MemoryBytes)
		}
		if i < g.scored {
			continue
		}
		out.cpu.count(cores, float64(p.have.CPUMillis)/1000)
		out.memory.count(bytes, float64(p.have.MemoryBytes))
		if kill {
			out.memory.kills++
		}
		chart.add(i, p.have)
	}
	out.end(t.len()-max(g.from, g.scored), chart.chart)
	return out, false
}

// change carries out what is wanted unless it is a raise that the node refuses.
func (g game) change(i int, p *pod, want Amounts, r *refusals, out *played) {
	if want == p.have {
		r.settled()
		p.pendingSince = -1
		return
	}
	raise := want.CPUMillis > p.have.CPUMillis || want.MemoryBytes > p.have.MemoryBytes
	if raise && g.variant.inPlace {
		allowed, asked := r.raise(i)
		if !allowed {
			if asked && i >= g.scored {
				out.refused++
			}
			p.pendingSince = -1
			if want.CPUMillis > p.have.CPUMillis {
				p.pendingSince = r.since
			}
			return
		}
	}
	r.settled()
	p.have, p.changed, p.pendingSince = want, i, -1
}

func (p *played) countChange(before, after Amounts) {
	p.changes++
	if before.CPUMillis != after.CPUMillis {
		p.cpu.changes++
	}
	if before.MemoryBytes != after.MemoryBytes {
		p.memory.changes++
	}
}
