package scenarios

import (
	"os/exec"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// yieldFor is how long a number of pods that somebody set is left alone in all scenarios.
const yieldFor = 15 * time.Second

var gitOpsShop = shop.InNamespace("gitops", []shop.Workload{{ // Two pods share what four pods did, which is one step away.
	Name: "web", Replicas: 2, PastPods: 4, Requests: map[string]string{"cpu": "500m", "memory": "256Mi"},
	CPU: shop.Flat(0.3), Memory: shop.Flat(200 * shop.Mebibyte),
}})

func TestAManifestThatIsAppliedAgainAndAgainDoesNotFlapAndAPersonWins(t *testing.T) {
	s := newScene(t, "gitops", gitOpsShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "initial", v1alpha1.AnnotationReplicas: "auto"})
	rec := s.when("Deployment", "web", "recommends more pods", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Applicable != nil && rec.Status.Applicable.Replicas != nil && *rec.Status.Applicable.Replicas > 2
	})
	recommended := *rec.Status.Applicable.Replicas
	web := gitOpsShop[0].Object(started)
	s.Expect(loadline.Client.Delete(t.Context(), web, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
	s.Eventually(func() bool { return apierrors.IsNotFound(s.get("web", &appsv1.Deployment{})) }).Should(BeTrue())
	s.create(gitOpsShop[0].Object(started))
	s.running("web", recommended)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})

	s.applyManifest() // takes the field over, which is a change of its own
	before := s.deployment("web")
	s.Expect(*before.Spec.Replicas).To(Equal(recommended), "the manifest asks for 2, as before")
	s.Consistently(func() int64 {
		s.applyManifest()
		return s.deployment("web").Generation
	}, 5*time.Second, 200*time.Millisecond).Should(Equal(before.Generation), "applying the manifest again changes nothing")

	// A person scales, and is not overruled: not by the manifest, not by Loadline, not even by one that was just started.
	scaled := time.Now()
	s.kubectlScale("deployment", "web", 1)
	start := stopPart(t, install.Updater)
	start()
	s.when("Deployment", "web", "tells whose number it leaves alone", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Replicas != nil && rec.Status.Replicas.YieldsTo != ""
	})
	s.Consistently(func() int32 {
		s.applyManifest()
		return *s.deployment("web").Spec.Replicas
	}, time.Until(scaled.Add(yieldFor/2)), 200*time.Millisecond).Should(Equal(int32(1)), "the person's number")
	s.Eventually(func() int32 { return *s.deployment("web").Spec.Replicas }).Should(BeNumerically(">", 1), "in the end Loadline decides again")
	s.Expect(time.Since(scaled)).To(BeNumerically(">", yieldFor-2*time.Second), "after the time it yields for")
}

// applyManifest applies what Git has to say about web: two pods. It insists, as such tools do.
func (s scene) applyManifest() {
	s.t.Helper()
	manifest := appsv1ac.Deployment("web", s.namespace).WithSpec(appsv1ac.DeploymentSpec().WithReplicas(2))
	s.Expect(loadline.Client.Apply(s.t.Context(), manifest, client.FieldOwner("gitops"), client.ForceOwnership)).To(Succeed())
}

func (s scene) kubectlScale(kind, name string, replicas int) {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), cluster.KubectlPath, "--kubeconfig", cluster.Kubeconfig, "--namespace", s.namespace,
		"scale", kind, name, "--replicas="+strconv.Itoa(replicas)).CombinedOutput()
	s.Expect(err).NotTo(HaveOccurred(), "kubectl scale: %s", out)
}

func (s scene) deployment(name string) *appsv1.Deployment {
	s.t.Helper()
	d := &appsv1.Deployment{}
	s.Expect(s.get(name, d)).To(Succeed())
	return d
}
