//go:build full

package storm_test

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/storm"
)

// settled reports whether all pods are ready, and have their sizes unless their Recommendation says that a budget of an hour is spent.
func (s *tempest) settled() bool {
	if s.count(ready) != s.pods() {
		return false
	}
	for _, k := range kinds() {
		unsized, ok := s.unsized(k)
		if !ok || len(unsized) > 0 && !k.evicted {
			return false
		}
		var recs v1alpha1.RecommendationList
		if err := s.loadline.Client.List(s.t.Context(), &recs, client.InNamespace(k.namespace)); err != nil {
			return false
		}
		for _, rec := range recs.Items {
			applied := meta.FindStatusCondition(rec.Status.Conditions, v1alpha1.ConditionApplied)
			if unsized[rec.Spec.TargetRef.Name] > 0 && (applied == nil || !strings.Contains(applied.Message, "evictions per hour is spent")) {
				return false
			}
		}
	}
	return true
}

// unsized counts the pods without their sizes, by workload; it is false while the API server does not tell.
func (s *tempest) unsized(k kind) (map[string]int, bool) {
	var list corev1.PodList
	if err := s.loadline.Client.List(s.t.Context(), &list, client.InNamespace(k.namespace)); err != nil {
		return nil, false
	}
	counts := map[string]int{}
	for i := range list.Items {
		if !sized(&list.Items[i]) {
			counts[list.Items[i].Labels["app"]]++
		}
	}
	return counts, true
}

// judgeHour compares the evictions of each namespace and workload with their budgets, and with the pods that have their sizes. The storm
// is over within an hour. Each leader but the last may have left on record what it did not come to do.
func (s *tempest) judgeHour(requests []storm.Request, leaders int) {
	byNamespace, byWorkload := map[string][]time.Time{}, map[string][]time.Time{}
	for _, r := range evicted(requests) {
		namespace, pod, _ := strings.Cut(r.Pod, "/")
		name, _, _ := strings.Cut(pod, "-")
		byNamespace[namespace] = append(byNamespace[namespace], r.At)
		byWorkload[namespace+"/"+name] = append(byWorkload[namespace+"/"+name], r.At)
	}
	for _, k := range kinds() {
		all := storm.MostWithin(byNamespace[k.namespace], time.Hour)
		unsized, ok := s.unsized(k)
		switch {
		case !ok:
			s.t.Errorf("the pods of namespace %s cannot be listed", k.namespace)
		case !k.evicted && all > 0:
			s.t.Errorf("%d pods of namespace %s were evicted, which can be resized", all, k.namespace)
		case all > namespacePerHour:
			s.t.Errorf("%d evictions in namespace %s in an hour, at most %d", all, k.namespace, namespacePerHour)
		case k.evicted:
			s.judgeWorkloads(k, byWorkload, unsized, leaders)
		}
	}
}

// judgeWorkloads does so for the workloads of a namespace in which a pod gets its sizes only by being replaced.
func (s *tempest) judgeWorkloads(k kind, evictions map[string][]time.Time, unsized map[string]int, leaders int) {
	most, fewest, all, left, unexplained := 0, replicas, 0, 0, 0
	for i := range perNamespace {
		name := workloadName(i)
		n := storm.MostWithin(evictions[k.namespace+"/"+name], time.Hour)
		most, fewest, all, left = max(most, n), min(fewest, n), all+n, left+unsized[name]
		unexplained += max(0, replicas-unsized[name]-n)
	}
	s.t.Logf("namespace %s: %d evictions in an hour, %d to %d of each workload; %d for nothing; %d pods are left as they were",
		k.namespace, all, fewest, most, all-(perNamespace*replicas-left), left)
	if unexplained > unwritten {
		s.t.Errorf("%d pods of namespace %s have their sizes without an eviction, which is the only way to them", unexplained, k.namespace)
	}
	switch {
	case left == 0:
		s.t.Errorf("no pod of namespace %s was held back, so no budget of an hour was put to the test", k.namespace)
	case k.perHour == 0:
	case most > int(k.perHour):
		s.t.Errorf("%d evictions of a workload in namespace %s in an hour, at most %d", most, k.namespace, k.perHour)
	case most+(leaders-1)*int(k.unavailable) < int(k.perHour):
		s.t.Errorf("%d evictions of a workload in namespace %s at most, so the budget of %d was not put to the test", most, k.namespace, k.perHour)
	case fewest == 0:
		s.t.Errorf("no pod of a workload in namespace %s was evicted", k.namespace)
	}
}

// evicted are the evictions by the updater. A pod that was asked for twice, because the first answer was lost, was evicted once.
func evicted(requests []storm.Request) (evictions []storm.Request) {
	seen := map[string]bool{}
	for _, r := range requests {
		if r.User == updater && r.Subresource == "eviction" && r.Done() && !seen[r.Pod] {
			seen[r.Pod] = true
			evictions = append(evictions, r)
		}
	}
	return evictions
}
