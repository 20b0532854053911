package updater

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/breaker"
)

func TestWhatTheNightTookIsGivenBackInTheMorningAlthoughAdmissionBroke(t *testing.T) {
	w := newWorld(t, shop(1000)...)
	w.rounds(12 * time.Minute)
	if got := w.cpu("checkout-0"); got != 500 {
		t.Fatalf("the pod has %dm at night, want 500m", got)
	}
	w.admits = false
	w.publish(700, nil)
	w.round()
	if got := w.cpu("checkout-0"); got != 700 {
		t.Errorf("the pod has %dm while admission does not work, want 700m: it had 1000m", got)
	}
	w.rounds(12 * time.Minute)
	w.restart()
	w.publish(1500, nil)
	w.rounds(time.Minute)
	if got := w.cpu("checkout-0"); w.controller.record.breaker.Phase != breaker.Open || got != 1000 {
		t.Errorf("the pod has %dm with a breaker that is %s, want 1000m as it had, and no more", got, w.controller.record.breaker.Phase)
	}
	if c := w.condition(v1alpha1.ConditionApplied); c.Reason != v1alpha1.ReasonWaiting || !strings.Contains(c.Message, "the webhook is not called") {
		t.Errorf("Applied = %+v, want it to say what the rest waits for", c)
	}
	w.admits = true
	stop := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-kill-switch"}}
	if err := w.client.Create(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	resized := len(w.resized)
	w.rounds(time.Hour)
	if len(w.resized) != resized {
		t.Errorf("resized %v while the kill switch is pulled", w.resized[resized:])
	}
}

func TestNothingIsGivenBackWhilePodsFindNoNode(t *testing.T) {
	w := newWorld(t, shop(1000)...)
	w.rounds(12 * time.Minute)
	w.elsewhere(12, lostAt(w.clock.Now()))
	w.rounds(4 * time.Minute)
	if state := w.controller.record.breaker; state.Phase != breaker.Closed {
		t.Fatalf("the breaker is %s for %v, want it closed while a new node may be on its way", state.Phase, state.Causes)
	}
	w.rounds(6 * time.Minute)
	state := w.controller.record.breaker
	if state.Phase != breaker.Open || !state.HasCause(breaker.PendingPods) {
		t.Fatalf("the breaker is %s for %v, want it open for pods without a node", state.Phase, state.Causes)
	}
	w.publish(700, nil)
	w.round()
	if got := w.cpu("checkout-0"); got != 500 {
		t.Errorf("the pod has %dm, want the 500m of the night: other pods wait for room", got)
	}
}

func TestWhenTheRecommenderEndsAtNightPodsGetWhatNewOnesGet(t *testing.T) {
	objects := shop(500)
	rec := objects[2].(*v1alpha1.Recommendation)
	values := apply.FromAPI(rec.Status.Applicable)
	values.Containers[0].InPlace.CPUMillis = 375
	values.Containers[0].CPUBand = apply.Interval{Min: 340, Max: 550}
	rec.Status.Applicable = apply.ToAPI(values, apply.Revision(values), start)
	w := newWorld(t, objects...)
	w.rounds(12 * time.Minute)
	if got := w.cpu("checkout-0"); got != 375 {
		t.Fatalf("the pod has %dm at night, want 375m", got)
	}
	w.clock.Step(6 * time.Hour)
	w.round()
	if got := w.cpu("checkout-0"); got != 375 {
		t.Fatalf("the pod has %dm after six hours, in which a recommender may have nothing to say, want 375m", got)
	}
	w.clock.Step(time.Hour)
	w.round()
	if got := w.cpu("checkout-0"); got != 500 {
		t.Errorf("the pod has %dm after seven hours without a word of the recommender, want the 500m of new pods", got)
	}
}

func (w *world) cpu(pod string) int64 {
	w.t.Helper()
	return w.pod(pod).Spec.Containers[0].Resources.Requests.Cpu().MilliValue()
}

// scaledShop is a world of pods that are well, of which another number is recommended.
func scaledShop(t *testing.T, runs int, recommended int32, status v1alpha1.ReplicaStatus) *world {
	t.Helper()
	objects := shop(asking(runs, 500)...)
	rec := stored(objects)
	values := apply.FromAPI(rec.Status.Applicable)
	values.Replicas = &recommended
	rec.Status.Applicable = apply.ToAPI(values, apply.Revision(values), start)
	rec.Status.Revision, rec.Status.Replicas = rec.Status.Applicable.Revision, &status
	w := newWorld(t, append(objects, disrupting(withoutCanary()))...)
	w.annotate(map[string]string{v1alpha1.AnnotationReplicas: string(v1alpha1.ReplicasAuto)})
	return w
}

func TestPodsThatTheManifestAsksForComeBackAlthoughAdmissionBrokeAndTheRestIsTold(t *testing.T) {
	w := scaledShop(t, 2, 5, v1alpha1.ReplicaStatus{Declared: new(int32(3))})
	w.admits = false
	w.rounds(5 * time.Minute)
	if got := w.replicas(); got != 3 {
		t.Errorf("%d pods are asked for, want 3 as in the manifest", got)
	}
	w = scaledShop(t, 3, 5, v1alpha1.ReplicaStatus{Declared: new(int32(3))})
	w.admits = false
	w.rounds(5 * time.Minute)
	c := w.condition(v1alpha1.ConditionApplied)
	if c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReasonWaiting || !strings.Contains(c.Message, "3 pods run, 5 are recommended; the admission gate is closed") {
		t.Errorf("Applied = %+v, want it to say that more pods wait, and for what", c)
	}
}

func TestWhenTheRecommenderEndsNoPodGoesAndThoseOfTheScheduleCome(t *testing.T) {
	at := func(hours int) metav1.Time { return metav1.NewTime(start.Add(time.Duration(hours) * time.Hour)) }
	w := scaledShop(t, 4, 2, v1alpha1.ReplicaStatus{Declared: new(int32(3)), Schedule: []v1alpha1.ReplicaWindow{
		{From: at(-1), Until: at(9), Replicas: 2}, {From: at(9), Until: at(12), Replicas: 6}, {From: at(12), Until: at(48), Replicas: 9},
	}})
	w.clock.Step(8 * time.Hour)
	w.rounds(5 * time.Minute)
	if got := w.replicas(); got != 4 {
		t.Errorf("%d pods are asked for after eight hours without a word of the recommender, want all four that run", got)
	}
	w.clock.Step(2 * time.Hour)
	w.rounds(5 * time.Minute)
	if got := w.replicas(); got != 6 {
		t.Errorf("%d pods are asked for in a window of 6", got)
	}
}

func TestAWorkloadWhoseSizesDoNotStaySaysSoAlthoughNoPodDiffersAndGetsItsPods(t *testing.T) {
	w := scaledShop(t, 2, 5, v1alpha1.ReplicaStatus{})
	rec := w.recommendation()
	for _, pod := range []string{"checkout-0", "checkout-1"} {
		rec.Status.Outcomes = append(rec.Status.Outcomes, v1alpha1.Outcome{
			Time: metav1.NewTime(start.Add(-time.Minute)), Pod: pod, Revision: rec.Status.Revision, Result: v1alpha1.OutcomeDidNotStick, Message: "a LimitRange",
		})
	}
	if err := w.client.Status().Update(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	w.rounds(5 * time.Minute)
	if c := w.condition(v1alpha1.ConditionApplied); w.replicas() != 5 || c.Reason != v1alpha1.ReasonDidNotStick {
		t.Errorf("%d pods are asked for, want 5; Applied = %+v, want %s", w.replicas(), c, v1alpha1.ReasonDidNotStick)
	}
}
