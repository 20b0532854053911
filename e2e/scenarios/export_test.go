package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/shop"
	"github.com/loadline-dev/loadline/e2e/template"
	"github.com/loadline-dev/loadline/report/gitops"
)

var exportShop = shop.InNamespace("export", []shop.Workload{
	{
		Name: "web", Replicas: 3, Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, Limits: map[string]string{"cpu": "4", "memory": "2Gi"},
		CPU: shop.Diurnal(0.1, 0.4), Memory: shop.Flat(300 * shop.Mebibyte), Annotations: map[string]string{v1alpha1.AnnotationReplicas: "off"},
	},
	{
		Name: "api", Replicas: 1, Requests: map[string]string{"cpu": "1", "memory": "1Gi"}, Limits: map[string]string{"cpu": "1", "memory": "1Gi"},
		CPU: shop.Flat(0.1), Memory: shop.Flat(200 * shop.Mebibyte), Annotations: map[string]string{v1alpha1.AnnotationReplicas: "off"},
	},
})

func TestApplyingAnExportGivesExactlyTheRecommendedSizes(t *testing.T) {
	s := newScene(t, "export", exportShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	web, api := target(s.ready("Deployment", "web").Status.Applicable), target(s.ready("Deployment", "api").Status.Applicable)
	s.Expect(web.CPUMillis).To(BeNumerically("<", 1800), "the point of the scenario")
	dir := t.TempDir()

	// Both by values of their chart, as Helm makes manifests of them.
	s.export("--format", "helm-values", "--values-path", "{{.Name}}.resources", "--output-dir", filepath.Join(dir, "values"))
	s.Expect(s.charted(s.read(dir, "values", "deployment-web.yaml") + s.read(dir, "values", "deployment-api.yaml"))).To(Equal(map[string]apply.Resources{
		"web": {Requests: web, Limits: amounts("4", "2Gi")}, "api": {Requests: api, Limits: api},
	}))

	// web by a patch, as kubectl applies it.
	s.export("--output-dir", filepath.Join(dir, "patches"))
	patch := filepath.Join(dir, "patches", "export", "deployment-web.yaml")
	s.kubectl("", "patch", "--filename", patch, "--patch-file", patch)
	s.Expect(s.template("web")).To(Equal(apply.Resources{Requests: web, Limits: amounts("4", "2Gi")}), "the default policy keeps limits")

	// api by kustomize. web is as recommended by now.
	said := s.export("--format", "kustomize", "--output-dir", filepath.Join(dir, "sizes"))
	s.Expect(said).To(ContainSubstring("export/deployment-web: nothing differs by more than 10 %"))
	manifest := exportShop[1].Object(started).(*appsv1.Deployment)
	manifest.APIVersion, manifest.Kind = "apps/v1", "Deployment"
	built := s.kustomize(filepath.Join(dir, "overlay"), manifest)
	s.kubectl(built, "apply", "--server-side", "--force-conflicts", "--namespace", "export", "--filename", "-")
	s.Expect(s.template("api")).To(Equal(apply.Resources{Requests: api, Limits: api}), "it stays Guaranteed")
	s.Expect(s.export()).To(Equal("export/deployment-api: nothing differs by more than 10 %\nexport/deployment-web: nothing differs by more than 10 %\n"))
}

// What is built is the base with the newest file, and knows nothing of the files before.
func TestAComponentThatIsWrittenAgainGivesTheBaseEverythingThatIsRecommended(t *testing.T) {
	s := joinScene(t, "export")
	dir := t.TempDir()
	base := exportShop[0].Object(started).(*appsv1.Deployment)
	base.APIVersion, base.Kind, base.Namespace = "apps/v1", "Deployment", "export"
	app := base.Spec.Template.Spec.Containers[0]
	side := *app.DeepCopy()
	side.Name = "side"
	base.Spec.Template.Spec.Containers = append(base.Spec.Template.Spec.Containers, side)

	live, file := base, filepath.Join(dir, "sizes", "export", "deployment-web.yaml")
	sized := func(name, cpu, memory, cpuLimit string) apply.Container {
		return apply.Container{Name: name, Target: amounts(cpu, memory), CPULimit: apply.Limit{Policy: cpuLimit}, MemoryLimit: apply.Limit{Policy: "Equal"}}
	}
	for step, c := range []struct {
		app, side apply.Container
		replicas  int32
	}{
		{sized(app.Name, "500m", "3Gi", "None"), sized("side", "100m", "1Gi", "Keep"), 5},
		{sized(app.Name, "900m", "3Gi", "None"), sized("side", "100m", "1Gi", "Keep"), 5}, // one amount of one container
		{sized(app.Name, "900m", "3Gi", "None"), sized("side", "100m", "1Gi", "Keep"), 8}, // the number of pods alone
	} {
		values := apply.Values{Containers: []apply.Container{c.app, c.side}}
		w := gitops.Workload{Template: live.Spec.Template.Spec, Replicas: *live.Spec.Replicas, Recommendation: v1alpha1.Recommendation{
			ObjectMeta: metav1.ObjectMeta{Namespace: "export", Name: "deployment-web"},
			Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}},
			Status: v1alpha1.RecommendationStatus{
				Mode: v1alpha1.ModeDryRun, Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}},
				Applicable: apply.ToAPI(values, "3f1c0a9b2d4e5f60", started), Replicas: &v1alpha1.ReplicaStatus{Target: &c.replicas},
			},
		}}
		want := apply.Desired(values, apply.Present(&corev1.Pod{Spec: live.Spec.Template.Spec}), apply.ForNewPod)
		change, why := gitops.Compare(w, gitops.Options{ThresholdPercent: 10})
		s.Expect(why).To(BeEmpty(), "step %d", step)
		before, _ := os.ReadFile(file) // There is none at first.
		patch, err := change.Patch(before)
		s.Expect(err).NotTo(HaveOccurred())
		component, err := gitops.Component([]gitops.PatchFile{{Path: "deployment-web.yaml", Kind: "Deployment", Namespace: "export", Name: "web"}})
		s.Expect(err).NotTo(HaveOccurred())
		s.write(filepath.Dir(file), map[string]string{filepath.Base(file): patch, "kustomization.yaml": component})

		live = &appsv1.Deployment{}
		s.Expect(yaml.Unmarshal([]byte(s.kustomize(filepath.Join(dir, "overlay"), base)), live)).To(Succeed())
		s.Expect(apply.Present(&corev1.Pod{Spec: live.Spec.Template.Spec})).To(Equal(want), "step %d:\n%s", step, patch)
		s.Expect(*live.Spec.Replicas).To(Equal(c.replicas), "step %d", step)
	}
	// The workload of the same name in another namespace is another workload.
	base.Namespace = "staging"
	s.Expect(s.kustomize(filepath.Join(dir, "staging"), base)).To(And(ContainSubstring("replicas: 3"), Not(ContainSubstring("900m"))))
}

// read returns a file of an export.
func (s scene) read(dir, format, name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, format, s.namespace, name))
	s.Expect(err).NotTo(HaveOccurred())
	return string(text)
}

func (s scene) export(args ...string) string {
	s.t.Helper()
	out, err := loadline.CLI(s.t.Context(), append([]string{"export", "--namespace", s.namespace}, args...)...)
	s.Expect(err).NotTo(HaveOccurred(), out)
	return out
}

// charted returns what the Deployments of a chart ask for with values.
func (s scene) charted(values string) map[string]apply.Resources {
	s.t.Helper()
	objects, err := template.Render(filepath.Join("..", "template", "testdata", "shop"), s.namespace, values)
	s.Expect(err).NotTo(HaveOccurred(), values)
	found := map[string]apply.Resources{}
	for _, object := range objects {
		d := &appsv1.Deployment{}
		s.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, d)).To(Succeed())
		found[d.Name] = apply.ResourcesOf(d.Spec.Template.Spec.Containers[0].Resources)
	}
	return found
}

// kubectl runs kubectl as admin with an input, and returns its output.
func (s scene) kubectl(input string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), cluster.KubectlPath, append(args, "--kubeconfig", cluster.Kubeconfig)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	s.Expect(err).NotTo(HaveOccurred(), "kubectl %s: %s", strings.Join(args, " "), out)
	return string(out)
}

// kustomize builds an overlay of a Deployment with the exported component beside it.
func (s scene) kustomize(dir string, deployment *appsv1.Deployment) string {
	s.t.Helper()
	manifest, err := yaml.Marshal(deployment)
	s.Expect(err).NotTo(HaveOccurred())
	s.write(dir, map[string]string{
		"deployment.yaml": string(manifest), "kustomization.yaml": "resources: [deployment.yaml]\ncomponents: [../sizes/export]\n",
	})
	return s.kubectl("", "kustomize", dir)
}

// template returns what a Deployment's template asks for.
func (s scene) template(deployment string) apply.Resources {
	s.t.Helper()
	d := &appsv1.Deployment{}
	s.Expect(s.get(deployment, d)).To(Succeed())
	return apply.ResourcesOf(d.Spec.Template.Spec.Containers[0].Resources)
}
