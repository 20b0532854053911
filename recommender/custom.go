package recommender

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// custom returns an empty object of a kind that the operator configures, or nil.
func (e *Engine) custom(kind string) client.Object {
	k, ok := e.Kinds.Named(kind)
	if !ok {
		return nil
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(k.APIVersion, k.Kind))
	return object
}

// apiVersion of a kind of workload.
func (e *Engine) apiVersion(kind string) string {
	if k, ok := e.Kinds.Named(kind); ok {
		return k.APIVersion
	}
	if kind == kindCronJob {
		return batchv1.SchemeGroupVersion.String()
	}
	return appsv1.SchemeGroupVersion.String()
}

// readCustom reads spec.template.spec and spec.replicas, which are where Deployments have them.
func readCustom(object *unstructured.Unstructured, w *workload) error {
	template, found, err := unstructured.NestedMap(object.Object, "spec", "template", "spec")
	if err != nil || !found {
		return fmt.Errorf("there is no spec.template.spec: %w", err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &w.template); err != nil {
		return fmt.Errorf("decode spec.template.spec: %w", err)
	}
	replicas, found, err := unstructured.NestedInt64(object.Object, "spec", "replicas")
	if err != nil {
		return err
	}
	w.replicas = 1 // as of a Deployment
	if found {
		w.replicas = int32(min(max(replicas, 0), 1<<30))
	}
	updated, tells, err := unstructured.NestedInt64(object.Object, "status", "updatedReplicas")
	w.wants, w.outdated = w.replicas, err == nil && tells && updated < int64(w.replicas)
	return nil
}
