package recommender

import (
	"math"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/history"
)

// reportShop has a CronJob that asks for 2 cores and 2 GiB, and what its runs used.
func reportShop(t *testing.T, runs []history.Run, pods ...*corev1.Pod) *v1alpha1.Recommendation {
	t.Helper()
	cron := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "report", UID: "uid"}}
	cron.Spec.JobTemplate.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "report:1", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("2Gi")},
	}}}
	s := newShop(t, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"), cron)
	for _, pod := range pods {
		if err := s.client.Create(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
	s.history.known["CronJob/report"] = history.Workload{Runs: runs, Containers: map[string]history.Container{}}
	target := Target{Namespace: "shop", Kind: kindCronJob, Name: "report"}
	if _, err := s.recommender.Reconcile(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	rec := &v1alpha1.Recommendation{}
	if err := s.client.Get(t.Context(), target.RecommendationKey(), rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

func dailyRuns(n int, cores, bytes float64) []history.Run {
	var runs []history.Run
	for i := range n {
		runs = append(runs, history.Run{
			Scheduled: noon.Add(-time.Duration(n-i) * day), Containers: map[string]history.RunPeak{"app": {CPU: cores, WorkingSet: bytes, RSS: math.NaN()}},
		})
	}
	return runs
}

func TestWhatTheNumberOfRunsAllows(t *testing.T) {
	for name, c := range map[string]struct {
		runs        int
		cores       float64
		ready       bool
		reason      string
		cpu, memory string
	}{
		"no run":             {0, 0.4, false, v1alpha1.ReasonNoHistory, "", ""},
		"two runs":           {2, 3, false, v1alpha1.ReasonWaitingForHistory, "", ""},
		"three runs raise":   {3, 3, true, v1alpha1.ReasonSized, "3150m", "2Gi"},
		"ten runs lower too": {10, 0.4, true, v1alpha1.ReasonSized, "1", "1Gi"},
	} {
		rec := reportShop(t, dailyRuns(c.runs, c.cores, 300*mebibyte))
		for _, condition := range rec.Status.Conditions {
			if condition.Type == v1alpha1.ConditionReady && condition.Reason != c.reason {
				t.Errorf("%s: Ready is %s because %s: %s", name, condition.Status, condition.Reason, condition.Message)
			}
		}
		if got := rec.Status.Applicable != nil; got != c.ready {
			t.Fatalf("%s: applicable %t, %v", name, got, rec.Status.Trail)
		}
		if !c.ready {
			continue
		}
		if got := rec.Status.Applicable.Containers[0].Target; got.CPU.String() != c.cpu || got.Memory.String() != c.memory {
			t.Errorf("%s: sized to %s and %s, want %s and %s", name, got.CPU, got.Memory, c.cpu, c.memory)
		}
	}
}

func TestRunsThatAreTooShortToBeMeasuredAreTold(t *testing.T) {
	short := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "report-29000000-x2k9z",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "report-29000000", Controller: new(true)}},
	}}
	short.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		StartedAt: metav1.Time{Time: noon.Add(-time.Hour)}, FinishedAt: metav1.Time{Time: noon.Add(-time.Hour + 12*time.Second)},
	}}}}
	rec := reportShop(t, nil, short)
	for _, f := range rec.Status.Findings {
		if f.Type == FindingRunsUnmeasured && strings.Contains(f.Message, "1 of 1 finished pods left no measurement: they took 12s to 12s") {
			return
		}
	}
	t.Errorf("findings %+v", rec.Status.Findings)
}
