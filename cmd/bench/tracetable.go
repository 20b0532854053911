package main

import (
	"fmt"
	"math"
	"time"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/replay"
)

func (r *traceResult) write(b bench) {
	s := r.Split
	days := func(d time.Duration) float64 { return d.Hours() / 24 }
	b.printf("## Trace %s\n\n%d workloads. Of %.1f days, the first %.1f were only seen; scored were the %.1f after them. Every decision was\n"+
		"made from earlier samples alone. Cells are percent, except req ÷ use, and counts per workload and week.\n\n",
		r.Name, s.Workloads, days(s.End.Sub(s.Start)), days(s.Scored.Sub(s.Start)), days(s.End.Sub(s.Scored)))
	for _, note := range r.Notes {
		b.printf("%s\n", note)
	}
	b.printf("\n")
	writeRows(b, r.Rows, r.VPA, s.HasMemory)
	writeSeeds(b, r.Rows, r.VPA)
	b.printf("What VPA does at other quantiles than its default, which slack is compared with:\n\n")
	t := table{header: []string{"VPA's quantile", "slack", "violation", "unmet", "req ÷ use", "changes"}}
	if s.HasMemory {
		t.header = append(t.header, "memory slack", "OOM kills")
	}
	for _, p := range r.VPA.Points {
		cells := []string{
			fmt.Sprintf("%g", 100*p.Knob), percent(p.Slack, 1), percent(p.Violation, 2), percent(p.Unmet, 2),
			fmt.Sprintf("%.2f", p.RequestedPerUsed), fmt.Sprintf("%.1f", p.ChangesPerWeek),
		}
		if s.HasMemory {
			cells = append(cells, percent(p.MemorySlack, 1), fmt.Sprintf("%.2f", p.OOMPerWeek))
		}
		t.add(cells...)
	}
	t.write(b.out)
	if hour := r.row(replay.LoadlineInPlace, time.Hour); hour.Memory != nil {
		byKills, bySlack := killsAtSlack(hour, r.VPA), slackAtKills(hour, r.VPA)
		b.printf("Memory as shipped, with a margin of %d %%: %s %% slack and %.2f OOM kills. Against the quantile of VPA with the same slack, kills\n"+
			"differ by %s %% (%s); against the one with the same kills, slack by %s %% (%s).\n\n",
			*config.Default().Policy.Memory.MarginPercent, percent(hour.Memory.Slack, 1), hour.Memory.OOMPerWeek,
			signed(byKills.value), byKills.between("%+.0f"), signed(bySlack.value), bySlack.between("%+.1f"))
	}
}

func (g *grid) write(b bench) {
	b.printf("Loadline in place with other amounts to give back, and other raises refused, on one of %d workloads (%d), with seed %d:\n\n",
		b.gridEvery, g.Workloads, refusalSeeds()[0])
	writeRows(b, g.Rows, g.VPA, false)
}

func writeRows(b bench, rows []row, vpa replay.Curve, memory bool) {
	t := table{header: []string{
		"policy", "slack", "against VPA, equal violation", "95 % (bootstrap)", "equal unmet", "95 %", "violation", "p95 workload", "unmet", "req ÷ use", "changes",
	}}
	if memory {
		t.header = append(t.header, "memory slack", "OOM kills", "kills at VPA's slack, %", "slack at VPA's kills, %")
	}
	for _, r := range rows {
		byViolation, byUnmet := r.atViolation(), r.atUnmet()
		cells := []string{
			r.Label, percent(r.CPU.Slack, 1), signed(byViolation.value), byViolation.between("%+.1f"), signed(byUnmet.value), byUnmet.between("%+.1f"),
			percent(r.CPU.Violation, 2), percent(r.CPU.Violation95, 1), percent(r.CPU.Unmet, 2), fmt.Sprintf("%.2f", r.CPU.RequestedPerUsed),
			fmt.Sprintf("%.1f", r.ChangesPerWeek),
		}
		if memory && r.Memory != nil {
			cells = append(cells, percent(r.Memory.Slack, 1), fmt.Sprintf("%.2f", r.Memory.OOMPerWeek),
				signed(killsAtSlack(r, vpa).value), signed(slackAtKills(r, vpa).value))
		}
		t.add(cells...)
	}
	t.write(b.out)
}

// writeSeeds shows how far the rows that are means over seeds are from those of one.
func writeSeeds(b bench, rows []row, vpa replay.Curve) {
	t := table{header: []string{"policy", "against VPA, equal violation", "violation", "unmet", "changes"}}
	for _, r := range rows {
		if len(r.BySeed) == 0 {
			continue
		}
		var n number
		t.add(r.Label, n.withSeeds(r, seedAgainst(vpa)).seeds("%+.1f"),
			n.withSeeds(r, func(s replay.SeedResult) float64 { return 100 * s.Violation }).seeds("%.2f"),
			n.withSeeds(r, seedUnmet).seeds("%.2f"), n.withSeeds(r, func(s replay.SeedResult) float64 { return s.ChangesPerWeek }).seeds("%.1f"))
	}
	b.printf("Which raises are refused is drawn with the seeds %v, and rows with refused raises are the mean. The least and the most that one of them gives:\n\n", refusalSeeds())
	t.write(b.out)
}

func percent(share float64, digits int) string { return fmt.Sprintf("%.*f", digits, 100*share) }

// signed is a difference with its sign, or a dash if it is not known.
func signed(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%+.1f", v)
}
