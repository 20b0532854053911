package apply_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/testkit"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// entry says that a manager set the number of pods, as the API server notes it: for the scale subresource without a time.
func entry(manager, subresource string) metav1.ManagedFieldsEntry {
	e := metav1.ManagedFieldsEntry{
		Manager: manager, Subresource: subresource, Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: &metav1.FieldsV1{},
	}
	e.FieldsV1.SetRawString(`{"f:spec":{"f:replicas":{}}}`)
	return e
}

func noted(annotation string, entries ...metav1.ManagedFieldsEntry) *metav1.ObjectMeta {
	meta := &metav1.ObjectMeta{ManagedFields: entries}
	if annotation != "" {
		meta.Annotations = map[string]string{v1alpha1.AnnotationScaled: annotation}
	}
	return meta
}

func TestANumberThatSomebodySetLatelyWins(t *testing.T) {
	const minutesAgo = "2026-11-20T11:50:00Z by kubectl-edit"
	recorded := func(replicas int32, ago time.Duration) apply.Scaling {
		return apply.Scaling{By: "kubectl", Replicas: replicas, At: noon.Add(-ago)}
	}
	cases := map[string]struct {
		workload *metav1.ObjectMeta
		onRecord apply.Scaling
		by       string
		wins     bool
	}{
		"kubectl scale, which nobody has seen yet": {workload: noted("", entry("kubectl", "scale")), by: "kubectl", wins: true},
		"kubectl scale, minutes ago":               {workload: noted("", entry("kubectl", "scale")), onRecord: recorded(7, time.Minute), by: "kubectl", wins: true},
		"kubectl scale, long ago":                  {workload: noted("", entry("kubectl", "scale")), onRecord: recorded(7, time.Hour), by: "kubectl"},
		"kubectl scale again, to another number":   {workload: noted("", entry("kubectl", "scale")), onRecord: recorded(8, time.Hour), by: "kubectl", wins: true},
		"kubectl scale, by somebody else before":   {workload: noted("", entry("keda", "scale")), onRecord: recorded(7, time.Hour), by: "keda", wins: true},
		"Loadline's own scaling":                   {workload: noted("", entry(v1alpha1.FieldManagerUpdater, "scale")), onRecord: recorded(7, time.Minute)},
		"a manifest that was applied":              {workload: noted("", entry("argocd-controller", ""))},
		"a change that the webhook noted":          {workload: noted(minutesAgo), by: "kubectl-edit", wins: true},
		"the later of both":                        {workload: noted(minutesAgo, entry("kubectl", "scale")), by: "kubectl", wins: true},
		"a note from a far future, as a typo":      {workload: noted("2036-11-20T11:50:00Z by kubectl-edit"), by: "kubectl-edit"},
		"a note that cannot be read":               {workload: noted("yesterday by me")},
		"a status that came through scale":         {workload: noted("", without(entry("kubectl", "scale")))},
		"a note of the API server without a field": {workload: noted("", metav1.ManagedFieldsEntry{Manager: "kubectl", Subresource: "scale"})},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, found := apply.LastScaling(c.workload, 7, c.onRecord, noon)
			if found != (c.by != "") || s.By != c.by || s.Wins(noon, time.Hour) != c.wins {
				t.Errorf("LastScaling() = %+v, %v, wins: %v; want %q, %v", s, found, s.Wins(noon, time.Hour), c.by, c.wins)
			}
			if s.Wins(noon, 0) {
				t.Error("it wins although nobody shall")
			}
		})
	}
}

// without is the entry of a manager that owns something else.
func without(e metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	e.FieldsV1 = &metav1.FieldsV1{}
	e.FieldsV1.SetRawString(`{"f:status":{"f:replicas":{}}}`)
	return e
}

func TestANoteOfAScalingReadsBack(t *testing.T) {
	want := apply.Scaling{By: "kubectl-edit by hand", At: noon}
	if got, ok := apply.NotedScaling(noted(apply.NoteScaling(want))); !ok || got != want {
		t.Errorf("read back %+v, %v; want %+v", got, ok, want)
	}
}

func TestTheDeclaredNumberIsThatOfTheManifest(t *testing.T) {
	kept := func(value string, entries ...metav1.ManagedFieldsEntry) *metav1.ObjectMeta {
		return &metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationOriginalReplicas: value}, ManagedFields: entries}
	}
	scaled := entry("kubectl", "scale")
	cases := map[string]struct {
		workload *metav1.ObjectMeta
		want     int32
	}{
		"what the webhook kept":                    {kept("3"), 3},
		"what the webhook kept, whoever scaled":    {kept("3", scaled), 3},
		"the present one, if nobody scaled":        {noted(""), 7},
		"unknown, if somebody scaled":              {noted("", scaled), 0},
		"the present one, if nothing sane is kept": {kept("-1"), 7},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := apply.DeclaredReplicas(c.workload, 7); got != c.want {
				t.Errorf("DeclaredReplicas() = %d, want %d", got, c.want)
			}
		})
	}
}

func TestACacheKeepsWhatTellsWhoScaled(t *testing.T) {
	workload := noted("", entry("argocd-controller", ""), entry("kubectl", "scale"))
	apply.KeepScaling(workload)
	if by, ok := apply.ScaledBy(workload); !ok || by != "kubectl" || len(workload.ManagedFields) != 1 {
		t.Errorf("kept %+v", workload.ManagedFields)
	}
}

func TestACacheKeepsWhoScaledAndNoOtherManagedFields(t *testing.T) {
	for name, c := range map[string]struct {
		object metav1.Object
		want   int
	}{
		"a Deployment":       {&appsv1.Deployment{ObjectMeta: *noted("", entry("argo", ""), entry("kubectl", "scale"))}, 1},
		"a kind of its own":  {testkit.ScaledRollout(), 1},
		"what has no number": {&corev1.Service{ObjectMeta: *noted("", entry("argo", ""), entry("kube-proxy", "status"))}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := apply.StripManagedFields(c.object); err != nil {
				t.Fatal(err)
			}
			if by, ok := apply.ScaledBy(c.object); len(c.object.GetManagedFields()) != c.want || ok != (c.want > 0) {
				t.Errorf("%d notes are kept, scaled by %q", len(c.object.GetManagedFields()), by)
			}
		})
	}
}
