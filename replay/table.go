package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// JSON writes the result as one indented JSON document.
func JSON(w io.Writer, r Result) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// Table writes the result for a person: a row per policy, and what a sweep found.
func Table(w io.Writer, r Result) error {
	var b strings.Builder
	s := r.Split
	fmt.Fprintf(&b, "%d workloads, %s to %s, scored from %s on.\n\n", s.Workloads, s.Start.Format(time.DateOnly),
		s.End.Format(time.DateOnly), s.Scored.Format(time.DateOnly))
	if err := policyTable(&b, r); err != nil {
		return err
	}
	if err := sweepTable(&b, r); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\nPrices: %v for a core and %v for a GiB, per hour; cost is that of all workloads together.\n",
		s.Prices.CoreHour, s.Prices.GiBHour)
	for _, note := range r.Notes {
		b.WriteString(note + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func policyTable(w io.Writer, r Result) error {
	header := "POLICY\tSLACK %\tREQ÷USED\tVIOLATION %\tP95 WORKLOAD %\tUNMET %"
	if r.Split.HasMemory {
		header += "\tMEM SLACK %\tOOM/WEEK"
	}
	lines := []string{header + "\tCHANGES/WEEK\tCOST/WEEK"}
	for _, p := range r.Policies {
		cells := []string{
			p.Label, points(p.CPU.Slack), fmt.Sprintf("%.2f", p.CPU.RequestedPerUsed), hundredths(p.CPU.Violation),
			hundredths(p.CPU.Violation95), hundredths(p.CPU.Unmet),
		}
		if p.Memory != nil {
			cells = append(cells, points(p.Memory.Slack), fmt.Sprintf("%.2f", p.Memory.OOMPerWeek))
		} else if r.Split.HasMemory {
			cells = append(cells, "–", "–")
		}
		cells = append(cells, fmt.Sprintf("%.1f", p.ChangesPerWeek), fmt.Sprintf("%.0f", p.CostPerWeek))
		lines = append(lines, strings.Join(cells, "\t"))
	}
	return aligned(w, lines)
}

func sweepTable(w io.Writer, r Result) error {
	if len(r.Sweeps) == 0 {
		return nil
	}
	lines := []string{"\nKNOB TURNED\tQUANTILE\tSLACK %\tREQ÷USED\tVIOLATION %\tUNMET %\tCHANGES/WEEK\tVS VPA, EQUAL VIOLATION\tEQUAL UNMET"}
	if r.Split.HasMemory {
		lines[0] += "\tMEM SLACK %\tOOM/WEEK\tEQUAL OOM"
	}
	for _, c := range r.Sweeps {
		for i, p := range c.Points {
			knob := "–"
			if p.Knob > 0 {
				knob = "p" + strings.TrimSuffix(share(p.Knob), " %")
			}
			if p.Shipped && p.Knob > 0 {
				knob += " (default)"
			}
			var v Versus
			if c.Versus != nil {
				v = c.Versus[i]
			}
			cells := []string{
				c.Label, knob, points(p.Slack), fmt.Sprintf("%.2f", p.RequestedPerUsed), hundredths(p.Violation), hundredths(p.Unmet),
				fmt.Sprintf("%.1f", p.ChangesPerWeek), compared(v.AtEqualViolation, v.ViolationRange, signed), compared(v.AtEqualUnmet, v.UnmetRange, signed),
			}
			if r.Split.HasMemory {
				cells = append(cells, points(p.MemorySlack), fmt.Sprintf("%.2f", p.OOMPerWeek), compared(v.AtEqualOOM, v.OOMRange, signed))
			}
			lines = append(lines, strings.Join(cells, "\t"))
		}
	}
	if err := aligned(w, lines); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n"+sweepNote(r)+"\n")
	return err
}

// sweepNote says how to read what a sweep compared.
func sweepNote(r Result) string {
	note := "Differences are in percentage points of slack; negative is less than VPA's."
	if r.Split.Workloads >= fewest {
		note += " In parentheses: where 95 % of them lie if the workloads are drawn anew."
	}
	return note
}

func aligned(w io.Writer, lines []string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, strings.Join(lines, "\n")); err != nil {
		return err
	}
	return table.Flush()
}

func points(share float64) string { return fmt.Sprintf("%.1f", share*100) }

func hundredths(share float64) string { return fmt.Sprintf("%.2f", share*100) }

// signed is a difference in points, or a dash.
func signed(share *float64) string {
	if share == nil {
		return "–"
	}
	return fmt.Sprintf("%+.1f", *share*100)
}

// compared writes a difference with its range behind it, if there is one. A range that is open at one end says so.
func compared(difference *float64, r *Range, write func(*float64) string) string {
	text := write(difference)
	switch {
	case r == nil || r.Low == nil && r.High == nil:
		return text
	case r.Low == nil:
		return fmt.Sprintf("%s (under %s)", text, write(r.High))
	case r.High == nil:
		return fmt.Sprintf("%s (over %s)", text, write(r.Low))
	default:
		return fmt.Sprintf("%s (%s to %s)", text, write(r.Low), write(r.High))
	}
}
