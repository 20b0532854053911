package scenarios

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// One job that runs for half an hour every day and asks for five times what it needs, one that ran twice only, and one that is
// killed for lack of memory in its first run.
var cronShop = shop.InNamespace("cron", []shop.Workload{
	{
		Name: "report", Kind: "CronJob", Runs: 12, RunLength: 30 * time.Minute,
		Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, CPU: shop.Flat(0.4), Memory: shop.Flat(300 * shop.Mebibyte),
	},
	{
		Name: "young", Kind: "CronJob", Runs: 2, RunLength: 30 * time.Minute,
		Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, CPU: shop.Flat(0.4), Memory: shop.Flat(300 * shop.Mebibyte),
	},
	{
		Name: "hungry", Kind: "CronJob", PodAnnotations: map[string]string{"e2e/oom": "app"},
		Requests: map[string]string{"cpu": "100m", "memory": "256Mi"}, Limits: map[string]string{"memory": "256Mi"},
	},
})

func TestTheRunsOfACronJobAreAdmittedWithWhatTheRunsBeforeNeeded(t *testing.T) {
	s := newScene(t, "cron", nil)
	for _, w := range cronShop {
		s.create(w.Object(started))
	}
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})

	// 0.4 cores and 15 %, and 300 MiB and 15 %: the first step down is half of what was there.
	rec := s.when("CronJob", "report", "is sized", func(rec *v1alpha1.Recommendation) bool { return rec.Status.Applicable != nil })
	s.Expect(rec.Spec.TargetRef.APIVersion).To(Equal("batch/v1"))
	want := target(rec.Status.Applicable)
	s.Expect(want).To(Equal(amounts("1", "1Gi")), describe(rec))
	s.Expect(describe(rec)).To(ContainSubstring("of the peaks of the last 12 runs is 0.400 cores"))
	pod := s.run(cronShop[0])
	s.Expect(requestsOf(pod)).To(Equal(want))
	s.Expect(pod.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationRevision, rec.Status.Revision))

	young := s.when("CronJob", "young", "waits for its third run", func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionReady) == v1alpha1.ReasonWaitingForHistory
	})
	s.Expect(young.Status.Applicable).To(BeNil())
	s.Expect(requestsOf(s.run(cronShop[1]))).To(Equal(amounts("2", "2Gi")), "two runs say nothing")

	s.run(cronShop[2])
	hungry := s.when("CronJob", "hungry", "learnt from the kill", func(rec *v1alpha1.Recommendation) bool {
		return len(rec.Status.OOMFloor) == 1 && rec.Status.Applicable != nil
	})
	s.Expect(target(hungry.Status.Applicable).MemoryBytes).To(Equal(amounts("", "356Mi").MemoryBytes), "256 MiB + 100 MiB")

	typo := cronShop[0].Object(started)
	typo.SetNamespace(s.namespace)
	typo.SetName("typo")
	typo.SetAnnotations(map[string]string{v1alpha1.AnnotationMode: "of"})
	s.Expect(loadline.Client.Create(s.t.Context(), typo)).To(MatchError(ContainSubstring(v1alpha1.AnnotationMode)))

	bare := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "migrate"}}
	bare.Spec.Template = cronShop[0].Object(started).(*batchv1.CronJob).Spec.JobTemplate.Spec.Template
	s.create(bare)
	s.Consistently(func() *v1alpha1.Recommendation { return s.recommendation("Job", "migrate") }, 5*time.Second).
		Should(BeNil(), "a bare Job gets none")
}

// run creates the Job of a run, as the CronJob controller does at its time, and returns its pod.
func (s scene) run(w shop.Workload) corev1.Pod {
	s.t.Helper()
	cron := &batchv1.CronJob{}
	s.Expect(s.get(w.Name, cron)).To(Succeed())
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: w.JobName(time.Now()),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(cron, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
		},
		Spec: cron.Spec.JobTemplate.Spec,
	}
	s.create(job)
	var pods corev1.PodList
	s.Eventually(func() int {
		s.Expect(loadline.Client.List(s.t.Context(), &pods, client.InNamespace(s.namespace), client.MatchingLabels{batchv1.JobNameLabel: job.Name})).To(Succeed())
		return len(pods.Items)
	}).Should(BeNumerically(">=", 1), "pods of Job %s", job.Name)
	return pods.Items[0]
}
