package apitest

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The webhook configurations are in force and nobody answers. People and controllers must not notice, whatever they write: a
// condition that failed on an object without a name or without annotations would let it pass unseen, or stop it.
func TestEverythingIsStillCreatedWhileTheWebhookIsAway(t *testing.T) {
	optedIn := namespace("opted-in", map[string]string{"loadline.dev/admission": "enabled"}, map[string]string{"loadline.dev/mode": "auto"})
	create(t, optedIn)

	generated, named, owned := pod(optedIn.Name), pod(optedIn.Name), pod(optedIn.Name)
	named.GenerateName, named.Name = "", "named"
	owned.OwnerReferences = ownedBy("Node", "node-0")
	owned.Annotations = map[string]string{"loadline.dev/original": "{}"}
	mirror := pod(optedIn.Name)
	mirror.Annotations = map[string]string{"kubernetes.io/config.source": "file"}

	labels := map[string]string{"app": "web"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Namespace: optedIn.Name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod("").Spec},
		},
	}
	annotated := deployment.DeepCopy()
	annotated.Annotations = map[string]string{"loadline.dev/replicas": "auto"}
	daemons := &appsv1.DaemonSet{
		ObjectMeta: annotated.ObjectMeta,
		Spec:       appsv1.DaemonSetSpec{Selector: deployment.Spec.Selector, Template: deployment.Spec.Template},
	}
	for _, object := range []client.Object{
		generated, named, owned, mirror, deployment, annotated, daemons,
		recommendation(t, "away"), namespace("with-label", map[string]string{"loadline.dev/admission": "enabled"}, nil),
		namespace("with-annotation", nil, map[string]string{"loadline.dev/mode": "wrong"}), namespace("with-nothing", nil, nil),
	} {
		create(t, object)
	}

	for object, patch := range map[client.Object]string{
		annotated: `{"spec":{"replicas":3}}`,
		optedIn:   `{"metadata":{"annotations":null,"labels":null}}`,
	} {
		if err := admin.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			t.Errorf("an update of %T is refused: %v", object, err)
		}
	}
	for _, object := range []client.Object{named, annotated} {
		if err := admin.Delete(t.Context(), object); err != nil {
			t.Errorf("a deletion of %T is refused: %v", object, err)
		}
	}

	metrics := strings.Split(serverMetrics(t), "\n")
	for _, line := range metrics {
		if strings.HasPrefix(line, "apiserver_admission_match_condition_evaluation_errors_total{") && strings.Contains(line, "loadline") {
			t.Errorf("a condition failed: %s", line)
		}
	}
	for _, name := range []string{"pods.loadline.dev", "workloads.loadline.dev", "namespaces.loadline.dev", "objects.loadline.dev"} {
		called := slices.ContainsFunc(metrics, func(line string) bool {
			return strings.HasPrefix(line, "apiserver_admission_webhook_fail_open_count{") && strings.Contains(line, name)
		})
		if !called {
			t.Errorf("%s was never asked for", name)
		}
	}
}
