package updater

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/updater/breaker"
)

// largePod asks for twice as much memory as is recommended, and for the CPU that is.
func largePod(name string) *corev1.Pod {
	pod := podOf(name, 500)
	asks := corev1.ResourceList{corev1.ResourceCPU: quantity("500m"), corev1.ResourceMemory: resource.MustParse("1Gi")}
	pod.Spec.Containers[0].Resources.Requests, pod.Status.ContainerStatuses[0].Resources.Requests = asks, asks.DeepCopy()
	return pod
}

func TestAPodThatIsEvictedByItsNodeAfterItsMemoryWasLoweredIsHarm(t *testing.T) {
	for name, c := range map[string]struct {
		// end is what the node and the workload's controller make of the pod.
		end func(*world, *corev1.Pod)
		// later is when the updater looks.
		later time.Duration
		want  bool
	}{
		"and stays on view": {end: func(w *world, pod *corev1.Pod) {
			if err := w.client.Status().Update(w.t.Context(), pod); err != nil {
				w.t.Fatal(err)
			}
		}, want: true},
		"and stays on view for longer than it is watched": {end: func(w *world, pod *corev1.Pod) {
			if err := w.client.Status().Update(w.t.Context(), pod); err != nil {
				w.t.Fatal(err)
			}
		}, later: 11 * time.Minute},
		"and is deleted at once": {end: func(w *world, pod *corev1.Pod) {
			w.controller.gatherer.lost.note(pod)
			if err := w.client.Delete(w.t.Context(), pod); err != nil {
				w.t.Fatal(err)
			}
		}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, append(shop(), largePod("checkout-0"), largePod("checkout-1"), largePod("checkout-2"))...)
			w.round()
			if len(w.resized) != 1 {
				t.Fatalf("resized %v, want one first", w.resized)
			}
			canary := w.pod(w.resized[0])
			testkit.EvictForMemory(canary, "app", "900Mi", w.clock.Now().Add(10*time.Second))
			w.clock.Step(c.later)
			c.end(w, canary.DeepCopy())
			w.round()
			if got := w.condition(v1alpha1.ConditionHealthy); (got.Status == metav1.ConditionFalse) != c.want {
				t.Fatalf("Healthy = %+v, want harm: %v", got, c.want)
			}
			if !c.want {
				return
			}
			harm := w.recommendation().Status.Outcomes[0]
			if harm.Result != v1alpha1.OutcomeFailed || harm.Pod != canary.Name || harm.PodUID != canary.UID ||
				!strings.Contains(harm.Message, "container app of pod "+canary.Name+": EvictedForMemory") {
				t.Errorf("outcome = %+v, want the harm to %s", harm, canary.Name)
			}
			w.rounds(15 * time.Minute)
			if len(w.resized) != 1 {
				t.Errorf("resized %v although the revision did harm", w.resized)
			}
		})
	}
}

func TestAPodThatItsNodeEvictedCountsForNothingElse(t *testing.T) {
	w := newWorld(t, shop(500, 500)...)
	for range 3 { // what lies there of the nights before
		gone := podOf("gone", 100)
		gone.Name, gone.GenerateName, gone.UID = "", "gone-", ""
		testkit.EvictForMemory(gone, "app", "2Gi", start.Add(-time.Minute))
		if err := w.client.Create(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	w.round()
	if c := w.condition(v1alpha1.ConditionApplied); c.Reason != v1alpha1.ReasonUpToDate || len(w.resized)+len(w.evicted) != 0 {
		t.Errorf("Applied = %+v, resized %v, evicted %v; want the two pods that are there, as they are", c, w.resized, w.evicted)
	}
}

func TestEvictionsThatWereThereLongBeforeAreNoTroubleOfTheCluster(t *testing.T) {
	w := newWorld(t, shop(500, 500)...)
	w.round()
	w.elsewhere(5, lostForMemoryAt(w.clock.Now().Add(-10*time.Minute)))
	w.round()
	if got := w.controller.record.breaker; got.Phase != breaker.Closed {
		t.Errorf("breaker = %+v, want it closed", got)
	}
}

func TestPodsAreForgottenAnHourAfterTheirEviction(t *testing.T) {
	var lost lostPods
	pod := podOf("checkout-0", 500)
	lost.note(pod)
	testkit.EvictForMemory(pod, "app", "2Gi", start)
	lost.note(pod)
	if got := len(lost.missingIn(start, []corev1.Pod{*pod})); got != 0 {
		t.Errorf("%d pods beside those that are listed", got)
	}
	if got := len(lost.missingIn(start.Add(59*time.Minute), nil)); got != 1 {
		t.Errorf("%d pods within the hour, want 1", got)
	}
	if got := len(lost.missingIn(start.Add(61*time.Minute), nil)); got != 0 {
		t.Errorf("%d pods after an hour, want none", got)
	}
}
