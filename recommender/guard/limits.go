package guard

import (
	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// limit returns what happens to the limit beside a request that is final.
//
//	Keep       the limit of the pod; apply raises it where it would be under the request
//	Ratio      the request × the template's limit ÷ request; the template's limit where it has no such ratio
//	Headroom   the observed peak plus headroom, at least the request
//	Equal      the request
//	None       none, on new pods
//
// In this order: a Guaranteed pod stays Guaranteed (its limits are its requests); it is at most the policy's maximum, and
// what is computed at most the largest node and what LimitRanges allow; a limit goes down only where the request may go down; it keeps its value where
// the change would be small; a memory limit is never under what was observed; and no limit is under its request.
func (d *draft) limit(s *size, a *amount) apply.Limit {
	policy := v1alpha1.LimitPolicy(a.policy.Limit)
	if apply.QOSClass(d.template) == "Guaranteed" {
		return apply.Limit{Policy: string(v1alpha1.LimitEqual), Value: a.target}
	}
	if policy == v1alpha1.LimitNone {
		return d.noLimit(a)
	}
	wanted := d.wantedLimit(s, a, policy)
	if wanted == 0 {
		return d.keep(a)
	}
	wanted = max(wanted, a.goodLimit, a.askedLimit)
	// Ratio multiplies: 10m with a limit of 4 cores, raised to 1 core, would come to 400 cores.
	wanted = min(wanted, d.mostLimit(a))
	if a == s.memory && s.container.OOMEndless && a.limit > 0 {
		// The peak was the limit: a limit that follows it would feed the leak. A person may know better.
		wanted = min(wanted, max(a.limit, a.askedLimit, a.goodLimit))
	}
	if a.keepLimit && (a.limit == 0 || wanted < a.limit) {
		return d.limitInForce(a)
	}
	if policy == v1alpha1.LimitEqual {
		return apply.Limit{Policy: string(policy), Value: a.target}
	}
	return apply.Limit{Policy: string(policy), Value: a.covering(d.steady(a, policy, wanted))}
}

// steady returns the limit that was decided last by the same policy where the new one hardly differs, and else the new one.
func (d *draft) steady(a *amount, policy v1alpha1.LimitPolicy, wanted int64) int64 {
	last := a.beforeLimit
	if last.Policy != string(policy) || last.Value > d.mostLimit(a) || !d.trifle(last.Value, wanted) {
		return wanted
	}
	return last.Value
}

// keep leaves the limit of the pod, cut to the policy's maximum where it is over that and may go down. Example: template
// limit 4Gi, memory.max 2Gi, peak 1Gi → 2Gi; peak 3Gi → 3Gi.
func (d *draft) keep(a *amount) apply.Limit {
	kept := apply.Limit{Policy: string(v1alpha1.LimitKeep)}
	own := d.template[a.container].Limits.CPUMillis
	if a.name == memoryName {
		own = d.template[a.container].Limits.MemoryBytes
	}
	if a.policy.Max <= 0 || own <= a.policy.Max {
		return kept
	}
	most := a.covering(a.policy.Max)
	if a.keepLimit {
		most = max(most, a.limit)
	}
	if most < own {
		kept.Value = most
	}
	return kept
}

// covering rounds a limit up, and raises it to what was observed and to the request.
func (a *amount) covering(limit int64) int64 {
	return roundUp(a.name, max(limit, a.observed, a.target))
}

// noLimit removes the limit, unless a pod without it is refused, or gets what is usual in its namespace.
func (d *draft) noLimit(a *amount) apply.Limit {
	if d.needsLimit(a) {
		return d.keep(a)
	}
	return apply.Limit{Policy: string(v1alpha1.LimitNone)}
}

// wantedLimit returns the limit that the policy computes, 0 under Keep and where nothing can be computed.
func (d *draft) wantedLimit(s *size, a *amount, policy v1alpha1.LimitPolicy) int64 {
	template := d.template[a.container]
	request, limit := template.Requests.CPUMillis, template.Limits.CPUMillis
	peak := legal(s.proposal.Peak.CPUMillis)
	if a == s.memory {
		request, limit = template.Requests.MemoryBytes, template.Limits.MemoryBytes
		peak = max(a.peak, legal(s.proposal.Peak.MemoryBytes))
	}
	// Under pressure a running pod gets more than new ones do, and its limit must leave it as much room.
	largest := max(a.target, a.inPlace)
	roomy := scale(peak, 1+share(a.policy.LimitHeadroom, maxHeadroom))
	switch policy {
	case v1alpha1.LimitRatio:
		if request <= 1 || limit <= 0 { // A request of 0 reads as 1.
			return 0
		}
		wanted := scale(largest, float64(limit)/float64(request))
		if a == s.memory {
			// A request that shrinks must not take the memory limit down to the peak with it.
			wanted = max(wanted, roomy)
		}
		return wanted
	case v1alpha1.LimitHeadroom:
		if peak == 0 {
			return 0
		}
		return max(roomy, largest)
	case v1alpha1.LimitEqual:
		return a.target
	case v1alpha1.LimitKeep, v1alpha1.LimitNone:
	}
	return 0
}

// limitInForce keeps the limit that pods get at present.
func (d *draft) limitInForce(a *amount) apply.Limit {
	if !a.sized || a.rule.Policy == "" {
		return d.keep(a)
	}
	return a.rule
}
