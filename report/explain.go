package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Explain writes one Recommendation as a story that a person can check: what the workload asks for, what is recommended,
// each step of the reasoning with its numbers, and what happened since.
func Explain(w io.Writer, rec *v1alpha1.Recommendation) error {
	var b strings.Builder
	s := rec.Status
	row := rowOf(rec)
	fmt.Fprintf(&b, "%s %s/%s\n", row.Kind, row.Namespace, row.Name)
	fmt.Fprintf(&b, "  Mode %s (%s), approval %s.\n", orDash(string(s.Mode)), orDash(oneLine(s.ModeFrom)), orDash(string(s.Approval)))
	if s.ObservedTime != nil {
		fmt.Fprintf(&b, "  Sizes last confirmed at %s.\n", stamp(s.ObservedTime.Time))
	}
	explainSizes(&b, s)
	section(&b, "Number of pods", replicaLines(s.Replicas))
	section(&b, "Killed for lack of memory", floorLines(s.OOMFloor))
	section(&b, "Why, step by step", numbered(s.Trail))
	section(&b, "Forecast", forecasts(s.Forecast))
	section(&b, "Events and business context", slices.Concat(adviser(s.Advice), adjustments(s.Advice), evidence(s.Advice)))
	section(&b, "Look at", findingLines(s.Findings))
	section(&b, "Taken back", rollbackLines(s.Rollback))
	section(&b, "What happened to pods", outcomes(s.Outcomes))
	section(&b, "Conditions", conditionLines(s))
	_, err := io.WriteString(w, b.String())
	return err
}

// Answer writes the answer to a question about a Recommendation with the entries of its trail that it rests on, numbered as
// Explain numbers them.
func Answer(w io.Writer, rec *v1alpha1.Recommendation, text string, cites []int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", oneLine(text))
	all, lines := numbered(rec.Status.Trail), []string(nil)
	for _, i := range cites {
		if i >= 0 && i < len(all) {
			lines = append(lines, all[i])
		}
	}
	section(&b, "A language model says so because of", lines)
	_, err := io.WriteString(w, b.String())
	return err
}

func explainSizes(b *strings.Builder, s v1alpha1.RecommendationStatus) {
	b.WriteString("\nSizes per pod\n")
	if s.Candidate == nil {
		fmt.Fprintf(b, "  None yet: %s\n", orDash(oneLine(s.Display.Why)))
		return
	}
	table := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "  CONTAINER\tRESOURCE\tREQUEST NOW\tRECOMMENDED\tRUNNING PODS\tNO DRIFT WITHIN\tLIMIT") // a strings.Builder never fails
	now := map[string]v1alpha1.CurrentContainer{}
	if s.Current != nil {
		for _, c := range s.Current.Containers {
			now[c.Name] = c
		}
	}
	for _, c := range s.Candidate.Containers {
		was := now[c.Name].Requests
		cpu := amounts{was.CPU, c.Target.CPU, c.InPlace.CPU, c.Band.CPU, c.Limits.CPU}
		memory := amounts{was.Memory, c.Target.Memory, c.InPlace.Memory, c.Band.Memory, c.Limits.Memory}
		for _, line := range []string{cpu.cells("cpu", cores), memory.cells("memory", gibibytes)} {
			if line != "" {
				_, _ = fmt.Fprintf(table, "  %s\t%s\n", c.Name, line)
			}
		}
	}
	_ = table.Flush()
	if s.Savings != nil {
		fmt.Fprintf(b, "  Over all pods, the recommended requests reserve %s.\n", difference(&s.Savings.CPU, &s.Savings.Memory))
	}
	explainForce(b, s)
}

// amounts is one resource of one container.
type amounts struct {
	now, target, inPlace *resource.Quantity
	band                 *v1alpha1.Interval
	limit                *v1alpha1.Limit
}

// cells renders the row of a resource without its container, or nothing where it is not sized.
func (a amounts) cells(name string, render func(*resource.Quantity) string) string {
	if a.target == nil {
		return ""
	}
	band, limit := "–", "–"
	if a.band != nil {
		band = render(&a.band.Min) + " … " + render(&a.band.Max)
	}
	if a.limit != nil {
		limit = string(a.limit.Policy)
		if a.limit.Value != nil {
			limit += " " + render(a.limit.Value)
		}
	}
	return strings.Join([]string{name, optional(a.now, render), render(a.target), optional(a.inPlace, render), band, limit}, "\t")
}

// explainForce says which revision is used.
func explainForce(b *strings.Builder, s v1alpha1.RecommendationStatus) {
	switch {
	case s.Applicable == nil:
		fmt.Fprintf(b, "  Revision %s may not be used yet.\n", s.Candidate.Revision)
	case s.Applicable.Revision == s.Candidate.Revision:
		fmt.Fprintf(b, "  Revision %s may be used.\n", s.Candidate.Revision)
	default:
		fmt.Fprintf(b, "  Revision %s is used; this one, %s, is not yet.\n", s.Applicable.Revision, s.Candidate.Revision)
	}
}

func replicaLines(r *v1alpha1.ReplicaStatus) []string {
	if r == nil {
		return nil
	}
	line := fmt.Sprintf("%d now", r.Current)
	if r.Target != nil {
		line += fmt.Sprintf(", %d recommended", *r.Target)
	}
	if r.Min != nil && r.Max != nil {
		line += fmt.Sprintf(" within %d to %d", *r.Min, *r.Max)
	}
	if r.Owner != "" {
		line += "; decided by " + r.Owner
	}
	lines := []string{line}
	for _, w := range r.Schedule {
		lines = append(lines, fmt.Sprintf("%s to %s: %d", stamp(w.From.Time), stamp(w.Until.Time), w.Replicas))
	}
	return lines
}

func floorLines(floors []v1alpha1.OOMFloor) []string {
	var lines []string
	for _, f := range floors {
		lines = append(lines, fmt.Sprintf("%s: killed with %s, last at %s (seen: %d); it gets at least %s since",
			f.Container, gibibytes(&f.Hit), stamp(f.Time.Time), f.Kills, gibibytes(&f.Floor)))
	}
	return lines
}

func forecasts(all []v1alpha1.ForecastStatus) []string {
	var lines []string
	for _, f := range all {
		line := fmt.Sprintf("%s: %d hours of history", f.Container, f.HistoryHours)
		if f.Peak != nil && f.PeakTime != nil {
			line += fmt.Sprintf("; peak of all pods together %s cores at %s within %d hours", wholeCores(f.Peak), stamp(f.PeakTime.Time), f.HorizonHours)
		}
		var models []string
		for _, m := range f.Weights {
			models = append(models, fmt.Sprintf("%s %d %%", m.Model, m.Percent))
		}
		if len(models) > 0 {
			line += "; models: " + strings.Join(models, ", ")
		}
		if f.BacktestErrorPercent != nil {
			line += fmt.Sprintf("; error on past data %d %%", *f.BacktestErrorPercent)
		}
		lines = append(lines, line)
	}
	return lines
}

// adviser says who was asked, where it was a model, or why none was.
func adviser(a *v1alpha1.AdviceStatus) []string {
	switch {
	case a == nil:
		return nil
	case a.Model != "":
		lines := []string{fmt.Sprintf("asked: %s, digest %s, about evidence %s", a.Model, orDash(a.Digest), orDash(a.InputHash))}
		if a.Summary != "" {
			lines = append(lines, a.Summary)
		}
		return lines
	case a.Reason != "":
		return []string{"by rules alone: " + a.Reason}
	default:
		return nil
	}
}

// adjustments tells what was proposed, why, and what became of it.
func adjustments(a *v1alpha1.AdviceStatus) []string {
	if a == nil {
		return nil
	}
	var lines []string
	for _, adjustment := range a.Adjustments {
		verdict := "accepted"
		if !adjustment.Accepted {
			verdict = "refused"
		}
		lines = append(lines, fmt.Sprintf("%s: %s (%s, by %s, from %s)", proposal(adjustment), adjustment.Reason, verdict,
			cmp.Or(adjustment.Source, a.Source), strings.Join(adjustment.Evidence, ", ")))
	}
	if a.Omitted > 0 {
		lines = append(lines, fmt.Sprintf("%d more found no room", a.Omitted))
	}
	return lines
}

// proposal says what an adjustment is, such as "demand of 300 % from … to …".
func proposal(a v1alpha1.AdjustmentStatus) string {
	text := a.Kind
	if a.Percent != nil {
		text += fmt.Sprintf(" of %d %%", *a.Percent)
	}
	if len(a.Resources) > 0 {
		text += " of " + strings.Join(a.Resources, ", ")
	}
	if a.From != nil && a.Until != nil {
		text += fmt.Sprintf(" from %s to %s", stamp(a.From.Time), stamp(a.Until.Time))
	}
	return text
}

// evidence says what the ids in adjustments and findings stand for.
func evidence(a *v1alpha1.AdviceStatus) []string {
	if a == nil {
		return nil
	}
	var lines []string
	for _, e := range a.Evidence {
		lines = append(lines, e.ID+" is "+e.Text)
	}
	return lines
}

func findingLines(findings []v1alpha1.Finding) []string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, fmt.Sprintf("%s %s: %s", f.Severity, f.Type, findingText(f)))
	}
	return lines
}

func outcomes(all []v1alpha1.Outcome) []string {
	var lines []string
	for _, o := range all {
		line := fmt.Sprintf("%s  %s  pod %s, revision %s", stamp(o.Time.Time), o.Result, o.Pod, o.Revision)
		if o.Message != "" {
			line += ": " + o.Message
		}
		lines = append(lines, line)
	}
	return lines
}

func rollbackLines(r *v1alpha1.Rollback) []string {
	if r == nil {
		return nil
	}
	return []string{
		fmt.Sprintf("revision %s at %s, held until %s, time %d in a row", r.Revision, stamp(r.Time.Time), stamp(r.Until.Time), r.Count),
		r.Evidence,
	}
}

func conditionLines(s v1alpha1.RecommendationStatus) []string {
	var lines []string
	for _, c := range s.Conditions {
		lines = append(lines, fmt.Sprintf("%s=%s (%s): %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return lines
}

func section(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, line := range lines {
		fmt.Fprintf(b, "  %s\n", oneLine(line))
	}
}

func numbered(sentences []string) []string {
	lines := make([]string, len(sentences))
	for i, s := range sentences {
		lines[i] = fmt.Sprintf("%2d. %s", i+1, s)
	}
	return lines
}

func optional(q *resource.Quantity, render func(*resource.Quantity) string) string {
	if q == nil {
		return "–"
	}
	return render(q)
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
