package main

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/replay"
)

func TestABarSaysWhatWasReached(t *testing.T) {
	s := atMost(-5, -10, points)
	for _, c := range []struct {
		value             float64
		measured, verdict string
	}{
		{-10, "-10.0 points", "aim"},
		{-9.99, "-10.0 points", "must"},
		{-5, "-5.0 points", "must"},
		{-4.9, "-4.9 points", "missed"},
		{math.NaN(), "–", "not measured"},
	} {
		want := bar{What: "slack", Measured: c.measured, Range: "–", BySeed: "–", Must: "≤ -5.0 points", Aim: "≤ -10.0 points", Verdict: c.verdict}
		if diff := cmp.Diff(want, s.judge("slack", exactly(c.value))); diff != "" {
			t.Errorf("at %g (-want +got):\n%s", c.value, diff)
		}
	}
}

func TestABarShowsTheIntervalWithoutTheUnit(t *testing.T) {
	for want, n := range map[string]number{
		"-12.1 to -8.0": {value: -10, low: -12.1, high: -8},
		"under -8.0":    {value: -10, low: math.Inf(-1), high: -8},
		"over -12.1":    {value: -10, low: -12.1, high: math.Inf(1)},
		"–":             {value: -10, low: math.Inf(-1), high: math.Inf(1)},
	} {
		if got := atMost(-5, -10, points).judge("slack", n).Range; got != want {
			t.Errorf("the interval of %+v is written %q, want %q", n, got, want)
		}
	}
}

func TestARangeHoldsItsEndsOnly(t *testing.T) {
	s := scale{must: limit{93, 97}, aim: limit{93, 97}, format: "%.0f %%"}
	for value, verdict := range map[float64]string{92.9: "missed", 93: "aim", 97: "aim", 97.1: "missed"} {
		b := s.judge("coverage", exactly(value))
		if b.Verdict != verdict || b.Must != "93 % to 97 %" {
			t.Errorf("%g: %+v, want %s", value, b, verdict)
		}
	}
}

func TestTablesAreMarkdownThatCanBeReadAsItIs(t *testing.T) {
	var out strings.Builder
	tab := table{header: []string{"a", "größe"}}
	tab.add("long name", "1")
	tab.add("b", "1000000")
	tab.write(&out)
	want := `| a         |   größe |
| --------- | ------: |
| long name |       1 |
| b         | 1000000 |

`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestABarShowsHowMuchOneSeedDecides(t *testing.T) {
	var r row
	for _, unmet := range []float64{0.0047, 0.0060, 0.0051} {
		r.BySeed = append(r.BySeed, replay.SeedResult{Unmet: unmet})
	}
	for want, n := range map[string]number{
		"0.47 to 0.60": exactly(0.53).withSeeds(r, seedUnmet),
		"–":            exactly(0.53),
	} {
		if got := atMost(1, 0.5, "%.2f %%").judge("unmet", n).BySeed; got != want {
			t.Errorf("by seed is written %q, want %q", got, want)
		}
	}
}
