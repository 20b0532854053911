package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// optedIn is a namespace and what its annotations say.
type optedIn struct {
	name     string
	mode     v1alpha1.Mode
	labelled bool
	wrong    []string
}

func (o optedIn) in() bool { return o.mode != v1alpha1.ModeOff && o.mode != "" }

// namespaces returns all, by name.
func (e examiner) namespaces(ctx context.Context) ([]optedIn, error) {
	var list corev1.NamespaceList
	if err := e.client.List(ctx, &list); err != nil {
		return nil, err
	}
	var all []optedIn
	for _, n := range list.Items {
		settings, refused := v1alpha1.ParseAnnotations(n.Annotations)
		o := optedIn{name: n.Name, mode: settings.Mode, labelled: n.Labels[v1alpha1.LabelAdmission] == v1alpha1.LabelAdmissionEnabled}
		for _, r := range refused {
			o.wrong = append(o.wrong, r.Error())
		}
		all = append(all, o)
	}
	return all, nil
}

// optIn looks whether namespaces say what they mean.
func (e examiner) optIn(ctx context.Context) []Finding {
	const check = "opt-in"
	all, err := e.namespaces(ctx)
	if err != nil {
		return []Finding{unseen(check, "the namespaces", err)}
	}
	var found []Finding
	modes := map[v1alpha1.Mode]int{}
	for _, n := range all {
		if e.Config.Excluded(n.name) || n.name == e.Config.Updater.ProbeNamespace {
			continue
		}
		where := "namespace/" + n.name
		if len(n.wrong) > 0 {
			found = append(found, Finding{
				Check: check, Severity: Warning, Where: where, What: strings.Join(n.wrong, "; "), Fix: fmt.Sprintf("kubectl edit namespace %s", n.name),
			})
		}
		if n.in() {
			modes[n.mode]++
		}
		if n.mode.Admits() && !n.labelled && e.runs("webhook") {
			found = append(found, Finding{
				Check: check, Severity: Error, Where: where, What: "its mode is " + string(n.mode) + ", and the label that makes the API server ask is missing",
				Fix: fmt.Sprintf("kubectl label namespace %s %s=%s --overwrite", n.name, v1alpha1.LabelAdmission, v1alpha1.LabelAdmissionEnabled),
			})
		}
	}
	return append(found, Finding{Check: check, Severity: OK, What: fmt.Sprintf("namespaces in dry-run: %d, initial: %d, auto: %d",
		modes[v1alpha1.ModeDryRun], modes[v1alpha1.ModeInitial], modes[v1alpha1.ModeAuto])})
}

// stale names the Recommendations that the recommender has not confirmed for too long, oldest first.
func (e examiner) stale(ctx context.Context) []Finding {
	const check = "recommendations"
	namespaces, err := e.namespaces(ctx)
	if err != nil {
		return nil // told by the check of the namespaces
	}
	in := map[string]bool{}
	for _, n := range namespaces {
		in[n.name] = n.in() && n.name != e.Config.Updater.ProbeNamespace
	}
	var list v1alpha1.RecommendationList
	switch err := e.client.List(ctx, &list); {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return nil // told by the check of the kinds
	case err != nil:
		return []Finding{unseen(check, "the Recommendations", err)}
	}
	old, fresh := e.byAge(list.Items, in)
	if len(old) == 0 {
		return []Finding{{Check: check, Severity: OK, What: fmt.Sprintf("%d, none of them stale", fresh)}}
	}
	slices.SortFunc(old, func(a, b v1alpha1.Recommendation) int {
		return cmp.Or(a.Status.ObservedTime.Compare(b.Status.ObservedTime.Time), cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name))
	})
	names := make([]string, len(old))
	for i, r := range old {
		names[i] = r.Namespace + "/" + r.Name
	}
	return []Finding{{
		Check: check, Severity: Warning, Where: few(names), Fix: e.restart("recommender"),
		What: fmt.Sprintf("%d were not confirmed for longer than %s: nothing is lowered by them", len(old), e.Config.Recommender.StaleAfter.Duration),
	}}
}

// byAge returns the Recommendations that are stale, and how many are not, in the namespaces that opted in.
func (e examiner) byAge(all []v1alpha1.Recommendation, in map[string]bool) (old []v1alpha1.Recommendation, fresh int) {
	for _, r := range all {
		switch {
		case !in[r.Namespace] || r.Status.ObservedTime == nil || r.Status.Mode == v1alpha1.ModeOff:
		case r.Status.Stale(e.Clock.Now(), e.Config.Recommender.StaleAfter.Duration):
			old = append(old, r)
		default:
			fresh++
		}
	}
	return old, fresh
}

// autoscalers looks for others who size or scale the same workloads.
func (e examiner) autoscalers(ctx context.Context) []Finding {
	namespaces, err := e.namespaces(ctx)
	if err != nil {
		return nil // told by the check of the namespaces
	}
	in := map[string]bool{}
	for _, n := range namespaces {
		in[n.name] = n.mode.Admits()
	}
	return append(e.horizontal(ctx, in), e.vertical(ctx, in)...)
}

// horizontal looks for autoscalers that leave nothing to size.
func (e examiner) horizontal(ctx context.Context, in map[string]bool) []Finding {
	const check = "autoscalers"
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := e.client.List(ctx, &list); err != nil {
		return []Finding{unseen(check, "the HorizontalPodAutoscalers", err)}
	}
	var found []Finding
	for _, hpa := range list.Items {
		held := utilisations(&hpa)
		if !in[hpa.Namespace] || len(held) < 2 {
			continue
		}
		found = append(found, Finding{
			Check: check, Severity: Warning, Where: "horizontalpodautoscaler/" + hpa.Name + " in " + hpa.Namespace,
			What: fmt.Sprintf("it holds the utilisation of %s of %s %s, so Loadline sizes neither", strings.Join(held, " and "), hpa.Spec.ScaleTargetRef.Kind, hpa.Spec.ScaleTargetRef.Name),
			Fix:  fmt.Sprintf("kubectl --namespace %s edit horizontalpodautoscaler %s", hpa.Namespace, hpa.Name),
		})
	}
	if len(found) == 0 {
		found = append(found, Finding{Check: check, Severity: OK, What: "no HorizontalPodAutoscaler is in the way"})
	}
	return found
}

// utilisations are the resources whose utilisation an autoscaler holds, in whole pods or in one of their containers.
func utilisations(hpa *autoscalingv2.HorizontalPodAutoscaler) []string {
	var held []string
	hold := func(name corev1.ResourceName, target autoscalingv2.MetricTargetType) {
		if target == autoscalingv2.UtilizationMetricType && !slices.Contains(held, string(name)) {
			held = append(held, string(name))
		}
	}
	for _, m := range hpa.Spec.Metrics {
		if m.Resource != nil {
			hold(m.Resource.Name, m.Resource.Target.Type)
		}
		if m.ContainerResource != nil {
			hold(m.ContainerResource.Name, m.ContainerResource.Target.Type)
		}
	}
	return held
}

// vertical looks for VerticalPodAutoscalers whose pods Loadline leaves to them.
func (e examiner) vertical(ctx context.Context, in map[string]bool) []Finding {
	const check = "autoscalers"
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "autoscaling.k8s.io", Version: "v1", Kind: "VerticalPodAutoscalerList"})
	switch err := e.client.List(ctx, list); {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return []Finding{unseen(check, "the VerticalPodAutoscalers", err)}
	}
	var found []Finding
	for _, vpa := range list.Items {
		mode, _, _ := unstructured.NestedString(vpa.Object, "spec", "updatePolicy", "updateMode")
		if !in[vpa.GetNamespace()] || mode == "Off" {
			continue
		}
		kind, _, _ := unstructured.NestedString(vpa.Object, "spec", "targetRef", "kind")
		name, _, _ := unstructured.NestedString(vpa.Object, "spec", "targetRef", "name")
		found = append(found, Finding{
			Check: check, Severity: Warning, Where: "verticalpodautoscaler/" + vpa.GetName() + " in " + vpa.GetNamespace(),
			What: fmt.Sprintf("it changes the pods of %s %s (updateMode %s), so Loadline does not", kind, name, cmp.Or(mode, "Recreate")),
			Fix: fmt.Sprintf(`kubectl --namespace %s patch verticalpodautoscaler %s --type=merge --patch '{"spec":{"updatePolicy":{"updateMode":"Off"}}}'`,
				vpa.GetNamespace(), vpa.GetName()),
		})
	}
	return found
}
