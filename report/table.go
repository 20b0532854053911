package report

import (
	"encoding/json"
	"fmt"
	"io"
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
		_, err := fmt.Fprintf(w, "No recommendations yet. Opt in with: kubectl annotate namespace NAME %s=%s\n", v1alpha1.AnnotationMode, v1alpha1.ModeDryRun)
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	lines := []string{"NAMESPACE\tWORKLOAD\tMODE\tCPU\tMEMORY\tREPLICAS\tSAVES\tWHY"}
	for _, row := range r.Rows {
		lines = append(lines, strings.Join([]string{
			row.Namespace, strings.ToLower(row.Kind) + "/" + row.Name, string(row.Mode),
			change(row.CPUNow, row.CPURecommended, cores), change(row.MemoryNow, row.MemoryRecommended, gibibytes),
			replicas(row), saves(row.Savings), oneLine(row.Why),
		}, "\t"))
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
	fmt.Fprintf(&b, "\nWorkloads: %d, with sizes that may be used: %d. ", r.Totals.Workloads, r.Totals.Ready)
	fmt.Fprintf(&b, "The recommended requests reserve %s.\n", difference(&r.Totals.CPU, &r.Totals.Memory))
	header := "\nLook at:\n"
	for _, row := range r.Rows {
		for _, f := range row.Findings {
			fmt.Fprintf(&b, "%s  %-8s  %s/%s: %s\n", header, f.Severity, row.Namespace, row.Name, findingText(f))
			header = ""
		}
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

func saves(s *v1alpha1.Savings) string {
	if s == nil {
		return "–"
	}
	return wholeCores(&s.CPU) + " cores, " + gibibytes(&s.Memory)
}

// difference renders savings as what is reserved then, such as "22.8 cores less CPU and 300Mi more memory".
func difference(cpu, memory *resource.Quantity) string {
	return lessOrMore(cpu, func(q *resource.Quantity) string { return wholeCores(q) + " cores" }) + " CPU and " +
		lessOrMore(memory, gibibytes) + " memory"
}

// lessOrMore renders a saving of 2 as "2 less", and one of -2 as "2 more".
func lessOrMore(saving *resource.Quantity, render func(*resource.Quantity) string) string {
	if saving.Sign() >= 0 {
		return render(saving) + " less"
	}
	cost := saving.DeepCopy()
	cost.Neg()
	return render(&cost) + " more"
}

func cores(q *resource.Quantity) string { return q.String() }

// wholeCores renders CPU over several pods in cores with at most two digits, such as 6.21.
func wholeCores(q *resource.Quantity) string { return trimZeros(q.AsApproximateFloat64()) }

// gibibytes renders memory in the unit that people write: whole MiB below one GiB, else GiB with two digits.
func gibibytes(q *resource.Quantity) string {
	const mebibyte, gibibyte = 1 << 20, 1 << 30
	bytes := q.Value()
	if bytes > -gibibyte && bytes < gibibyte {
		return fmt.Sprintf("%dMi", bytes/mebibyte)
	}
	return trimZeros(float64(bytes)/gibibyte) + "Gi"
}

// trimZeros renders a number with at most two digits after the point.
func trimZeros(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}
