package gitops_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/report/gitops"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); if this is wanted, run the test with -update:\n%s", name, diff)
	}
}

func requirements(requests, limits string) corev1.ResourceRequirements {
	list := func(text string) corev1.ResourceList {
		cpu, memory, _ := strings.Cut(text, " ")
		out := corev1.ResourceList{}
		if cpu != "" && cpu != "-" {
			out[corev1.ResourceCPU] = resource.MustParse(cpu)
		}
		if memory != "" && memory != "-" {
			out[corev1.ResourceMemory] = resource.MustParse(memory)
		}
		return out
	}
	return corev1.ResourceRequirements{Requests: list(requests), Limits: list(limits)}
}

// readTime is when the cluster was read.
var readTime = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// checkout is a workload with a container that is far too large, a side-car, and one that nobody sizes.
func checkout() gitops.Workload {
	always := corev1.ContainerRestartPolicyAlways
	w := gitops.Workload{Replicas: 3, Template: corev1.PodSpec{
		InitContainers: []corev1.Container{
			{Name: "migrate", Resources: requirements("1 1Gi", "")},
			{Name: "proxy", RestartPolicy: &always, Resources: requirements("100m 128Mi", "200m 256Mi")},
		},
		Containers: []corev1.Container{{Name: "app", Resources: requirements("2 2Gi", "4 2Gi")}, {Name: "other"}},
	}}
	w.Recommendation = v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-checkout"},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"}},
		Status: v1alpha1.RecommendationStatus{
			Mode: v1alpha1.ModeDryRun, Display: v1alpha1.Display{Why: "app: p95 per pod is 0.600 cores\nkind: Secret"},
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}},
			Applicable: apply.ToAPI(apply.Values{Containers: []apply.Container{
				{
					Name: "app", Target: apply.Amounts{CPUMillis: 690, MemoryBytes: 1 << 30},
					CPULimit: apply.Limit{Policy: "None"}, MemoryLimit: apply.Limit{Policy: "Headroom", Value: 1229 << 20},
				},
				{Name: "migrate", Target: apply.Amounts{CPUMillis: 10, MemoryBytes: 32 << 20}},
				{Name: "proxy", Target: apply.Amounts{CPUMillis: 50}, CPULimit: apply.Limit{Policy: "Keep"}},
			}}, "3f1c0a9b2d4e5f60", time.Time{}),
			Replicas: &v1alpha1.ReplicaStatus{Current: 3, Target: new(int32(2)), Schedule: []v1alpha1.ReplicaWindow{{Replicas: 5}, {Replicas: 4}}},
		},
	}
	return w
}

func changeOf(t *testing.T, w gitops.Workload) gitops.Change {
	t.Helper()
	change, why := gitops.Compare(w, gitops.Options{ThresholdPercent: 10})
	if why != "" {
		t.Fatalf("nothing is exported: %s", why)
	}
	return change
}

func TestAChangeIsWrittenAsAPatchAsAComponentAndAsValues(t *testing.T) {
	change := changeOf(t, checkout())
	patch, err := change.Patch(nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "patch.yaml", patch)
	component, err := gitops.Component([]gitops.PatchFile{{Path: change.FileName(), Kind: change.Kind, Namespace: change.Namespace, Name: "check.out"}})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "kustomization.yaml", component)
	values, err := change.Values(gitops.Paths{Resources: "{{.Name}}.{{.Container}}.resources", Replicas: "{{.Name}}.replicaCount"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "values.yaml", values)
}

func TestPathsThatCannotBeAreErrors(t *testing.T) {
	change := changeOf(t, checkout())
	for path, message := range map[string]string{
		"resources":         `path "resources" gives "resources" more than once`,
		"{{.Name":           `path "{{.Name": `,
		"{{.Nothing}}":      "can't evaluate field Nothing",
		"a..{{.Container}}": `gives "a..proxy": legal are keys separated by dots`,
	} {
		_, err := change.Values(gitops.Paths{Resources: path}, nil)
		if err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v, want %q", path, err, message)
		}
	}
}

func TestWhatMayNotBeUsedIsNotExported(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*gitops.Workload)
		why    string
	}{
		"off":          {func(w *gitops.Workload) { w.Recommendation.Status.Mode = v1alpha1.ModeOff }, "it has not opted in"},
		"not approved": {func(w *gitops.Workload) { w.Recommendation.Status.Applicable = nil }, "it has no sizes that may be used yet"},
		"not ready":    {func(w *gitops.Workload) { w.Recommendation.Status.Conditions[0].Status = metav1.ConditionFalse }, "it has no sizes that may be used yet"},
		"stale": {func(w *gitops.Workload) {
			w.Recommendation.Status.Conditions = append(w.Recommendation.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionStale, Status: metav1.ConditionTrue})
		}, "its sizes are stale"},
		"nobody confirms it": {func(w *gitops.Workload) {
			w.Recommendation.Status.ObservedTime = new(metav1.NewTime(readTime.Add(-25 * time.Hour)))
		}, "its sizes are stale"},
		"pod-level resources": {func(w *gitops.Workload) { w.Template.Resources = new(requirements("1 1Gi", "")) }, "its resources are set for the pod as a whole"},
		"a LimitRange refuses it": {func(w *gitops.Workload) {
			w.Bounds = []apply.LimitBound{{Name: "floor", CPU: apply.ResourceBound{Min: 1000}}}
		}, "LimitRange floor bounds the cpu of a container: request 50m is under 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := checkout()
			c.change(&w)
			if _, why := gitops.Compare(w, gitops.Options{Now: readTime, StaleAfter: 24 * time.Hour}); why != c.why {
				t.Errorf("got %q, want %q", why, c.why)
			}
		})
	}
}

func TestAWorkloadIsLeftAsItIsUntilOneAmountDiffersByMoreThanTheThreshold(t *testing.T) {
	w := checkout()
	w.Recommendation.Status.Replicas = nil
	w.Template.InitContainers[1].Resources = requirements("50m 128Mi", "200m 256Mi")
	w.Template.Containers[0].Resources = requirements("627m 1Gi", "- 1229Mi")
	if _, why := gitops.Compare(w, gitops.Options{ThresholdPercent: 11}); why != "nothing differs by more than 11 %" {
		t.Errorf("10.05 %% are exported, or not for this reason: %q", why)
	}
	patch, err := changeOf(t, w).Patch(nil)
	if err != nil || !strings.Contains(patch, "name: proxy") {
		t.Errorf("error %v, and not all sizes are written, also those that a container has:\n%s", err, patch)
	}
}

func TestTheNumberOfPodsIsTheMostThatIsNeededAndNeverSomebodyElses(t *testing.T) {
	if change := changeOf(t, checkout()); change.Replicas == nil || *change.Replicas != 5 {
		t.Errorf("replicas %v, want 5 as in the busiest window", change.Replicas)
	}
	for name, change := range map[string]func(*gitops.Workload){
		"an autoscaler decides": func(w *gitops.Workload) { w.Recommendation.Status.Replicas.Owner = "HorizontalPodAutoscaler/checkout" },
		"a person scaled":       func(w *gitops.Workload) { w.Recommendation.Status.Replicas.YieldsTo = "kubectl" },
		"Loadline sets it": func(w *gitops.Workload) {
			w.Recommendation.Status.Mode, w.Recommendation.Status.Applicable.Replicas = v1alpha1.ModeAuto, new(int32(5))
		},
	} {
		w := checkout()
		change(&w)
		if got := changeOf(t, w); got.Replicas != nil {
			t.Errorf("%s: replicas %d", name, *got.Replicas)
		}
	}
	w := checkout()
	if w.Replicas = 5; *changeOf(t, w).Replicas != 5 {
		t.Error("a number that is as recommended is not written, so the manifest's own would come back")
	}
	if change, _ := gitops.Compare(checkout(), gitops.Options{WithoutReplicas: true}); change.Replicas != nil {
		t.Error("replicas although they are not wanted")
	}
}

func TestALimitThatOnlyALimitRangeGivesIsRaisedWithItsRequest(t *testing.T) {
	w := checkout()
	w.Template = corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}
	w.Bounds = []apply.LimitBound{{Name: "defaults", CPU: apply.ResourceBound{Default: 500, DefaultRequest: 100}}}
	w.Recommendation.Status.Applicable = apply.ToAPI(apply.Values{Containers: []apply.Container{
		{Name: "app", Target: apply.Amounts{CPUMillis: 690}, CPULimit: apply.Limit{Policy: "Keep"}},
	}}, "3f1c0a9b2d4e5f60", time.Time{})
	if to := changeOf(t, w).Containers[0].To; to.Limits.CPUMillis != 690 || to.Requests.CPUMillis != 690 {
		t.Errorf("got %+v; a request over the default limit would be refused without a limit of its own", to)
	}
}

func drawResources(t *rapid.T) corev1.ResourceRequirements {
	amount := rapid.SampledFrom([]string{"-", "10m", "100m", "1", "2500m"})
	memory := rapid.SampledFrom([]string{"-", "32Mi", "100M", "1Gi", "3Gi"})
	return requirements(amount.Draw(t, "cpu")+" "+memory.Draw(t, "memory"), amount.Draw(t, "cpu limit")+" "+memory.Draw(t, "memory limit"))
}

func TestAPatchedTemplateAsksForExactlyWhatAdmissionWouldInject(t *testing.T) {
	policy := rapid.SampledFrom([]string{"Keep", "Ratio", "Headroom", "Equal", "None"})
	rapid.Check(t, func(t *rapid.T) {
		w := checkout()
		for _, c := range []*corev1.Container{&w.Template.InitContainers[1], &w.Template.Containers[0], &w.Template.Containers[1]} {
			c.Resources = drawResources(t)
		}
		values := apply.Values{}
		for _, name := range []string{"app", "other", "proxy"} {
			c := apply.Container{
				Name: name, Target: apply.Amounts{CPUMillis: rapid.Int64Range(0, 3000).Draw(t, "target"), MemoryBytes: rapid.Int64Range(0, 3<<10).Draw(t, "MiB") << 20},
				CPULimit: apply.Limit{Policy: policy.Draw(t, "cpu policy")}, MemoryLimit: apply.Limit{Policy: policy.Draw(t, "memory policy")},
			}
			values.Containers = append(values.Containers, c)
		}
		w.Recommendation.Status.Applicable = apply.ToAPI(values, "3f1c0a9b2d4e5f60", time.Time{})
		original := map[string]apply.Resources{}
		for name, r := range apply.Present(&corev1.Pod{Spec: w.Template}) {
			original[name] = r.Defaulted()
		}
		want := apply.Desired(values, original, apply.ForNewPod)
		change, why := gitops.Compare(w, gitops.Options{})
		if why != "" {
			t.Skip("nothing to change: ", why)
		}
		got := apply.Present(&corev1.Pod{Spec: patched(t, w, change)})
		for name, r := range want {
			if got[name].Defaulted() != r.Defaulted() && len(change.Containers) > 0 {
				t.Fatalf("%s asks for %+v, want %+v", name, got[name], r)
			}
		}
	})
}

// patched applies the patch of a change as the API server does.
func patched(t *rapid.T, w gitops.Workload, change gitops.Change) corev1.PodSpec {
	text, err := change.Patch(nil)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := deployed(t, w, text)
	return after
}

// deployed applies a patch to the Deployment of a workload as the API server does, and returns its pods' spec and number.
func deployed(t rapid.TB, w gitops.Workload, patch string) (corev1.PodSpec, int32) {
	encodedPatch, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	before := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"}}
	before.Spec.Replicas, before.Spec.Template.Spec = &w.Replicas, w.Template
	encoded, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err = strategicpatch.StrategicMergePatch(encoded, encodedPatch, appsv1.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	var after appsv1.Deployment
	if err := json.Unmarshal(encoded, &after); err != nil {
		t.Fatal(err)
	}
	return after.Spec.Template.Spec, *after.Spec.Replicas
}
