package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/loadline-dev/loadline/replay"
)

// vpa is a curve from 40 % slack at 4 % violation to 60 % at 1 %, and in memory from 80 % at 2 kills a week to 90 % at 1.
func vpa() replay.Curve {
	return replay.Curve{Points: []replay.Point{
		{Knob: 0.9, Slack: 0.4, Violation: 0.04, MemorySlack: 0.8, OOMPerWeek: 2},
		{Knob: 0.98, Slack: 0.6, Violation: 0.01, MemorySlack: 0.9, OOMPerWeek: 1},
		{Knob: 0.95, Slack: 0.5, Violation: 0.02, MemorySlack: 0.85, OOMPerWeek: 1.5},
	}}
}

// compared is a row of a policy in the form in which a sweep returns it.
func compared(policy string, refused time.Duration, slack, violation, versus float64) row {
	return row{
		PolicyResult: replay.PolicyResult{
			Policy: policy, Setting: replay.Setting{RefusedForSeconds: int(refused.Seconds())}, ChangesPerWeek: 3,
			CPU: replay.Usage{Slack: slack, Violation: violation, RequestedPerUsed: 2.2, Unmet: 0.004},
		},
		Versus: replay.Versus{AtEqualViolation: &versus},
		point:  replay.Point{Slack: slack, Violation: violation},
	}
}

func remembering(slack, kills float64) row {
	return row{PolicyResult: replay.PolicyResult{Memory: &replay.Usage{Slack: slack, OOMPerWeek: kills}}, point: replay.Point{MemorySlack: slack, OOMPerWeek: kills}}
}

func TestMemoryIsComparedAtEqualSlackAndAtEqualKills(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct{ slack, kills, byKills, bySlack, best float64 }{
		"half of VPA's kills at its slack":         {0.8, 1, -50, 100 * (0.8/0.9 - 1), -50},
		"less slack than any VPA, at its kills":    {0.425, 1.5, nan, -50, -50},
		"twice VPA's kills, and a little more":     {0.9, 2, 100, 100 * (0.9/0.8 - 1), 100 * (0.9/0.8 - 1)},
		"further than VPA was tried in both":       {0.95, 0.5, nan, nan, nan},
		"fewer kills than any VPA, at p95's slack": {0.85, 0.3, -80, nan, -80},
	} {
		r := remembering(c.slack, c.kills)
		byKills, bySlack := killsAtSlack(r, vpa()), slackAtKills(r, vpa())
		got := []float64{byKills.value, bySlack.value, better(byKills, bySlack).value}
		if diff := cmp.Diff([]float64{c.byKills, c.bySlack, c.best}, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := killsAtSlack(row{}, vpa()).value; !math.IsNaN(got) {
		t.Errorf("without memory it is %g", got)
	}
}

func TestAnIntervalDrawsTheSameWorkloadsForLoadlineAndVPA(t *testing.T) {
	// Workloads differ by far more than the two policies do on each of them.
	var ours, theirs []replay.WorkloadResult
	for i := range 20 {
		slack, violation := 0.2+0.03*float64(i), 0.01*float64(i%5)
		ours = append(ours, replay.WorkloadResult{CPU: replay.Usage{Requested: 1, Slack: slack - 0.05, Violation: violation}})
		theirs = append(theirs, replay.WorkloadResult{CPU: replay.Usage{Requested: 1, Slack: slack, Violation: violation}})
	}
	of := func(workloads []replay.WorkloadResult) replay.Point {
		all := make([]int, len(workloads))
		for i := range all {
			all[i] = i
		}
		p := replay.Point{Workloads: workloads}.Over(all)
		p.Workloads = workloads
		return p
	}
	a := compared(replay.LoadlineInPlace, 0, 0, 0, -0.05)
	b := compared(replay.LoadlineNoForecast, 0, 0, 0, 0)
	a.point, b.point = of(ours), of(theirs)
	// VPA's slack does not depend on its violation here.
	flat := replay.Curve{Points: []replay.Point{{Slack: 0.5, Violation: 0}, {Slack: 0.5, Violation: 1}}}
	for i := range flat.Points {
		for range ours {
			flat.Points[i].Workloads = append(flat.Points[i].Workloads, replay.WorkloadResult{CPU: replay.Usage{
				Requested: 1, Slack: flat.Points[i].Slack, Violation: flat.Points[i].Violation,
			}})
		}
	}
	got := advantage(a, b, flat)
	for _, v := range []float64{got.value, got.low, got.high} {
		if math.Abs(v+5) > 1e-9 {
			t.Errorf("the advantage of 5 points on every workload is %+v", got)
		}
	}
}

func TestBarsReadTheRowsOfTheShippedDefaults(t *testing.T) {
	r := traceResult{Name: "azure_7", VPA: vpa(), Rows: []row{
		compared(replay.LoadlineInPlace, 0, 0.1, 0.01, -0.5),
		compared(replay.LoadlineInPlace, time.Hour, 0.48, 0.01, -0.12),
		compared(replay.LoadlineInPlace, 24*time.Hour, 0.51, 0.02, 0.01),
		compared(replay.LoadlineNoForecast, time.Hour, 0.50, 0.01, -0.1),
		compared(replay.LoadlineEvict, 0, 0.47, 0.02, -0.03),
	}}
	var got []string
	for _, b := range r.bars() {
		_, what, _ := strings.Cut(b.What, ": ")
		got = append(got, fmt.Sprintf("%s = %s (%s)", what, b.Measured, b.Verdict))
	}
	want := []string{
		"in place, 5 % refused for 1 h, slack against VPA at equal violation = -12.0 points (aim)",
		"its core-hours requested ÷ used = 2.20 (missed)",
		"its unmet demand = 0.40 % (aim)",
		"what the forecast adds to it = -2.0 points (must)",
		"in place, 5 % refused for 24 h, slack against VPA at equal violation = +1.0 points (missed)",
		"evict, slack against VPA at equal violation = -3.0 points (must)",
		"its changes a week = 3.0 (aim)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.Name, r.Rows[1].Memory = "bitbrains_may", &replay.Usage{Slack: 0.8, OOMPerWeek: 1}
	r.Rows[1].point.MemorySlack, r.Rows[1].point.OOMPerWeek = 0.8, 1
	if bars := r.bars(); len(bars) != 8 || bars[7].Measured != "-50 %" || !strings.Contains(bars[7].What, "as shipped") || bars[1].Verdict != "aim" {
		t.Errorf("with memory: %+v", bars)
	}
	r.Name = "elsewhere"
	if bars := r.bars(); bars != nil {
		t.Errorf("nothing was ever wanted of this trace, and yet: %+v", bars)
	}
}

// usage is a table of rows five minutes apart, in which each workload has a quiet and a busy half of the day.
func usage(rows int, names ...string) string {
	var b strings.Builder
	b.WriteString(strings.Join(names, ",") + "\n")
	for i := range rows {
		for j := range names {
			if j > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, "%.3f", 0.5+0.4*float64(i/144%2)+0.01*float64(i*i*7919%13))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestATraceIsReplayedAndHeldAgainstTheBars(t *testing.T) {
	data := t.TempDir()
	const rows = 14*288 + 36 // three hours after the warm-up
	write(t, filepath.Join(data, "bitbrains_x_cpu_cores.csv"), usage(rows, "a", "b"))
	write(t, filepath.Join(data, "bitbrains_x_memory_gb.csv"), usage(rows, "b", "a"))
	write(t, filepath.Join(data, "a_short_one_cpu_cores.csv"), usage(9, "a"))
	write(t, filepath.Join(data, "Hourly-train.csv"), "\ufeffV1,V2\nH1,one\n")
	saved := filepath.Join(data, "saved.json")
	var out bytes.Buffer
	err := run(t.Context(), []string{"-data", data, "-quick", "-out", saved}, &out, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "a_short_one") || !strings.Contains(err.Error(), "read Hourly-train.csv: line 2") {
		t.Errorf("the error is %v; want it to name the trace that is too short and the series that cannot be read", err)
	}
	if _, err := os.Stat(saved); err != nil {
		t.Errorf("what was measured is lost: %v", err)
	}
	for _, text := range []string{
		"## M4 hourly\n\nIt could not be measured", "## a_short_one\n\nIt could not be measured", "## Trace bitbrains_x", "1 workloads. Of 14.1 days, the first 14.0 were only seen; scored were the 0.1 after them",
		"| loadline-evict", "| vpa ", "| krr", "| oracle", "5 % refused for 24h", "memory slack", "bitbrains_x: its unmet demand", "drawn with the seeds [1 2 3]", "by seed", "A quick run: a third",
	} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("the output does not say %q", text)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestTablesOfATraceHaveToFitTogether(t *testing.T) {
	for name, c := range map[string]struct{ memory, says string }{
		"fewer rows":     {usage(9, "a", "b"), "9 rows of 2 series; the table of CPU has 10 of 2"},
		"another name":   {usage(10, "a", "c"), "there is no series b"},
		"another series": {usage(10, "a", "b", "c"), "10 rows of 3 series"},
		"not a number":   {"a,b\n1,x\n", "line 2, column 2"},
		"another step":   {"time,a,b\n0,1,1\n60,1,1\n", "rows are 1m0s apart; want 5m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			write(t, filepath.Join(data, "x_cpu_cores.csv"), usage(10, "a", "b"))
			write(t, filepath.Join(data, "x_memory_gb.csv"), c.memory)
			err := run(t.Context(), []string{"-data", data}, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "x_memory_gb.csv") {
				t.Errorf("the error is %v; want it to say %s", err, c.says)
			}
		})
	}
}
