package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/internal/svg"
	"github.com/loadline-dev/loadline/recommender/advice"
)

// shownPast is how far back charts go. The forecast rests on more.
const shownPast = 7 * 24 * time.Hour

// Styles of lines: the same for the same thing in every chart.
const (
	styleExpected    = 0
	styleRequested   = 1
	styleRecommended = 2
	styleLimit       = 4
	styleNow         = 6
)

// farAbove is how many times all else a limit may be before it is left out, because it would flatten everything.
const farAbove = 4

// containerCharts are the charts of one container.
type containerCharts struct {
	Container string
	Charts    []figure
	// Facts on the forecast, as the recommender made it.
	Facts []fact
}

// figure is a chart with what it shows in words.
type figure struct {
	Title, Caption string
	Chart          template.HTML
}

// chartsOf draws each container that is sized or measured: the largest first.
func chartsOf(rec *v1alpha1.Recommendation, past History, now time.Time) []containerCharts {
	s := rec.Status
	var all []containerCharts
	for i, name := range chartedContainers(s, past) {
		p := plot{id: fmt.Sprintf("c%d", i), now: now, past: past.Containers[name], pods: podsOf(s)}
		if s.Current != nil {
			for _, c := range s.Current.Containers {
				if c.Name == name {
					p.current = c
				}
			}
		}
		if s.Candidate != nil {
			for _, c := range s.Candidate.Containers {
				if c.Name == name {
					p.target = c
				}
			}
		}
		p.expected = advice.Apply(p.past.Forecast, accepted(s.Advice))
		charts := containerCharts{Container: name, Charts: []figure{p.demand(), p.cpu(), p.memory()}}
		for _, f := range s.Forecast {
			if f.Container == name {
				charts.Facts = factsOf(f)
			}
		}
		all = append(all, charts)
	}
	return all
}

// chartedContainers are those of the workload that were measured, the one with the largest demand first.
func chartedContainers(s v1alpha1.RecommendationStatus, past History) []string {
	var names []string
	add := func(name string) {
		if _, measured := past.Containers[name]; measured && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if s.Candidate != nil {
		for _, c := range s.Candidate.Containers {
			add(c.Name)
		}
	}
	if s.Current != nil {
		for _, c := range s.Current.Containers {
			add(c.Name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		x, _ := past.Containers[a].CPUTotal.Max()
		y, _ := past.Containers[b].CPUTotal.Max()
		return cmp.Compare(y, x)
	})
	return names
}

// podsOf is the number of pods that requests are multiplied with.
func podsOf(s v1alpha1.RecommendationStatus) float64 {
	if s.Current == nil || s.Current.Replicas == nil {
		return 1
	}
	return float64(*s.Current.Replicas)
}

// accepted is the part of the advice that raises the forecast.
func accepted(a *v1alpha1.AdviceStatus) advice.Advice {
	var out advice.Advice
	if a == nil {
		return out
	}
	for _, one := range a.Adjustments {
		if one.Accepted && one.Kind == string(advice.Demand) && one.From != nil && one.Until != nil && one.Percent != nil {
			out.Accepted = append(out.Accepted, advice.Adjustment{
				Kind: advice.Demand, Start: one.From.Time, End: one.Until.Time, Percent: *one.Percent, Reason: one.Reason,
			})
		}
	}
	return out
}

// plot draws one container.
type plot struct {
	id       string
	now      time.Time
	past     ContainerHistory
	expected forecast.Forecast
	current  v1alpha1.CurrentContainer
	target   v1alpha1.ContainerValues
	pods     float64
}

// demand is the CPU of all pods together, with the forecast.
func (p plot) demand() figure {
	c := p.chart("demand", "CPU of all pods together", svg.Axis{Label: "cores", FromZero: true})
	c.Lines = append(c.Lines, p.used(p.past.CPUTotal))
	caption := "Most of each hour, all pods together."
	if !p.expected.Empty() {
		line := svg.Line{Name: "expected", Style: styleExpected, Steps: true}
		line.Low, _ = p.expected.Quantile(lowerLevel)
		line.High, _ = p.expected.Quantile(upperLevel)
		for i, v := range p.expected.Mean {
			line.X = append(line.X, float64(p.expected.Start.Add(time.Duration(i)*p.expected.Step).Unix()))
			line.Y = append(line.Y, v)
		}
		c.Lines = append(c.Lines, line)
		caption += fmt.Sprintf(" The band holds nine of ten hours of the next %s, with what is announced.", span(p.expected.End().Sub(p.now)))
	}
	c.Lines = append(c.Lines, p.level("requested now", styleRequested, p.start(), p.amount(p.current.Requests.CPU)*p.pods),
		p.level("recommended", styleRecommended, p.now, p.amount(p.target.Target.CPU)*p.pods))
	return p.figure(c, caption+fmt.Sprintf(" Requests are those of the %.0f pods of today.", p.pods))
}

// cpu is that of the busiest pod against request and limit.
func (p plot) cpu() figure {
	c := p.chart("cpu", "CPU of the busiest pod", svg.Axis{Label: "cores", FromZero: true})
	c.Lines = append(c.Lines, p.used(p.past.CPUHottest))
	c.Lines = append(c.Lines, p.requests(p.current.Requests.CPU, p.target.Target.CPU)...)
	return p.withLimit(c, "Most of each hour, of the pod that used most.", p.current.Limits.CPU)
}

// memory is that of the largest pod against request and limit.
func (p plot) memory() figure {
	c := p.chart("memory", "Memory of the largest pod", svg.Axis{Label: "working set", Unit: svg.Bytes, FromZero: true})
	c.Lines = append(c.Lines, p.used(p.past.Memory))
	c.Lines = append(c.Lines, p.requests(p.current.Requests.Memory, p.target.Target.Memory)...)
	return p.withLimit(c, "Most of each hour, of the pod that used most.", p.current.Limits.Memory)
}

func (p plot) chart(id, title string, y svg.Axis) svg.Chart {
	return svg.Chart{ID: p.id + "-" + id, Title: title, X: svg.Axis{Label: "time (UTC)", Unit: svg.Time}, Y: y, Height: 160}
}

// withLimit adds the limit, unless it is so far above that nothing else could be seen.
func (p plot) withLimit(c svg.Chart, caption string, limit *resource.Quantity) figure {
	if limit == nil {
		return p.figure(c, caption+" There is no limit.")
	}
	most, value := largest(c.Lines), limit.AsApproximateFloat64()
	if value > farAbove*most {
		return p.figure(c, caption+" The limit is far above, at "+limit.String()+".")
	}
	c.Lines = append(c.Lines, p.level("limit now", styleLimit, p.start(), value))
	return p.figure(c, caption)
}

// figure adds the line of now, and says in words what the chart shows.
func (p plot) figure(c svg.Chart, caption string) figure {
	now := float64(p.now.Unix())
	c.Lines = append(c.Lines, svg.Line{Style: styleNow, X: []float64{now, now}, Y: []float64{0, largest(c.Lines)}, Labels: []string{"", "now"}})
	c.Description = caption + " The numbers are in the tables of this page."
	return figure{Title: c.Title, Caption: caption, Chart: template.HTML(c.String())} // The chart escapes every text.
}

func (p plot) start() time.Time { return p.now.Add(-shownPast) }

// end is where every chart ends.
func (p plot) end() time.Time {
	if p.expected.Empty() {
		return p.now.Add(2 * time.Hour)
	}
	return p.expected.End()
}

func (p plot) used(s forecast.Series) svg.Line {
	line := svg.Line{Name: "used", Style: svg.Measured, Steps: true, Filled: true}
	recent := s.Since(p.start())
	for i, v := range recent.Values {
		line.X, line.Y = append(line.X, float64(recent.TimeAt(i).Unix())), append(line.Y, float64(v))
	}
	return line
}

func (p plot) requests(now, then *resource.Quantity) []svg.Line {
	return []svg.Line{p.level("requested now", styleRequested, p.start(), p.amount(now)), p.level("recommended", styleRecommended, p.now, p.amount(then))}
}

// level is a line of one height; without name, and so not listed, where there is none.
func (p plot) level(name string, style int, from time.Time, height float64) svg.Line {
	if !(height > 0) {
		return svg.Line{}
	}
	return svg.Line{Name: name, Style: style, X: []float64{float64(from.Unix()), float64(p.end().Unix())}, Y: []float64{height, height}}
}

func (p plot) amount(q *resource.Quantity) float64 {
	if q == nil {
		return 0
	}
	return q.AsApproximateFloat64()
}

// largest value of lines and bands.
func largest(lines []svg.Line) float64 {
	most := 0.0
	for _, line := range lines {
		for _, values := range [][]float64{line.Y, line.High} {
			for _, v := range values {
				if v > most { // not so for NaN
					most = v
				}
			}
		}
	}
	return most
}
