package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/report/gitops"
)

// The base names no namespace, as most do, and the sizes of both overlays are for a workload of the same name.
func TestOverlaysOfOneBaseGetTheSizesOfTheirOwnNamespace(t *testing.T) {
	s := joinScene(t, "export")
	dir := t.TempDir()
	base := exportShop[0].Object(started).(*appsv1.Deployment)
	base.APIVersion, base.Kind, base.Namespace = "apps/v1", "Deployment", ""
	manifest, err := yaml.Marshal(base)
	s.Expect(err).NotTo(HaveOccurred())
	s.write(filepath.Join(dir, "base"), map[string]string{"deployment.yaml": string(manifest), "kustomization.yaml": "resources: [deployment.yaml]\n"})
	container := base.Spec.Template.Spec.Containers[0].Name
	all := map[string]string{"prod": "1500m", "staging": "50m"}
	for namespace, cpu := range all {
		change := gitops.Change{
			APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: "web",
			Containers: []gitops.Container{{Name: container, To: apply.Resources{Requests: amounts(cpu, "1Gi")}, SizesCPU: true, SizesMemory: true}},
		}
		patch, err := change.Patch(nil)
		s.Expect(err).NotTo(HaveOccurred())
		component, err := gitops.Component([]gitops.PatchFile{{Path: change.FileName(), Kind: change.Kind, Namespace: namespace, Name: change.Name}})
		s.Expect(err).NotTo(HaveOccurred())
		s.write(filepath.Join(dir, "sizes", namespace), map[string]string{change.FileName(): patch, "kustomization.yaml": component})
		s.write(filepath.Join(dir, "overlays", namespace), map[string]string{"kustomization.yaml": "resources: [../../base]\nnamespace: " + namespace + "\n"})
	}
	s.write(filepath.Join(dir, "one"), map[string]string{"kustomization.yaml": "resources: [../overlays/prod]\ncomponents: [../sizes/prod]\n"})
	s.Expect(s.built(filepath.Join(dir, "one"))).To(Equal(map[string]string{"prod": "1500m"}))
	s.write(filepath.Join(dir, "both"), map[string]string{
		"kustomization.yaml": "resources: [../overlays/prod, ../overlays/staging]\ncomponents: [../sizes/prod, ../sizes/staging]\n",
	})
	s.Expect(s.built(filepath.Join(dir, "both"))).To(Equal(all))
	s.write(filepath.Join(dir, "none"), map[string]string{"kustomization.yaml": "resources: [../base]\ncomponents: [../sizes/prod, ../sizes/staging]\n"})
	s.Expect(s.built(filepath.Join(dir, "none"))).To(Equal(map[string]string{"": "2"}), "a manifest that names no namespace is as it was")
}

// built returns what the Deployments of a kustomization ask for of CPU, by their namespace.
func (s scene) built(dir string) map[string]string {
	s.t.Helper()
	found := map[string]string{}
	for document := range strings.SplitSeq(s.kubectl("", "kustomize", dir), "\n---\n") {
		d := &appsv1.Deployment{}
		s.Expect(yaml.Unmarshal([]byte(document), d)).To(Succeed())
		found[d.Namespace] = d.Spec.Template.Spec.Containers[0].Resources.Requests.Cpu().String()
	}
	return found
}

// write writes files into a new folder.
func (s scene) write(dir string, texts map[string]string) {
	s.t.Helper()
	s.Expect(os.MkdirAll(dir, 0o755)).To(Succeed())
	for name, text := range texts {
		s.Expect(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)).To(Succeed())
	}
}
