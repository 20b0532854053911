package scenarios

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// rollouts is a kind of our own, shaped like Argo's: it has a template, a number of pods, a scale subresource, and ReplicaSets
// that make its pods. The test plays its controller.
var rollouts = config.ScaleKind{
	Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout", Resource: "rollouts", PodTemplateHashLabel: "rollouts-pod-template-hash",
}

const rolloutHash = "6d4cf56db6"

// rolloutDefinition is the kind, the rights that Loadline needs for it, and nothing else.
const rolloutDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
spec:
  group: argoproj.io
  scope: Namespaced
  names: {kind: Rollout, plural: rollouts, singular: rollout}
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {replicas: {type: integer}}}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {replicas: {type: integer}}}
      subresources:
        status: {}
        scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: loadline-rollouts
  labels: {loadline.dev/aggregate-to-recommender: "true", loadline.dev/aggregate-to-updater: "true"}
rules:
  - {apiGroups: [argoproj.io], resources: [rollouts], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: loadline-rollouts-scale
  labels: {loadline.dev/aggregate-to-updater: "true"}
rules:
  - {apiGroups: [argoproj.io], resources: [rollouts/scale], verbs: [get, update]}
`

// defineRollouts brings the kind into the cluster, as the administrator does before the kind is configured.
func defineRollouts(ctx context.Context, cluster *harness.Cluster) error {
	file := filepath.Join(cluster.Dir, "rollouts.yaml")
	if err := os.WriteFile(file, []byte(rolloutDefinition), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"apply", "--server-side", "-f", file}, {"wait", "--for=condition=Established", "--timeout=30s", "crd/rollouts.argoproj.io"}} {
		cmd := exec.CommandContext(ctx, cluster.KubectlPath, append(args, "--kubeconfig", cluster.Kubeconfig)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}

var rolloutShop = shop.InNamespace("rollouts", []shop.Workload{{ // Two pods share what four pods did.
	Name: "web", Replicas: 2, PastPods: 4, Requests: map[string]string{"cpu": "500m", "memory": "512Mi"},
	CPU: shop.Flat(0.3), Memory: shop.Flat(200 * shop.Mebibyte),
}})

func TestAKindWithAScaleSubresourceIsTreatedLikeADeployment(t *testing.T) {
	s := newScene(t, "rollouts", nil)
	s.alsoAsk()
	s.rollOutReplicaSet(s.createRollout(2), 2)
	s.running("web", 2)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationReplicas: "auto"})

	rec := s.when("Rollout", "web", "recommends more pods", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Applicable != nil && rec.Status.Applicable.Replicas != nil && *rec.Status.Applicable.Replicas > 2
	})
	s.Expect(rec.Spec.TargetRef.APIVersion).To(Equal("argoproj.io/v1alpha1"))
	s.Eventually(s.rolloutReplicas).Should(Equal(int64(4)), "scaled through the subresource")

	rs := &appsv1.ReplicaSet{}
	s.Expect(s.get("web-"+rolloutHash, rs)).To(Succeed())
	rs.Spec.Replicas = new(int32(4))
	s.Expect(loadline.Client.Update(t.Context(), rs)).To(Succeed())
	s.running("web", 4)
	s.isCorrected()
	s.Eventually(func() bool {
		for _, pod := range s.pods("web") {
			if pod.Annotations[v1alpha1.AnnotationRevision] != "" && requestsOf(pod).MemoryBytes < 512*shop.Mebibyte {
				return true
			}
		}
		return false
	}).Should(BeTrue(), "new pods are admitted with their sizes")

	s.Expect(loadline.Client.Delete(t.Context(), s.rollout())).To(Succeed())
	created := s.createRollout(2)
	replicas, _, err := unstructured.NestedInt64(created.Object, "spec", "replicas")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(replicas).To(BeNumerically(">", 2), "injected at admission")

	s.kubectlScale("rollout", "web", 1)
	s.when("Rollout", "web", "tells whose number it leaves alone", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Replicas != nil && rec.Status.Replicas.YieldsTo != ""
	})
	s.Consistently(s.rolloutReplicas, yieldFor/3, 200*time.Millisecond).Should(Equal(int64(1)), "a person's number wins here as well")
}

// isCorrected tries what people get wrong: a mistyped annotation is refused, and what is unwise is warned about.
func (s scene) isCorrected() {
	s.t.Helper()
	said := &warnings{}
	person := s.personWhoHears(said)
	try := func(change func(*unstructured.Unstructured)) error {
		object := s.rollout()
		s.Expect(s.get("web", object)).To(Succeed())
		change(object)
		return person.Update(s.t.Context(), object, client.DryRunAll)
	}
	s.Eventually(func() error {
		return try(func(object *unstructured.Unstructured) {
			object.SetAnnotations(map[string]string{v1alpha1.AnnotationUpdater: "inplace"})
		})
	}).Should(MatchError(And(ContainSubstring(v1alpha1.AnnotationUpdater), ContainSubstring("inplace"))))
	s.Eventually(func() []string {
		said.said = nil
		s.Expect(try(func(object *unstructured.Unstructured) {
			pasted := map[string]string{v1alpha1.AnnotationRevision: "pasted"}
			s.Expect(unstructured.SetNestedStringMap(object.Object, pasted, "spec", "template", "metadata", "annotations")).To(Succeed())
		})).To(Or(Succeed(), Satisfy(apierrors.IsConflict)))
		return said.said
	}).Should(ContainElement(ContainSubstring("in a template it is not believed")))
}

// alsoAsk adds Rollouts to what the API server asks the webhook about, as the manifests for this kind do.
func (s scene) alsoAsk() {
	s.t.Helper()
	rule := admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{rollouts.Group}, APIVersions: []string{rollouts.Version}, Resources: []string{rollouts.Resource},
			Scope: new(admissionregistrationv1.NamespacedScope),
		},
	}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
	s.Expect(loadline.Client.Get(s.t.Context(), types.NamespacedName{Name: "loadline-mutating"}, mutating)).To(Succeed())
	for i := range mutating.Webhooks {
		if mutating.Webhooks[i].Name == "workloads.loadline.dev" {
			mutating.Webhooks[i].Rules = append(mutating.Webhooks[i].Rules, rule)
		}
	}
	s.Expect(loadline.Client.Update(s.t.Context(), mutating)).To(Succeed())
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	s.Expect(loadline.Client.Get(s.t.Context(), types.NamespacedName{Name: "loadline-validating"}, validating)).To(Succeed())
	for i := range validating.Webhooks {
		if name := validating.Webhooks[i].Name; name == "workloads.loadline.dev" || name == "advise-workloads.loadline.dev" {
			validating.Webhooks[i].Rules = append(validating.Webhooks[i].Rules, rule)
		}
	}
	s.Expect(loadline.Client.Update(s.t.Context(), validating)).To(Succeed())
}

func (s scene) rollout() *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}}
	object.SetNamespace(s.namespace)
	object.SetName("web")
	return object
}

func (s scene) createRollout(replicas int64) *unstructured.Unstructured {
	s.t.Helper()
	object := s.rollout()
	object.Object["spec"] = map[string]any{"replicas": replicas, "template": map[string]any{
		"metadata": map[string]any{"labels": map[string]any{"app": "web"}},
		"spec": map[string]any{"containers": []any{map[string]any{
			"name": "app", "image": "registry.example/web:1",
			"resources": map[string]any{"requests": map[string]any{"cpu": "500m", "memory": "512Mi"}},
		}}},
	}}
	s.create(object)
	return object
}

func (s scene) rolloutReplicas() int64 {
	s.t.Helper()
	object := s.rollout()
	s.Expect(s.get("web", object)).To(Succeed())
	replicas, _, err := unstructured.NestedInt64(object.Object, "spec", "replicas")
	s.Expect(err).NotTo(HaveOccurred())
	return replicas
}

// rollOutReplicaSet makes the ReplicaSet that the kind's controller would make.
func (s scene) rollOutReplicaSet(owner client.Object, replicas int32) {
	s.t.Helper()
	template := rolloutShop[0].Object(started).(*appsv1.Deployment).Spec.Template
	template.Labels[rollouts.PodTemplateHashLabel] = rolloutHash
	s.create(&appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: "web-" + rolloutHash,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "web", UID: owner.GetUID(), Controller: new(true)}},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas, Template: corev1.PodTemplateSpec{ObjectMeta: template.ObjectMeta, Spec: template.Spec},
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web", rollouts.PodTemplateHashLabel: rolloutHash}},
		},
	})
}
