package recommender

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/internal/testkit"
)

// waiting is a pod of checkout that was asked to have so much CPU and has 1 core.
func waiting(asked string, reason string, since time.Time) *corev1.Pod {
	pod := testkit.Deployment("shop", "checkout", 2).Container("app", asked, "1Gi").Pod(0).Object()
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", Resources: new(testkit.Container("app", "1", "1Gi").Resources),
	}}
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: metav1.Time{Time: since},
	})
	return pod
}

func TestARaiseThatTheNodeDoesNotGiveIsPendingSinceItWasPutOff(t *testing.T) {
	since := map[string]time.Time{"app": noon}
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want map[string]time.Time
	}{
		"put off":            {waiting("2", corev1.PodReasonDeferred, noon), since},
		"impossible":         {waiting("2", corev1.PodReasonInfeasible, noon), since},
		"a lowering is none": {waiting("500m", corev1.PodReasonDeferred, noon), map[string]time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, pendingRaises(c.pod)); diff != "" {
				t.Errorf("pending (-want +got):\n%s", diff)
			}
		})
	}
	over := waiting("2", corev1.PodReasonDeferred, noon)
	over.Status.Conditions[len(over.Status.Conditions)-1].Status = corev1.ConditionFalse
	if got := pendingRaises(over); got != nil {
		t.Errorf("a raise that is over is pending: %v", got)
	}
}

func TestTheLongestWaitOfAWorkloadsPodsCounts(t *testing.T) {
	first, second := waiting("2", corev1.PodReasonDeferred, noon.Add(-time.Minute)), waiting("2", corev1.PodReasonDeferred, noon.Add(-2*time.Hour))
	second.Name = "checkout-other"
	for _, pod := range []*corev1.Pod{first, second} {
		if _, err := stripPod(pod); err != nil {
			t.Fatal(err)
		}
	}
	in := newShop(t, testkit.Namespace("shop", "loadline.dev/mode", "auto"), first, second,
		testkit.Deployment("shop", "checkout", 2).Container("app", "1", "1Gi").Object()).gather()
	if diff := cmp.Diff(map[string]time.Time{"app": noon.Add(-2 * time.Hour)}, in.PendingRaises); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
}
