package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/report"
)

// historyPatience is how long a page waits for measurements. What takes longer is there the next time.
const historyPatience = 4 * time.Second

// workloadView is the page of one workload.
type workloadView struct {
	item
	Status v1alpha1.RecommendationStatus
	// Sentence says where the mode comes from, and Confirmed when the sizes were last confirmed.
	Sentence, Confirmed string
	Hold                string
	Sizes               []sizeLine
	// Force says which revision is in use.
	Force string
	// Containers are the charts, and NoCharts why there are none.
	Charts   []containerCharts
	NoCharts string
	Story    []storyLine
	Advice   []adviceLine
	// Adviser says who was asked, or why nobody was.
	Adviser  []string
	Findings []findingLine
	Pods     []string
	Kills    []string
	Rollback []string
	Outcomes []outcomeLine
	Events   []eventLine
	NoEvents string
	Forecast []forecastLine
}

// sizeLine is one resource of one container.
type sizeLine struct {
	Container, Resource  string
	Request              change
	Running, Band, Limit string
}

// storyLine is one sentence of the reasoning, with the rule that it comes from where one is named.
type storyLine struct{ Text, Rule string }

type adviceLine struct {
	Kind, Window, Effect, Evidence, Source, Reason string
	Accepted                                       bool
}

type findingLine struct{ Severity, Tone, Type, Container, Text string }

type outcomeLine struct{ Time, Ago, Result, Tone, Pod, Revision, Text string }

type eventLine struct{ Time, Ago, Type, Reason, Object, Text string }

// forecastLine is what the recommender tells of the forecast of one container.
type forecastLine struct {
	Container string
	Facts     []fact
}

// fact is something with a name.
type fact struct{ Name, Value string }

func (s *server) workload(r *http.Request) (view, error) {
	rec, err := s.find(r.Context(), r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return view{}, err
	}
	now := s.Clock.Now()
	v := newWorkloadView(s.item(rec, now), now)
	s.addCharts(r.Context(), &v, now)
	events, err := s.Source.Events(r.Context(), rec)
	if err != nil {
		v.NoEvents = "Events cannot be read: " + err.Error() + "."
	}
	for _, e := range events {
		v.Events = append(v.Events, eventLine{stamp(e.Time), ago(e.Time, now), e.Type, e.Reason, e.Object, times(e.Message, e.Count)})
	}
	return view{Template: "workload", Title: v.Kind + " " + v.Name, Section: "workloads", Data: v}, nil
}

func times(text string, n int32) string {
	if n > 1 {
		return fmt.Sprintf("%s (%s times)", text, grouped(int(n)))
	}
	return text
}

// find returns the Recommendation of that name.
func (s *server) find(ctx context.Context, namespace, name string) (*v1alpha1.Recommendation, error) {
	if s.Namespace != "" && namespace != s.Namespace {
		return nil, notFound("Only namespace %s is shown here.", s.Namespace)
	}
	all, err := s.Source.Recommendations(ctx, namespace)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(r v1alpha1.Recommendation) bool { return r.Namespace == namespace && r.Name == name })
	if i < 0 {
		return nil, notFound("There is no recommendation %s in namespace %s. It is removed some days after its workload, or the namespace's opt-in, is gone.", name, namespace)
	}
	return &all[i], nil
}

// addCharts draws what the workload used, or says why that is not possible.
func (s *server) addCharts(ctx context.Context, v *workloadView, now time.Time) {
	if s.Histories == nil {
		v.NoCharts = s.NoHistory
		return
	}
	ctx, cancel := context.WithTimeout(ctx, historyPatience)
	defer cancel()
	past, err := s.Histories.History(ctx, v.rec, now)
	switch {
	case err != nil && ctx.Err() != nil:
		v.NoCharts = "Prometheus is still being read. Load this page again in a moment to see the charts."
	case err != nil:
		v.NoCharts = "There are no charts, because the history cannot be read: " + err.Error() + "."
	default:
		v.Charts = chartsOf(v.rec, past, now)
		if len(v.Charts) == 0 {
			v.NoCharts = "There are no charts, because Prometheus has no measurement of this workload's containers."
		}
	}
}

func newWorkloadView(i item, now time.Time) workloadView {
	s := i.rec.Status
	v := workloadView{
		item: i, Status: s, Sizes: sizeLines(s), Force: force(s), Story: story(s.Trail), Adviser: adviser(s.Advice), Advice: adviceLines(s.Advice),
		Sentence: fmt.Sprintf("Mode %s (%s), approval %s.", orDash(string(s.Mode)), orDash(s.ModeFrom), orDash(string(s.Approval))),
		Pods:     podLines(s.Replicas),
	}
	if s.ObservedTime != nil {
		v.Confirmed = fmt.Sprintf("Sizes last confirmed %s, at %s.", ago(s.ObservedTime.Time, now), stamp(s.ObservedTime.Time))
	}
	if hold := i.rec.Spec.Hold; isHeld(i.rec, now) {
		v.Hold = "Held by a person: " + hold.Reason
		if hold.Until != nil {
			v.Hold += ", until " + stamp(hold.Until.Time)
		}
	}
	for _, f := range s.Findings {
		v.Findings = append(v.Findings, findingLine{words(string(f.Severity)), toneOf(f.Severity), words(f.Type), f.Container, f.Message})
	}
	for _, f := range s.OOMFloor {
		v.Kills = append(v.Kills, fmt.Sprintf("%s was killed with %s, last %s (seen %s): it gets at least %s since.",
			f.Container, report.Memory(&f.Hit), ago(f.Time.Time, now), count(int(f.Kills), "time"), report.Memory(&f.Floor)))
	}
	if b := s.Rollback; b != nil {
		state := "held until " + stamp(b.Until.Time)
		if !b.Holds(now) {
			state = "its time is over since " + stamp(b.Until.Time)
		}
		v.Rollback = []string{fmt.Sprintf("Revision %s was taken back %s; %s. It is number %d in a row.", b.Revision, ago(b.Time.Time, now), state, b.Count), b.Evidence}
	}
	for _, o := range s.Outcomes {
		v.Outcomes = append(v.Outcomes, outcomeLine{stamp(o.Time.Time), ago(o.Time.Time, now), words(string(o.Result)), outcomeTone(o.Result), o.Pod, o.Revision, o.Message})
	}
	for _, f := range s.Forecast {
		v.Forecast = append(v.Forecast, forecastLine{f.Container, factsOf(f)})
	}
	return v
}

// sizeLines lists what is requested and recommended, by container and resource.
func sizeLines(s v1alpha1.RecommendationStatus) []sizeLine {
	now := map[string]v1alpha1.CurrentContainer{}
	var names []string
	if s.Current != nil {
		for _, c := range s.Current.Containers {
			now[c.Name] = c
			names = append(names, c.Name)
		}
	}
	then := map[string]v1alpha1.ContainerValues{}
	if s.Candidate != nil {
		for _, c := range s.Candidate.Containers {
			then[c.Name] = c
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	var lines []sizeLine
	for _, name := range names {
		was, will := now[name], then[name]
		cpu := amounts{was.Requests.CPU, was.Limits.CPU, will.Target.CPU, will.InPlace.CPU, will.Band.CPU, will.Limits.CPU, report.CPU}
		memory := amounts{was.Requests.Memory, was.Limits.Memory, will.Target.Memory, will.InPlace.Memory, will.Band.Memory, will.Limits.Memory, report.Memory}
		lines = append(lines, cpu.line(name, "CPU"), memory.line(name, "Memory"))
	}
	return lines
}

// amounts is one resource of one container.
type amounts struct {
	request, limit, target, inPlace *resource.Quantity
	band                            *v1alpha1.Interval
	limits                          *v1alpha1.Limit
	render                          func(*resource.Quantity) string
}

func (a amounts) line(container, name string) sizeLine {
	line := sizeLine{Container: container, Resource: name, Request: changeOf(a.request, a.target, a.render), Running: "–", Band: "–", Limit: a.limitText()}
	if a.inPlace != nil {
		line.Running = a.render(a.inPlace)
	}
	if a.band != nil {
		line.Band = a.render(&a.band.Min) + " to " + a.render(&a.band.Max)
	}
	return line
}

// limitText says what the limit is and what becomes of it.
func (a amounts) limitText() string {
	now := "none"
	if a.limit != nil {
		now = a.render(a.limit)
	}
	switch {
	case a.limits == nil, a.limits.Policy == v1alpha1.LimitKeep && (a.limit == nil || a.limits.Value == nil || a.limits.Value.Cmp(*a.limit) >= 0):
		return now
	case a.limits.Value == nil:
		return now + " → none"
	default:
		return now + " → " + a.render(a.limits.Value)
	}
}
