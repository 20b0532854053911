package scenarios

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var (
	refusalShop = oversized("refusal")
	standingBad = shop.InNamespace("standing", nil)
)

func TestBadInputIsRefusedWithAMessageThatHelps(t *testing.T) {
	s := newScene(t, "refusal", refusalShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	s.ready("Deployment", "web")

	for annotation, value := range map[string]string{
		v1alpha1.AnnotationMode:                 "automatic",
		v1alpha1.AnnotationReplicas:             "yes",
		v1alpha1.AnnotationEventPrefix + "sale": "next friday demand=300%",
		v1alpha1.Group + "/mod":                 "auto",
	} {
		err := s.tryAnnotate(map[string]string{annotation: value})
		s.Expect(err).To(HaveOccurred(), annotation)
		s.Expect(err.Error()).To(And(ContainSubstring(annotation), ContainSubstring(value)))
	}
	s.Expect(s.tryAnnotate(map[string]string{v1alpha1.AnnotationMode: "automatic"})).
		To(MatchError(ContainSubstring("dry-run")), "the message names what is legal")

	web := &appsv1.Deployment{}
	s.Expect(s.get("web", web)).To(Succeed())
	s.Expect(annotateObject(t.Context(), web, map[string]string{v1alpha1.AnnotationApproval: "ask-bob"})).
		To(MatchError(And(ContainSubstring(v1alpha1.AnnotationApproval), ContainSubstring("ask-bob"), ContainSubstring("manual"))))

	policy := &v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "night"},
		Spec: v1alpha1.SizingPolicySpec{Disruption: v1alpha1.DisruptionPolicy{Windows: []v1alpha1.Window{
			{Start: "61 2 * * *", Duration: metav1.Duration{Duration: time.Hour}, TimeZone: "Europe/Berlin"},
		}}},
	}
	s.Expect(loadline.Client.Create(t.Context(), policy)).To(MatchError(And(ContainSubstring("61 2 * * *"), ContainSubstring("windows"))))

	rec := s.recommendation("Deployment", "web")
	edited := rec.DeepCopy()
	edited.Spec.TargetRef.Name = "other"
	s.Expect(loadline.Client.Update(t.Context(), edited)).To(MatchError(ContainSubstring("immutable")))
	edited = rec.DeepCopy()
	edited.Spec.ApprovedRevision = "0123456789abcdef"
	s.Expect(loadline.Client.Update(t.Context(), edited)).To(MatchError(ContainSubstring("0123456789abcdef")), "nobody can approve what does not exist")
}

func TestABadAnnotationThatIsAlreadyStoredBlocksNeitherAnUpdateNorTheDeletion(t *testing.T) {
	s := newScene(t, "standing", standingBad)
	// It could be stored because the webhook was down at the time.
	start := stopPart(t, install.Webhook)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "automatic"})
	workload := shop.Workload{Namespace: s.namespace, Name: "web", Annotations: map[string]string{v1alpha1.AnnotationMode: "automatic"}}
	s.create(workload.Object(started))
	start()

	s.annotate(map[string]string{"example.com/team": "checkout"})
	web := &appsv1.Deployment{}
	s.Expect(s.get("web", web)).To(Succeed())
	s.Expect(annotateObject(t.Context(), web, map[string]string{"example.com/team": "checkout"})).To(Succeed())
	s.Expect(s.tryAnnotate(map[string]string{v1alpha1.AnnotationMode: "automagic"})).NotTo(Succeed(), "another bad value is still refused")

	s.Expect(loadline.Client.Delete(t.Context(), web)).To(Succeed())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	s.Expect(loadline.Client.Delete(t.Context(), namespace)).To(Succeed())
	s.Eventually(func() bool {
		return apierrors.IsNotFound(loadline.Client.Get(t.Context(), types.NamespacedName{Name: s.namespace}, namespace))
	}).Should(BeTrue(), "the namespace can be deleted")
}
