package updater

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

func TestTheProbeBelievesOnlyAPodThatCarriesRevisionAndSizes(t *testing.T) {
	admitted := func() *corev1.Pod {
		pod := probePod("loadline-probe")
		pod.Annotations = map[string]string{v1alpha1.AnnotationRevision: apply.Revision(probeValues())}
		sized := apply.Desired(probeValues(), apply.Present(pod), apply.ForNewPod)[probeContainer]
		pod.Spec.Containers[0].Resources = sized.Into(pod.Spec.Containers[0].Resources)
		return pod
	}
	cases := map[string]struct {
		change func(*corev1.Pod)
		want   string
	}{
		"as it should be":    {func(*corev1.Pod) {}, ""},
		"without a revision": {func(p *corev1.Pod) { p.Annotations = nil }, "the webhook is not called"},
		"of an old revision": {func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationRevision] = "old" }, "the webhook is not called"},
		"with other sizes":   {func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Requests["cpu"] = quantity("1") }, "something else changes pods"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pod := admitted()
			c.change(pod)
			got := checkProbe(pod)
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("reason = %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestTheProbeRepairsWhatItRestsOn(t *testing.T) {
	w := newWorld(t, shop(500)...)
	w.round()
	name := client.ObjectKey{Namespace: "loadline-probe", Name: "deployment-admission-probe"}
	rec := &v1alpha1.Recommendation{}
	if err := w.client.Get(t.Context(), name, rec); err != nil {
		t.Fatal(err)
	}
	if rec.Status.Applicable == nil || rec.Status.Applicable.Revision != apply.Revision(apply.FromAPI(rec.Status.Applicable)) {
		t.Fatalf("applicable = %+v, want sizes named by their own hash", rec.Status.Applicable)
	}
	if err := w.client.Delete(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	w.admits = false
	w.round()
	w.admits = true
	w.round()
	if err := w.client.Get(t.Context(), name, &v1alpha1.Recommendation{}); err != nil {
		t.Errorf("after a failed and a good round: %v", err)
	}
}
