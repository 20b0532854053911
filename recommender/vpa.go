package recommender

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/apply"
)

// VPA is a VerticalPodAutoscaler that changes the pods of a workload; the zero value is none.
type VPA struct {
	Name string
	// Mode is its updateMode, which is not Off.
	Mode string
}

// why is the reason for leaving the pods to it, as a part of a sentence.
func (v VPA) why() string {
	return fmt.Sprintf("because VerticalPodAutoscaler %s changes the same pods", v.Name)
}

// problem says what becomes of a workload that has one.
func (v VPA) problem() string {
	return fmt.Sprintf("VerticalPodAutoscaler %s changes the same pods (updateMode %s): Loadline leaves them alone; "+
		"set its updateMode to Off, or delete it, to have Loadline size them", v.Name, v.Mode)
}

// vpaPatience is how long a workload waits for the first list of VerticalPodAutoscalers.
const vpaPatience = 30 * time.Second

// vpaKind is the kind of VerticalPodAutoscalers. Most clusters have none.
func vpaKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "autoscaling.k8s.io", Version: "v1", Kind: "VerticalPodAutoscaler"}
}

func anyVPA() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(vpaKind())
	return object
}

// vpa returns the first VerticalPodAutoscaler by name that changes the target's pods. Two that size the same pods undo each other's
// work without end, so whoever was asked first stays.
func (e *Engine) vpa(ctx context.Context, target Target) (VPA, error) {
	// Reading waits until all were listed once: for good, where the right to list them is missing.
	ctx, cancel := context.WithTimeout(ctx, vpaPatience)
	defer cancel()
	all := &unstructured.UnstructuredList{}
	all.SetGroupVersionKind(vpaKind())
	err := e.Client.List(ctx, all, client.InNamespace(target.Namespace), client.UnsafeDisableDeepCopy)
	if _, unwatched := errors.AsType[*cache.ErrResourceNotCached](err); unwatched || apimeta.IsNoMatchError(err) {
		return VPA{}, nil // the cluster does not know the kind
	}
	if err != nil {
		return VPA{}, fmt.Errorf("list vertical pod autoscalers of %s (does the recommender's role allow it?): %w", target.Namespace, err)
	}
	slices.SortFunc(all.Items, func(a, b unstructured.Unstructured) int { return cmp.Compare(a.GetName(), b.GetName()) })
	for i := range all.Items {
		of, mode := readVPA(&all.Items[i])
		if of == target && mode != "Off" {
			return VPA{Name: all.Items[i].GetName(), Mode: mode}, nil
		}
	}
	return VPA{}, nil
}

// readVPA returns whose pods a VerticalPodAutoscaler sizes, and its updateMode, which is Recreate where it does not say.
func readVPA(object *unstructured.Unstructured) (of Target, mode string) {
	kind, _, _ := unstructured.NestedString(object.Object, "spec", "targetRef", "kind")
	name, _, _ := unstructured.NestedString(object.Object, "spec", "targetRef", "name")
	mode, _, _ = unstructured.NestedString(object.Object, "spec", "updatePolicy", "updateMode")
	return Target{Namespace: object.GetNamespace(), Kind: kind, Name: name}, cmp.Or(mode, "Recreate")
}

func (m mapper) vpa(_ context.Context, o client.Object) []Target {
	object, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	of, _ := readVPA(object)
	return m.wanted(of)
}

// stripUnnamed is for every kind that has no transform of its own. Kinds that a cluster may not have cannot have one.
func stripUnnamed(object any) (any, error) {
	if u, ok := object.(*unstructured.Unstructured); ok && u.GroupVersionKind().GroupKind() == vpaKind().GroupKind() {
		spec, _, _ := unstructured.NestedMap(u.Object, "spec")
		u.Object = map[string]any{
			"apiVersion": u.Object["apiVersion"], "kind": u.Object["kind"], "metadata": u.Object["metadata"],
			"spec": map[string]any{"targetRef": spec["targetRef"], "updatePolicy": spec["updatePolicy"]},
		}
		u.SetAnnotations(nil)
	}
	return apply.StripManagedFields(object)
}

// isServed reports whether the cluster knows a kind.
func isServed(mapper apimeta.RESTMapper, kind schema.GroupVersionKind) (bool, error) {
	_, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if apimeta.IsNoMatchError(err) {
		return false, nil
	}
	return err == nil, err
}

// await begins to watch a kind once the cluster knows it. To ask for that now and then is all that a cluster without it pays.
type await struct {
	kind   schema.GroupVersionKind
	mapper apimeta.RESTMapper
	clock  clock.Clock
	every  time.Duration
	watch  func() error
}

// Start asks until the kind is there or the context ends.
func (a await) Start(ctx context.Context) error {
	for {
		switch served, err := isServed(a.mapper, a.kind); {
		case err != nil:
			ctrl.LoggerFrom(ctx).Error(err, "cannot tell whether the cluster knows a kind", "kind", a.kind.Kind)
		case served:
			return a.watch()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.clock.After(a.every):
		}
	}
}
