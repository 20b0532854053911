package updater

import (
	"errors"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// scaler is the autoscaler of Deployment checkout.
func scaler(minimum int32, note string) *autoscalingv2.HorizontalPodAutoscaler {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "scaler"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "checkout"}, MinReplicas: &minimum, MaxReplicas: 9,
		},
	}
	if note != "" {
		hpa.Annotations = map[string]string{v1alpha1.AnnotationRaisedMinimum: note}
	}
	return hpa
}

// minimum is the minReplicas of the autoscaler and the note on it.
func (w *world) minimum() (replicas int32, note string) {
	w.t.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: "scaler"}, hpa); err != nil {
		w.t.Fatal(err)
	}
	return *hpa.Spec.MinReplicas, hpa.Annotations[v1alpha1.AnnotationRaisedMinimum]
}

func TestTheMinimumOfAnAutoscalerIsRaisedAndComesBackWhenSomebodyOptsOut(t *testing.T) {
	w := newWorld(t, append(shop(500, 500), scaler(2, ""))...)
	w.annotate(map[string]string{v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationReplicas: "auto"})
	rec := w.recommendation()
	rec.Status.Applicable.AutoscalerMinReplicas = new(int32(6))
	if err := w.client.Status().Update(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	for range 8 { // Past the warm-up.
		w.round()
	}
	if got, note := w.minimum(); got != 6 || note != "2 raised to 6" {
		t.Errorf("minimum = %d, note %q; want 6, and 2 kept", got, note)
	}
	w.restart()
	w.annotate(map[string]string{v1alpha1.AnnotationMode: "off"})
	for range 8 {
		w.round()
	}
	if got, note := w.minimum(); got != 2 || note != "" {
		t.Errorf("after opting out: minimum = %d, note %q; want 2 and no note", got, note)
	}
	if told := w.told(); len(told) != 2 || told[0] != "MinReplicasChanged" {
		t.Errorf("told %v, want it for each of both changes", told)
	}
}

func TestTheMinimumComesBackWhereNothingElseIsLeft(t *testing.T) {
	w := newWorld(t, scaler(6, "2 raised to 6"))
	for range 8 {
		w.round()
	}
	if got, note := w.minimum(); got != 2 || note != "" {
		t.Errorf("minimum = %d, note %q; want 2 and no note", got, note)
	}
}

func TestAMinimumThatIsRefusedIsAskedForLessAndLessOften(t *testing.T) {
	hpa := scaler(6, "2 raised to 6")
	hpa.UID = "scaler-1"
	w := newWorld(t, hpa)
	w.minimumError = apierrors.NewForbidden(schema.GroupResource{Resource: "horizontalpodautoscalers"}, "scaler", errors.New("by policy"))
	for range 120 { // an hour
		w.round()
	}
	if w.minimumTries < 8 || w.minimumTries > 20 {
		t.Errorf("asked for %d times in an hour, want at first after seconds and then every five minutes", w.minimumTries)
	}
	w.minimumError = nil
	for range 20 {
		w.round()
	}
	if got, note := w.minimum(); got != 2 || note != "" {
		t.Errorf("minimum = %d, note %q; want 2 and no note, once it is allowed", got, note)
	}
}
