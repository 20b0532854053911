package updater

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// asking is the CPU of n pods that ask for the same. A Recommendation keeps ten outcomes; these workloads have more pods than that.
func asking(n int, cpuMillis int64) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = cpuMillis
	}
	return all
}

func TestEachOfManyPodsIsAskedOnceAndNotInEveryRound(t *testing.T) {
	w := newWorld(t, shop(asking(30, 100)...)...)
	asked := 0
	w.resizeError = func(string) error { asked++; return forbidden("exceeded quota: small, requested: cpu=500m") }
	for range 8 { // four minutes; after five they are asked again
		w.round()
	}
	if asked != 30 {
		t.Errorf("asked %d times for 30 pods, want once each", asked)
	}
	if len(w.evicted) != 0 {
		t.Errorf("evicted %v, whose successors the quota refuses as well", w.evicted)
	}
	c := meta.FindStatusCondition(w.recommendation().Status.Conditions, v1alpha1.ConditionApplied)
	if c == nil || !strings.Contains(c.Message, "a new pod would be refused as well") || !strings.Contains(c.Message, "exceeded quota") {
		t.Errorf("Applied = %+v, want it to name the quota", c)
	}
	if w.statusWrites != 2 {
		t.Errorf("the status was written %d times, want 2: after the refusals, and once what they mean is known", w.statusWrites)
	}
}

func TestAPolicyThatRefusesAResizeWouldRefuseANewPodAsWell(t *testing.T) {
	for _, message := range []string{
		`admission webhook "validation.gatekeeper.sh" denied the request: memory limit <8Gi> is higher than the maximum`,
		`pods "checkout-0" is forbidden: ValidatingAdmissionPolicy 'limits' with binding 'limits' denied request: memory is at most 4Gi`,
	} {
		w := newWorld(t, shop(asking(3, 100)...)...)
		w.resizeError = func(string) error { return forbidden(message) }
		for range 8 {
			w.round()
		}
		if len(w.evicted) != 0 {
			t.Errorf("evicted %v after %s", w.evicted, message)
		}
	}
}

func TestManyDeferredPodsAreToldOnceAndNotInEveryRound(t *testing.T) {
	objects := shop(asking(30, 500)...)
	for _, o := range objects {
		if pod, ok := o.(*corev1.Pod); ok {
			small := podOf("x", 100).Spec.Containers[0].Resources
			pod.Status.ContainerStatuses[0].Resources = &small
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
				Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonDeferred, Message: "no room",
			})
		}
	}
	w := newWorld(t, objects...)
	for range 20 {
		w.round()
	}
	if w.statusWrites != 1 {
		t.Errorf("the status was written %d times, want once", w.statusWrites)
	}
	if got := len(w.recommendation().Status.Outcomes); got != 10 {
		t.Errorf("%d outcomes, want 10", got)
	}
}

func TestADetailThatChangesInEveryRoundIsNotToldInEveryRound(t *testing.T) {
	w := newWorld(t, crowdedFor(time.Minute)...)
	used := 3000
	say := func() {
		used++
		pod := w.pod("checkout-2")
		pod.Status.Conditions[1].Message = fmt.Sprintf("Node didn't have enough resource: cpu, requested: 500, used: %d, capacity: 3200", used)
		if err := w.client.Status().Update(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
	for range 36 { // 18 minutes
		say()
		w.round()
	}
	if w.statusWrites != 2 {
		t.Errorf("the status was written %d times, want 2: at first, and once more after ten minutes", w.statusWrites)
	}
	w.admits = false
	say()
	w.round()
	if c := w.condition(v1alpha1.ConditionApplied); !strings.Contains(c.Message, "the admission gate is closed") {
		t.Errorf("Applied = %+v, want what matters to be told at once", c)
	}
}

func TestHarmToTheFirstOfManyPodsIsSeen(t *testing.T) {
	w := newWorld(t, append(shop(asking(30, 2000)...), disrupting(withoutCanary()))...)
	w.round()
	if len(w.resized) != 30 {
		t.Fatalf("resized %d pods, want 30", len(w.resized))
	}
	w.killed(w.resized[0])
	w.round()
	if !meta.IsStatusConditionFalse(w.recommendation().Status.Conditions, v1alpha1.ConditionHealthy) {
		t.Error("nobody noticed")
	}
}

func TestARoundLooksAgainBeforeItDoesMoreThanItsTimeAllows(t *testing.T) {
	w := newWorld(t, shop(asking(10, 100)...)...)
	w.controller.interval = 30 * time.Second
	w.resizeError = func(string) error { w.clock.Step(20 * time.Second); return nil } // a slow API server
	w.round()
	if len(w.resized) != 2 {
		t.Errorf("%d resizes of 20 s in one round, want 2: the kill switch has to be looked at", len(w.resized))
	}
}

func TestTheKillSwitchStopsUnlessItSaysFalse(t *testing.T) {
	for text, stops := range map[string]bool{"true": true, "True": true, "yes": true, "": true, "no": true, "false": false, " False\n": false} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			w := newWorld(t, append(shop(100, 500), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-kill-switch"}, Data: map[string]string{"stop": text},
			})...)
			w.round()
			if stopped := len(w.resized) == 0; stopped != stops {
				t.Errorf("stopped = %v, want %v", stopped, stops)
			}
		})
	}
}

func TestAnEvictionNamesThePodByUID(t *testing.T) {
	w := newWorld(t, shop(100, 500, 500)...)
	w.annotate(map[string]string{v1alpha1.AnnotationUpdater: "evict"})
	w.round()
	if len(w.evictions) != 1 {
		t.Fatalf("%d evictions, want 1", len(w.evictions))
	}
	o := w.evictions[0].DeleteOptions
	if o == nil || o.Preconditions == nil || o.Preconditions.UID == nil || *o.Preconditions.UID != "uid-checkout-0" {
		t.Errorf("delete options %+v, want the UID as a precondition", o)
	}
}

func TestPodsThatOnlyHaveTooMuchAreNoAlarm(t *testing.T) {
	objects := shop(500, 500)
	for _, o := range objects {
		if pod, ok := o.(*corev1.Pod); ok { // Guaranteed, with more memory than a running pod can give back
			resources := corev1.ResourceList{corev1.ResourceCPU: quantity("500m"), corev1.ResourceMemory: quantity("4Gi")}
			pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: resources, Limits: resources}
			pod.Status.ContainerStatuses[0].Resources = &pod.Spec.Containers[0].Resources
		}
	}
	w := newWorld(t, objects...)
	for range 3 {
		w.round()
	}
	if len(w.resized) != 0 || len(w.evicted) != 0 {
		t.Fatalf("resized %v, evicted %v; want them left alone", w.resized, w.evicted)
	}
	c := meta.FindStatusCondition(w.recommendation().Status.Conditions, v1alpha1.ConditionApplied)
	if c == nil || c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, "2 of 2 pods have more than is recommended") {
		t.Errorf("Applied = %+v, want True and what is left", c)
	}
	if n := testutil.ToFloat64(w.controller.metrics.drifted); n != 0 {
		t.Errorf("the metric counts %v drifted pods, want none", n)
	}
}
