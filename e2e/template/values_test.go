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
	values, err := gitops.Values([]gitops.Change{
		{Namespace: "shop", Kind: "Deployment", Name: "api", Containers: []gitops.Container{api}},
		{Namespace: "shop", Kind: "Deployment", Name: "web", Containers: []gitops.Container{web}, Replicas: new(int32(5))},
	}, gitops.Paths{Resources: "{{.Name}}.resources", Replicas: "{{.Name}}.replicaCount"})
	if err != nil {
		t.Fatal(err)
	}
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
	if diff := cmp.Diff(map[string]apply.Resources{"web": web.To, "api": api.To}, got); diff != "" {
		t.Errorf("sizes (-recommended +chart):\n%s\nof the values\n%s", diff, values)
	}
	if diff := cmp.Diff(map[string]int32{"web": 5, "api": 1}, replicas); diff != "" {
		t.Errorf("numbers of pods (-recommended +chart):\n%s", diff)
	}
}
