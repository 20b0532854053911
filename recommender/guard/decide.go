package guard

import "github.com/loadline-dev/loadline/apply"

// rule is one safety rule. It changes the draft through the draft's methods, which record why.
type rule func(*draft)

// rules that bound the requests, in order. Each stands in the file of its name. The hard bounds come first, so that their
// reasons are the ones that people read; every later move stays inside them whatever the order.
func rules() []rule {
	return []rule{
		ceiling,       // policy maximum, largest node
		floor,         // policy minimum, observed peak, out-of-memory kill
		rollback,      // not below what was good before a change did harm
		asked,         // not below what a person has lately raised the template to
		hpa,           // what an autoscaler measures does not move
		bestEffort,    // no requests for a pod that has none, unless the policy says so
		windows,       // nothing moves, or nothing shrinks, around events
		ladder,        // what the length of the history allows
		shortHistory,  // less history never lowers memory
		jvm,           // a Java heap is sized from its limit
		reachable,     // no limit so close to the use that it hides what is wanted
		step,          // not too far at once
		pressure,      // running pods that use more than they have
		cooldown,      // not too often
		threshold,     // not for a trifle
		giveBack,      // running pods close to the target
		onlyConfirmed, // what may be applied is not mixed with what may only be shown
	}
}

// Decide passes a proposal through the rules and says what of it may be used.
//
// The result is never worse than no result: memory is never decided below what was observed, no limit is under its
// request, every change has a reason, and sizes that did not change keep their revision. Without any number to decide on,
// Candidate is nil and Applicable stays what it was.
func Decide(in Input) Decision { return decide(in, rules()) }

func decide(in Input, rules []rule) Decision {
	d := newDraft(in)
	for _, rule := range rules {
		rule(d)
	}
	sizeReplicas(d)
	d.giveBackReplicas()
	raiseAutoscaler(d)
	d.together()
	candidate := d.admissible()
	d.explain(candidate)

	decision := Decision{
		Replicas:           d.replicas,
		Applicable:         in.Applicable,
		ApplicableRevision: in.ApplicableRevision,
		Memory:             d.remember(candidate),
	}
	if len(candidate.Containers) > 0 || candidate.Replicas != nil || candidate.AutoscalerMin != nil {
		decision.Candidate, decision.Revision, decision.CandidateTime = &candidate, apply.Revision(candidate), in.Now
		if decision.Revision == in.PreviousRevision && !in.PreviousTime.IsZero() {
			decision.CandidateTime = in.PreviousTime
		}
	}
	approve(d, &decision)
	decision.Trail, decision.Findings = d.trail, d.findings
	return decision
}
