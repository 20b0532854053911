package main

import (
	"fmt"
	"math"
	"time"

	"github.com/loadline-dev/loadline/replay"
)

func (r *traceResult) write(b bench) {
	s := r.Split
	days := func(d time.Duration) float64 { return d.Hours() / 24 }
	b.printf("## Trace %s\n\n%d workloads. Of %.1f days, the first %.1f were only seen; scored were the %.1f after them. Every decision was\n"+
		"made from earlier samples alone. Cells are percent, except req ÷ use, and counts per workload and week.\n\n",
		r.Name, s.Workloads, days(s.End.Sub(s.Start)), days(s.Scored.Sub(s.Start)), days(s.End.Sub(s.Scored)))
	writeRows(b, r.Rows, r.VPA, s.HasMemory)
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
	if m := r.Memory; m != nil {
		b.printf("Memory is compared at a margin of %d %%: slack %s, %.2f OOM kills, against VPA %s.\n\n", m.MarginPercent,
			percent(m.Row.Memory.Slack, 1), m.Row.Memory.OOMPerWeek, signed(memoryVersus(m.Row, r.VPA)))
	}
}

func (g *grid) write(b bench) {
	b.printf("Loadline in place with other amounts to give back, and other raises refused, on every %dth workload (%d):\n\n", gridEvery, g.Workloads)
	writeRows(b, g.Rows, g.VPA, false)
}

func writeRows(b bench, rows []replay.PolicyResult, vpa replay.Curve, memory bool) {
	t := table{header: []string{"policy", "slack", "against VPA, equal violation", "violation", "p95 workload", "unmet", "req ÷ use", "changes"}}
	if memory {
		t.header = append(t.header, "memory slack", "OOM kills", "memory against VPA")
	}
	for _, row := range rows {
		cells := []string{
			row.Label, percent(row.CPU.Slack, 1), signed(slackVersus(row, vpa)), percent(row.CPU.Violation, 2), percent(row.CPU.Violation95, 1),
			percent(row.CPU.Unmet, 2), fmt.Sprintf("%.2f", row.CPU.RequestedPerUsed), fmt.Sprintf("%.1f", row.ChangesPerWeek),
		}
		if memory && row.Memory != nil {
			cells = append(cells, percent(row.Memory.Slack, 1), fmt.Sprintf("%.2f", row.Memory.OOMPerWeek), signed(memoryVersus(row, vpa)))
		}
		t.add(cells...)
	}
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
