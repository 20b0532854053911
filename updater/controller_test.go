package updater

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

func TestDriftedPodsAreResizedAndThenNothingMoves(t *testing.T) {
	w := newWorld(t, shop(100, 500, 2000)...)
	w.round()
	if diff := cmp.Diff([]string{"checkout-0", "checkout-2"}, w.resized); diff != "" {
		t.Fatalf("resized (-want +got):\n%s", diff)
	}
	for _, name := range w.resized {
		pod := w.pod(name)
		if got := pod.Spec.Containers[0].Resources.Requests.Cpu().String(); got != "500m" {
			t.Errorf("%s asks for %s, want 500m", name, got)
		}
		if !strings.Contains(pod.Annotations[v1alpha1.AnnotationOriginal], `"cpu":"`) {
			t.Errorf("%s does not keep what it had: %v", name, pod.Annotations)
		}
	}
	if diff := cmp.Diff([]string{"Resized", "Resized"}, w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for range 20 {
		w.round()
	}
	if len(w.resized) != 2 || len(w.evicted) != 0 {
		t.Errorf("later rounds: resized %v, evicted %v; want no more", w.resized, w.evicted)
	}
	rec := w.recommendation()
	if w.statusWrites != 3 {
		t.Errorf("the status was written %d times, want 3: after the resizes, once they show, and once they were watched", w.statusWrites)
	}
	if c := meta.FindStatusCondition(rec.Status.Conditions, v1alpha1.ConditionApplied); c == nil || c.Reason != v1alpha1.ReasonUpToDate {
		t.Errorf("Applied = %+v, want %s", c, v1alpha1.ReasonUpToDate)
	}
	if len(rec.Status.Outcomes) != 2 || rec.Status.Outcomes[0].Result != v1alpha1.OutcomeResized {
		t.Errorf("outcomes = %+v, want two resizes", rec.Status.Outcomes)
	}
}

func TestAPodWhoseRaiseIsRefusedIsEvictedInTheNextRound(t *testing.T) {
	w := newWorld(t, shop(100, 500, 500)...)
	w.resizeError = func(string) error {
		return forbidden("node didn't have enough allocatable resources: cpu, requested: 500, allocatable: 200")
	}
	w.round()
	if len(w.evicted) != 0 {
		t.Fatal("evicted in the round that tried the resize: nothing may happen twice to a pod in one round")
	}
	w.round()
	if diff := cmp.Diff([]string{"checkout-0"}, w.evicted); diff != "" {
		t.Errorf("evicted (-want +got):\n%s", diff)
	}
	var results []v1alpha1.OutcomeResult
	for _, o := range w.recommendation().Status.Outcomes {
		results = append(results, o.Result)
	}
	if diff := cmp.Diff([]v1alpha1.OutcomeResult{v1alpha1.OutcomeEvicted, v1alpha1.OutcomeRefused}, results); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestARestartForgetsNeitherARefusalNorTheHourlyBudget(t *testing.T) {
	objects := shop(100, 100, 100, 100, 500, 500, 500, 500)
	disruption := withoutCanary()
	disruption.EvictionsPerHour = new(int32(2))
	w := newWorld(t, append(objects, disrupting(disruption))...)
	w.resizeError = func(string) error { return forbidden("node didn't have enough allocatable resources") }
	attempts := 0
	refuse := w.resizeError
	w.resizeError = func(pod string) error { attempts++; return refuse(pod) }
	w.round()
	w.restart()
	w.round()
	if attempts != 4 {
		t.Errorf("%d resizes were tried, want each of 4 pods once", attempts)
	}
	if len(w.evicted) != 2 {
		t.Fatalf("evicted %v, want 2 as the budget says", w.evicted)
	}
	w.restart()
	for range 20 {
		w.round()
	}
	if len(w.evicted) != 2 {
		t.Errorf("evicted %v after a restart, want no more within the hour", w.evicted)
	}
}

func TestNothingIsTouchedWhileAdmissionDoesNotWork(t *testing.T) {
	w := newWorld(t, shop(100, 500)...)
	w.admits = false
	w.round()
	if len(w.resized) != 0 {
		t.Fatalf("resized %v while the probe fails", w.resized)
	}
	c := meta.FindStatusCondition(w.recommendation().Status.Conditions, v1alpha1.ConditionApplied)
	if c == nil || c.Reason != v1alpha1.ReasonWaiting || !strings.Contains(c.Message, "the webhook is not called") {
		t.Errorf("Applied = %+v, want it to say what is wrong", c)
	}
	w.admits = true
	w.round()
	if len(w.resized) != 1 {
		t.Errorf("resized %v once the probe succeeds, want checkout-0", w.resized)
	}
}

func TestNothingIsTouchedWhileAdmissionIsSlow(t *testing.T) {
	w := newWorld(t, shop(100, 500)...)
	w.admissionTakes = 1100 * time.Millisecond
	for range 3 {
		w.round()
	}
	if len(w.resized) != 0 {
		t.Fatalf("resized %v while new pods may come without sizes", w.resized)
	}
	c := meta.FindStatusCondition(w.recommendation().Status.Conditions, v1alpha1.ConditionApplied)
	if c == nil || !strings.Contains(c.Message, "admission is too slow: a pod has to come back within 1s") {
		t.Errorf("Applied = %+v, want it to say what is wrong", c)
	}
	if w.statusWrites != 1 {
		t.Errorf("the status was written %d times, want once: what is said must not change by the millisecond", w.statusWrites)
	}
	w.admissionTakes = 10 * time.Millisecond
	w.round()
	if len(w.resized) != 1 {
		t.Errorf("resized %v once admission is quick, want checkout-0", w.resized)
	}
}

func TestNobodyElseIsEvictedWhenAdmissionEndsInTheMiddleOfARound(t *testing.T) {
	w := evicting(t, 20)
	w.evictError = func(string) error {
		w.admits = false
		w.clock.Step(3 * time.Second)
		return nil
	}
	w.round()
	if len(w.evicted) != 1 {
		t.Errorf("evicted %v, want one: the next would come back without sizes", w.evicted)
	}
}

func TestAfterABreakAdmissionIsTrustedOnlyFromThenOn(t *testing.T) {
	w := newWorld(t, shop(500)...)
	w.round()
	first := w.controller.ledger.admits
	w.rounds(2 * time.Minute)
	if got := w.controller.ledger.admits; got.from != first.from || !got.to.After(first.to) {
		t.Errorf("admission has worked in %v, want it since %s until now", got, first.from)
	}
	w.admits = false
	w.round()
	if got := w.controller.ledger.admits; got.contains(w.clock.Now().Add(-time.Minute)) {
		t.Errorf("admission has worked in %v, want nothing after a failure", got)
	}
	w.admits = true
	w.rounds(time.Minute)
	if got := w.controller.ledger.admits; !got.from.After(first.to) {
		t.Errorf("admission has worked in %v, want it since the failure only", got)
	}
}

func TestAFailureOfTheProbeClosesTheGateAtOnce(t *testing.T) {
	w := newWorld(t, shop(500, 500)...)
	w.round()
	w.admits = false
	if err := w.client.Update(t.Context(), withCPU(w.pod("checkout-0"), "100m")); err != nil {
		t.Fatal(err)
	}
	w.round()
	if len(w.resized) != 0 {
		t.Errorf("resized %v on the strength of an older success", w.resized)
	}
}

func withCPU(pod *corev1.Pod, cpu string) *corev1.Pod {
	pod.Spec.Containers[0].Resources = podOf("x", 100).Spec.Containers[0].Resources
	pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = quantity(cpu)
	return pod
}

func TestANewLeaderWatchesBeforeItActs(t *testing.T) {
	w := newWorld(t, shop(100, 500)...)
	w.controller.warmUp = 2 * time.Minute
	for range 3 {
		w.round()
	}
	if len(w.resized) != 0 {
		t.Fatalf("resized %v after a minute and a half", w.resized)
	}
	w.round()
	if len(w.resized) != 1 {
		t.Errorf("resized %v after two minutes, want checkout-0", w.resized)
	}
}

func TestTheKillSwitchStopsEverything(t *testing.T) {
	w := newWorld(t, shop(100, 500)...)
	stop := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-kill-switch"}, Data: map[string]string{"stop": "true"},
	}
	if err := w.client.Create(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	w.round()
	if len(w.resized) != 0 {
		t.Fatalf("resized %v", w.resized)
	}
	if err := w.client.Delete(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	w.round()
	if len(w.resized) != 1 {
		t.Errorf("resized %v after the switch was taken away, want checkout-0", w.resized)
	}
}

func TestOptingOutWorksWithoutTheRecommender(t *testing.T) {
	for _, mode := range []string{"initial", "dry-run", "off", "rubbish"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, shop(100, 500)...)
			w.annotate(map[string]string{v1alpha1.AnnotationMode: mode})
			w.round()
			if len(w.resized) != 0 {
				t.Errorf("resized %v although the namespace says %s", w.resized, mode)
			}
		})
	}
}

func TestADisruptionBudgetThatSaysNoIsAskedAgainLater(t *testing.T) {
	w := newWorld(t, shop(100, 500, 500)...)
	w.annotate(map[string]string{v1alpha1.AnnotationUpdater: "evict"})
	asked := 0
	w.evictError = func(string) error {
		asked++
		return apiStatus(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "no", metav1.StatusCause{Type: policyv1.DisruptionBudgetCause})
	}
	for range 20 { // ten minutes
		w.round()
	}
	if asked < 3 || asked > 8 {
		t.Errorf("asked %d times in ten minutes, want a growing back-off", asked)
	}
}

func TestARoundEndsWhenTheAPIServerCannotAnswer(t *testing.T) {
	w := newWorld(t, shop(100, 100, 100, 500, 500)...)
	asked := 0
	w.resizeError = func(string) error { asked++; return apierrors.NewTimeoutError("etcd", 1) }
	w.round()
	if asked != 1 {
		t.Errorf("asked %d times, want 1: an API server in trouble is left in peace", asked)
	}
}

func TestARefusedResizeIsAskedForEverLessOftenAlsoAfterRestarts(t *testing.T) {
	w := newWorld(t, shop(100, 500, 500)...)
	w.annotate(map[string]string{v1alpha1.AnnotationUpdater: "in-place"})
	var asked []int
	w.resizeError = func(string) error {
		asked = append(asked, int(w.clock.Now().Sub(start).Round(time.Minute).Minutes()))
		return forbidden("exceeded quota: q, requested: requests.cpu=400m")
	}
	for range 10 { // 5 hours
		w.rounds(30 * time.Minute)
		w.restart()
	}
	want := []int{1, 6, 16, 36, 76, 136, 196, 256} // after 5, 10, 20, 40 and then every 60 minutes
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked in minute (-want +got):\n%s", diff)
	}
	w.publish(600, nil)
	w.round()
	if len(asked) != len(want)+1 {
		t.Errorf("asked %d times, want another one at once for the next revision", len(asked))
	}
}

func TestRefusedResizesAreAskedForLastAndTakeNothingFromTheBudget(t *testing.T) {
	pods := asking(61, 100) // one more than the cluster's budget per minute
	w := newWorld(t, shop(append(pods, 1000)...)...)
	w.annotate(map[string]string{v1alpha1.AnnotationUpdater: "in-place"})
	w.resizeError = func(string) error { return forbidden("exceeded quota: q") }
	w.round()
	w.told() // Events wait for somebody who reads them.
	w.resizeError = func(pod string) error {
		if pod == "checkout-61" {
			return nil
		}
		return forbidden("exceeded quota: q")
	}
	for range 20 {
		w.round()
		w.told()
	}
	if diff := cmp.Diff([]string{"checkout-61"}, w.resized); diff != "" {
		t.Errorf("resized (-want +got), want what has too much, though 61 raises are refused:\n%s", diff)
	}
}

func TestAnEventWithALongRefusalIsOneThatTheAPIServerTakes(t *testing.T) {
	w := newWorld(t, shop(100)...)
	w.resizeError = func(string) error {
		return forbidden(`ValidatingAdmissionPolicy "sizes" denied request: ` + strings.Repeat("zu groß für dieses Team, ", 100))
	}
	w.round()
	event := <-w.events.Events
	_, note, _ := strings.Cut(event, "Refused ")
	if len(note) < 1000 || len(note) > 1024 || !utf8.ValidString(note) || !strings.HasSuffix(note, "…") {
		t.Errorf("note of %d bytes, want at most 1,024 and all of them used: %s", len(note), event)
	}
}
