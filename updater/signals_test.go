package updater

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/updater/breaker"
)

const aRound = 30 * time.Second

// elsewhere adds a pod to each of n workloads with sizes of ours, in several namespaces, two in each.
func (w *world) elsewhere(n int, change func(*corev1.Pod)) {
	w.t.Helper()
	for i := range n {
		w.podOf(fmt.Sprint("elsewhere-", i/2), fmt.Sprint("other-", i), true, change)
	}
}

// podOf adds a pod of a workload to another namespace, with sizes of ours or without.
func (w *world) podOf(namespace, workload string, ours bool, change func(*corev1.Pod)) {
	w.t.Helper()
	pod := podOf(workload, 100)
	pod.Namespace, pod.GenerateName, pod.Name = namespace, workload+"-", ""
	pod.UID, pod.OwnerReferences[0].Name = types.UID(fmt.Sprint("uid-", namespace, workload)), workload+"-abc"
	if ours {
		pod.Annotations = map[string]string{v1alpha1.AnnotationRevision: "r1"}
	}
	change(pod)
	if err := w.client.Create(w.t.Context(), pod); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) drift(pod string) {
	w.t.Helper()
	if err := w.client.Update(w.t.Context(), withCPU(w.pod(pod), "100m")); err != nil {
		w.t.Fatal(err)
	}
}

func killedAt(at time.Time) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: metav1.NewTime(at)}
	}
}

// lostForMemoryAt makes a pod one that its node evicted when it ran low on memory.
func lostForMemoryAt(at time.Time) func(*corev1.Pod) {
	return func(p *corev1.Pod) { testkit.EvictForMemory(p, "app", "2Gi", at) }
}

// lostAt makes a pod one that no node has room for since a time.
func lostAt(at time.Time) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, LastTransitionTime: metav1.NewTime(at),
		}}}
	}
}

func TestOneNoisyNamespaceStopsNobodyElse(t *testing.T) {
	cases := map[string]struct {
		workloads int
		ours      bool
		trouble   func(time.Time) func(*corev1.Pod)
	}{
		"kills where Loadline does nothing":        {40, false, killedAt},
		"no room where Loadline does nothing":      {40, false, lostAt},
		"kills in many workloads with sizes":       {40, true, killedAt},
		"no room for many workloads with sizes":    {40, true, lostAt},
		"kills of one workload with sizes of ours": {1, true, killedAt},
		"evictions where Loadline does nothing":    {40, false, lostForMemoryAt},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, shop(asking(2, 500)...)...)
			w.podOf("quiet", "web", true, func(*corev1.Pod) {})
			w.round()
			for i := range 40 {
				w.podOf("noisy", fmt.Sprint("web-", i%c.workloads), c.ours, c.trouble(w.clock.Now().Add(-time.Minute+time.Second)))
			}
			w.round()
			w.drift("checkout-1")
			w.round()
			if len(w.resized) != 1 {
				t.Errorf("resized %v, want checkout-1; the breaker says: %s", w.resized, w.controller.record.breaker.Reason())
			}
		})
	}
}

func TestEverythingStopsWhenTheWholeClusterGetsWorse(t *testing.T) {
	cases := map[string]struct {
		happens func(*world)
		say     string
	}{
		"containers are killed": {
			func(w *world) { w.elsewhere(5, killedAt(w.clock.Now())) }, "5 workloads with containers killed for lack of memory",
		},
		"nodes evict pods for lack of memory": {
			func(w *world) { w.elsewhere(5, lostForMemoryAt(w.clock.Now())) }, "5 workloads with containers killed for lack of memory, or pods evicted for it",
		},
		"no node has room": {func(w *world) {
			w.elsewhere(5, lostAt(w.clock.Now().Add(-5*time.Minute)))
		}, "5 workloads with pods that no node has room for"},
		"admission fails again and again": {func(w *world) {
			w.admits = false
			w.rounds(5 * aRound)
			w.admits = true
		}, "5 failed admission probes"},
		"the API server does not answer": {func(w *world) {
			w.resizeError = func(string) error { return apierrors.NewTimeoutError("etcd", 1) }
			for i := range 5 {
				w.drift(fmt.Sprintf("checkout-%d", i))
				w.round()
			}
			w.resizeError = func(string) error { return nil }
		}, "5 requests that the API server did not answer in time"},
		"the API server is slow": {func(w *world) {
			w.resizeError = func(string) error { w.clock.Step(4 * time.Second); return nil }
			for i := range 5 {
				w.drift(fmt.Sprintf("checkout-%d", i))
				w.round()
			}
			w.resizeError = func(string) error { return nil }
		}, "5 requests that the API server did not answer in time"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, shop(asking(6, 500)...)...)
			w.round()
			c.happens(w)
			w.resized = nil
			w.drift("checkout-5")
			w.round()
			w.restart()
			w.rounds(3 * aRound)
			if len(w.resized) != 0 {
				t.Fatalf("resized %v", w.resized)
			}
			got := meta.FindStatusCondition(w.recommendation().Status.Conditions, v1alpha1.ConditionApplied)
			if got == nil || !strings.Contains(got.Message, "the circuit breaker is open") || !strings.Contains(got.Message, c.say) {
				t.Errorf("Applied = %+v, want it to say %q", got, c.say)
			}
			halts, err := Halts(t.Context(), w.client, config.Default())
			if err != nil || len(halts) != 1 || !strings.Contains(halts[0], c.say) {
				t.Errorf("reports say %q, %v; want %q", halts, err, c.say)
			}
			if open := testutil.ToFloat64(w.controller.metrics.breaker.WithLabelValues("Open")); open != 1 {
				t.Errorf("the metric says open = %v, want 1", open)
			}
		})
	}
}

func TestTheBreakerTriesALittleAndThenLetsEverythingGoOn(t *testing.T) {
	w := newWorld(t, shop(asking(20, 500)...)...)
	w.round()
	w.elsewhere(5, killedAt(w.clock.Now()))
	w.rounds(2 * aRound)
	for i := range 20 {
		w.drift(fmt.Sprintf("checkout-%d", i))
	}
	w.rounds(36 * aRound) // the kills count for ten minutes, and after ten more a little is tried
	if len(w.resized) != 0 {
		t.Fatalf("resized %v while the breaker is open", w.resized)
	}
	w.rounds(4 * aRound)
	if n := len(w.resized); n == 0 || n > 12 {
		t.Fatalf("%d pods resized in the first two minutes of the trial, want some, and at most 6 a minute", n)
	}
	w.rounds(22 * aRound)
	if len(w.resized) != 20 {
		t.Errorf("%d pods resized in the end, want all 20", len(w.resized))
	}
	reasons := slices.DeleteFunc(w.told(), func(reason string) bool { return !strings.HasPrefix(reason, "Breaker") })
	if diff := cmp.Diff([]string{"BreakerOpen", "BreakerTrial", "BreakerClosed"}, reasons); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// further is another Deployment of the shop with its Recommendation, and without pods.
func further(name string) []client.Object {
	objects := shop()
	deployment, rec := objects[1], objects[2].(*v1alpha1.Recommendation) //nolint:forcetypeassert // shop makes them in this order
	deployment.SetName(name)
	rec.Name, rec.Spec.TargetRef.Name = v1alpha1.RecommendationName("Deployment", name), name
	return []client.Object{deployment, rec}
}

func TestPodsThatComeFromAdmissionWithoutSizesStopEverything(t *testing.T) {
	w := newWorld(t, slices.Concat(shop(500, 500), further("search"), further("cart"))...)
	for _, app := range []string{"checkout", "search", "cart"} {
		w.arrives(app, "early", w.recommendation().Status.Applicable.Revision)
	}
	w.rounds(4 * aRound)
	for _, app := range []string{"checkout", "search", "cart"} {
		w.arrives(app, "late", "")
	}
	w.round()
	if got := w.controller.record.breaker; got.Phase != breaker.Open || !strings.Contains(got.Reason(), "3 workloads whose new pods came without sizes") {
		t.Errorf("breaker = %+v, want it open for three workloads", got)
	}
}

// arrives adds a pod of a workload of the shop that comes from admission with a revision, or without.
func (w *world) arrives(app, suffix, revision string) {
	w.t.Helper()
	pod := podOf(app+"-"+suffix, 500)
	pod.UID, pod.CreationTimestamp = types.UID("uid-"+pod.Name), metav1.NewTime(w.clock.Now())
	pod.OwnerReferences[0].Name = app + "-abc"
	if revision != "" {
		pod.Annotations = map[string]string{v1alpha1.AnnotationRevision: revision}
	}
	if err := w.client.Create(w.t.Context(), pod); err != nil {
		w.t.Fatal(err)
	}
}

func TestPodsThatAdmissionLeavesAloneOnPurposeAreNoAlarm(t *testing.T) {
	w := newWorld(t, slices.Concat(shop(500, 500), further("search"), further("cart"))...)
	w.rounds(4 * aRound)
	for _, app := range []string{"checkout", "search", "cart"} {
		w.arrives(app, "late", "") // as every pod before it: a LimitRange of the namespace forbids the sizes
	}
	w.rounds(4 * aRound)
	if got := w.controller.record.breaker; got.Phase != breaker.Closed {
		t.Errorf("breaker = %+v, want it closed", got)
	}
}

func TestPodsFromBeforeTheOptInAreNotTakenForUnsizedOnes(t *testing.T) {
	w := newWorld(t, slices.Concat(shop(500, 500), further("search"), further("cart"))...)
	w.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	w.rounds(4 * aRound)
	for _, app := range []string{"checkout", "search", "cart"} {
		w.arrives(app, "early", w.recommendation().Status.Applicable.Revision)
		w.arrives(app, "late", "")
	}
	w.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	w.rounds(4 * aRound)
	if got := w.controller.record.breaker; got.Phase != breaker.Closed {
		t.Errorf("breaker = %+v, want it closed", got)
	}
}

func TestWhoeverRemovesTheBreakersStateStartsAnew(t *testing.T) {
	w := newWorld(t, shop(500, 500)...)
	w.round()
	w.elsewhere(5, killedAt(w.clock.Now()))
	w.round()
	w.drift("checkout-0")
	w.round()
	if len(w.resized) != 0 {
		t.Fatalf("resized %v while the breaker is open", w.resized)
	}
	cm := w.record()
	delete(cm.Data, recordBreaker)
	if err := w.client.Update(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	w.round()
	if len(w.resized) != 1 {
		t.Errorf("resized %v, want checkout-0: what is counted now is what is usual", w.resized)
	}
}

func TestTheKillSwitchIsToldWhenItIsPulledAndWhenItIsReleased(t *testing.T) {
	w := newWorld(t, shop(500, 500)...)
	w.round()
	stop := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-kill-switch"}}
	if err := w.client.Create(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	w.rounds(3 * aRound)
	if halts, err := Halts(t.Context(), w.client, config.Default()); err != nil || len(halts) != 1 || !strings.Contains(halts[0], "loadline-kill-switch") {
		t.Errorf("reports say %q, %v; want the kill switch", halts, err)
	}
	if on := testutil.ToFloat64(w.controller.metrics.killSwitch); on != 1 {
		t.Errorf("the metric says %v, want 1", on)
	}
	if err := w.client.Delete(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	w.rounds(3 * aRound)
	if diff := cmp.Diff([]string{"Stopped", "Resumed"}, w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
