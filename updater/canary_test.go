package updater

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

func TestOnePodIsLoweredFirstAndTheOthersFollowWhenItWasWell(t *testing.T) {
	w := newWorld(t, shop(2000, 2000, 2000)...)
	w.round()
	if len(w.resized) != 1 {
		t.Fatalf("resized %v, want one pod", w.resized)
	}
	if c := w.condition(v1alpha1.ConditionApplied); c.Reason != v1alpha1.ReasonWatching && c.Reason != v1alpha1.ReasonDrifted {
		t.Errorf("Applied = %+v", c)
	}
	for range 18 { // nine minutes, with an updater that forgets everything all the time
		w.restart()
		w.round()
	}
	if len(w.resized) != 1 {
		t.Fatalf("resized %v within the time of the watch", w.resized)
	}
	if c := w.condition(v1alpha1.ConditionApplied); c.Reason != v1alpha1.ReasonWatching || !strings.Contains(c.Message, w.resized[0]) {
		t.Errorf("Applied = %+v, want it to name the pod that is watched", c)
	}
	w.rounds(2 * time.Minute)
	if len(w.resized) != 3 {
		t.Errorf("resized %v after the watch, want all three", w.resized)
	}
}

func TestARaiseDoesNotWaitForACanary(t *testing.T) {
	w := newWorld(t, shop(100, 100, 100)...)
	w.round()
	if len(w.resized) != 3 {
		t.Errorf("resized %v, want all three at once", w.resized)
	}
}

func TestACanaryThatIsNotReadyIsWaitedFor(t *testing.T) {
	w := newWorld(t, shop(2000, 2000, 2000)...)
	w.round()
	w.unready(w.resized[0], "") // as the controller of a silent node says it: nobody's harm
	w.rounds(20 * time.Minute)
	if len(w.resized) != 1 {
		t.Fatalf("resized %v although the first pod is not ready", w.resized)
	}
	if c := w.condition(v1alpha1.ConditionApplied); !strings.Contains(c.Message, "not ready") {
		t.Errorf("Applied = %+v, want it to say what is waited for", c)
	}
}

// unready takes the readiness of a pod away.
func (w *world) unready(name, reason string) {
	w.t.Helper()
	pod := w.pod(name)
	pod.Status.Conditions[0] = corev1.PodCondition{
		Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: reason, LastTransitionTime: metav1.NewTime(w.clock.Now().Add(time.Second)),
	}
	if err := w.client.Status().Update(w.t.Context(), pod); err != nil {
		w.t.Fatal(err)
	}
}

func TestHealthSignalsHaveToBeComparedBeforeTheOthersFollow(t *testing.T) {
	policy := disrupting(v1alpha1.DisruptionPolicy{})
	policy.Spec.Signals = []v1alpha1.Signal{{Name: "latency", PromQL: "up", Role: v1alpha1.SignalHealth}}
	w := newWorld(t, append(shop(2000, 2000), policy)...)
	w.rounds(15 * time.Minute)
	if len(w.resized) != 1 {
		t.Fatalf("resized %v without a comparison", w.resized)
	}
	w.publish(500, func(s *v1alpha1.RecommendationStatus) {
		s.Health = &v1alpha1.HealthCheck{Revision: s.Applicable.Revision, Time: metav1.NewTime(w.clock.Now())}
	})
	w.round()
	w.publish(500, func(s *v1alpha1.RecommendationStatus) { s.Health.Revision = s.Outcomes[0].Revision })
	w.round()
	if len(w.resized) != 2 {
		t.Errorf("resized %v after the comparison, want both", w.resized)
	}
}

func TestAfterHarmNoOtherPodIsChangedUntilTheSizesAreTakenBack(t *testing.T) {
	w := newWorld(t, shop(2000, 2000, 2000)...)
	w.round()
	canary := w.resized[0]
	w.killed(canary)
	w.told()
	w.round()
	rec := w.recommendation()
	bad, harm := rec.Status.Applicable.Revision, rec.Status.Outcomes[0]
	if harm.Result != v1alpha1.OutcomeFailed || harm.Revision != bad || harm.Pod != canary {
		t.Fatalf("outcome = %+v, want the harm of %s", harm, bad)
	}
	if c := w.condition(v1alpha1.ConditionHealthy); c.Reason != v1alpha1.ReasonHarmed || !strings.Contains(c.Message, "OOMKilled") {
		t.Errorf("Healthy = %+v, want the evidence", c)
	}
	if diff := cmp.Diff([]string{v1alpha1.ReasonHarmed}, w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for range 60 {
		w.restart()
		w.round()
	}
	if len(w.resized) != 1 {
		t.Fatalf("resized %v although the revision did harm", w.resized)
	}

	until := metav1.NewTime(w.clock.Now().Add(time.Hour).Truncate(time.Second))
	w.publish(2000, func(s *v1alpha1.RecommendationStatus) {
		s.Rollback = &v1alpha1.Rollback{Revision: bad, Time: harm.Time, HarmTime: harm.Time, Until: until, Count: 1, Evidence: harm.Message}
	})
	w.round()
	w.round()
	if diff := cmp.Diff([]string{canary, canary}, w.resized); diff != "" {
		t.Errorf("resized (-want +got):\n%s", diff)
	}
	if got := w.pod(canary).Spec.Containers[0].Resources.Requests.Cpu().String(); got != "2" {
		t.Errorf("the first pod asks for %s, want its 2 cores back", got)
	}
	if c := w.condition(v1alpha1.ConditionHealthy); c.Reason != v1alpha1.ReasonRolledBack || !strings.Contains(c.Message, "OOMKilled") {
		t.Errorf("Healthy = %+v, want what was taken back and why", c)
	}
	if n := testutil.ToFloat64(w.controller.metrics.unhealthy); n != 1 {
		t.Errorf("%v workloads are counted that came to harm, want 1 while it holds", n)
	}
	w.rounds(65 * time.Minute)
	if n := testutil.ToFloat64(w.controller.metrics.unhealthy); n != 0 {
		t.Errorf("%v workloads are counted that came to harm, want none after the hold", n)
	}
	if c := w.condition(v1alpha1.ConditionHealthy); c.Status != metav1.ConditionTrue {
		t.Errorf("Healthy = %+v after the hold", c)
	}

	w.publish(500, nil)
	w.round()
	if len(w.resized) != 3 {
		t.Errorf("resized %v, want the same sizes tried again on one pod after the hold", w.resized)
	}
	w.round()
	if c := w.condition(v1alpha1.ConditionHealthy); c.Status != metav1.ConditionTrue {
		t.Errorf("Healthy = %+v: harm that was answered counts again", c)
	}
}

func TestHarmIsBlamedOnWhatThePodGotAlsoWhenThereAreOtherSizesByNow(t *testing.T) {
	w := newWorld(t, shop(2000, 2000, 2000)...)
	w.round()
	bad := w.recommendation().Status.Applicable.Revision
	w.killed(w.resized[0])
	w.publish(510, nil) // the recommender was quicker
	w.round()
	if o := w.recommendation().Status.Outcomes[0]; o.Result != v1alpha1.OutcomeFailed || o.Revision != bad {
		t.Fatalf("outcome = %+v, want the harm of %s", o, bad)
	}
	w.rounds(15 * time.Minute)
	if len(w.resized) != 1 {
		t.Errorf("resized %v before the harm was answered", w.resized)
	}
}

func TestHarmToNewPodsIsSeenInModeInitialToo(t *testing.T) {
	objects := shop(500, 500)
	w := newWorld(t, objects...)
	w.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	pod := w.pod("checkout-0")
	pod.Annotations = map[string]string{
		v1alpha1.AnnotationRevision: w.recommendation().Status.Applicable.Revision, v1alpha1.AnnotationOriginal: `{"app":{"requests":{"cpu":"2"}}}`,
	}
	pod.CreationTimestamp = metav1.NewTime(start)
	if err := w.client.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	w.killed("checkout-0")
	w.round()
	if c := w.condition(v1alpha1.ConditionHealthy); c.Reason != v1alpha1.ReasonHarmed {
		t.Errorf("Healthy = %+v, want harm", c)
	}
}

func TestABadDeploymentIsNotBlamedOnSizesThatWereTriedBefore(t *testing.T) {
	objects := shop(500)
	revision := objects[2].(*v1alpha1.Recommendation).Status.Applicable.Revision
	admitted := func(pod *corev1.Pod, template string, created time.Time) *corev1.Pod {
		pod.Annotations = map[string]string{
			v1alpha1.AnnotationRevision: revision, v1alpha1.AnnotationOriginal: `{"app":{"requests":{"cpu":"2","memory":"512Mi"}}}`,
		}
		pod.Labels["pod-template-hash"], pod.OwnerReferences[0].Name = template, "checkout-"+template
		pod.CreationTimestamp = metav1.NewTime(created)
		return pod
	}
	admitted(objects[3].(*corev1.Pod), "f00d", start)
	w := newWorld(t, objects...)
	w.rounds(11 * time.Minute)

	// The old pod is gone before the new one comes, as with the strategy Recreate, and so is all that the updater knew.
	if err := w.client.Delete(t.Context(), w.pod("checkout-0")); err != nil {
		t.Fatal(err)
	}
	bad := admitted(podOf("checkout-bad", 500), "bad", w.clock.Now())
	bad.Status.ContainerStatuses[0].RestartCount = 3
	bad.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	bad.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		ExitCode: 1, FinishedAt: metav1.NewTime(w.clock.Now().Add(time.Minute)),
	}
	if err := w.client.Create(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.rounds(5 * time.Minute)
	if c := w.condition(v1alpha1.ConditionHealthy); c.Status != metav1.ConditionTrue {
		t.Errorf("Healthy = %+v: the new version crashes, and the sizes were good for the old one", c)
	}
	if trial := w.recommendation().Status.Trial; trial == nil || trial.Template != "f00d" || trial.Revision != revision {
		t.Errorf("trial = %+v, want that of the old version", trial)
	}

	// Sizes that were never tried on any pod are not above suspicion.
	w.publish(450, nil)
	revision = w.recommendation().Status.Applicable.Revision
	if err := w.client.Delete(t.Context(), w.pod("checkout-bad")); err != nil {
		t.Fatal(err)
	}
	bad = admitted(bad.DeepCopy(), "bad", w.clock.Now())
	bad.Name, bad.UID, bad.ResourceVersion = "checkout-next", "uid-next", ""
	bad.Status.ContainerStatuses[0].LastTerminationState.Terminated.FinishedAt = metav1.NewTime(w.clock.Now().Add(time.Minute))
	if err := w.client.Create(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	w.rounds(5 * time.Minute)
	if c := w.condition(v1alpha1.ConditionHealthy); c.Reason != v1alpha1.ReasonHarmed {
		t.Errorf("Healthy = %+v, want new sizes suspected", c)
	}
}

func TestSizesThatAreRevertedTwiceAreLeftAloneAndTriedAgainMuchLater(t *testing.T) {
	w := newWorld(t, append(shop(100, 500), disrupting(withoutCanary()))...)
	revert := func() {
		if err := w.client.Update(t.Context(), withCPU(w.pod("checkout-0"), "100m")); err != nil {
			t.Fatal(err)
		}
	}
	for range 40 {
		w.restart()
		w.round()
		revert()
	}
	if len(w.resized) != 2 {
		t.Fatalf("resized %d times while something else takes it back, want 2", len(w.resized))
	}
	c := w.condition(v1alpha1.ConditionApplied)
	if c.Reason != v1alpha1.ReasonDidNotStick || !strings.Contains(c.Message, "something else changes it") {
		t.Errorf("Applied = %+v, want the reason", c)
	}
	if !slices.Contains(w.told(), v1alpha1.ReasonDidNotStick) {
		t.Error("nobody was told")
	}
	for range 130 { // over an hour
		w.round()
		revert()
	}
	if len(w.resized) != 3 {
		t.Errorf("resized %d times after an hour, want one more", len(w.resized))
	}
}

func TestAResizeThatIsNotAnsweredIsNotTakenForOneThatDidNotStick(t *testing.T) {
	w := newWorld(t, append(shop(100, 100), disrupting(withoutCanary()))...)
	for _, namespace := range []string{"quiet", "calm"} { // Loadline works in more than one, so one of them is not the cluster.
		w.podOf(namespace, "web", true, func(*corev1.Pod) {})
	}
	for _, cpu := range []int64{500, 300} {
		w.publish(cpu, nil)
		w.rounds(10 * time.Minute)
	}
	silent := 2
	w.resizeError = func(string) error {
		if silent == 0 {
			return nil
		}
		silent--
		return apierrors.NewTimeoutError("etcd", 1)
	}
	w.publish(500, nil) // the revision that the pods had before
	w.rounds(10 * time.Minute)
	if c := w.condition(v1alpha1.ConditionApplied); silent > 0 || c.Reason == v1alpha1.ReasonDidNotStick {
		t.Errorf("%d time-outs left, Applied = %+v, want nobody suspected who changes the pods", silent, c)
	}
	for _, name := range []string{"checkout-0", "checkout-1"} {
		if got := w.pod(name).Spec.Containers[0].Resources.Requests.Cpu().MilliValue(); got != 500 {
			t.Errorf("%s asks for %dm ten minutes later, want the recommended 500m", name, got)
		}
	}
}

func TestALoweringThatIsNotAnsweredIsNoTrial(t *testing.T) {
	w := newWorld(t, shop(2000, 2000, 2000)...)
	w.rounds(20 * time.Minute)
	w.publish(1000, nil)
	w.rounds(10 * time.Minute)
	w.resizeError = func(string) error { return apierrors.NewTimeoutError("etcd", 1) }
	w.publish(500, nil) // which all of them had before
	w.rounds(2 * time.Minute)
	w.resizeError = func(string) error { return nil }
	before := len(w.resized)
	w.rounds(9 * time.Minute)
	if lowered := w.resized[before:]; len(lowered) != 1 {
		t.Errorf("lowered %v, want one pod, which is watched", lowered)
	}
}

func TestNewRevisionsMakeNobodyForgetThatSizesDoNotStay(t *testing.T) {
	w := newWorld(t, append(shop(100, 500), disrupting(withoutCanary()))...)
	for hour := range 6 { // The other pod keeps what it gets.
		w.publish([]int64{700, 1000}[hour%2], nil)
		for range 120 {
			w.round()
			if err := w.client.Update(t.Context(), withCPU(w.pod("checkout-0"), "100m")); err != nil {
				t.Fatal(err)
			}
		}
		w.restart()
	}
	tries := len(slices.DeleteFunc(slices.Clone(w.resized), func(pod string) bool { return pod != "checkout-0" }))
	if tries != 4 {
		t.Errorf("checkout-0 was resized %d times in six hours of which each had its revision; want two tries, one after an hour, one after four more: %v", tries, w.resized)
	}
}

func TestSizesThatDidNotStayAreCountedAnewAfterAQuietWeek(t *testing.T) {
	stuck := func(ago time.Duration) v1alpha1.Outcome { return at(ago, v1alpha1.OutcomeDidNotStick, ago.String()) }
	const day = 24 * time.Hour
	cases := map[string]struct {
		outcomes []v1alpha1.Outcome
		want     int
	}{
		"each of another revision":                {outcomes: []v1alpha1.Outcome{stuck(0), stuck(5 * time.Hour), stuck(6 * time.Hour)}, want: 3},
		"the last one over a week ago":            {outcomes: []v1alpha1.Outcome{stuck(0), stuck(8 * day)}, want: 1},
		"the last one a week and its hold before": {outcomes: []v1alpha1.Outcome{stuck(0), stuck(7 * day), stuck(7*day + time.Hour)}, want: 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := unstuck(c.outcomes).Times; got != c.want {
				t.Errorf("counted %d, want %d", got, c.want)
			}
		})
	}
}

func TestSizesThatStayAfterOneFailureEachAreNeverHeld(t *testing.T) {
	w := newWorld(t, append(shop(100, 500), disrupting(withoutCanary()))...)
	for i, cpu := range []int64{700, 1000, 700, 1000} {
		w.publish(cpu, nil)
		w.round()
		if err := w.client.Update(t.Context(), withCPU(w.pod("checkout-0"), "100m")); err != nil {
			t.Fatal(err)
		}
		w.rounds(15 * time.Minute) // It is tried again, and stays, long before a workload that is left alone would be.
		w.restart()
		w.rounds(time.Minute)
		if c := w.condition(v1alpha1.ConditionApplied); c.Status != metav1.ConditionTrue {
			t.Fatalf("after failure %d, with sizes that stay: Applied = %+v", i+1, c)
		}
	}
}

func TestPodsThatComeBackWithOtherSizesTwiceStopTheEvictions(t *testing.T) {
	disruption := withoutCanary()
	disruption.EvictionsPerHour = new(int32(100))
	w := newWorld(t, append(shop(100, 100, 100, 100, 100, 100), disrupting(disruption))...)
	w.annotate(map[string]string{v1alpha1.AnnotationUpdater: "evict"})
	for range 20 {
		before := len(w.evicted)
		w.round()
		for _, name := range w.evicted[before:] { // admitted with the revision, and then another webhook has its way
			pod := podOf(name+"-next", 100)
			pod.UID, pod.CreationTimestamp = types.UID(pod.Name), metav1.NewTime(w.clock.Now())
			pod.Annotations = map[string]string{v1alpha1.AnnotationRevision: w.recommendation().Status.Applicable.Revision}
			if err := w.client.Create(t.Context(), pod); err != nil {
				t.Fatal(err)
			}
		}
		w.restart()
	}
	if len(w.evicted) != 2 {
		t.Errorf("evicted %v, want two tries", w.evicted)
	}
	if c := w.condition(v1alpha1.ConditionApplied); c.Reason != v1alpha1.ReasonDidNotStick {
		t.Errorf("Applied = %+v, want %s", c, v1alpha1.ReasonDidNotStick)
	}
}

func TestAPodIsNotLoweredInItsFirstMinutes(t *testing.T) {
	objects := shop(2000, 100)
	for _, o := range objects {
		if pod, ok := o.(*corev1.Pod); ok {
			pod.CreationTimestamp = metav1.NewTime(start)
		}
	}
	w := newWorld(t, objects...)
	w.rounds(4 * time.Minute)
	if diff := cmp.Diff([]string{"checkout-1"}, w.resized); diff != "" {
		t.Fatalf("resized in the first minutes: only the raise is wanted (-want +got):\n%s", diff)
	}
	w.rounds(2 * time.Minute)
	if diff := cmp.Diff([]string{"checkout-1", "checkout-0"}, w.resized); diff != "" {
		t.Errorf("resized (-want +got):\n%s", diff)
	}
}

func TestManyPodsWithOtherSizesAreOneFailure(t *testing.T) {
	cpu := make([]int64, 12)
	for i := range cpu {
		cpu[i] = 100 // of which admission wrote that it is the revision's 500
	}
	objects := shop(cpu...)
	revision := objects[2].(*v1alpha1.Recommendation).Status.Applicable.Revision
	for _, o := range objects {
		if pod, ok := o.(*corev1.Pod); ok {
			pod.Annotations = map[string]string{v1alpha1.AnnotationRevision: revision}
		}
	}
	w := newWorld(t, append(objects, disrupting(withoutCanary()))...)
	w.rounds(50 * time.Minute)
	if c := w.condition(v1alpha1.ConditionApplied); c.Reason != v1alpha1.ReasonDidNotStick || len(w.resized) > 0 {
		t.Fatalf("Applied = %+v, resized %v, want the workload left alone", c, w.resized)
	}
	w.rounds(15 * time.Minute)
	if len(w.resized) != len(cpu) {
		t.Errorf("resized %v after an hour, want all %d: the first failure costs an hour, however many pods show it", w.resized, len(cpu))
	}
}

func TestARestartMakesNoFurtherFailureOfMorePodsThanAreOnRecord(t *testing.T) {
	objects := shop(asking(30, 100)...)
	revision := objects[2].(*v1alpha1.Recommendation).Status.Applicable.Revision
	for _, o := range objects {
		if pod, ok := o.(*corev1.Pod); ok {
			pod.Annotations = map[string]string{v1alpha1.AnnotationRevision: revision}
		}
	}
	w := newWorld(t, append(objects, disrupting(withoutCanary()))...)
	w.rounds(59 * time.Minute)
	if n := len(w.recommendation().Status.Outcomes); n != 2 {
		t.Errorf("%d outcomes, want the two that count", n)
	}
	w.restart()
	w.rounds(aRound)
	w.restart()
	w.rounds(3 * time.Minute)
	if len(w.resized) != 30 {
		t.Errorf("%d pods resized after an hour, want all 30: nothing was tried in between", len(w.resized))
	}
}

func TestPodsThatKeptTheirMemoryWhileSizesWereStaleAreNoFailure(t *testing.T) {
	objects := shop(500, 500)
	revision := objects[2].(*v1alpha1.Recommendation).Status.Applicable.Revision
	for _, o := range objects {
		if pod, ok := o.(*corev1.Pod); ok {
			pod.Annotations = map[string]string{
				v1alpha1.AnnotationRevision: revision,
				v1alpha1.AnnotationOriginal: `{"app":{"requests":{"cpu":"500m","memory":"2Gi"}}}`,
			}
			pod.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = quantity("2Gi")
		}
	}
	for _, updater := range []string{"in-place-or-evict", "evict"} {
		w := newWorld(t, objects...)
		w.annotate(map[string]string{v1alpha1.AnnotationUpdater: updater})
		w.round()
		w.round()
		if c := w.condition(v1alpha1.ConditionApplied); c.Reason == v1alpha1.ReasonDidNotStick {
			t.Errorf("%s: Applied = %+v: what admission left out on purpose is no failure", updater, c)
		}
		if len(w.evicted) > 0 {
			t.Errorf("%s: evicted %v for memory that the next revision takes anyway", updater, w.evicted)
		}
	}
}

func TestTheSuccessorOfAWatchedPodNeedsNoComparisonOfItsOwn(t *testing.T) {
	policy := disrupting(v1alpha1.DisruptionPolicy{})
	policy.Spec.Signals = []v1alpha1.Signal{{Name: "latency", PromQL: "up", Role: v1alpha1.SignalHealth}}
	w := newWorld(t, append(shop(2000, 2000), policy)...)
	w.rounds(11 * time.Minute)
	revision := w.recommendation().Status.Applicable.Revision
	w.publish(500, func(s *v1alpha1.RecommendationStatus) {
		s.Applicable.ComputedTime = metav1.NewTime(start)
		s.Health = &v1alpha1.HealthCheck{Revision: revision, Time: metav1.NewTime(w.clock.Now())}
	})
	if err := w.client.Delete(t.Context(), w.pod(w.resized[0])); err != nil {
		t.Fatal(err)
	}
	w.clock.Step(time.Minute)
	pod := podOf("checkout-next", 500)
	pod.CreationTimestamp, pod.Annotations = metav1.NewTime(w.clock.Now()), map[string]string{v1alpha1.AnnotationRevision: revision}
	if err := w.client.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	w.rounds(15 * time.Minute)
	if len(w.resized) != 2 {
		t.Errorf("resized %v, want the other pod to follow: the signals were compared under this revision", w.resized)
	}
}

func TestPodsThatEndedAreNotWaitedFor(t *testing.T) {
	w := newWorld(t, shop(500, 2000)...)
	pod := w.pod("checkout-1")
	pod.Status.Phase = corev1.PodFailed
	if err := w.client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	w.round()
	if c := w.condition(v1alpha1.ConditionApplied); c.Status != metav1.ConditionTrue {
		t.Errorf("Applied = %+v although the only pod that differs has failed", c)
	}
}

func TestNewPodsAreKeptFromARevisionAsLongAsItIsTried(t *testing.T) {
	w := newWorld(t, shop(2000, 2000)...)
	trying := func() string { return w.recommendation().Status.Trying }
	revision := w.recommendation().Status.Applicable.Revision
	w.round()
	w.restart()
	w.round()
	if got := trying(); got != revision || len(w.resized) != 1 {
		t.Fatalf("trying %q with %v resized, want %s on the first pod", got, w.resized, revision)
	}
	w.rounds(11 * time.Minute)
	if got := trying(); got != "" {
		t.Errorf("trying %q after the watch, want nothing", got)
	}
	w.publish(300, nil)
	w.round()
	if got := trying(); got != w.recommendation().Status.Applicable.Revision {
		t.Errorf("trying %q, want the next revision", got)
	}
	w.killed(w.resized[len(w.resized)-1])
	w.rounds(15 * time.Minute)
	if got := trying(); got != w.recommendation().Status.Applicable.Revision {
		t.Errorf("trying %q after harm, want new pods kept from the revision", got)
	}
	w.annotate(map[string]string{v1alpha1.AnnotationMode: "initial"})
	w.round()
	if got := trying(); got != "" {
		t.Errorf("trying %q in mode initial, where nothing is tried", got)
	}
}

func TestNewPodsAreKeptFromWhatNobodyTriesWhileTheKillSwitchIsPulled(t *testing.T) {
	w := newWorld(t, shop(2000, 2000)...)
	stop := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-kill-switch"}}
	if err := w.client.Create(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	w.rounds(time.Hour)
	if rec := w.recommendation(); rec.Status.Trying != rec.Status.Applicable.Revision || len(w.resized) > 0 {
		t.Errorf("trying %q with %v resized, want new pods kept from what was never tried", rec.Status.Trying, w.resized)
	}
}

func TestNewPodsGetWhatNoRunningPodCanTry(t *testing.T) {
	cases := map[string][]client.Object{
		"of a pod that was evicted": append(shop(2000, 2000), disrupting(v1alpha1.DisruptionPolicy{})),
		"without a canary":          append(shop(2000, 2000), disrupting(withoutCanary())),
		"that only raises":          shop(100, 100),
		"of pods that are gone":     shop(),
		"that changes no request":   shop(500, 500),
	}
	for name, objects := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, objects...)
			if name == "of a pod that was evicted" {
				w.annotate(map[string]string{v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationUpdater: "evict"})
			}
			w.round()
			if got := w.recommendation().Status.Trying; got != "" {
				t.Errorf("trying %q, want new pods to get the revision", got)
			}
		})
	}
}
