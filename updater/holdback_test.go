package updater

import (
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// admit creates a pod as admission does: with 500m, unless it is kept from the revision.
func (w *world) admit(name string) (held bool) {
	w.t.Helper()
	status := w.recommendation().Status
	revision, cpu := status.Applicable.Revision, status.Applicable.Containers[0].Target.CPU.MilliValue()
	if held = status.Trying == revision; held {
		revision, cpu = apply.HeldBack(revision), 2000
	}
	pod := podOf(name, cpu)
	pod.UID, pod.CreationTimestamp = types.UID("uid-"+name), metav1.NewTime(w.clock.Now().Truncate(time.Second))
	original, err := apply.EncodeOriginal(apply.Present(podOf(name, 2000)))
	if err != nil {
		w.t.Fatal(err)
	}
	pod.Annotations = map[string]string{v1alpha1.AnnotationRevision: revision, v1alpha1.AnnotationOriginal: original}
	if err := w.client.Create(w.t.Context(), pod); err != nil {
		w.t.Fatal(err)
	}
	return held
}

// deploy makes the Deployment ask for so many pods, of which so many are of its present template.
func (w *world) deploy(replicas, updated int32) {
	w.t.Helper()
	d := &appsv1.Deployment{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: "checkout"}, d); err != nil {
		w.t.Fatal(err)
	}
	d.Spec.Replicas = &replicas
	if err := w.client.Update(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
	d.Status = appsv1.DeploymentStatus{Replicas: replicas, UpdatedReplicas: updated}
	if err := w.client.Status().Update(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
}

func TestWhereAllIsDoneByEvictionTheFirstSuccessorAloneTriesARevision(t *testing.T) {
	w := newWorld(t, append(shop(2000, 2000, 2000, 2000), disrupting(v1alpha1.DisruptionPolicy{EvictionsPerHour: new(int32(100))}))...)
	w.annotate(map[string]string{v1alpha1.AnnotationUpdater: "evict"})
	w.deploy(4, 3)
	w.round()
	if held := w.admit("rolled-out"); !held || len(w.evicted) > 0 {
		t.Fatalf("a pod of a rollout was held back: %v, evicted %v; want it kept from what nobody has tried", held, w.evicted)
	}
	w.deploy(5, 5)
	for range 2 { // each by another leader
		w.restart()
		w.round()
	}
	if len(w.evicted) != 1 {
		t.Fatalf("evicted %v, want the first", w.evicted)
	}
	if w.admit("successor") {
		t.Fatal("the successor was kept from what it is to try")
	}
	w.round()
	if !w.admit("scaled-up") {
		t.Error("another new pod got what the first one tries")
	}
	w.deploy(6, 6)
	w.restart()
	w.rounds(8 * time.Minute)
	if len(w.evicted) != 1 {
		t.Errorf("evicted %v while the first one is watched", w.evicted)
	}
	for i := range 60 {
		before := len(w.evicted)
		w.round()
		for _, name := range w.evicted[before:] {
			if w.admit(fmt.Sprintf("%s-%d", name, i)) {
				t.Errorf("the successor of %s was kept from what the first one was well with", name)
			}
		}
	}
	if c := w.condition(v1alpha1.ConditionApplied); c.Status != metav1.ConditionTrue || len(w.evicted) != 6 || !slices.Contains(w.evicted, "scaled-up") {
		t.Errorf("evicted %v, Applied = %+v; want each pod evicted once, and then peace", w.evicted, c)
	}
	if status := w.recommendation().Status; status.Trying != "" || status.TryingSince != nil {
		t.Errorf("trying %q since %v when all is done", status.Trying, status.TryingSince)
	}
}

func TestANewPodThatWaitsForANewNodeEndsNoTrial(t *testing.T) {
	w := newWorld(t, shop(2000, 2000, 2000)...)
	w.round()
	if held := w.admit("rolled-out"); !held || len(w.resized) != 1 {
		t.Fatalf("a new pod was held back: %v, resized %v; want it kept from what one pod tries", held, w.resized)
	}
	pod := w.pod("rolled-out")
	lostAt(w.clock.Now())(pod)
	if err := w.client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	w.rounds(4 * time.Minute) // about as long as a cluster autoscaler takes
	if !w.admit("next") || len(w.evicted) > 0 {
		t.Errorf("evicted %v, trying %q; want the pods after it kept from it as well", w.evicted, w.recommendation().Status.Trying)
	}
	w.rounds(time.Minute)
	if w.admit("last") {
		t.Error("the next pod is kept from it as well, want smaller pods where no node is expected any more")
	}
}

func TestNewPodsAreKeptFromWhatIsToBeTriedByEvictionForADayAtMost(t *testing.T) {
	w := newWorld(t, append(shop(2000, 2000, 2000), disrupting(v1alpha1.DisruptionPolicy{}))...)
	w.annotate(map[string]string{v1alpha1.AnnotationUpdater: "evict"})
	w.deploy(3, 1) // a rollout that hangs
	kept := func() bool { return w.recommendation().Status.Trying != "" }
	for hour := range 24 {
		w.round()
		if !kept() {
			t.Fatalf("not kept from it after %d hours", hour)
		}
		w.clock.Step(time.Hour)
		w.publish(500-int64(hour), nil) // Another revision does not begin the day anew.
		w.restart()
	}
	w.round()
	if kept() {
		t.Error("kept from it after more than a day")
	}
}

// A pod of a StatefulSet has no successor until it has ended, which some take long for; and where something keeps the successor from
// the revision all the same, another pod is evicted to try it.
func TestPodsThatTakeLongToEndAreNotEvictedWithoutEnd(t *testing.T) {
	for name, c := range map[string]struct {
		ends, comes time.Duration
		most        int
	}{
		"they take twelve minutes to end":           {12 * time.Minute, 0, 4},
		"their successors come after an hour alone": {0, time.Hour, 24 + 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, append(shop(2000, 2000, 2000, 2000), disrupting(v1alpha1.DisruptionPolicy{}))...)
			w.annotate(map[string]string{v1alpha1.AnnotationUpdater: "evict"})
			w.deploy(4, 4)
			seen := 0
			for end := w.clock.Now().Add(48 * time.Hour); w.clock.Now().Before(end); {
				w.publish(500, nil)
				w.finalize()
				w.round()
				for ; seen < len(w.evicted); seen++ {
					w.rounds(c.ends)
					w.unfinalize(w.evicted[seen])
					w.rounds(c.comes)
					w.admit(fmt.Sprintf("successor-%d", seen))
				}
				w.clock.Step(4 * time.Minute)
			}
			if len(w.evicted) > c.most {
				t.Errorf("%d evictions in two days, want at most %d", len(w.evicted), c.most)
			}
			if status := w.recommendation().Status; status.Trying != "" {
				t.Errorf("after two days new pods are still kept from %s", status.Trying)
			}
		})
	}
}

// finalize gives every pod a finalizer, so that it stays until unfinalize lets it go.
func (w *world) finalize() {
	w.t.Helper()
	pods := &corev1.PodList{}
	if err := w.client.List(w.t.Context(), pods, client.InNamespace("shop")); err != nil {
		w.t.Fatal(err)
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; len(pod.Finalizers) == 0 && pod.DeletionTimestamp == nil {
			pod.Finalizers = []string{"example.com/ends-slowly"}
			if err := w.client.Update(w.t.Context(), pod); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func (w *world) unfinalize(name string) {
	w.t.Helper()
	pod := w.pod(name)
	pod.Finalizers = nil
	if err := w.client.Update(w.t.Context(), pod); client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
}
