package scenarios

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// keptShop has workloads of more pods than the policy allows.
var keptShop = shop.InNamespace("kept", []shop.Workload{six("free", "Deployment"), six("owned", "Deployment"), six("db", "StatefulSet")})

func six(name, kind string) shop.Workload {
	return shop.Workload{
		Name: name, Kind: kind, Replicas: 6, Requests: map[string]string{"cpu": "500m", "memory": "256Mi"},
		CPU: shop.Flat(0.05), Memory: shop.Flat(200 * shop.Mebibyte),
	}
}

func TestANumberOfPodsIsNotLoweredWhereAnotherControllerSetsItOrVolumesWouldGo(t *testing.T) {
	t.Parallel()
	s := newScene(t, "kept", keptShop)
	s.create(&v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		Spec: v1alpha1.SizingPolicySpec{
			Behavior: v1alpha1.Behavior{Down: v1alpha1.Movement{MaxStepPercent: new(int32(100))}},
			Replicas: v1alpha1.ReplicaPolicy{Max: new(int32(4))},
		},
	})
	operator := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "operator"}}
	s.create(operator)
	owned, db := s.deployment("owned"), &appsv1.StatefulSet{}
	before := owned.DeepCopy()
	s.Expect(controllerutil.SetControllerReference(operator, owned, loadline.Client.Scheme())).To(Succeed())
	s.Expect(loadline.Client.Patch(t.Context(), owned, client.MergeFrom(before))).To(Succeed())
	s.Expect(s.get("db", db)).To(Succeed())
	written := db.DeepCopy()
	db.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenScaled: appsv1.DeletePersistentVolumeClaimRetentionPolicyType}
	s.Expect(loadline.Client.Patch(t.Context(), db, client.MergeFrom(written))).To(Succeed())
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationReplicas: "auto"})

	s.Eventually(func() int32 { return *s.deployment("free").Spec.Replicas }).Should(Equal(int32(4)), "the number of the first is nobody else's")
	s.when("StatefulSet", "db", "says why it keeps its pods", func(rec *v1alpha1.Recommendation) bool {
		c := meta.FindStatusCondition(rec.Status.Conditions, v1alpha1.ConditionApplied)
		return c != nil && strings.Contains(c.Message, "6 pods run, 4 are recommended, and none goes: with each pod that goes its volumes are deleted")
	})
	s.when("Deployment", "owned", "says whose number it is", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Replicas != nil && rec.Status.Replicas.Owner == "ConfigMap/operator" && rec.Status.Replicas.Target != nil && *rec.Status.Replicas.Target == 4
	})
	s.Expect(s.get("db", db)).To(Succeed())
	s.Expect([]int32{*s.deployment("owned").Spec.Replicas, *db.Spec.Replicas}).To(Equal([]int32{6, 6}))

	// The way to other volume claims: the pods stay, and wait for a new StatefulSet to take them over.
	s.Expect(loadline.Client.Delete(t.Context(), db, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(Succeed())
	s.Eventually(func() bool { return apierrors.IsNotFound(s.get("db", &appsv1.StatefulSet{})) }).Should(BeTrue())
	again := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "db"}, Spec: db.Spec}
	s.create(again)
	s.Expect(*again.Spec.Replicas).To(Equal(int32(6)), "4 would take two of them at once, with their volumes")
}
