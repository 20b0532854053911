package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"unicode"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// JSON writes the report as one indented JSON document.
func JSON(w io.Writer, r Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// Table writes the report for a person: a row per workload, the totals, and what to look at.
func Table(w io.Writer, r Report) error {
	for _, halt := range r.Halts {
		if _, err := fmt.Fprintf(w, "Running pods are left alone: %s\n", oneLine(halt)); err != nil {
			return err
		}
	}
	if len(r.Rows) == 0 {
		_, err := fmt.Fprintln(w, begin())
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	lines := []string{strings.ToUpper(strings.Join(columns(), "\t"))}
	for _, row := range cells(r) {
		lines = append(lines, strings.Join(row, "\t"))
	}
	if _, err := fmt.Fprintln(table, strings.Join(lines, "\n")); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return footer(w, r)
}

func footer(w io.Writer, r Report) error {
	var b strings.Builder
	for _, line := range append([]string{""}, summary(r)...) {
		fmt.Fprintln(&b, line)
	}
	if prices := priceWords(r.Prices); prices != "" {
		fmt.Fprintln(&b, prices)
	}
	if r.Health != nil {
		fmt.Fprintf(&b, "\nHealth: %d of 100\n", r.Health.Score)
		for _, loss := range r.Health.Losses {
			fmt.Fprintf(&b, "  -%-2d  %s\n", loss.Points, lossWords(loss))
		}
	}
	if lines := advised(r.Rows); len(lines) > 0 {
		fmt.Fprintf(&b, "\nEvents and business context:\n  %s\n", strings.Join(lines, "\n  "))
	}
	top, rest := topRisks(r)
	header := "\nLook at:\n"
	for _, risk := range top {
		fmt.Fprintf(&b, "%s  %-8s  %s/%s: %s\n", header, risk.Severity, risk.Namespace, risk.Workload, risk.Message)
		header = ""
	}
	if rest != "" {
		fmt.Fprintf(&b, "  %s\n", rest)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// findingText names the container, where a finding concerns one.
func findingText(f v1alpha1.Finding) string {
	if f.Container == "" {
		return oneLine(f.Message)
	}
	return f.Container + ": " + oneLine(f.Message)
}

// oneLine replaces what would break a table or move the cursor of a terminal: texts may hold what people wrote.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// change renders "2 → 490m", "490m" where nothing changes, or a dash where nothing is known.
func change(now, then *resource.Quantity, render func(*resource.Quantity) string) string {
	switch {
	case now == nil && then == nil:
		return "–"
	case then == nil:
		return render(now)
	case now == nil:
		return "none → " + render(then)
	case now.Cmp(*then) == 0:
		return render(then)
	default:
		return render(now) + " → " + render(then)
	}
}

func replicas(row Row) string {
	switch {
	case row.ReplicasNow == nil:
		return "–"
	case row.ReplicasRecommended == nil || *row.ReplicasRecommended == *row.ReplicasNow:
		return fmt.Sprint(*row.ReplicasNow)
	default:
		return fmt.Sprintf("%d → %d", *row.ReplicasNow, *row.ReplicasRecommended)
	}
}

func cores(q *resource.Quantity) string { return q.String() }

// wholeCores renders CPU over several pods in cores with at most two digits, such as 6.21.
func wholeCores(q *resource.Quantity) string { return trimZeros(q.AsApproximateFloat64()) }

// gibibytes renders memory in the unit that people write: whole MiB below one GiB, else GiB with two digits.
func gibibytes(q *resource.Quantity) string {
	const mebibyte = 1 << 20
	bytes := q.Value()
	if bytes > -gibibyte && bytes < gibibyte {
		return fmt.Sprintf("%dMi", bytes/mebibyte)
	}
	return trimZeros(float64(bytes)/gibibyte) + "Gi"
}

// trimZeros renders a number with at most two digits after the point. What rounds to nothing has no sign.
func trimZeros(v float64) string {
	if math.Abs(v) < 0.005 {
		return "0"
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}
