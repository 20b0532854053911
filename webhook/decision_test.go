package webhook

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

func TestAPodTellsWhatWasChangedAndWhy(t *testing.T) {
	rec := recommend("Deployment", "checkout", container("app", "250m", "512Mi"), limits(v1alpha1.LimitNone, "", ""))
	rec.Status.Display.Why = "95 % of the time 0.22 cores are enough"
	w := newWorld(t, rec)
	got := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"1"},"limits":{"cpu":"2","memory":"1Gi"}}`)))
	annotation := func(key string) any { return at(t, got.object, "metadata", "annotations", key) }
	if changed := annotation(v1alpha1.AnnotationChanged); changed !=
		"app: cpu request 1 → 250m, cpu limit 2 → none, memory request 1Gi → 512Mi, memory limit 1Gi → none" {
		t.Errorf("changed: %v", changed)
	}
	if why := annotation(v1alpha1.AnnotationWhy); why != rec.Status.Display.Why {
		t.Errorf("why: %v", why)
	}
}

func TestWhatIsWrittenOnAPodIsBoundedAndCutBetweenCharacters(t *testing.T) {
	pod, d := &corev1.Pod{}, decision{
		original: map[string]apply.Resources{}, sized: map[string]apply.Resources{},
		revision: strings.Repeat("r", 64), why: strings.Repeat("促销", 300),
	}
	for i := range 100 {
		name := fmt.Sprintf("container-%03d", i)
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name})
		d.original[name] = apply.Resources{Requests: apply.Amounts{CPUMillis: 1001, MemoryBytes: 12345 * apply.MiB}}
		d.sized[name] = apply.Resources{Requests: apply.Amounts{CPUMillis: 251, MemoryBytes: 1234 * apply.MiB}}
	}
	written, err := d.annotations(pod)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for key, value := range written {
		total += len(key) + len(value)
		if !utf8.ValidString(value) {
			t.Errorf("%s is cut inside a character: %q", key, value)
		}
	}
	if total > 18<<10 || !strings.HasSuffix(written[v1alpha1.AnnotationChanged], "…") || !strings.HasSuffix(written[v1alpha1.AnnotationWhy], "…") {
		t.Errorf("%d bytes: %v", total, written)
	}
	pod.Annotations = written
	original, err := apply.Original(pod)
	if err != nil || len(original) != 100 || original["container-099"] != d.original["container-099"] {
		t.Errorf("the original is not complete: %d containers, %v", len(original), err)
	}
}

func TestAPodWithoutRoomForItsOriginalIsLeftAlone(t *testing.T) {
	var containers []string
	for i := range 400 {
		containers = append(containers, fmt.Sprintf(`{"name":"c%d","resources":{"requests":{"cpu":"1","memory":"1Gi"}}}`, i))
	}
	fullOf := func(bytes int) string {
		return podWith(`"annotations":{"a":"`+strings.Repeat("x", bytes)+`"},`, `{"name":"app","resources":{"requests":{"cpu":"1"}}}`)
	}
	for name, c := range map[string]struct{ pod, want string }{
		"the original takes too much":     {checkoutPod(`{}`, containers...), "pods annotations-full"},
		"other annotations leave no room": {fullOf(maxAnnotationBytes - 80), "pods annotations-full"},
		"there is room for what counts":   {fullOf(maxAnnotationBytes - 150), "pods injected"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
			got := w.send(t, PathMutatePods, createPod("shop", c.pod))
			if w.outcomes(t)[c.want] != 1 || !got.Allowed {
				t.Errorf("allowed=%v, counted %v, want %s", got.Allowed, w.outcomes(t), c.want)
			}
			if c.want == "pods injected" {
				if at(t, got.object, "metadata", "annotations", v1alpha1.AnnotationChanged) != nil {
					t.Error("what people read takes the last room")
				}
				return
			}
			if len(got.Patch) > 0 {
				t.Errorf("patched: %.200s", got.Patch)
			}
			if told := w.told(); len(told) != 1 || !strings.HasPrefix(told[0], "Warning PodLeftAlone new pods are admitted as they are: ") {
				t.Errorf("told %v", told)
			}
		})
	}
}
