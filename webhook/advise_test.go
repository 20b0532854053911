package webhook

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// written is a Deployment checkout with that many replicas, a memory limit, and annotations.
func written(replicas int, limit string, annotations ...string) string {
	return fmt.Sprintf(`{"metadata":{"name":"checkout","annotations":{%s}},"spec":{"replicas":%d,"template":{"metadata":{"labels":{"app":"checkout"}},`+
		`"spec":{"containers":[{"name":"app","resources":{"limits":{"memory":%q}}}]}}}}`, strings.Join(annotations, ","), replicas, limit)
}

func hpaOn(metrics string) string {
	return `{"metadata":{"name":"scaler"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"checkout"},"metrics":[` + metrics + `]}}`
}

func metric(name, kind string) string {
	return fmt.Sprintf(`{"type":"Resource","resource":{"name":%q,"target":{"type":%q}}}`, name, kind)
}

func TestWhatIsLegalAndUnwiseGivesAWarning(t *testing.T) {
	const evict = `"loadline.dev/updater":"evict"`
	scaler := autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "checkout"},
	}}
	budget := policyv1.PodDisruptionBudget{Spec: policyv1.PodDisruptionBudgetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "checkout"}},
	}}
	hpa := func(object string) *admissionv1.AdmissionRequest {
		return request(admissionv1.Create, "autoscaling", "v2", "HorizontalPodAutoscaler", "shop", object, "")
	}
	policy := func(spec string) *admissionv1.AdmissionRequest {
		return request(admissionv1.Create, v1alpha1.Group, "v1alpha1", "SizingPolicy", "shop", `{"metadata":{"name":"default"},"spec":`+spec+`}`, "")
	}
	namespace := func(annotations string) *admissionv1.AdmissionRequest {
		return request(admissionv1.Create, "", "v1", "Namespace", "shop", `{"metadata":{"name":"shop","annotations":{`+annotations+`}}}`, "")
	}
	for name, c := range map[string]struct {
		path   string
		req    *admissionv1.AdmissionRequest
		change func(*world)
		want   string // empty for no warning
	}{
		"an autoscaler on cpu":          {path: PathAdviseAutoscalers, req: hpa(hpaOn(metric("cpu", "Utilization"))), want: "for Deployment checkout Loadline sizes memory only, and gives back what it had taken of cpu"},
		"an autoscaler on memory":       {path: PathAdviseAutoscalers, req: hpa(hpaOn(metric("memory", "Utilization"))), want: "sizes cpu only"},
		"an autoscaler on both":         {path: PathAdviseAutoscalers, req: hpa(hpaOn(metric("memory", "Utilization") + "," + metric("cpu", "Utilization"))), want: "sizes neither"},
		"an autoscaler without metrics": {path: PathAdviseAutoscalers, req: hpa(hpaOn("")), want: "sizes memory only"},
		"an autoscaler on one container": {
			path: PathAdviseAutoscalers, want: "the utilisation of container app, which is usage ÷ request: for Deployment checkout Loadline leaves that alone",
			req: hpa(hpaOn(`{"type":"ContainerResource","containerResource":{"name":"cpu","container":"app","target":{"type":"Utilization"}}}`)),
		},
		"an autoscaler on an absolute value": {path: PathAdviseAutoscalers, req: hpa(hpaOn(metric("cpu", "AverageValue")))},
		"an autoscaler of something else":    {path: PathAdviseAutoscalers, req: hpa(strings.Replace(hpaOn(""), "checkout", "cart", 1))},
		"an autoscaler where nobody opted in": {
			path: PathAdviseAutoscalers, req: hpa(hpaOn("")), change: func(w *world) { w.namespaces["shop"] = nil },
		},
		"a memory limit under the peak": {path: PathAdviseWorkloads, req: create(written(2, "256Mi")), want: "the memory limit 256Mi is under the 700Mi that one pod was seen to use"},
		"a memory limit over the peak":  {path: PathAdviseWorkloads, req: create(written(2, "1Gi"))},
		"that limit was there before":   {path: PathAdviseWorkloads, req: update(written(3, "256Mi"), written(2, "256Mi"))},
		"resources of the pod": {
			path: PathAdviseWorkloads, req: create(strings.Replace(written(2, "1Gi"), `"containers"`, `"resources":{"limits":{"cpu":"2"}},"containers"`, 1)),
			want: "spec.template.spec.resources is set",
		},
		"a template with what is noted on pods": {
			path: PathAdviseWorkloads, want: "loadline.dev/original is what Loadline notes on a pod; in a template it is not believed, remove it",
			req: create(strings.Replace(written(2, "1Gi"), `"labels":{"app":"checkout"}`, `"labels":{"app":"checkout"},"annotations":{"loadline.dev/original":"{}"}`, 1)),
		},
		"a template with a setting": {
			path: PathAdviseWorkloads, want: "spec.template.metadata.annotations: loadline.dev/mode has no effect here; it belongs on the workload or the namespace",
			req: create(strings.Replace(written(2, "1Gi"), `"labels":{"app":"checkout"}`, `"labels":{"app":"checkout"},"annotations":{"loadline.dev/mode":"off"}`, 1)),
		},
		"a template with an event": {
			path: PathAdviseWorkloads, want: "loadline.dev/event.sale has no effect here",
			req: create(strings.Replace(written(2, "1Gi"), `"labels":{"app":"checkout"}`, `"labels":{"app":"checkout"},"annotations":{"loadline.dev/event.sale":"x"}`, 1)),
		},
		"eviction of the only pod":                 {path: PathAdviseWorkloads, req: create(written(1, "1Gi", evict)), want: "the only pod of a workload is not evicted by default"},
		"eviction without a disruption budget":     {path: PathAdviseWorkloads, req: create(written(2, "1Gi", evict)), want: "no PodDisruptionBudget selects these pods"},
		"eviction with a disruption budget":        {path: PathAdviseWorkloads, req: create(written(2, "1Gi", evict)), change: func(w *world) { w.budgets = []policyv1.PodDisruptionBudget{budget} }},
		"a namespace of eviction without a budget": {path: PathValidateNamespaces, req: namespace(`"loadline.dev/mode":"auto",` + evict), want: "without a PodDisruptionBudget"},
		"replicas beside an autoscaler": {
			path: PathValidateNamespaces, req: namespace(`"loadline.dev/mode":"auto","loadline.dev/replicas":"auto"`), want: "has no effect where a HorizontalPodAutoscaler decides the number of pods: Deployment checkout",
			change: func(w *world) { w.hpas = []autoscalingv2.HorizontalPodAutoscaler{scaler} },
		},
		"replicas of a workload beside its autoscaler": {
			path: PathAdviseWorkloads, req: create(written(2, "1Gi")), want: "has no effect beside HorizontalPodAutoscaler scaler",
			change: func(w *world) {
				w.namespaces["shop"][v1alpha1.AnnotationReplicas] = "auto"
				w.autoscalers["shop/Deployment/checkout"] = "scaler"
			},
		},
		"a minimum over every node":     {path: PathValidateLoadline, req: policy(`{"cpu":{"min":"20"}}`), want: "spec.cpu.min 20 is more than any node has (16)"},
		"a minimum that a node has":     {path: PathValidateLoadline, req: policy(`{"cpu":{"min":"8"},"memory":{"min":"1Gi"}}`)},
		"no memory limits at all":       {path: PathValidateLoadline, req: policy(`{"memory":{"limit":"None"}}`), want: "can take its whole node"},
		"an object that is not legible": {path: PathAdviseWorkloads, req: create(`{"spec":7}`)},
	} {
		t.Run(name, func(t *testing.T) {
			rec := recommend("Deployment", "checkout", container("app", "250m", "800Mi"))
			rec.Status.Current = &v1alpha1.CurrentValues{Containers: []v1alpha1.CurrentContainer{{Name: "app", PeakMemory: new(resource.MustParse("700Mi"))}}}
			w := newWorld(t, rec)
			w.namespaces["shop"][v1alpha1.AnnotationMode] = "auto"
			w.node = apply.Amounts{CPUMillis: 16000, MemoryBytes: 64 << 30}
			if c.change != nil {
				c.change(w)
			}
			got := w.send(t, c.path, c.req)
			if !got.Allowed || len(got.Patch) > 0 {
				t.Errorf("allowed=%v, patch %s", got.Allowed, got.Patch)
			}
			switch {
			case c.want == "" && len(got.Warnings) > 0:
				t.Errorf("warned: %q", got.Warnings)
			case c.want != "" && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], c.want)):
				t.Errorf("warned %q, want one with %q", got.Warnings, c.want)
			}
			for _, warning := range got.Warnings {
				if strings.HasSuffix(warning, "…") {
					t.Errorf("cut: %s", warning)
				}
			}
		})
	}
}
