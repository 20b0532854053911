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

// judgeHour compares the evictions of each namespace and workload with their budgets. The storm is over within an hour.
func (s *tempest) judgeHour(requests []storm.Request) {
	byNamespace, byWorkload := map[string][]time.Time{}, map[string][]time.Time{}
	for _, r := range evicted(requests) {
		namespace, pod, _ := strings.Cut(r.Pod, "/")
		name, _, _ := strings.Cut(pod, "-")
		byNamespace[namespace] = append(byNamespace[namespace], r.At)
		byWorkload[namespace+"/"+name] = append(byWorkload[namespace+"/"+name], r.At)
	}
	for _, k := range kinds() {
		most, all := 0, storm.MostWithin(byNamespace[k.namespace], time.Hour)
		for workload, times := range byWorkload {
			if strings.HasPrefix(workload, k.namespace+"/") {
				most = max(most, storm.MostWithin(times, time.Hour))
			}
		}
		unsized, ok := s.unsized(k)
		left := 0
		for _, n := range unsized {
			left += n
		}
		s.t.Logf("namespace %s: %d evictions in an hour, at most %d of one workload; %d pods are left as they were", k.namespace, all, most, left)
		switch {
		case !ok:
			s.t.Errorf("the pods of namespace %s cannot be listed", k.namespace)
		case !k.evicted && all > 0:
			s.t.Errorf("%d pods of namespace %s were evicted, which can be resized", all, k.namespace)
		case all > namespacePerHour:
			s.t.Errorf("%d evictions in namespace %s in an hour, at most %d", all, k.namespace, namespacePerHour)
		case k.perHour > 0 && most > int(k.perHour):
			s.t.Errorf("%d evictions of a workload in namespace %s in an hour, at most %d", most, k.namespace, k.perHour)
		case k.perHour > 0 && most < int(k.perHour):
			s.t.Errorf("%d evictions of a workload in namespace %s at most, so the budget of %d was not put to the test", most, k.namespace, k.perHour)
		case k.perHour > 0: // What its pods ask for may be what they should have, although no node gave it to them.
		case k.evicted && left == 0:
			s.t.Errorf("no pod of namespace %s was held back, so the budget of %d was not put to the test", k.namespace, namespacePerHour)
		case k.evicted && all+unwritten < perNamespace*replicas-left:
			s.t.Errorf("%d evictions in namespace %s, and %d pods could only get their sizes by one", all, k.namespace, perNamespace*replicas-left)
		}
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
