//go:build full

package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// cleansUp does what the Job after an uninstallation does, whose pod is only simulated: its command, as its account, with nothing of Loadline in
// the cluster but what comes with it.
func cleansUp(t *testing.T) {
	t.Helper()
	if err := admin.Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", Annotations: map[string]string{v1alpha1.AnnotationRaisedMinimum: "2 raised to 6"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "absent"}, // Its controller writes the status all the same.
			MinReplicas:    new(int32(6)), MaxReplicas: 9,
		},
	}); err != nil {
		t.Fatal(err)
	}
	objects := hooks(t, "")
	job := as[batchv1.Job](t, objects, "Job "+cleanup)
	delete(objects, "Job "+cleanup)
	for key, object := range objects {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatalf("create %s: %v", key, err)
		}
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "config.yaml"), []byte(get(t, &corev1.ConfigMap{}, namespace, cleanup).Data["config.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	kubeconfig, _, err := cluster.ServiceAccountKubeconfig(t.Context(), namespace, cleanup)
	if err != nil {
		t.Fatal(err)
	}
	container := job.Spec.Template.Spec.Containers[0]
	args := strings.ReplaceAll(strings.Join(container.Args, "\n"), container.VolumeMounts[0].MountPath, folder)
	output, err := exec.CommandContext(t.Context(), built(t), append(strings.Split(args, "\n"), "--kubeconfig", kubeconfig)...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", container.Args, err, output)
	}
	if got := *get(t, &autoscalingv2.HorizontalPodAutoscaler{}, "shop", "checkout").Spec.MinReplicas; got != 2 {
		t.Errorf("the autoscaler keeps at least %d pods, want 2\n%s", got, output)
	}
	if got := get(t, &corev1.Namespace{}, "", "shop").Labels[v1alpha1.LabelAdmission]; got != "" {
		t.Errorf("the namespace still has the label for admission\n%s", output)
	}
	for key, object := range objects {
		if err := client.IgnoreNotFound(admin.Delete(t.Context(), object)); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
}
