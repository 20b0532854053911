package recommender

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// oomNews is how long an out-of-memory kill stays the most important news. Its floor stays for good.
const oomNews = 7 * 24 * time.Hour

// trail puts the steps' sentences into one story: settings, advice, sizing, guard.
func trail(now time.Time, in Input, d Decision) []string {
	lines := []string{"Mode " + string(in.Settings.Mode) + ": " + in.Settings.ModeFrom + "."}
	if reason, text := in.trouble(now); reason != "" {
		lines = append(lines, "History is not up to date: "+text+".")
	}
	if d.Advice.Source == advice.SourceModel && d.Advice.Summary != "" {
		lines = append(lines, "Asked about events and context, "+d.Advice.Model+" sums up: "+d.Advice.Summary)
	}
	for _, a := range d.Advice.Accepted {
		lines = append(lines, "Taken into account: "+a.Reason)
	}
	for _, r := range d.Advice.Rejected {
		lines = append(lines, "Not taken into account: "+r.Why)
	}
	for _, c := range d.Proposal.Containers {
		for _, sentence := range c.Trail {
			lines = append(lines, c.Name+": "+sentence)
		}
	}
	lines = append(lines, d.Proposal.Replicas.Trail...)
	if in.Controller != "" {
		lines = append(lines, "Replicas: the number is left to "+in.Controller+", which owns the workload.")
	}
	for _, reason := range d.Guard.Trail {
		lines = append(lines, sentenceOf(reason)+" ["+reason.Rule+"]")
	}
	return lines
}

func sentenceOf(r guard.Reason) string {
	if r.Container == "" {
		return r.Text
	}
	return r.Container + ": " + r.Text
}

// findings joins what settings, sizing, guard and advice found, each thing once and the worst first.
func findings(now time.Time, in Input, mem Memory, d Decision) []v1alpha1.Finding {
	found := slices.Concat(settingsFindings(in), rollbackFinding(now, mem.Rollback), pass{in: in}.crowded())
	for _, f := range slices.Concat(d.Proposal.Findings, d.Guard.Findings) {
		if f.Type == sizing.FindingOOMKilled && now.Sub(oomFloorOf(mem.OOM, f.Container).Time) > oomNews {
			f.Severity = string(v1alpha1.SeverityInfo)
		}
		found = append(found, v1alpha1.Finding{Type: f.Type, Severity: severity(f.Severity), Container: f.Container, Message: f.Message})
	}
	for _, f := range d.Advice.Findings {
		found = append(found, v1alpha1.Finding{
			Type: f.Type, Severity: severity(f.Severity), Message: fmt.Sprintf("%s (%s)", f.Summary, strings.Join(f.Evidence, ", ")),
			Evidence: strings.Join(f.Evidence, ","),
		})
	}
	slices.SortStableFunc(found, func(a, b v1alpha1.Finding) int { return cmp.Compare(rank(b.Severity), rank(a.Severity)) })
	var once []v1alpha1.Finding
	for _, f := range found {
		if !slices.Contains(once, f) {
			once = append(once, f)
		}
	}
	return once
}

func settingsFindings(in Input) []v1alpha1.Finding {
	var found []v1alpha1.Finding
	add := func(kind string, severity v1alpha1.Severity, message string) {
		found = append(found, v1alpha1.Finding{Type: kind, Severity: severity, Message: message})
	}
	for _, p := range in.Settings.Problems {
		add(v1alpha1.ReasonInvalidAnnotation, v1alpha1.SeverityWarning, p.Error())
	}
	for _, p := range in.Settings.Ignored {
		add("IgnoredAnnotation", v1alpha1.SeverityInfo, p.Error())
	}
	if in.VPA != (VPA{}) {
		add(v1alpha1.ReasonVPA, v1alpha1.SeverityWarning, in.VPA.problem())
	}
	if in.PolicyProblem != "" {
		add(v1alpha1.ReasonInvalidPolicy, v1alpha1.SeverityWarning, in.PolicyProblem)
	}
	for _, problem := range slices.Concat(in.SignalProblems, in.Health.Problems) {
		add("SignalUnavailable", v1alpha1.SeverityInfo, problem)
	}
	if in.PodLevel {
		add(v1alpha1.ReasonPodLevelResources, v1alpha1.SeverityWarning, podLevelProblem)
	}
	if f, ok := in.Unmeasured.finding(); ok {
		found = append(found, f)
	}
	if in.Surplus > 0 {
		add("TooManyContainers", v1alpha1.SeverityWarning,
			fmt.Sprintf("%d containers are left alone: at most %d of one workload are sized", in.Surplus, maxContainers))
	}
	return found
}

// severity returns a legal severity; one that is not known counts as a warning.
func severity(text string) v1alpha1.Severity {
	if s := v1alpha1.Severity(text); rank(s) > 0 {
		return s
	}
	return v1alpha1.SeverityWarning
}

func rank(s v1alpha1.Severity) int {
	return 1 + slices.Index([]v1alpha1.Severity{v1alpha1.SeverityInfo, v1alpha1.SeverityWarning, v1alpha1.SeverityCritical}, s)
}

// quietRules of the guard act in nearly every pass. They are no reason that a person wants to read first.
var quietRules = map[string]bool{"threshold": true, "give-back": true, "change": true, "proposal": true, "approval": true}

// why is what a person reads first, short enough for a column: a critical finding, what is missing, what was announced,
// another finding worth a look, and else where the numbers come from.
func why(d Decision, ready bool, readyMessage string) string {
	worst := v1alpha1.SeverityInfo
	if len(d.Findings) > 0 {
		worst = d.Findings[0].Severity
	}
	switch {
	case worst == v1alpha1.SeverityCritical:
		return firstClause(d.Findings[0].Message)
	case !ready:
		return readyMessage
	case d.Guard.Candidate != nil && !d.Guard.Approved:
		return d.Guard.ApprovedReason.Text
	case len(d.Advice.Accepted) > 0:
		return d.Advice.Accepted[0].Reason
	case worst == v1alpha1.SeverityWarning:
		return firstClause(d.Findings[0].Message)
	}
	return origin(d)
}

// firstClause returns the text up to its first full stop or semicolon that ends a clause.
func firstClause(text string) string {
	for _, end := range []string{"; ", ". "} {
		text, _, _ = strings.Cut(text, end)
	}
	return strings.TrimSuffix(text, ".")
}

// origin is the last rule that bound a request, or where the largest request comes from.
func origin(d Decision) string {
	for _, r := range slices.Backward(d.Guard.Trail) {
		if r.Container != "" && !quietRules[r.Rule] {
			return sentenceOf(r)
		}
	}
	var largest sizing.ContainerProposal
	for _, c := range d.Proposal.Containers {
		if largest.Name == "" || c.Target.CPUMillis > largest.Target.CPUMillis {
			largest = c
		}
	}
	switch {
	case largest.Summary == "":
		return "the sizes that were decided before stay"
	case len(d.Proposal.Containers) == 1:
		return largest.Summary
	default:
		return largest.Name + ": " + largest.Summary
	}
}

// shorten makes one line of a text, and cuts it to at most limit bytes at a character's boundary, which an ellipsis tells.
func shorten(text string, limit int) string {
	text = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text), "�")
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	cut := limit - len(ellipsis)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + ellipsis
}
