package replay

import (
	_ "embed" // The template and the style sheet of the page.
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/loadline-dev/loadline/internal/svg"
)

//go:embed html.tmpl
var pageTemplate string

//go:embed html.css
var pageStyle string

// HTML writes the result as one page that needs nothing else: no scripts, no network. It holds every number of Table, the
// trade-off between slack and harm as curves, and a chart for each workload if the result has them.
func HTML(w io.Writer, r Result) error {
	page, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("parse the page's template: %w", err)
	}
	return page.Execute(w, newPage(r))
}

// page is what the template shows. Its texts are complete; the template only lays them out.
type page struct {
	Style    template.CSS
	Headline []string
	Span     string
	Policies pageTable
	Columns  []definition
	// TradeOffs are empty if there is nothing to compare.
	TradeOffs []figure
	OneEach   bool
	Sweep     *pageTable
	Groups    []group
	// SortedBy is the policy by whose violation the workloads are sorted; Omitted says which are not listed.
	SortedBy, Omitted string
	Notes             []string
	Limits            []string
}

// pageTable is a table whose first column names its rows.
type pageTable struct {
	Caption string
	Header  []string
	Rows    [][]string
}

type definition struct{ Term, Meaning string }

// figure is a chart with what it shows in words.
type figure struct {
	Caption string
	Chart   template.HTML
}

// group is a part of the workloads that is unfolded together.
type group struct {
	Name      string
	Open      bool
	Workloads []workloadView
}

// workloadView is one workload in the list.
type workloadView struct {
	Name, Summary string
	Figures       []figure
	Table         pageTable
}

func newPage(r Result) page {
	p := page{
		Style:    template.CSS(svg.Style() + pageStyle), // Both are ours and hold nothing of the input.
		Headline: headline(r),
		Span:     spanSentence(r.Split),
		Policies: policiesTable(r),
		Columns:  columns(r.Split),
		OneEach:  len(r.Sweeps) == 0,
		Notes:    r.Notes,
		Limits:   limits(r),
	}
	p.TradeOffs = tradeOffs(r)
	if len(r.Sweeps) > 0 {
		p.Sweep = new(sweepsTable(r))
	}
	if chosen := charted(r.Policies); len(chosen) > 0 {
		p.SortedBy = chosen[0].Label
		p.Groups, p.Omitted = groups(chosen)
	}
	return p
}

func policiesTable(r Result) pageTable {
	t := pageTable{
		Caption: "Every policy over all workloads",
		Header:  []string{"Policy", "Slack", "Requested ÷ used", "Violation", "Violation, p95 workload", "Unmet", "Changes a week"},
	}
	if r.Split.HasMemory {
		t.Header = append(t.Header, "Memory slack", "Memory requested ÷ used", "OOM kills a week")
	}
	t.Header = append(t.Header, "Cost a week")
	for _, p := range r.Policies {
		row := []string{
			p.Label, percentText(p.CPU.Slack), decimals(p.CPU.RequestedPerUsed, 2), percentText(p.CPU.Violation),
			percentText(p.CPU.Violation95), percentText(p.CPU.Unmet), decimals(p.ChangesPerWeek, 1),
		}
		if p.Memory != nil {
			row = append(row, percentText(p.Memory.Slack), decimals(p.Memory.RequestedPerUsed, 2), decimals(p.Memory.OOMPerWeek, 2))
		} else if r.Split.HasMemory {
			row = append(row, "–", "–", "–")
		}
		t.Rows = append(t.Rows, append(row, decimals(p.CostPerWeek, 0)))
	}
	return t
}

func sweepsTable(r Result) pageTable {
	t := pageTable{
		Caption: "Every value of each policy's knob",
		Header: []string{
			"Policy", "Aims at", "Slack", "Requested ÷ used", "Violation", "Unmet", "Changes a week",
			"Slack against vpa at equal violation", "at equal unmet demand",
		},
	}
	if r.Split.HasMemory {
		t.Header = append(t.Header, "Memory slack against vpa at equal OOM kills")
	}
	for _, c := range r.Sweeps {
		for i, p := range c.Points {
			var v Versus
			if i < len(c.Versus) {
				v = c.Versus[i]
			}
			row := []string{
				c.Label, knobText(p), percentText(p.Slack), decimals(p.RequestedPerUsed, 2), percentText(p.Violation),
				percentText(p.Unmet), decimals(p.ChangesPerWeek, 1), compared(v.AtEqualViolation, v.ViolationRange, pointsText), compared(v.AtEqualUnmet, v.UnmetRange, pointsText),
			}
			if r.Split.HasMemory {
				row = append(row, compared(v.AtEqualOOM, v.OOMRange, pointsText))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// Bounds that keep the page small: of how many workloads there are charts, and how many are unfolded together.
const (
	maxCharted = 500
	groupSize  = 20
)

// groups lists the workloads for which there are charts, those first that the first of the policies served worst.
func groups(chosen []PolicyResult) (all []group, omitted string) {
	order := worstFirst(chosen[0].Workloads)
	if len(order) > maxCharted {
		omitted = fmt.Sprintf("The other %d workloads are left out to keep this page small; the numbers over it count all.", len(order)-maxCharted)
		order = order[:maxCharted]
	}
	for from := 0; from < len(order); from += groupSize {
		until := min(from+groupSize, len(order))
		first, last := chosen[0].Workloads[order[from]], chosen[0].Workloads[order[until-1]]
		g := group{
			Open: from == 0,
			Name: fmt.Sprintf("Workloads %d to %d of %d: violation %s to %s", from+1, until, len(order),
				percentText(first.CPU.Violation), percentText(last.CPU.Violation)),
		}
		for _, w := range order[from:until] {
			g.Workloads = append(g.Workloads, newWorkloadView(chosen, w))
		}
		all = append(all, g)
	}
	return all, omitted
}

// charted returns up to three policies with charts: what Loadline would have done, VPA, and what is requested today.
func charted(rows []PolicyResult) []PolicyResult {
	const most = 3
	var chosen []PolicyResult
	for _, name := range []string{LoadlineInPlace, VPAPolicy, CurrentPolicy, LoadlineEvict, KRRPolicy, LoadlineNoForecast, OraclePolicy} {
		i := slices.IndexFunc(rows, func(p PolicyResult) bool {
			return p.Policy == name && slices.ContainsFunc(p.Workloads, func(w WorkloadResult) bool { return w.Chart != nil })
		})
		if i >= 0 && len(chosen) < most {
			chosen = append(chosen, rows[i])
		}
	}
	return chosen
}

// worstFirst returns the indices of the workloads with a chart by falling violation, then by name.
func worstFirst(workloads []WorkloadResult) []int {
	var order []int
	for i, w := range workloads {
		if w.Chart != nil {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := workloads[a], workloads[b]
		switch {
		case x.CPU.Violation > y.CPU.Violation:
			return -1
		case x.CPU.Violation < y.CPU.Violation:
			return 1
		}
		return strings.Compare(x.Name, y.Name)
	})
	return order
}

func newWorkloadView(chosen []PolicyResult, w int) workloadView {
	first := chosen[0].Workloads[w]
	v := workloadView{
		Name: first.Name,
		Summary: fmt.Sprintf("%s: slack %s, violation %s, %s changes a week", chosen[0].Policy, percentText(first.CPU.Slack),
			percentText(first.CPU.Violation), decimals(first.ChangesPerWeek, 1)),
		Figures: workloadFigures(chosen, w),
		Table: pageTable{
			Caption: "Scores of " + first.Name,
			Header:  []string{"Policy", "Slack", "Requested ÷ used", "Violation", "Unmet", "Changes a week"},
		},
	}
	hasMemory := first.Memory != nil
	if hasMemory {
		v.Table.Header = append(v.Table.Header, "Memory slack", "OOM kills a week")
	}
	for _, p := range chosen {
		of := p.Workloads[w]
		row := []string{
			p.Label, percentText(of.CPU.Slack), decimals(of.CPU.RequestedPerUsed, 2), percentText(of.CPU.Violation),
			percentText(of.CPU.Unmet), decimals(of.ChangesPerWeek, 1),
		}
		if hasMemory && of.Memory != nil {
			row = append(row, percentText(of.Memory.Slack), decimals(of.Memory.OOMPerWeek, 2))
		}
		v.Table.Rows = append(v.Table.Rows, row)
	}
	return v
}

// spanSentence says what was replayed.
func spanSentence(s Split) string {
	const layout = "2 January 2006 15:04"
	return fmt.Sprintf("%d workloads, one sample every %s, from %s to %s UTC. What came before %s is warm-up: policies learn from it and are not scored on it.",
		s.Workloads, shortDuration(time.Duration(s.StepSeconds)*time.Second), s.Start.UTC().Format(layout), s.End.UTC().Format(layout),
		s.Scored.UTC().Format(layout))
}
