package replay

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"github.com/loadline-dev/loadline/internal/svg"
)

// maxSpans is how many points a workload's chart has at most: about one for every two units of its width.
const maxSpans = 200

// chartStyle gives each policy the same look in every chart.
func chartStyle(policy string) int { return max(0, slices.Index(PolicyNames(), policy)) }

// tradeOffs draws slack against violation and against unmet demand: a line for each policy whose knob was turned, and
// otherwise a point for each policy.
func tradeOffs(r Result) []figure {
	curves := oneEach(r)
	if len(curves) < 2 {
		return nil
	}
	return []figure{
		tradeOff("violation", "how often a workload used more CPU than it requested", curves, func(p Point) float64 { return p.Violation }),
		tradeOff("unmet demand", "how much of the CPU used was over the request", curves, func(p Point) float64 { return p.Unmet }),
	}
}

// oneEach returns the first curve of each policy; of a result without sweeps, the policy's first row as a curve of one point.
func oneEach(r Result) []Curve {
	curves := r.Sweeps
	if len(curves) == 0 {
		for _, p := range r.Policies {
			curves = append(curves, Curve{Policy: p.Policy, Label: p.Label, Points: []Point{pointOf(p)}})
		}
	}
	seen := map[string]bool{}
	var first []Curve
	for _, c := range curves {
		if !seen[c.Policy] {
			first = append(first, c)
		}
		seen[c.Policy] = true
	}
	return first
}

func tradeOff(harm, meaning string, curves []Curve, of func(Point) float64) figure {
	c := svg.Chart{
		ID:          chartID("trade-off", harm),
		Title:       "Slack against " + harm,
		Description: fmt.Sprintf("Slack of the CPU requests by %s, %s, for %d policies. Further down and further left is better. The numbers are in the tables of this page.", harm, meaning, len(curves)),
		X:           svg.Axis{Label: harm + " (logarithmic)", Unit: svg.Percent, Log: true},
		Y:           svg.Axis{Label: "slack of CPU requests", Unit: svg.Percent},
		Height:      240,
	}
	for _, curve := range curves {
		line := svg.Line{Name: curve.Policy, Style: chartStyle(curve.Policy), Marked: true}
		for _, p := range curve.Points {
			line.X, line.Y = append(line.X, of(p)), append(line.Y, p.Slack)
			line.Labels = append(line.Labels, pointLabel(curve, p))
		}
		c.Lines = append(c.Lines, line)
	}
	return figure{
		Caption: fmt.Sprintf("Slack against %s: %s. Further down and further left is better.", harm, meaning),
		Chart:   template.HTML(c.String()), // The chart escapes every text.
	}
}

// pointLabel is the value of the knob, with a star at the default; without a knob it is the policy.
func pointLabel(c Curve, p Point) string {
	switch {
	case p.Knob == 0:
		return c.Policy
	case p.Shipped:
		return "★ " + quantileText(p.Knob)
	default:
		return quantileText(p.Knob)
	}
}

// workloadFigures draws what a workload used, and what each of the chosen policies requested.
func workloadFigures(chosen []PolicyResult, w int) []figure {
	first := chosen[0].Workloads[w]
	figures := []figure{workloadFigure(chosen, w, "CPU", svg.Axis{Label: "cores", FromZero: true},
		func(c *Chart) (used, requested Line) { return c.CPUUsed, c.CPURequested })}
	if len(first.Chart.MemoryUsed) > 0 {
		figures = append(figures, workloadFigure(chosen, w, "memory", svg.Axis{Label: "memory", Unit: svg.Bytes, FromZero: true},
			func(c *Chart) (used, requested Line) { return c.MemoryUsed, c.MemoryRequested }))
	}
	return figures
}

func workloadFigure(chosen []PolicyResult, w int, resource string, y svg.Axis, of func(*Chart) (used, requested Line)) figure {
	first := chosen[0].Workloads[w]
	used, _ := of(first.Chart)
	merge := (len(used) + maxSpans - 1) / maxSpans
	span := time.Duration(first.Chart.SpanSeconds*max(merge, 1)) * time.Second
	c := svg.Chart{
		ID:     chartID(fmt.Sprintf("w%d", w), resource),
		Title:  fmt.Sprintf("%s of %s", resource, first.Name),
		X:      svg.Axis{Label: "time (UTC)", Unit: svg.Time},
		Y:      y,
		Height: 150,
		Lines:  []svg.Line{stepLine("used", svg.Measured, first.Chart, merged(used, merge, highest), span)},
	}
	c.Lines[0].Filled = true
	for _, p := range chosen {
		chart := p.Workloads[w].Chart
		if chart == nil {
			continue
		}
		_, requested := of(chart)
		c.Lines = append(c.Lines, stepLine(p.Policy, chartStyle(p.Policy), chart, merged(requested, merge, lowest), span))
	}
	what := fmt.Sprintf("Largest use and smallest request of %s in every %s.", resource, shortDuration(span))
	c.Description = what
	return figure{Caption: what, Chart: template.HTML(c.String())} // The chart escapes every text.
}

// stepLine draws values that each hold for a span.
func stepLine(name string, style int, c *Chart, values []float32, span time.Duration) svg.Line {
	line := svg.Line{Name: name, Style: style, Steps: true}
	for i := range len(values) + 1 {
		v := math.NaN()
		if len(values) > 0 {
			v = float64(values[min(i, len(values)-1)])
		}
		line.X = append(line.X, float64(c.Start.Add(time.Duration(i)*span).Unix()))
		line.Y = append(line.Y, v)
	}
	return line
}

func chartID(parts ...string) string { return fmt.Sprintf("chart-%s-%s", parts[0], parts[1]) }
