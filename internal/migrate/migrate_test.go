package migrate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/migrate"
)

// vpa is a VerticalPodAutoscaler of a Deployment in the namespace shop.
func vpa(t *testing.T, deployment, spec string) unstructured.Unstructured {
	t.Helper()
	text := "metadata: {namespace: shop, name: " + deployment + "}\nspec:\n  targetRef: {apiVersion: apps/v1, kind: Deployment, name: " + deployment + "}\n"
	for line := range strings.Lines(spec) {
		text += "  " + line
	}
	var object unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

func deployment(name string) migrate.Workload {
	return migrate.Workload{Namespace: "shop", APIVersion: "apps/v1", Kind: "Deployment", Name: name, Containers: []string{"app", "mesh"}}
}

// all are the workloads of a cluster.
func all(workloads ...migrate.Workload) migrate.Known {
	return migrate.Known{Workloads: workloads, All: true}
}

// written is a result as it is applied, object by object, by kind and name.
func written(t *testing.T, r migrate.Result) map[string]map[string]any {
	t.Helper()
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]map[string]any{}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct {
				Name        string
				Annotations map[string]any
			}
			Spec map[string]any
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if object.Kind == "" {
			continue
		}
		content := object.Metadata.Annotations
		if object.Kind == "SizingPolicy" {
			content = object.Spec
		}
		objects[object.Kind+" "+object.Metadata.Name] = content
	}
	return objects
}

func TestAVPAMeansTheSameInLoadlinesWords(t *testing.T) {
	for mode, want := range map[string]map[string]map[string]any{
		`"Off"`:             {"Namespace shop": {"loadline.dev/mode": "dry-run"}},
		"Initial":           {"Namespace shop": {"loadline.dev/mode": "initial"}},
		"Recreate":          {"Namespace shop": {"loadline.dev/mode": "auto"}, "Deployment checkout": {"loadline.dev/updater": "evict"}},
		"Auto":              {"Namespace shop": {"loadline.dev/mode": "auto"}, "Deployment checkout": {"loadline.dev/updater": "evict"}},
		"InPlaceOrRecreate": {"Namespace shop": {"loadline.dev/mode": "auto"}},
		"InPlace":           {"Namespace shop": {"loadline.dev/mode": "auto"}, "Deployment checkout": {"loadline.dev/updater": "in-place"}},
	} {
		r, err := migrate.VPA([]unstructured.Unstructured{vpa(t, "checkout", "updatePolicy: {updateMode: "+mode+"}")}, all(deployment("checkout")))
		if err != nil {
			t.Fatal(err)
		}
		want["Namespace shop"]["loadline.dev/policy"] = "imported"
		want["SizingPolicy imported"] = map[string]any{"cpu": map[string]any{"limit": "Ratio"}, "memory": map[string]any{"limit": "Ratio"}}
		if diff := cmp.Diff(want, written(t, r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", mode, diff)
		}
		later := fmt.Sprintf("namespace shop: workloads that are made in it later get its mode, %s; annotate those that should not with loadline.dev/mode=off", want["Namespace shop"]["loadline.dev/mode"])
		if diff := cmp.Diff([]string{later}, r.Notes); diff != "" {
			t.Errorf("%s, notes (-want +got):\n%s", mode, diff)
		}
	}
}

func TestBoundsAndExcludedContainersBecomeAPolicy(t *testing.T) {
	r, err := migrate.VPA([]unstructured.Unstructured{vpa(t, "checkout", `
updatePolicy: {updateMode: Initial, minReplicas: 3}
resourcePolicy:
  containerPolicies:
    - {containerName: istio-proxy, mode: "Off"}
    - {containerName: "*", minAllowed: {cpu: 100m, memory: 128Mi}, maxAllowed: {memory: 4Gi}, controlledValues: RequestsOnly}
`)}, all(deployment("checkout")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]map[string]any{
		"SizingPolicy imported": {
			"cpu":        map[string]any{"min": "100m", "limit": "Keep"},
			"memory":     map[string]any{"min": "128Mi", "max": "4Gi", "limit": "Keep"},
			"disruption": map[string]any{"minReplicas": float64(3)},
		},
		"Deployment checkout": {"loadline.dev/exclude-containers": "istio-proxy"},
		"Namespace shop":      {"loadline.dev/mode": "initial", "loadline.dev/policy": "imported"},
	}, written(t, r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is written must mean the same when it is read: no workload gets a wider mode than it had, and each its own policy.
func TestWorkloadsOfOneNamespaceKeepTheirDifferences(t *testing.T) {
	r, err := migrate.VPA([]unstructured.Unstructured{
		vpa(t, "checkout", "updatePolicy: {updateMode: InPlaceOrRecreate}"),
		vpa(t, "cart", `updatePolicy: {updateMode: "Off"}`),
		vpa(t, "search", "updatePolicy: {updateMode: InPlaceOrRecreate}\nresourcePolicy: {containerPolicies: [{containerName: \"*\", minAllowed: {cpu: 1}}]}"),
	}, all(deployment("cart"), deployment("checkout"), deployment("search"), deployment("nobody")))
	if err != nil {
		t.Fatal(err)
	}
	objects := written(t, r)
	namespace, _ := v1alpha1.ParseAnnotations(texts(objects["Namespace shop"]))
	for name, want := range map[string]v1alpha1.Effective{
		"checkout": {Mode: v1alpha1.ModeAuto, Policy: "imported"},
		"cart":     {Mode: v1alpha1.ModeDryRun, Policy: "imported"},
		"search":   {Mode: v1alpha1.ModeAuto, Policy: "imported-deployment-search"},
		"nobody":   {Mode: v1alpha1.ModeOff, Policy: "imported"},
	} {
		workload, refused := v1alpha1.ParseAnnotations(texts(objects["Deployment "+name]))
		if len(refused) > 0 {
			t.Errorf("%s: refused %v", name, refused)
		}
		overrides := objects["SizingPolicy imported"]["allowOverrides"] == true
		got := v1alpha1.Resolve(namespace, workload, nil, nil, overrides)
		if got.Mode != want.Mode || got.Policy != want.Policy || len(got.Ignored) > 0 {
			t.Errorf("%s: mode %s, policy %s, ignored %v; want %s, %s", name, got.Mode, got.Policy, got.Ignored, want.Mode, want.Policy)
		}
	}
	if last, err := r.YAML(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(last)), "name: shop") {
		t.Errorf("the namespace is not last, so that workloads get more than they should in between:\n%s", last)
	}
}

func texts(of map[string]any) map[string]string {
	all := map[string]string{}
	for key, value := range of {
		all[key], _ = value.(string)
	}
	return all
}

// Or everything beside them would be resized and evicted because of a file that does not name it.
func TestANamespaceOfWhichNoWorkloadWasReadStartsWithDryRun(t *testing.T) {
	for name, c := range map[string]struct {
		known migrate.Known
		want  v1alpha1.Mode
	}{
		"nothing else in the file":   {migrate.Known{}, v1alpha1.ModeDryRun},
		"the workloads are in it":    {migrate.Known{Workloads: []migrate.Workload{deployment("checkout")}}, v1alpha1.ModeAuto},
		"the whole cluster was read": {all(deployment("checkout")), v1alpha1.ModeAuto},
	} {
		r, err := migrate.VPA([]unstructured.Unstructured{vpa(t, "checkout", "updatePolicy: {updateMode: InPlaceOrRecreate}")}, c.known)
		if err != nil {
			t.Fatal(err)
		}
		if got := texts(written(t, r)["Namespace shop"])[v1alpha1.AnnotationMode]; got != string(c.want) {
			t.Errorf("%s: mode %q, want %s", name, got, c.want)
		}
		if off := len(r.Before) == 1; off != (c.want == v1alpha1.ModeAuto) {
			t.Errorf("%s: switched off before: %q; want VPA to go on exactly where Loadline only watches", name, r.Before)
		}
	}
}

func TestWhatDoesNotTranslateIsListedWithItsWorkload(t *testing.T) {
	r, err := migrate.VPA([]unstructured.Unstructured{
		vpa(t, "checkout", `
updatePolicy: {updateMode: Recreate, evictionRequirements: [{resources: [cpu], changeRequirement: TargetHigherThanRequests}], evictAfterOOMSeconds: 60}
recommenders: [{name: mine}]
startupBoost: {cpu: {type: Factor, factor: 2}}
resourcePolicy:
  containerPolicies:
    - {containerName: app, controlledResources: [memory], minAllowed: {memory: 1Gi}, oomBumpUpRatio: 2}
    - {containerName: sidecar, controlledValues: RequestsOnly, maxAllowed: {memory: 1Gi}, startupBoost: {cpu: {type: Factor, factor: 3}}}
    - {containerName: "*", mode: "Off"}
`),
		vpa(t, "checkout", "updatePolicy: {updateMode: Initial}"),
		vpa(t, "odd", "updatePolicy: {updateMode: Sometimes}"),
		{Object: map[string]any{
			"metadata": map[string]any{"namespace": "shop", "name": "custom"},
			"spec":     map[string]any{"targetRef": map[string]any{"apiVersion": "example.com/v1", "kind": "Ship", "name": "boat"}},
		}},
	}, migrate.Known{})
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{
		"shop deployment/checkout: evictionRequirements", "shop deployment/checkout: evictAfterOOMSeconds", "shop deployment/checkout: recommenders",
		"shop deployment/checkout: startupBoost", "shop deployment/checkout: mode Off of all containers that are not named, and which those are was not read: dry-run is taken", "container app: its bounds are merged",
		"container app: controlledResources [memory]", "container app: oomBumpUpRatio", "by the larger of 20 % and", "container sidecar: controlledValues RequestsOnly",
		"container sidecar: startupBoost", "shop deployment/checkout: more than one object", `shop deployment/odd: updateMode "Sometimes"`,
		"shop ship/boat: Loadline sizes", "namespace shop: none of its workloads was read, and initial would also be for those that nobody sized: dry-run is taken, and its VerticalPodAutoscalers go on as they are.",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in:\n%s", want, notes)
		}
	}
	if len(r.Before) > 0 {
		t.Errorf("nobody would size the workloads any more: %q", r.Before)
	}
}

func TestModeOffOfAllOtherContainersExcludesThemByName(t *testing.T) {
	r, err := migrate.VPA([]unstructured.Unstructured{vpa(t, "checkout", `
updatePolicy: {updateMode: InPlaceOrRecreate}
resourcePolicy: {containerPolicies: [{containerName: "*", mode: "Off"}, {containerName: app, minAllowed: {cpu: 100m}}]}
`)}, all(deployment("checkout")))
	if err != nil {
		t.Fatal(err)
	}
	objects := written(t, r)
	if got := objects["Deployment checkout"]["loadline.dev/exclude-containers"]; got != "mesh" {
		t.Errorf("containers %v are excluded, want mesh", got)
	}
	if got := objects["Namespace shop"]["loadline.dev/mode"]; got != "auto" {
		t.Errorf("mode %v, want auto", got)
	}
	unread := deployment("checkout")
	unread.Containers = nil
	for name, known := range map[string]migrate.Known{"nothing was read": {}, "its template was not read": all(unread)} {
		r, err := migrate.VPA([]unstructured.Unstructured{vpa(t, "checkout", `resourcePolicy: {containerPolicies: [{containerName: "*", mode: "Off"}]}`)}, known)
		if err != nil {
			t.Fatal(err)
		}
		if got := written(t, r)["Namespace shop"]["loadline.dev/mode"]; got != "dry-run" {
			t.Errorf("%s: mode %v, want dry-run, because nobody knows which containers are meant", name, got)
		}
	}
}

func TestATargetThatIsGoneIsLeftOut(t *testing.T) {
	const gone = "there is none; VerticalPodAutoscaler checkout is left out"
	for name, c := range map[string]struct {
		known migrate.Known
		note  string
	}{
		"the cluster has no workload":             {all(), gone},
		"the cluster has others, of another kind": {all(migrate.Workload{Namespace: "shop", Kind: "CronJob", Name: "checkout"}), gone},
		"the file has others of its kind": {
			migrate.Known{Workloads: []migrate.Workload{deployment("cart")}},
			"it is not among the Deployments of its namespace that were read: read all of them, or none; VerticalPodAutoscaler checkout is left out",
		},
		"Loadline never touches the namespace": {
			migrate.Known{Workloads: []migrate.Workload{deployment("checkout")}, Excluded: func(namespace string) bool { return namespace == "shop" }},
			"Loadline never touches namespace shop; VerticalPodAutoscaler checkout goes on as it is",
		},
	} {
		r, err := migrate.VPA([]unstructured.Unstructured{vpa(t, "checkout", "updatePolicy: {updateMode: Recreate}")}, c.known)
		if err != nil {
			t.Fatal(err)
		}
		if objects := written(t, r); len(objects) > 0 || len(r.Before) > 0 {
			t.Errorf("%s: %v, before %v, want nothing to apply", name, objects, r.Before)
		}
		if diff := cmp.Diff([]string{"shop deployment/checkout: " + c.note}, r.Notes); diff != "" {
			t.Errorf("%s, notes (-want +got):\n%s", name, diff)
		}
	}
	r, err := migrate.VPA([]unstructured.Unstructured{vpa(t, "checkout", "updatePolicy: {updateMode: Recreate}")},
		migrate.Known{Workloads: []migrate.Workload{{Namespace: "shop", Kind: "CronJob", Name: "nightly"}}})
	if err != nil {
		t.Fatal(err)
	}
	if written(t, r)["Deployment checkout"] == nil {
		t.Error("a target of a kind that was not read is left out")
	}
}

func TestContainersThatNoPolicyNamesAreToldIfTheirLimitsWouldHaveMoved(t *testing.T) {
	for policies, told := range map[string]bool{
		`{containerName: app, controlledValues: RequestsOnly}`:                                     true,
		`{containerName: "*", controlledValues: RequestsOnly}`:                                     false,
		`{containerName: app, controlledValues: RequestsOnly}, {containerName: mesh, mode: "Off"}`: false,
		`{containerName: app}`: false,
	} {
		r, err := migrate.VPA([]unstructured.Unstructured{vpa(t, "checkout", "resourcePolicy: {containerPolicies: ["+policies+"]}")}, all(deployment("checkout")))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(r.Notes, "\n"), "no policy names keep their limits as well, because a SizingPolicy has one rule for all: mesh"); got != told {
			t.Errorf("%s: notes %q", policies, r.Notes)
		}
	}
}

func TestTheStepsNeverReadAgain(t *testing.T) {
	r, err := migrate.VPA([]unstructured.Unstructured{vpa(t, "checkout", "updatePolicy: {updateMode: Recreate}")}, all(deployment("checkout")))
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	comments, _, _ := strings.Cut(string(text), "\n---\n")
	save, off, apply := strings.Index(comments, "Save this text as loadline.yaml"), strings.Index(comments, "kubectl --namespace shop patch"), strings.Index(comments, "kubectl apply --server-side -f loadline.yaml")
	if save < 0 || off < save || apply < off || strings.Contains(comments, "loadline import") {
		t.Errorf("want: save, switch off, apply, and no second reading:\n%s", comments)
	}
}

func TestGoldilocksMeansTheSameInLoadlinesWords(t *testing.T) {
	namespace := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        "shop",
		Labels:      map[string]string{"goldilocks.fairwinds.com/enabled": "true", "goldilocks.fairwinds.com/vpa-update-mode": "initial"},
		Annotations: map[string]string{"goldilocks.fairwinds.com/vpa-resource-policy": `{"containerPolicies": [{"containerName": "*", "minAllowed": {"memory": "1Gi"}}]}`},
	}}
	other := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	narrow := deployment("cart")
	narrow.Labels = map[string]string{"goldilocks.fairwinds.com/vpa-update-mode": "off"}
	policy := map[string]any{"cpu": map[string]any{"limit": "Ratio"}, "memory": map[string]any{"limit": "Ratio", "min": "1Gi"}}
	granted := map[string]any{"loadline.dev/mode": "initial", "loadline.dev/policy": "imported"}
	for name, test := range map[string]struct {
		known migrate.Known
		want  map[string]map[string]any
	}{
		"workloads that are known": {
			all(narrow, deployment("checkout")),
			map[string]map[string]any{"Namespace shop": granted, "SizingPolicy imported": policy, "Deployment cart": {"loadline.dev/mode": "dry-run"}},
		},
		"the namespace alone": {migrate.Known{}, map[string]map[string]any{"Namespace shop": granted, "SizingPolicy imported": policy}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := migrate.Goldilocks([]corev1.Namespace{namespace, other}, test.known)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, written(t, r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	namespace.Annotations["goldilocks.fairwinds.com/vpa-resource-policy"] = "{"
	if _, err := migrate.Goldilocks([]corev1.Namespace{namespace}, migrate.Known{}); err == nil || !strings.Contains(err.Error(), "namespace shop: read goldilocks.fairwinds.com/vpa-resource-policy") {
		t.Errorf("error %v", err)
	}
}
