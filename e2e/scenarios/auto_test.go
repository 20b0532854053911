package scenarios

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var (
	autoShop = shop.InNamespace("auto", []shop.Workload{
		{ // Far too large: drifts as soon as the namespace opts in.
			Name: "web", Replicas: 3, Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"memory": "2Gi"},
			CPU: shop.Diurnal(0.1, 0.4), Memory: shop.Flat(300 * shop.Mebibyte),
		},
		{ // Too small, on nodes that cannot resize it.
			Name: "stuck", Replicas: 4, Requests: map[string]string{"cpu": "50m", "memory": "64Mi"},
			CPU: shop.Diurnal(0.3, 0.6), Memory: shop.Flat(200 * shop.Mebibyte),
			PodAnnotations: map[string]string{"kwok.x-k8s.io/resize": "infeasible"},
		},
	})
	// Four pods that have to be evicted, because they are too small and their nodes cannot resize them.
	budgetShop = shop.InNamespace("budget", []shop.Workload{{
		Name: "stuck", Replicas: 4, Requests: map[string]string{"cpu": "50m", "memory": "64Mi"},
		CPU: shop.Flat(0.5), Memory: shop.Flat(200 * shop.Mebibyte),
		PodAnnotations: map[string]string{"kwok.x-k8s.io/resize": "infeasible"},
	}})
)

func TestDriftedPodsAreResizedInPlaceOrEvictedWithinTheBudgetAndThenNothingMoves(t *testing.T) {
	s := newScene(t, "auto", autoShop)
	s.create(&policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "stuck"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(3)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "stuck"}},
		},
	})
	s.create(&v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		// So wide that the disruption budget is what binds. Nothing is given back, so that a pod which was replaced is not asked to.
		Spec: v1alpha1.SizingPolicySpec{MaxGiveBackPercent: new(int32(0)), Disruption: v1alpha1.DisruptionPolicy{
			EvictionsPerHour: new(int32(600)), MaxUnavailable: new(intstr.FromString("100%")), MinReplicas: new(int32(1)),
		}},
	})
	web, stuck := uids(s.pods("web")), uids(s.pods("stuck"))
	leastReady := watchReady(s, "stuck")
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})

	rec := s.ready("Deployment", "web")
	inPlace := apply.FromAPI(rec.Status.Applicable).Containers[0].InPlace
	s.Eventually(func() []apply.Amounts { return actualRequests(s.pods("web")) }).
		Should(HaveEach(inPlace), "drifted pods are resized in place")
	s.Expect(uids(s.pods("web"))).To(Equal(web), "no pod was replaced")
	for _, pod := range s.pods("web") {
		s.Expect(pod.Status.ContainerStatuses[0].RestartCount).To(BeZero())
	}

	s.ready("Deployment", "stuck")
	s.Eventually(func(g Gomega) {
		want := target(s.recommendation("Deployment", "stuck").Status.Applicable) // moves in steps
		g.Expect(specRequests(s.pods("stuck"))).To(And(HaveLen(4), HaveEach(want)))
		g.Expect(want.CPUMillis).To(BeNumerically(">", 300), "what the history says")
		g.Expect(uids(s.pods("stuck"))).NotTo(ContainElement(BeElementOf(stuck)), "every one of them was replaced")
	}, 2*patience).Should(Succeed(), "where resize is refused, pods are evicted and come back right-sized")
	s.running("stuck", 4)
	s.Expect(leastReady()).To(BeNumerically(">=", 3), "never below the disruption budget")

	s.when("Deployment", "web", "tells what happened", func(rec *v1alpha1.Recommendation) bool { return len(rec.Status.Outcomes) >= 3 })
	s.when("Deployment", "stuck", "settles", func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionApplied) == v1alpha1.ReasonUpToDate
	})
	s.when("Deployment", "web", "settles", func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionApplied) == v1alpha1.ReasonUpToDate
	})

	s.nothingMoves("web", "stuck")
}

func TestNoMorePodsAreEvictedInAnHourThanThePolicyAllows(t *testing.T) {
	t.Parallel()
	s := newScene(t, "budget", budgetShop)
	s.create(&v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		Spec: v1alpha1.SizingPolicySpec{
			Behavior:   v1alpha1.Behavior{Up: v1alpha1.Movement{MaxStepPercent: new(int32(1000))}},
			Disruption: v1alpha1.DisruptionPolicy{EvictionsPerHour: new(int32(1))},
		},
	})
	before := uids(s.pods("stuck"))
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	s.Eventually(func() []types.UID { return uids(s.pods("stuck")) }).ShouldNot(ContainElements(before), "the first pod is evicted")
	s.running("stuck", 4)

	s.nothing("is replaced", func() any { return uids(s.pods("stuck")) }) // The successor may follow the hour in place.
	after := uids(s.pods("stuck"))
	s.Expect(slices.DeleteFunc(slices.Clone(before), func(uid types.UID) bool { return slices.Contains(after, uid) })).To(HaveLen(1), "exactly one eviction")
	s.Expect(s.recommendation("Deployment", "stuck").Status.Outcomes).To(ContainElement(HaveField("Result", v1alpha1.OutcomeEvicted)))
}

// nothingMoves fails if a pod of the workloads is replaced or changed while the updater does twenty rounds, which are ten
// minutes at the default interval of 30 s.
func (s scene) nothingMoves(apps ...string) {
	s.t.Helper()
	s.nothing("moves", func() any { return podSnapshot(s, apps...) })
}

// nothing fails if what it looks at changes while the updater does twenty rounds.
func (s scene) nothing(happens string, look func() any) {
	s.t.Helper()
	s.nothingIn(20, happens, look)
}

// nothingIn fails if what it looks at changes while the updater does so many rounds.
func (s scene) nothingIn(atLeast int, happens string, look func() any) {
	s.t.Helper()
	before, begun := look(), s.rounds(install.Updater)
	s.Eventually(func() (float64, error) {
		if diff := cmp.Diff(before, look()); diff != "" {
			return 0, StopTrying("a pod " + happens + ": " + diff)
		}
		return s.rounds(install.Updater) - begun, nil
	}, 2*patience, 500*time.Millisecond).Should(BeNumerically(">=", atLeast), "rounds of the updater in which nothing %s", happens)
}

// rounds is how many rounds a process of the updater has done.
func (s scene) rounds(process string) float64 {
	s.t.Helper()
	metrics, err := loadline.Metrics(s.t.Context(), process)
	s.Expect(err).NotTo(HaveOccurred())
	return metrics.Count("loadline_updater_round_duration_seconds")
}

func conditionReason(rec *v1alpha1.Recommendation, kind string) string {
	for _, c := range rec.Status.Conditions {
		if c.Type == kind {
			return c.Reason
		}
	}
	return ""
}

func uids(pods []corev1.Pod) []types.UID {
	var all []types.UID
	for _, pod := range pods {
		all = append(all, pod.UID)
	}
	return all
}

func specRequests(pods []corev1.Pod) []apply.Amounts {
	var all []apply.Amounts
	for _, pod := range pods {
		all = append(all, requestsOf(pod))
	}
	return all
}

// actualRequests returns what the nodes report, not what was asked for.
func actualRequests(pods []corev1.Pod) []apply.Amounts {
	var all []apply.Amounts
	for _, pod := range pods {
		if len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].Resources != nil {
			all = append(all, apply.ResourcesOf(*pod.Status.ContainerStatuses[0].Resources).Requests)
		}
	}
	return all
}

// podSnapshot tells which pods there are and what they ask for.
func podSnapshot(s scene, apps ...string) map[types.UID]apply.Amounts {
	all := map[types.UID]apply.Amounts{}
	for _, app := range apps {
		for _, pod := range s.pods(app) {
			all[pod.UID] = requestsOf(pod)
		}
	}
	return all
}

// watchReady observes, until the returned function is called, the least number of ready pods of a workload.
func watchReady(s scene, app string) (least func() int) {
	lowest := len(s.pods(app))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if pods, err := s.list(app); err == nil {
					lowest = min(lowest, countReady(pods))
				}
			}
		}
	}()
	least = sync.OnceValue(func() int {
		close(stop)
		<-done
		return lowest
	})
	s.t.Cleanup(func() { least() })
	return least
}
