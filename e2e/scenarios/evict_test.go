package scenarios

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// evictingShop has a Deployment and a StatefulSet of three pods each that have far more than they need.
var evictingShop = append(generous("evicting"), ofKind("StatefulSet", shop.InNamespace("evicting", []shop.Workload{{
	Name: "db", Replicas: 3, Requests: map[string]string{"cpu": "2", "memory": "2Gi"},
	CPU: shop.Flat(0.2), Memory: shop.Flat(300 * shop.Mebibyte),
}}))...)

func TestWhereAllIsDoneByEvictionOneNewPodTriesARevisionAndTheOthersAreKeptFromIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, "evicting", evictingShop)
	db := &appsv1.StatefulSet{}
	s.Expect(s.get("db", db)).To(Succeed())
	before := db.DeepCopy()
	db.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType}
	s.Expect(loadline.Client.Patch(t.Context(), db, client.MergeFrom(before))).To(Succeed())
	s.watching(10 * time.Minute)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationUpdater: "evict"})

	rec := s.when("Deployment", "web", "tries it on one pod", func(rec *v1alpha1.Recommendation) bool {
		return len(carrying(s.pods("web"), rec.Status.Revision)) == 1 && rec.Status.Trying == rec.Status.Revision
	})
	s.kubectlScale("deployment", "web", 5)
	s.Eventually(func() []string { return heldBack(s.pods("web")) }).Should(Equal([]string{"2", "2"}), "other new pods get what pods had before")
	s.Expect(carrying(s.pods("web"), rec.Status.Revision)).To(HaveLen(1))
	s.Expect(s.recommendation("Deployment", "web").Status.Outcomes).To(ConsistOf(HaveField("Result", v1alpha1.OutcomeEvicted)))

	// Nobody but a person deletes pods of a StatefulSet that is updated on deletion, so nobody else can try its sizes.
	rec = s.when("StatefulSet", "db", "says why no pod is evicted", func(rec *v1alpha1.Recommendation) bool {
		for _, c := range rec.Status.Conditions {
			if c.Type == v1alpha1.ConditionApplied {
				return strings.Contains(c.Message, "its update strategy is OnDelete")
			}
		}
		return false
	})
	s.Expect(cpuOf(s.pods("db"))).To(HaveEach("2"))
	deleted := s.pods("db")[0]
	s.Expect(loadline.Client.Delete(t.Context(), &deleted)).To(Succeed())
	s.Eventually(func() int { return len(carrying(s.pods("db"), rec.Status.Revision)) }).Should(Equal(1), "the next pod has what is recommended")
}

// carrying are the pods that came with the revision.
func carrying(pods []corev1.Pod, revision string) []corev1.Pod {
	var found []corev1.Pod
	for _, pod := range pods {
		if pod.Annotations[v1alpha1.AnnotationRevision] == revision && revision != "" {
			found = append(found, pod)
		}
	}
	return found
}
