package report

import (
	"fmt"
	"html/template"
	"io"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/svg"
)

// HTML writes the report as one page that needs nothing else, no scripts and no network, and that can be printed.
func HTML(w io.Writer, r Report) error {
	page, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("parse the page's template: %w", err)
	}
	return page.Execute(w, newPage(r))
}

// page is what the template shows. Its texts are complete; the template only lays them out.
type page struct {
	Style   template.CSS
	Halts   []string
	Read    string
	Tiles   []tile
	Losses  [][]string
	Risks   []pageRisk
	Rest    string
	Nodes   []string
	Trend   []string
	Advised []string
	Columns []string
	Rows    []pageRow
	Prices  string
	Begin   string
}

// tile is one number of the headline. Tone is good, warn or bad, or empty.
type tile struct{ Name, Value, Note, Tone string }

type pageRisk struct {
	Risk

	Tone string
}

// pageRow is a workload: its name, then the other columns.
type pageRow struct {
	Name, Namespace string
	Cells           []string
	Why             string
}

func newPage(r Report) page {
	p := page{
		Style: template.CSS(svg.Style() + pageStyle), // Both are ours and hold nothing of the input.
		Read:  stamp(r.GeneratedTime.Time), Tiles: tiles(r), Nodes: nodeWords(r.Nodes, r.Prices), Trend: trendWords(r.Trend, r.Prices),
		Columns: []string{"Workload", "Mode", "CPU of a pod", "Memory of a pod", "Pods", "Saves"}, Prices: priceWords(r.Prices),
		Advised: advised(r.Rows),
	}
	for _, halt := range r.Halts {
		p.Halts = append(p.Halts, oneLine(halt))
	}
	if len(r.Rows) == 0 {
		p.Begin = begin()
	}
	if r.Health != nil {
		p.Losses = losses(r.Health)
	}
	top, rest := topRisks(r)
	p.Rest = rest
	for _, risk := range top {
		tone := map[v1alpha1.Severity]string{v1alpha1.SeverityCritical: "bad", v1alpha1.SeverityWarning: "warn"}[risk.Severity]
		p.Risks = append(p.Risks, pageRisk{Risk: risk, Tone: tone})
	}
	for i, line := range cells(r) {
		p.Rows = append(p.Rows, pageRow{
			Namespace: line[0], Name: line[1], Cells: line[2 : len(line)-1], Why: oneLine(r.Rows[i].Why),
		})
	}
	return p
}

// tiles are the numbers of the headline.
func tiles(r Report) []tile {
	t := r.Totals
	var all []tile
	if r.Health != nil {
		tone := "good"
		switch {
		case r.Health.Score < 60:
			tone = "bad"
		case r.Health.Score < 85:
			tone = "warn"
		}
		all = append(all, tile{"Health", fmt.Sprint(r.Health.Score), "of 100", tone})
	}
	all = append(all,
		tile{"CPU", lessOrMore(&t.CPU, coresOf), fmt.Sprintf("of the %s cores that are reserved", wholeCores(&t.ReservedCPU)), ""},
		tile{"Memory", lessOrMore(&t.Memory, gibibytes), fmt.Sprintf("of the %s that are reserved", gibibytes(&t.ReservedMemory)), ""})
	if t.SavesPerMonth != nil {
		all = append(all, tile{"Money a month", lessOrMoreMoney(*t.SavesPerMonth, r.Prices.Currency), "by what the requests reserve", ""})
	}
	if r.Nodes != nil {
		all = append(all, tile{"Nodes that could go", fmt.Sprint(len(r.Nodes.CouldGo)), fmt.Sprintf("of %d", r.Nodes.Present), ""})
	}
	return append(all, tile{"Workloads", fmt.Sprint(t.Workloads), fmt.Sprintf("%d with sizes that may be used", t.Ready), ""})
}
