package template_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/template"
	"github.com/loadline-dev/loadline/report/gitops"
)

func TestExportedValuesGiveAChartExactlyTheSizesThatAreRecommended(t *testing.T) {
	const gib = 1 << 30
	sized := func(requests, limits apply.Amounts) apply.Resources {
		return apply.Resources{Requests: requests, Limits: limits}
	}
	web := gitops.Container{
		Name: "app", SizesCPU: true, SizesMemory: true,
		From: sized(apply.Amounts{CPUMillis: 2000, MemoryBytes: 2 * gib}, apply.Amounts{CPUMillis: 4000, MemoryBytes: 2 * gib}),
		To:   sized(apply.Amounts{CPUMillis: 441, MemoryBytes: 333<<20 + 1024}, apply.Amounts{MemoryBytes: 1 * gib}), // The limit of CPU goes.
	}
	api := gitops.Container{
		Name: "app", SizesMemory: true, // CPU is somebody else's, and stays as the chart says.
		From: sized(apply.Amounts{CPUMillis: 1000, MemoryBytes: gib}, apply.Amounts{CPUMillis: 1000, MemoryBytes: gib}),
		To:   sized(apply.Amounts{CPUMillis: 1000, MemoryBytes: 640 << 20}, apply.Amounts{CPUMillis: 1000, MemoryBytes: 640 << 20}),
	}
	files := map[string]string{}
	export := func(name string, c gitops.Container, replicas *int32) {
		t.Helper()
		change := gitops.Change{Namespace: "shop", Kind: "Deployment", Name: name, Containers: []gitops.Container{c}, Replicas: replicas}
		text, err := change.Values(gitops.Paths{Resources: "{{.Name}}.resources", Replicas: "{{.Name}}.replicaCount"}, []byte(files[name]))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
	}
	export("api", api, nil)
	export("web", web, new(int32(5)))
	compareWithChart(t, files["web"]+files["api"], map[string]apply.Resources{"web": web.To, "api": api.To})

	// Once that runs, the sizes of web move again, and nothing in the cluster tells of the chart's limit any more.
	web.From, web.To = web.To, sized(apply.Amounts{CPUMillis: 900, MemoryBytes: 333<<20 + 1024}, apply.Amounts{MemoryBytes: 1 * gib})
	export("web", web, new(int32(5)))
	compareWithChart(t, files["web"]+files["api"], map[string]apply.Resources{"web": web.To, "api": api.To})
}

// compareWithChart compares what the chart's Deployments ask for with these values, web for five pods and api for its own one.
func compareWithChart(t *testing.T, values string, want map[string]apply.Resources) {
	t.Helper()
	objects, err := template.Render("testdata/shop", "shop", values)
	if err != nil {
		t.Fatal(err)
	}
	got, replicas := map[string]apply.Resources{}, map[string]int32{}
	for _, object := range objects {
		var d appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &d); err != nil {
			t.Fatal(err)
		}
		got[d.Name], replicas[d.Name] = apply.ResourcesOf(d.Spec.Template.Spec.Containers[0].Resources), *d.Spec.Replicas
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sizes (-recommended +chart):\n%s\nof the values\n%s", diff, values)
	}
	if diff := cmp.Diff(map[string]int32{"web": 5, "api": 1}, replicas); diff != "" {
		t.Errorf("numbers of pods (-recommended +chart):\n%s", diff)
	}
}
