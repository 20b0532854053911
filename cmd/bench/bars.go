package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// bar is one of the numbers that Loadline wants to reach.
type bar struct {
	What     string `json:"what"`
	Measured string `json:"measured"`
	// Range is the 95 % bootstrap interval of what was measured, a dash where none was computed.
	Range string `json:"range"`
	// BySeed is the least and the most that one seed of the refused raises gives, a dash where chance has no part.
	BySeed string `json:"bySeed"`
	Must   string `json:"must"`
	Aim    string `json:"aim"`
	// Verdict is "aim", "must", "missed" or "not measured".
	Verdict string `json:"verdict"`
}

// limit is a closed range; an end that is infinite is open.
type limit struct{ low, high float64 }

func (l limit) holds(value float64) bool { return l.low <= value && value <= l.high }

func (l limit) text(format string) string {
	if math.IsInf(l.low, -1) {
		return "≤ " + fmt.Sprintf(format, l.high)
	}
	return fmt.Sprintf(format, l.low) + " to " + fmt.Sprintf(format, l.high)
}

// scale is how a bar's numbers are compared and shown.
type scale struct {
	must, aim limit
	// format such as "%.3f" or "%+.1f points".
	format string
}

// atMost is a scale on which less is better.
func atMost(must, aim float64, format string) scale {
	open := math.Inf(-1)
	return scale{must: limit{open, must}, aim: limit{open, aim}, format: format}
}

// judge compares one number with what is wanted. NaN is not measured.
func (s scale) judge(what string, n number) bar {
	value := n.value
	b := bar{What: what, Must: s.must.text(s.format), Aim: s.aim.text(s.format), Measured: fmt.Sprintf(s.format, value)}
	bare, _, _ := strings.Cut(s.format, " ")
	b.Range, b.BySeed = n.between(bare), n.seeds(bare)
	switch {
	case math.IsNaN(value):
		b.Measured, b.Verdict = "–", "not measured"
	case s.aim.holds(value):
		b.Verdict = "aim"
	case s.must.holds(value):
		b.Verdict = "must"
	default:
		b.Verdict = "missed"
	}
	return b
}

func writeBars(w io.Writer, bars []bar) {
	t := table{header: []string{"wanted", "measured", "by seed", "95 % (bootstrap)", "must", "aim", "reached"}}
	for _, b := range bars {
		t.add(b.What, b.Measured, b.BySeed, b.Range, b.Must, b.Aim, b.Verdict)
	}
	t.write(w)
}
