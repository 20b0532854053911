package recommender

import (
	"context"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/quota"
)

// Ledger is one ResourceQuota with the claims of the workloads that it counts.
type Ledger struct {
	Quota quota.Quota
	// Own is the claim of the workload that is decided on, except for what it wants; Claims are all others.
	Own    quota.Claim
	Claims []quota.Claim
}

// gatherQuotas reads the namespace's ResourceQuotas for CPU, memory and pods, and what every workload has and wants of them. What the
// others want is what their Recommendations say since their own last visit.
func (e *Engine) gatherQuotas(ctx context.Context, in *Input, found *workload) error {
	quotas := &corev1.ResourceQuotaList{}
	if err := e.Client.List(ctx, quotas, client.InNamespace(in.Target.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list resource quotas of %s: %w", in.Target.Namespace, err)
	}
	items := slices.DeleteFunc(slices.Clone(quotas.Items), func(q corev1.ResourceQuota) bool { return !boundsPods(&q) })
	if len(items) == 0 {
		return nil
	}
	in.Pods = found.replicas + found.surge
	tenants, strangers, err := e.tenants(ctx, in)
	if err != nil {
		return err
	}
	own := slices.IndexFunc(tenants, func(t tenant) bool { return t.target == in.Target })
	for i := range items {
		if own >= 0 && binds(&items[i], tenants[own].template) {
			in.Ledgers = append(in.Ledgers, ledger(&items[i], in.Target, tenants, strangers))
		}
	}
	return nil
}

// tenant is a workload of the namespace with all that quotas have to know.
type tenant struct {
	target   Target
	template corev1.PodSpec
	claim    quota.Claim
	// living is what its pods ask for now, all together.
	living quota.Amounts
	// pod is what one asks for as it is written, and always how many there are whatever an autoscaler adds.
	pod    quota.Amounts
	always int32
}

// tenants returns every workload of the namespace, and the pods that belong to none.
func (e *Engine) tenants(ctx context.Context, in *Input) ([]tenant, []*corev1.Pod, error) {
	namespace := client.InNamespace(in.Target.Namespace)
	pods, recommendations := &corev1.PodList{}, &v1alpha1.RecommendationList{}
	if err := e.Client.List(ctx, pods, namespace, client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil, fmt.Errorf("list pods of %s: %w", in.Target.Namespace, err)
	}
	if err := e.Client.List(ctx, recommendations, namespace, client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil, fmt.Errorf("list Recommendations of %s: %w", in.Target.Namespace, err)
	}
	statuses := map[Target]v1alpha1.RecommendationStatus{}
	for i := range recommendations.Items {
		statuses[targetOf(&recommendations.Items[i])] = recommendations.Items[i].Status
	}
	least, err := e.leastPods(ctx, in.Target.Namespace)
	if err != nil {
		return nil, nil, err
	}
	counted, strangers := map[owner.Workload][]*corev1.Pod{}, []*corev1.Pod(nil)
	for i := range pods.Items {
		pod := &pods.Items[i]
		if of, ok := e.Kinds.Of(pod); ok {
			counted[of] = append(counted[of], pod)
		} else {
			strangers = append(strangers, pod)
		}
	}
	var all []tenant
	err = e.eachWorkload(ctx, in.Target.Namespace, func(target Target, object client.Object) {
		of := owner.Workload{Kind: target.Kind, Name: target.Name}
		w := workloadOf(object)
		w.template = withDefaults(w.template, in.LimitBounds)
		t := newTenant(target, w, statuses[target], counted[of])
		if n, scaled := least[of]; scaled {
			t.always = min(t.always, n)
		}
		t.claim.Always = each(t.pod, t.pod, func(v, _ int64) int64 { return v * int64(t.always) })
		all = append(all, t)
		delete(counted, of)
	})
	for _, pods := range counted {
		strangers = append(strangers, pods...)
	}
	return all, strangers, err
}

// leastPods returns how many pods the autoscalers of a namespace always leave to their workloads.
func (e *Engine) leastPods(ctx context.Context, namespace string) (map[owner.Workload]int32, error) {
	scalers := &autoscalingv2.HorizontalPodAutoscalerList{}
	if err := e.Client.List(ctx, scalers, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list horizontal pod autoscalers of %s: %w", namespace, err)
	}
	least := make(map[owner.Workload]int32, len(scalers.Items))
	for i := range scalers.Items {
		ref := scalers.Items[i].Spec.ScaleTargetRef
		least[owner.Workload{Kind: ref.Kind, Name: ref.Name}] = addAutoscaler(guard.HPA{}, &scalers.Items[i]).Min
	}
	return least, nil
}

// newTenant computes what a workload uses: as many pods as a rollout may have, each as large as the largest that it has now, and
// at least what its template, or what is in force where that is less, entitles it to. What the template asks for is reserved.
func newTenant(target Target, w *workload, status v1alpha1.RecommendationStatus, pods []*corev1.Pod) tenant {
	t := tenant{target: target, template: classed(w.template, pods), always: w.replicas, claim: quota.Claim{Workload: target.Kind + "/" + target.Name, Rank: rankOf(v1alpha1.PriorityStandard)}}
	members := apply.Members(w.template)
	t.pod = amountsOfPod(apply.PodResources(members))
	inForce := amountsOfPod(apply.PodResources(overlay(members, apply.Desired(apply.FromAPI(status.Applicable), resourcesByName(members), apply.ForNewPod))))
	one := each(t.pod, inForce, func(a, b int64) int64 { return min(a, b) })
	for _, pod := range pods {
		if has := podAmounts(pod); has != (quota.Amounts{}) {
			one = each(one, has, func(a, b int64) int64 { return max(a, b) })
			t.living = each(t.living, has, func(a, b int64) int64 { return a + b })
		}
	}
	times := func(a quota.Amounts) quota.Amounts {
		return each(a, a, func(v, _ int64) int64 { return v * int64(w.replicas+w.surge) })
	}
	t.claim.Used = each(times(one), t.living, func(a, b int64) int64 { return max(a, b) })
	t.claim.Reserved, t.claim.Granted = times(t.pod), times(inForce)
	t.claim.Needed = times(amountsOfPod(neededBy(members, floorsOf(status))))
	if claim := status.Memory; claim != nil && claim.QuotaClaim != nil && status.Mode != v1alpha1.ModeOff {
		c := claimOf(claim.QuotaClaim)
		t.claim.Rank, t.claim.Wanted = rankOf(c.Priority), times(amountsOfPod(c.Pod))
	}
	return t
}

// classed is the template with the priority class that its pods have: where it names none, that may be the cluster's default.
func classed(template corev1.PodSpec, pods []*corev1.Pod) corev1.PodSpec {
	if template.PriorityClassName == "" && len(pods) > 0 {
		template.PriorityClassName = pods[0].Spec.PriorityClassName
	}
	return template
}

// neededBy is the memory that a pod needs if out-of-memory kills of its containers taught something; else nothing. Rounding adds up to
// 1 MiB, and so does a limit that is to stay over the request.
func neededBy(members []apply.Member, floors []OOMFloor) apply.Resources {
	members, taught := slices.Clone(members), false
	for i, m := range members {
		floor := oomFloorOf(floors, m.Name).FloorBytes
		if floor <= 0 {
			continue
		}
		r := m.Resources.Defaulted()
		r.Requests.MemoryBytes = max(r.Requests.MemoryBytes, floor+apply.MiB)
		if r.Limits.MemoryBytes > 0 {
			r.Limits.MemoryBytes = max(r.Limits.MemoryBytes, floor+2*apply.MiB)
		}
		members[i].Resources, taught = r, true
	}
	if !taught {
		return apply.Resources{}
	}
	pod := apply.PodResources(members)
	pod.Requests.CPUMillis, pod.Limits.CPUMillis = 0, 0
	return pod
}

// ledger is the quota as it stands for one workload. Where the templates alone are over it, nothing is reserved for them: they do not
// fit whoever sizes them.
func ledger(q *corev1.ResourceQuota, own Target, tenants []tenant, strangers []*corev1.Pod) Ledger {
	l := Ledger{Quota: hardOf(q)}
	tenants = slices.DeleteFunc(slices.Clone(tenants), func(t tenant) bool { return !binds(q, t.template) })
	var ours, written quota.Amounts
	for _, t := range tenants {
		ours = each(ours, t.living, func(a, b int64) int64 { return a + b })
		written = each(written, t.pod, func(a, b int64) int64 { return a + b*int64(t.always) })
	}
	for _, t := range tenants {
		for r := range written {
			if written[r] > l.Quota.Hard[r] {
				t.claim.Reserved[r], t.claim.Always[r] = 0, 0
			}
		}
		if t.target == own {
			l.Own = t.claim
		} else {
			l.Claims = append(l.Claims, t.claim)
		}
	}
	for _, pod := range strangers {
		if binds(q, pod.Spec) {
			l.Quota.Others = each(l.Quota.Others, podAmounts(pod), func(a, b int64) int64 { return a + b })
		}
	}
	for r, names := range quotaNames() { // Whatever else the API server counts.
		for _, name := range names {
			used := q.Status.Used[name]
			l.Quota.Others[r] = max(l.Quota.Others[r], quotaAmount(quota.Resource(r), used.MilliValue(), used.Value())-ours[r])
		}
	}
	return l
}

// hardOf is what the quota bounds; of two names for one resource the smaller amount.
func hardOf(q *corev1.ResourceQuota) quota.Quota {
	out := quota.Quota{Name: q.Name}
	for r, names := range quotaNames() {
		for _, name := range names {
			hard, ok := q.Spec.Hard[name]
			amount := quotaAmount(quota.Resource(r), hard.MilliValue(), hard.Value())
			if ok && (!out.Bounded[r] || amount < out.Hard[r]) {
				out.Hard[r], out.Bounded[r] = amount, true
			}
		}
	}
	return out
}

// quotaNames are what people call each quota.Resource.
func quotaNames() [6][]corev1.ResourceName {
	return [6][]corev1.ResourceName{
		quota.RequestsCPU:    {corev1.ResourceRequestsCPU, corev1.ResourceCPU},
		quota.RequestsMemory: {corev1.ResourceRequestsMemory, corev1.ResourceMemory},
		quota.LimitsCPU:      {corev1.ResourceLimitsCPU},
		quota.LimitsMemory:   {corev1.ResourceLimitsMemory},
		quota.Pods:           {corev1.ResourcePods},
		quota.PodObjects:     {"count/pods"},
	}
}

// quotaAmount is in millicores for CPU, in bytes for memory, and a count of pods.
func quotaAmount(r quota.Resource, millis, whole int64) int64 {
	if r == quota.RequestsCPU || r == quota.LimitsCPU {
		return millis
	}
	return whole
}

func boundsPods(q *corev1.ResourceQuota) bool {
	return hardOf(q).Bounded != quota.Quota{}.Bounded
}

// podAmounts is what a quota counts of a pod; nothing once it ended.
func podAmounts(pod *corev1.Pod) quota.Amounts {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return quota.Amounts{}
	}
	return amountsOfPod(apply.PodResources(apply.Members(pod.Spec)))
}

func amountsOfPod(r apply.Resources) quota.Amounts {
	return quota.Amounts{
		quota.RequestsCPU: r.Requests.CPUMillis, quota.RequestsMemory: r.Requests.MemoryBytes,
		quota.LimitsCPU: r.Limits.CPUMillis, quota.LimitsMemory: r.Limits.MemoryBytes,
		quota.Pods: 1, quota.PodObjects: 1,
	}
}

func each(a, b quota.Amounts, with func(a, b int64) int64) quota.Amounts {
	for r := range a {
		a[r] = with(a[r], b[r])
	}
	return a
}

func resourcesByName(members []apply.Member) map[string]apply.Resources {
	out := make(map[string]apply.Resources, len(members))
	for _, m := range members {
		out[m.Name] = m.Resources.Defaulted()
	}
	return out
}

// overlay gives members the resources that are sized.
func overlay(members []apply.Member, sized map[string]apply.Resources) []apply.Member {
	out := slices.Clone(members)
	for i, m := range out {
		if r, ok := sized[m.Name]; ok {
			out[i].Resources = r
		}
	}
	return out
}
