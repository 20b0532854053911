package apply_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

func podAsking(annotation string) *corev1.Pod {
	pod := &corev1.Pod{}
	if annotation != "" {
		pod.Annotations = map[string]string{v1alpha1.AnnotationOriginal: annotation}
	}
	pod.Spec.InitContainers = []corev1.Container{{Name: "migrate", Resources: corev1.ResourceRequirements{Requests: list("cpu", "100m")}}}
	pod.Spec.Containers = []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Requests: list("cpu", "2", "memory", "4Gi")}}}
	return pod
}

func TestOriginalIsThePresentSpecWithoutAnAnnotation(t *testing.T) {
	got, err := apply.Original(podAsking(""))
	want := map[string]apply.Resources{
		"migrate": {Requests: apply.Amounts{CPUMillis: 100}},
		"app":     {Requests: apply.Amounts{CPUMillis: 2000, MemoryBytes: 4096 * mib}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, (-want +got):\n%s", err, diff)
	}
}

func TestOriginalComesFromTheAnnotation(t *testing.T) {
	got, err := apply.Original(podAsking(`{"app":{"requests":{"cpu":"500m"},"limits":{"memory":"1Gi"}},"left":{}}`))
	want := map[string]apply.Resources{
		"migrate": {Requests: apply.Amounts{CPUMillis: 100}}, // Injected later: not in the annotation.
		"app":     {Requests: apply.Amounts{CPUMillis: 500}, Limits: apply.Amounts{MemoryBytes: 1024 * mib}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, (-want +got):\n%s", err, diff)
	}
}

func TestACorruptAnnotationCountsAsAbsentAndSaysSo(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":           `{"app":`,
		"not an object":      `[1,2]`,
		"unknown field":      `{"app":{"request":{}}}`,
		"not a quantity":     `{"app":{"requests":{"cpu":"many"}}}`,
		"negative amount":    `{"app":{"limits":{"memory":"-1Gi"}}}`,
		"text after the end": `{} {}`,
		"far too large":      `{"app":{}}` + strings.Repeat(" ", apply.MaxOriginalBytes),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := apply.Original(podAsking(text))
			if err == nil || !strings.Contains(err.Error(), v1alpha1.AnnotationOriginal) {
				t.Errorf("error = %v, want one that names the annotation", err)
			}
			if diff := cmp.Diff(apply.Present(podAsking("")), got); diff != "" {
				t.Errorf("not what the pod has now:\n%s", diff)
			}
		})
	}
}

func TestTheAnnotationGivesBackWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyPod().Draw(t, "pod")
		text, err := apply.EncodeOriginal(want)
		if err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{}
		pod.Annotations = map[string]string{v1alpha1.AnnotationOriginal: text}
		for name := range want {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name})
		}
		got, err := apply.Original(pod)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("error %v, (-want +got):\n%s", err, diff)
		}
	})
}

func TestTheAnnotationIsBounded(t *testing.T) {
	many := map[string]apply.Resources{}
	for i := range 1000 {
		many[fmt.Sprintf("container-%d", i)] = apply.Resources{Requests: apply.Amounts{CPUMillis: 1}}
	}
	if text, err := apply.EncodeOriginal(many); err == nil {
		t.Errorf("%d bytes were accepted", len(text))
	}
}

func FuzzOriginalNeverPanics(f *testing.F) {
	f.Add(`{"app":{"requests":{"cpu":"500m"},"limits":{"memory":"1Gi"}}}`)
	f.Add(`{"app":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, _ := apply.Original(podAsking(text))
		if len(got) != 2 {
			t.Errorf("%d containers, the pod has 2", len(got))
		}
		for name, r := range got {
			if min(r.Requests.CPUMillis, r.Requests.MemoryBytes, r.Limits.CPUMillis, r.Limits.MemoryBytes) < 0 {
				t.Errorf("container %s has a negative amount: %+v", name, r)
			}
		}
	})
}
