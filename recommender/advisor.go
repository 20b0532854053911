package recommender

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/advice"
)

// Advisor keeps a model's advice and asks for what is missing, in its own time.
type Advisor interface {
	// Lookup returns at once what is known of the evidence, or a reason why that is nothing; see llm.Desk.
	Lookup(key string, e advice.Evidence, stored advice.Advice) (a advice.Advice, reason string)
	// Forget drops what is known for a key.
	Forget(key string)
	// Start asks until the context ends.
	Start(ctx context.Context) error
}

// noModel is the reason for rules alone where no model is configured.
const noModel = "no model is configured"

// consult adds to the input what a model says of the evidence as far as that is known by now. It never waits.
func (e *Engine) consult(in Input, mem Memory, now time.Time) Input {
	in.ModelConfigured, in.ModelAdvice = e.Advisor != nil, advice.Advice{Reason: noModel}
	if e.Advisor == nil {
		return in
	}
	evidence := advice.Hashed(gatherEvidence(now, in, mem))
	in.Evidence = &evidence
	known, reason := e.Advisor.Lookup(in.Target.key(), evidence, mem.Advice)
	if reason != "" {
		known = advice.Advice{Reason: reason}
	}
	in.ModelAdvice = known
	return in
}

// key names the target in one text; targetOfKey reads it back.
func (t Target) key() string { return t.Namespace + "/" + t.Kind + "/" + t.Name }

func targetOfKey(key string) Target {
	parts := strings.SplitN(key, "/", 3)
	return Target{Namespace: parts[0], Kind: parts[1], Name: parts[2]}
}

// wake lets a controller visit targets when somebody else says so.
type wake struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[Target]
}

// source hands the controller's queue to visit.
func (w *wake) source() source.TypedSource[Target] {
	return source.TypedFunc[Target](func(_ context.Context, queue workqueue.TypedRateLimitingInterface[Target]) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.queue = queue
		return nil
	})
}

// visit puts the target of a key into the queue. Before the controller runs there is no need to: it visits everything at its
// start.
func (w *wake) visit(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil {
		w.queue.Add(targetOfKey(key))
	}
}

// counsel returns what is accepted of the evidence, and what the rules alone say of it. The model's advice counts only if it
// is on this very evidence.
func counsel(e advice.Evidence, model advice.Advice) (refined, rules advice.Advice) {
	rules = advice.Rules(e)
	switch {
	case model.Source != advice.SourceModel:
		rules.Reason = model.Reason
	case !advice.SameEvidence(model.InputHash, rules.InputHash):
		rules.Reason = "the model's answer is about evidence that has changed since"
	default:
		return advice.Refine(rules, model, e), rules
	}
	return rules, rules
}

// protects reports whether an adjustment lets nothing shrink at the given time.
func protects(a advice.Adjustment, now time.Time) bool {
	if a.Kind == advice.IgnoreHistory || a.Kind == advice.Demand && a.Percent <= 100 {
		return false
	}
	return !now.Before(protectedFrom(a)) && now.Before(a.End)
}

// protectedFrom is when an adjustment begins to restrict changes.
func protectedFrom(a advice.Adjustment) time.Time {
	if a.Kind == advice.Demand {
		return a.Start.Add(-protectBefore)
	}
	return a.Start
}

// advisedUntil is when the last window closes, of those that are open now, in which the model lets nothing shrink. While the
// model has not answered what is asked now, it is as it was.
func (p pass) advisedUntil() time.Time {
	if p.askedAgain() {
		return p.mem.AdvisedUntil
	}
	var until time.Time
	if p.counsel.Source == advice.SourceModel {
		for _, a := range p.in.ModelAdvice.Accepted {
			if protects(a, p.now) && a.End.After(until) {
				until = a.End
			}
		}
	}
	return until
}

// askedAgain reports whether the model let nothing shrink for a time that is not over, and has not answered since the
// evidence changed. To lower sizes for the minutes until it does would be to guess.
func (p pass) askedAgain() bool {
	return p.in.ModelConfigured && p.counsel.Source != advice.SourceModel && p.now.Before(p.mem.AdvisedUntil) && advice.WorthAsking(p.evidence)
}

// modelAdviceOf reads back the model's part of what was published. Where a part found no room there, it is nothing: half of
// an answer is another answer.
func modelAdviceOf(status v1alpha1.RecommendationStatus) advice.Advice {
	a := status.Advice
	if a == nil || a.Source != advice.SourceModel || a.Omitted > 0 {
		return advice.Advice{}
	}
	out := advice.Advice{Source: a.Source, Model: a.Model, Digest: a.Digest, InputHash: a.InputHash, Summary: a.Summary}
	for _, s := range a.Adjustments {
		if s.Source != advice.SourceModel {
			continue
		}
		read := adjustmentOf(s)
		if s.Accepted {
			out.Accepted = append(out.Accepted, read)
		} else {
			out.Rejected = append(out.Rejected, advice.Rejected{Adjustment: read, Why: s.Reason})
		}
	}
	for _, f := range status.Findings {
		if f.Evidence != "" && f.Type != advice.FindingAutoscalerAtMaximum {
			out.Findings = append(out.Findings, advice.Finding{
				Type: f.Type, Severity: string(f.Severity), Evidence: strings.Split(f.Evidence, ","), Summary: summaryOf(f),
			})
		}
	}
	return out
}

// summaryOf is a finding's message without its evidence.
func summaryOf(f v1alpha1.Finding) string {
	return strings.TrimSuffix(f.Message, " ("+strings.ReplaceAll(f.Evidence, ",", ", ")+")")
}

func adjustmentOf(s v1alpha1.AdjustmentStatus) advice.Adjustment {
	a := advice.Adjustment{
		Kind: advice.Kind(s.Kind), Evidence: slices.Clone(s.Evidence), Start: timeOf(s.From).UTC(), End: timeOf(s.Until).UTC(),
		Confidence: s.ConfidencePercent, Reason: s.Reason,
	}
	if s.Percent != nil {
		a.Percent = *s.Percent
	}
	for _, r := range s.Resources {
		a.Resources = append(a.Resources, advice.Resource(r))
	}
	return a
}
