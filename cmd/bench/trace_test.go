package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
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

func TestSlackIsComparedWhereVPAViolatesAsOften(t *testing.T) {
	for violation, want := range map[float64]float64{
		0.03:  0,       // half way from p95 to p90
		0.015: 45 - 55, // half way from p98 to p95
		0.04:  45 - 40,
		0.01:  45 - 60,
		0.05:  math.NaN(), // further than VPA was tried
		0.005: math.NaN(),
	} {
		row := replay.PolicyResult{CPU: replay.Usage{Slack: 0.45, Violation: violation}}
		if diff := cmp.Diff(want, slackVersus(row, vpa()), cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("at %g (-want +got):\n%s", violation, diff)
		}
	}
}

func TestMemoryTakesTheBetterOfKillsAndSlack(t *testing.T) {
	for name, c := range map[string]struct {
		slack, kills, want float64
	}{
		"half of VPA's kills at its slack":         {0.8, 1, -50},
		"less slack than any VPA, at its kills":    {0.425, 1.5, -50},
		"twice VPA's kills, and a little more":     {0.9, 2, 100 * (0.9/0.8 - 1)},
		"further than VPA was tried in both":       {0.95, 0.5, math.NaN()},
		"fewer kills than any VPA, at p95's slack": {0.85, 0.3, -80},
	} {
		row := replay.PolicyResult{Memory: &replay.Usage{Slack: c.slack, OOMPerWeek: c.kills}}
		if diff := cmp.Diff(c.want, memoryVersus(row, vpa()), cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := memoryVersus(replay.PolicyResult{}, vpa()); !math.IsNaN(got) {
		t.Errorf("without memory it is %g", got)
	}
}

func TestBarsReadTheRowsOfTheShippedDefaults(t *testing.T) {
	row := func(policy string, refused time.Duration, slack, violation float64) replay.PolicyResult {
		return replay.PolicyResult{
			Policy: policy, Setting: replay.Setting{RefusedForSeconds: int(refused.Seconds())}, ChangesPerWeek: 3,
			CPU: replay.Usage{Slack: slack, Violation: violation, RequestedPerUsed: 2.2, Unmet: 0.004},
		}
	}
	r := traceResult{Name: "azure_7", VPA: vpa(), Rows: []replay.PolicyResult{
		row(replay.LoadlineInPlace, 0, 0.1, 0.01),
		row(replay.LoadlineInPlace, time.Hour, 0.48, 0.01),
		row(replay.LoadlineInPlace, 24*time.Hour, 0.51, 0.02),
		row(replay.LoadlineNoForecast, time.Hour, 0.50, 0.01),
		row(replay.LoadlineEvict, 0, 0.47, 0.02),
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
	r.Name, r.Memory = "bitbrains_may", &memoryResult{MarginPercent: 10, Row: replay.PolicyResult{Memory: &replay.Usage{Slack: 0.8, OOMPerWeek: 1}}}
	if bars := r.bars(); len(bars) != 8 || bars[7].Measured != "-50 %" || !strings.HasSuffix(bars[7].What, "margin 10 %") || bars[1].Verdict != "aim" {
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
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-data", data, "-quick"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"## Trace bitbrains_x", "1 workloads. Of 14.1 days, the first 14.0 were only seen; scored were the 0.1 after them",
		"| loadline-evict", "| vpa ", "| krr", "| oracle", "5 % refused for 24h", "memory slack", "bitbrains_x: its unmet demand",
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
