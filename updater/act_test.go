package updater

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

func resizeOf(pod *corev1.Pod) plan.Action {
	return plan.Action{
		Kind: plan.Resize, Workload: checkout, Pod: pod.Name, UID: pod.UID, Revision: "new", Original: apply.Present(pod),
		Containers: map[string]apply.Resources{"app": {Requests: apply.Amounts{CPUMillis: 500, MemoryBytes: 512 * apply.MiB}}},
	}
}

func TestWhatSomebodyPastedIntoATemplateIsNotBelieved(t *testing.T) {
	objects := shop(2000, 2000)
	revision := objects[2].(*v1alpha1.Recommendation).Status.Applicable.Revision
	pasted := map[string]string{
		v1alpha1.AnnotationOriginal: `{"app":{"requests":{"cpu":"9","memory":"9Gi"},"limits":{"memory":"9Gi"}}}`, v1alpha1.AnnotationRevision: revision,
	}
	deployment := objects[1].(*appsv1.Deployment)
	deployment.Spec.Template.Annotations = pasted
	objects[3].(*corev1.Pod).Annotations = maps.Clone(pasted)
	admitted := maps.Clone(pasted) // by a webhook that found what the pod asked for itself
	admitted[v1alpha1.AnnotationOriginal], admitted[v1alpha1.AnnotationRevision] = `{"app":{"requests":{"cpu":"3","memory":"512Mi"}}}`, "older"
	objects[4].(*corev1.Pod).Annotations = admitted
	w := newWorld(t, append(objects, disrupting(withoutCanary()))...)
	w.round()
	if diff := cmp.Diff([]string{"checkout-0", "checkout-1"}, w.resized); diff != "" {
		t.Fatalf("resized (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"checkout-0": `{"app":{"requests":{"cpu":"2","memory":"512Mi"}}}`, "checkout-1": admitted[v1alpha1.AnnotationOriginal],
	} {
		if got := w.pod(name).Annotations[v1alpha1.AnnotationOriginal]; got != want {
			t.Errorf("%s: original = %s, want %s", name, got, want)
		}
		if limits := w.pod(name).Spec.Containers[0].Resources.Limits; len(limits) > 0 {
			t.Errorf("%s: limits %v, which it never had", name, limits)
		}
	}
	w.round()
	if got := w.recommendation().Status.Outcomes; len(got) != 2 {
		t.Errorf("outcomes = %+v, want the two resizes and nobody blamed", got)
	}
}

func TestAPodThatTookTheNameInBetweenIsNotTouched(t *testing.T) {
	w := newWorld(t, shop(100)...)
	action := resizeOf(w.pod("checkout-0"))
	action.UID = "that-of-its-predecessor"
	pod := w.pod("checkout-0")
	pod.Annotations = map[string]string{v1alpha1.AnnotationOriginal: "{}"}
	if err := w.client.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	got, message := w.controller.actor.do(t.Context(), action)
	if got != answerGone || len(w.resized) != 0 {
		t.Errorf("answer = %s (%s), resized %v; want the pod left alone", got, message, w.resized)
	}
}

func TestWhatAPodHadAtFirstIsNeverOverwritten(t *testing.T) {
	w := newWorld(t, shop(100)...)
	pod := w.pod("checkout-0")
	pod.Annotations = map[string]string{v1alpha1.AnnotationOriginal: `{"app":{"requests":{"cpu":"50m"}}}`}
	if err := w.client.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if got, message := w.controller.actor.do(t.Context(), resizeOf(pod)); got != answerDone {
		t.Fatalf("answer = %s (%s)", got, message)
	}
	if got := w.pod("checkout-0").Annotations[v1alpha1.AnnotationOriginal]; !strings.Contains(got, "50m") {
		t.Errorf("original = %s, want what it was before the first change", got)
	}
}

func TestAResizeLeavesOtherContainersAndResourcesAlone(t *testing.T) {
	objects := shop(100)
	pod := podOf("checkout-1", 100)
	pod.Spec.Containers[0].Resources.Requests["example.com/gpu"] = quantity("1")
	pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "sidecar", Resources: podOf("x", 30).Spec.Containers[0].Resources})
	pod.Status.ContainerStatuses = nil
	w := newWorld(t, append(objects, pod)...)
	if got, message := w.controller.actor.do(t.Context(), resizeOf(pod)); got != answerDone {
		t.Fatalf("answer = %s (%s)", got, message)
	}
	after := w.pod("checkout-1").Spec.Containers
	if gpu := after[0].Resources.Requests["example.com/gpu"]; gpu.String() != "1" {
		t.Errorf("the container lost its extended resource: %v", after[0].Resources)
	}
	if got := after[1].Resources.Requests.Cpu().String(); got != "30m" {
		t.Errorf("the sidecar asks for %s, want its own 30m", got)
	}
}

func TestAPersonWhoScaledInBetweenWins(t *testing.T) {
	w := newWorld(t, shop(500, 500)...)
	action := plan.Action{Kind: plan.Scale, Workload: checkout, From: 5, To: 9}
	if got, message := w.controller.actor.do(t.Context(), action); got != answerChanged {
		t.Errorf("answer = %s (%s), want %s", got, message, answerChanged)
	}
	action.From = 2
	if got, message := w.controller.actor.do(t.Context(), action); got != answerDone {
		t.Fatalf("answer = %s (%s)", got, message)
	}
	d := &appsv1.Deployment{}
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "checkout"}, d); err != nil {
		t.Fatal(err)
	}
	if *d.Spec.Replicas != 9 {
		t.Errorf("replicas = %d, want 9", *d.Spec.Replicas)
	}
}
