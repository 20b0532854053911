package sizing

import (
	"fmt"
	"math"
)

// modeAuto of ReplicaPolicy.Mode lets Loadline change the number of pods.
const modeAuto = "auto"

// joint reports whether number and size of the pods are decided together.
func joint(in Input) bool { return in.Policy.Replicas.Mode == modeAuto && !in.ReplicasFixed }

// sharedBy returns how many pods the requests count on: the smaller of the present and the proposed number, because who is
// still to come carries nothing yet, and who is to go will carry nothing. It is 0 where the number is not decided here.
func (p *ReplicaProposal) sharedBy(in Input) float64 {
	if p.Target <= 0 || !joint(in) {
		return 0
	}
	return float64(min(in.CurrentReplicas, p.Target))
}

// share sizes a pod by its part of the demand of all, if it is decided how many share it: of the rarer peaks that are worth covering,
// or of the plain quantile where the busiest pod, which does as many times more than the others as it did, needs more than that.
func (s *cpuSize) share(in Input, pods float64) {
	if pods == 0 || math.IsNaN(s.demand.average.least) {
		return
	}
	policy := in.Policy.CPU
	total := covering(weighted(nil, s.container.CPUTotal, nil, in.Now), policy.Quantile)
	used, level, each := total.cores, total.level, total.cores/pods
	if busiest := total.least / pods * s.demand.imbalance(pods); busiest > each {
		used, level, each = total.least, policy.Quantile, busiest
	}
	before := s.plainMillis
	if s.setCores(each * (1 + policy.Margin)); s.plainMillis != before {
		s.trail = append(s.trail, fmt.Sprintf("CPU: all pods together use %.3f cores (%s), of which each of %.0f has to carry %.3f; plus %s margin: %dm.",
			used, quantileName(level), pods, each, percent(policy.Margin), s.plainMillis))
	}
}
