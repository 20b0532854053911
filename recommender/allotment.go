package recommender

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/quota"
)

// FindingQuota says that a ResourceQuota has less for a workload than it needs.
const FindingQuota = "QuotaTooSmall"

// Claim is what one pod of a workload would have if there were no ResourceQuota.
type Claim struct {
	Priority v1alpha1.Priority
	Pod      apply.Resources
	// Needed is what it needs by what out-of-memory kills taught. It is not remembered: who looks at the claim knows the kills.
	Needed apply.Resources
}

// claimSlack is how far a claim may move before it is told anew, so that it is not written with every pass.
const claimSlack = 0.1

// verdict is the guard's decision, and the claim behind it where there is a quota.
type verdict struct {
	guard.Decision
	claim *Claim
}

// withinQuotas decides once without the quotas, which is the claim, and then within what they allot to it.
func (p pass) withinQuotas(input guard.Input) verdict {
	if len(p.in.Ledgers) == 0 || p.in.Pods <= 0 {
		return verdict{Decision: guard.Decide(input)}
	}
	for _, l := range p.in.Ledgers {
		input.CPULimitRequired = input.CPULimitRequired || l.Quota.Bounded[quota.LimitsCPU]
		input.MemoryLimitRequired = input.MemoryLimitRequired || l.Quota.Bounded[quota.LimitsMemory]
	}
	unbounded := guard.Decide(input)
	claim := &Claim{Priority: p.in.Settings.Priority, Pod: p.podWith(unbounded.Candidate), Needed: neededBy(p.members(), p.mem.OOM)}
	input.ReplicaRoom = p.replicaRoom(*claim, max(unbounded.Replicas, autoscalerMin(input)))
	for _, l := range p.in.Ledgers {
		input.Budgets = append(input.Budgets, p.budget(l, *claim))
		if most := int64(p.in.HPA.Max); most > int64(p.in.Pods) {
			input.Budgets = append(input.Budgets, p.budgetAtMost(l, *claim, most))
		}
	}
	if p.mem.Claim.nearly(*claim) {
		claim = p.mem.Claim
	}
	return verdict{Decision: guard.Decide(input), claim: claim}
}

// autoscalerMin is the largest minimum that may be asked of an autoscaler.
func autoscalerMin(input guard.Input) int32 {
	asked := input.Proposal.Replicas.AutoscalerMin
	for _, v := range []*apply.Values{input.Previous, input.Applicable} {
		if v != nil && v.AutoscalerMin != nil {
			asked = max(asked, *v.AutoscalerMin)
		}
	}
	return asked
}

// replicaRoom is how many of the wanted pods the quotas have room for, each with all that it claims and with what its template asks
// for, and those that a rollout adds besides. A namespace whose quota is full refuses everybody's next pod.
func (p pass) replicaRoom(claim Claim, wanted int32) guard.ReplicaRoom {
	var room guard.ReplicaRoom
	surge := int64(max(p.in.Pods-p.in.Replicas, 0))
	for _, l := range p.in.Ledgers {
		pod := each(amountsOfPod(claim.Pod), l.Own.Reserved, func(claimed, reserved int64) int64 { return max(claimed, reserved/int64(p.in.Pods)) })
		may := l.allot(claim, pod, int64(wanted)+surge)
		for r, each := range pod {
			if each <= 0 || !l.Quota.Bounded[r] {
				continue
			}
			fit := max(may[r]/each-surge, int64(p.in.Replicas), 1)
			if fit < int64(wanted) && (room.Most == 0 || fit < int64(room.Most)) {
				room = guard.ReplicaRoom{
					Most: int32(fit), Finding: FindingQuota,
					Why: fmt.Sprintf("ResourceQuota %s has no room for more, those of a rollout included", l.Quota.Name),
				}
			}
		}
	}
	return room
}

// members are the containers of the template.
func (p pass) members() []apply.Member {
	template := corev1.PodSpec{Containers: slices.Clone(p.in.Containers)}
	for _, c := range p.in.LeftAlone {
		if slices.Contains(p.in.Init, c.Name) {
			template.InitContainers = append(template.InitContainers, c)
		} else {
			template.Containers = append(template.Containers, c)
		}
	}
	return apply.Members(template)
}

// podWith is what a pod of the template has with these values.
func (p pass) podWith(values *apply.Values) apply.Resources {
	members := p.members()
	if values == nil {
		return apply.PodResources(members)
	}
	return apply.PodResources(overlay(members, apply.Desired(*values, resourcesByName(members), apply.ForNewPod)))
}

// budget is what one pod may have of what the quota allots to the workload.
func (p pass) budget(l Ledger, claim Claim) guard.Budget {
	pods := int64(p.in.Pods)
	may := l.allot(claim, amountsOfPod(claim.Pod), pods)
	return l.budget(guard.Budget{
		Rule: "quota", Finding: FindingQuota,
		Why: fmt.Sprintf("ResourceQuota %s leaves so much to each of %d pods of a workload of priority %s, those of a rollout included, beside what the templates of others ask for", l.Quota.Name, pods, claim.Priority),
	}, func(r quota.Resource) int64 { return may[r] / pods })
}

// budgetAtMost is what one pod may have so that the workload's autoscaler can still reach its maximum. A pod keeps what it has: where
// the maximum does not fit the quota now, that is no work of ours. What is needed passes, because nobody knows whether so many
// pods ever come.
func (p pass) budgetAtMost(l Ledger, claim Claim, most int64) guard.Budget {
	pods := int64(p.in.Pods)
	may := l.allot(claim, amountsOfPod(claim.Pod), most)
	return l.budget(guard.Budget{
		Rule: "quota", Finding: FindingQuota, Soft: true,
		Why: fmt.Sprintf("ResourceQuota %s leaves so much to each of the %d pods that %s may ask for", l.Quota.Name, most, p.in.HPA.Owner),
	}, func(r quota.Resource) int64 { return max(may[r]/most, l.Own.Used[r]/pods) })
}

// allot is what the workload may have with so many pods that want so much each.
func (l Ledger) allot(claim Claim, pod quota.Amounts, pods int64) quota.Amounts {
	own, times := l.Own, func(v, _ int64) int64 { return v * pods }
	own.Rank = rankOf(claim.Priority)
	own.Wanted, own.Needed = each(pod, pod, times), each(amountsOfPod(claim.Needed), pod, times)
	return quota.Allot(l.Quota, append(slices.Clone(l.Claims), own))[own.Workload]
}

// budget fills in what one pod may have of each resource that the quota bounds.
func (l Ledger) budget(b guard.Budget, each func(quota.Resource) int64) guard.Budget {
	for r, into := range map[quota.Resource]*int64{
		quota.RequestsCPU: &b.Requests.CPUMillis, quota.RequestsMemory: &b.Requests.MemoryBytes,
		quota.LimitsCPU: &b.Limits.CPUMillis, quota.LimitsMemory: &b.Limits.MemoryBytes,
	} {
		if l.Quota.Bounded[r] {
			*into = max(each(r), 1)
		}
	}
	return b
}

// rankOf orders priorities: 0 is critical. An unknown one counts as standard.
func rankOf(p v1alpha1.Priority) int {
	order := []v1alpha1.Priority{v1alpha1.PriorityCritical, v1alpha1.PriorityHigh, v1alpha1.PriorityStandard, v1alpha1.PriorityLow}
	if at := slices.Index(order, p); at >= 0 {
		return at
	}
	return slices.Index(order, v1alpha1.PriorityStandard)
}

// nearly reports whether the claim that is known says as much as another.
func (c *Claim) nearly(other Claim) bool {
	if c == nil || c.Priority != other.Priority {
		return false
	}
	was, is := amountsOfPod(c.Pod), amountsOfPod(other.Pod)
	for r := range was {
		if float64(max(was[r], is[r])-min(was[r], is[r])) > claimSlack*float64(was[r]) {
			return false
		}
	}
	return true
}

func (c *Claim) status() *v1alpha1.QuotaClaim {
	if c == nil {
		return nil
	}
	return &v1alpha1.QuotaClaim{Priority: c.Priority, Requests: claimedAmounts(c.Pod.Requests), Limits: claimedAmounts(c.Pod.Limits)}
}

func claimedAmounts(a apply.Amounts) v1alpha1.ResourceAmounts {
	var out v1alpha1.ResourceAmounts
	if a.CPUMillis > 0 {
		out.CPU = resource.NewMilliQuantity(a.CPUMillis, resource.DecimalSI)
	}
	if a.MemoryBytes > 0 {
		out.Memory = new(byteQuantity(a.MemoryBytes))
	}
	return out
}

func claimOf(c *v1alpha1.QuotaClaim) *Claim {
	if c == nil {
		return nil
	}
	amounts := func(a v1alpha1.ResourceAmounts) apply.Amounts {
		return apply.Amounts{CPUMillis: millis(a.CPU), MemoryBytes: bytes(a.Memory)}
	}
	return &Claim{Priority: c.Priority, Pod: apply.Resources{Requests: amounts(c.Requests), Limits: amounts(c.Limits)}}
}
