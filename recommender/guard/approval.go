package guard

import "github.com/loadline-dev/loadline/apply"

// approve decides whether the candidate may be used. People come first: a hold stops everything, and under manual approval
// a revision waits until a person named it. A revision that was approved while it was the candidate is used even if the
// candidate has moved on since.
func approve(d *draft, out *Decision) {
	if out.Candidate == nil {
		out.ApprovedReason = Reason{Rule: "ladder", Text: "there are no sizes yet"}
		return
	}
	use := func(v *apply.Values, revision, rule, text string) {
		out.Applicable, out.ApplicableRevision = v, revision
		out.ApprovedReason = Reason{Rule: rule, Text: text}
	}
	in := d.in
	switch rule := d.unready(); {
	case in.Hold:
		out.ApprovedReason = Reason{Rule: "hold", Text: "on hold: " + orUnknown(in.HoldReason)}
	case rule != "":
		out.ApprovedReason = Reason{Rule: rule, Text: "the sizes are shown, but may not be applied yet"}
	case in.Manual && in.Rollback != nil:
		out.Approved = true
		use(out.Candidate, out.Revision, "rollback", "what is given back needs no approval")
	case !in.Manual:
		out.Approved = true
		use(out.Candidate, out.Revision, "approval", "approval is automatic")
	default:
		approveManually(in, out, use)
	}
	if !out.Approved {
		d.because("", out.ApprovedReason.Rule, out.ApprovedReason.Text)
	}
}

// approveManually asks whether a person approved the candidate, or the revision before it.
func approveManually(in Input, out *Decision, use func(v *apply.Values, revision, rule, text string)) {
	switch {
	case in.Approved == out.Revision:
		out.Approved = true
		use(out.Candidate, out.Revision, "approval", "revision "+out.Revision+" was approved by a person")
	case in.Approved != "" && in.Previous != nil && in.Approved == in.PreviousRevision:
		use(in.Previous, in.PreviousRevision, "approval", "the revision before, "+in.Approved+", was approved; "+out.Revision+" waits for approval")
	case out.Revision == in.ApplicableRevision:
		out.Approved = true
		out.ApprovedReason = Reason{Rule: "approval", Text: "revision " + out.Revision + " is in force already"}
	default:
		out.ApprovedReason = Reason{Rule: "approval", Text: "revision " + out.Revision + " waits for approval"}
	}
}

func orUnknown(reason string) string {
	if reason == "" {
		return "no reason was given"
	}
	return reason
}
