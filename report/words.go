package report

import (
	"fmt"
	"math"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// shownRisks is how many risks are shown to a person. All are in the JSON document.
const shownRisks = 20

// shownAdvice is the same for lines on events and business context.
const shownAdvice = 20

// summary says in sentences what all recommendations together come to.
func summary(r Report) []string {
	t := r.Totals
	saving := fmt.Sprintf("The recommended requests reserve %s", difference(&t.CPU, &t.Memory))
	if t.SavesPerMonth != nil {
		saving += ": " + lessOrMoreMoney(*t.SavesPerMonth, r.Prices.Currency) + " a month"
	}
	lines := []string{
		fmt.Sprintf("Workloads: %d, with sizes that may be used: %d. They reserve %s cores and %s now.",
			t.Workloads, t.Ready, wholeCores(&t.ReservedCPU), gibibytes(&t.ReservedMemory)),
		saving + ".",
	}
	lines = append(lines, nodeWords(r.Nodes, r.Prices)...)
	return append(lines, trendWords(r.Trend, r.Prices)...)
}

// nodeWords says which nodes could go.
func nodeWords(n *Nodes, prices *Prices) []string {
	if n == nil {
		return nil
	}
	lines := []string{fmt.Sprintf("Nodes: %d. The recommended requests can be packed onto %d (no packing does with fewer than %d), the present ones onto %d.",
		n.Present, n.Needed, n.AtLeast, n.NeededNow)}
	switch {
	case n.Homeless > 0:
		return []string{fmt.Sprintf("Nodes: %d. They have too little room for the recommended requests: %d pods would find none.", n.Present, n.Homeless)}
	case len(n.CouldGo) > 0:
		first := n.CouldGo[:min(named, len(n.CouldGo))]
		line := "Could go: " + strings.Join(first, ", ")
		if more := len(n.CouldGo) - len(first); more > 0 {
			line += fmt.Sprintf(" and %d more", more)
		}
		if n.SavesPerMonth != nil {
			line += fmt.Sprintf(", which cost %.2f %s a month", *n.SavesPerMonth, prices.Currency)
		}
		lines = append(lines, oneLine(line+"."))
	}
	return lines
}

// begin says how to get the first recommendation.
func begin() string {
	return fmt.Sprintf("No recommendations yet. Opt in with: kubectl annotate namespace NAME %s=%s", v1alpha1.AnnotationMode, v1alpha1.ModeDryRun)
}

// priceWords says which prices the money was computed with; empty where nothing is said of money.
func priceWords(p *Prices) string {
	if p == nil {
		return ""
	}
	text := fmt.Sprintf("Prices: %g %s for a core and %g %s for a GiB per hour", p.CoreHour, p.Currency, p.GiBHour, p.Currency)
	if len(p.Nodes) > 0 {
		text += ", on average over the nodes"
	}
	return oneLine(fmt.Sprintf("%s (%s). A month has %d hours.", text, p.Source, HoursPerMonth))
}

// trendWords tells what changed since the earlier report.
func trendWords(t *Trend, prices *Prices) []string {
	if t == nil {
		return nil
	}
	var parts []string
	if t.Score != nil {
		parts = append(parts, fmt.Sprintf("the health score changed by %+d", *t.Score))
	}
	cpu, memory := t.ReservedCPU.DeepCopy(), t.ReservedMemory.DeepCopy()
	cpu.Neg()
	memory.Neg()
	reserved := difference(&cpu, &memory) + " is reserved"
	if t.ReservedPerMonth != nil {
		reserved += ", " + lessOrMoreMoney(-*t.ReservedPerMonth, prices.Currency) + " a month"
	}
	parts = append(parts, reserved)
	for _, c := range []struct {
		count int
		what  string
	}{{len(t.Came), "workloads came"}, {len(t.Went), "workloads went"}, {len(t.NewRisks), "risks are new"}, {len(t.Solved), "risks are gone"}} {
		if c.count > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", c.what, c.count))
		}
	}
	return []string{"Since " + stamp(t.Since.Time) + ": " + strings.Join(parts, "; ") + "."}
}

// lossWords tells one loss: what is wrong, and with which workloads.
func lossWords(l Loss) string {
	text := l.Message
	if len(l.Workloads) > 0 {
		text += ": " + strings.Join(l.Workloads, ", ")
	}
	if l.More > 0 {
		text += fmt.Sprintf(" and %d more", l.More)
	}
	return oneLine(text)
}

// topRisks returns the risks to show, and a sentence about those that are not; empty if all are.
func topRisks(r Report) (top []Risk, rest string) {
	if len(r.Risks) <= shownRisks {
		return r.Risks, ""
	}
	return r.Risks[:shownRisks], fmt.Sprintf("There are %d more; --output json lists all.", len(r.Risks)-shownRisks)
}

// advised tells what events and business context changed, or were refused to change, of the first workloads.
func advised(rows []Row) []string {
	var lines []string
	for _, row := range rows {
		for _, line := range adjustments(row.Advice) {
			lines = append(lines, oneLine(row.name()+": "+line))
		}
	}
	if more := len(lines) - shownAdvice; more > 0 {
		lines = append(lines[:shownAdvice], fmt.Sprintf("There are %d more; --output json lists all.", more))
	}
	return lines
}

// saves renders the savings of a row, with their worth where there are prices.
func saves(row Row, prices *Prices) string {
	if row.Savings == nil {
		return "–"
	}
	text := wholeCores(&row.Savings.CPU) + " cores, " + gibibytes(&row.Savings.Memory)
	if row.SavesPerMonth != nil {
		text += fmt.Sprintf(", %.2f %s", *row.SavesPerMonth, prices.Currency)
	}
	return oneLine(text)
}

// lessOrMoreMoney renders a saving of 2 as "2.00 USD less", and one of -2 as "2.00 USD more".
func lessOrMoreMoney(saving float64, currency string) string {
	word := "less"
	if saving < 0 {
		word = "more"
	}
	return oneLine(fmt.Sprintf("%.2f %s %s", math.Abs(saving), currency, word))
}

// difference renders savings as what is reserved then, such as "22.8 cores less CPU and 300Mi more memory".
func difference(cpu, memory *resource.Quantity) string {
	return lessOrMore(cpu, coresOf) + " CPU and " +
		lessOrMore(memory, gibibytes) + " memory"
}

func coresOf(q *resource.Quantity) string { return wholeCores(q) + " cores" }

// lessOrMore renders a saving of 2 as "2 less", and one of -2 as "2 more".
func lessOrMore(saving *resource.Quantity, render func(*resource.Quantity) string) string {
	if saving.Sign() >= 0 {
		return render(saving) + " less"
	}
	cost := saving.DeepCopy()
	cost.Neg()
	return render(&cost) + " more"
}
