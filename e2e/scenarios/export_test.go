package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/shop"
	"github.com/loadline-dev/loadline/e2e/template"
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
	s.Expect(s.charted(s.export("--format", "helm-values", "--values-path", "{{.Name}}.resources"))).To(Equal(map[string]apply.Resources{
		"web": {Requests: web, Limits: amounts("4", "2Gi")}, "api": {Requests: api, Limits: api},
	}))

	// web by a patch, as kubectl applies it.
	s.export("--output-dir", filepath.Join(dir, "patches"))
	patch := filepath.Join(dir, "patches", "export", "deployment-web.yaml")
	s.kubectl("", "patch", "--filename", patch, "--patch-file", patch)
	s.Expect(s.template("web")).To(Equal(apply.Resources{Requests: web, Limits: amounts("4", "2Gi")}), "the default policy keeps limits")

	// api by kustomize, from a manifest that names its namespace and from one that does not. web is as recommended by now.
	said := s.export("--format", "kustomize", "--output-dir", filepath.Join(dir, "sizes"))
	s.Expect(said).To(ContainSubstring("export/deployment-web: nothing differs by more than 10 %"))
	for _, namespace := range []string{"export", ""} {
		built := s.kustomize(filepath.Join(dir, "overlay"+namespace), namespace)
		s.kubectl(built, "apply", "--server-side", "--force-conflicts", "--namespace", "export", "--filename", "-")
		s.Expect(s.template("api")).To(Equal(apply.Resources{Requests: api, Limits: api}), "it stays Guaranteed")
	}
	s.Expect(s.export()).To(Equal("export/deployment-api: nothing differs by more than 10 %\nexport/deployment-web: nothing differs by more than 10 %\n"))
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

// kustomize builds an overlay of api's own manifest with the exported component beside it.
func (s scene) kustomize(dir, namespace string) string {
	s.t.Helper()
	api := exportShop[1].Object(started).(*appsv1.Deployment)
	api.APIVersion, api.Kind, api.Namespace = "apps/v1", "Deployment", namespace
	manifest, err := yaml.Marshal(api)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(os.MkdirAll(dir, 0o755)).To(Succeed())
	for name, text := range map[string]string{
		"api.yaml": string(manifest), "kustomization.yaml": "resources: [api.yaml]\ncomponents: [../sizes/export]\n",
	} {
		s.Expect(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)).To(Succeed())
	}
	return s.kubectl("", "kustomize", dir)
}

// template returns what a Deployment's template asks for.
func (s scene) template(deployment string) apply.Resources {
	s.t.Helper()
	d := &appsv1.Deployment{}
	s.Expect(s.get(deployment, d)).To(Succeed())
	return apply.ResourcesOf(d.Spec.Template.Spec.Containers[0].Resources)
}
