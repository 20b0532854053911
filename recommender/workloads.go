package recommender

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Kinds that get a Recommendation.
const (
	kindDeployment  = "Deployment"
	kindStatefulSet = "StatefulSet"
	kindDaemonSet   = "DaemonSet"
	kindCronJob     = "CronJob"
)

// workload is what the kinds have in common.
type workload struct {
	uid         types.UID
	annotations map[string]string
	template    corev1.PodSpec
	replicas    int32
	// surge is how many pods a rollout adds for a while.
	surge int32
	// object itself, for its metadata.
	object metav1.Object
	// refused is what the API server says to the workload's new pods, where it refuses them; empty if it does not.
	refused string
	// refusedSince is when that began.
	refusedSince time.Time
	// wants is how many pods there should be at present, of a CronJob at least, where refused tells nothing; outdated says that a rollout
	// has not reached all of them.
	wants    int32
	outdated bool
	// broken says why a workload of a configured kind cannot be read; nil if it can.
	broken error
}

// workload returns nil if there is no such workload, or it is being deleted.
func (e *Engine) workload(ctx context.Context, target Target) (*workload, error) {
	var object client.Object
	switch target.Kind {
	case kindDeployment:
		object = &appsv1.Deployment{}
	case kindStatefulSet:
		object = &appsv1.StatefulSet{}
	case kindDaemonSet:
		object = &appsv1.DaemonSet{}
	case kindCronJob:
		object = &batchv1.CronJob{}
	default:
		if object = e.custom(target.Kind); object == nil {
			return nil, nil
		}
	}
	key := types.NamespacedName{Namespace: target.Namespace, Name: target.Name}
	if err := e.Client.Get(ctx, key, object); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("get %s %s: %w", target.Kind, key, err)
	}
	if object.GetDeletionTimestamp() != nil {
		return nil, nil
	}
	w := workloadOf(object)
	if w.broken != nil {
		return nil, fmt.Errorf("read %s %s: %w", target.Kind, key, w.broken)
	}
	return w, nil
}

// workloadOf reads what the kinds have in common.
func workloadOf(object client.Object) *workload {
	w := &workload{uid: object.GetUID(), annotations: object.GetAnnotations(), object: object}
	switch o := object.(type) {
	case *appsv1.Deployment:
		w.template, w.replicas = o.Spec.Template.Spec, replicasOr1(o.Spec.Replicas)
		w.surge = surgeOf(o.Spec.Strategy, w.replicas)
		w.refused, w.refusedSince = refusedPods(o)
	case *appsv1.StatefulSet:
		w.template, w.replicas = o.Spec.Template.Spec, replicasOr1(o.Spec.Replicas)
		w.wants = w.replicas
	case *batchv1.CronJob:
		job := o.Spec.JobTemplate.Spec
		w.template, w.replicas = job.Template.Spec, replicasOr1(job.Parallelism)
		w.wants = int32(len(o.Status.Active))
	case *appsv1.DaemonSet:
		w.template, w.replicas = o.Spec.Template.Spec, o.Status.DesiredNumberScheduled
		w.wants, w.outdated = w.replicas, o.Status.UpdatedNumberScheduled < w.replicas
	case *unstructured.Unstructured:
		w.broken = readCustom(o, w)
	}
	return w
}

// refusedPods is why the API server refuses the Deployment's new pods, and since when; empty if it does not.
func refusedPods(d *appsv1.Deployment) (why string, since time.Time) {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return c.Message, c.LastTransitionTime.Time
		}
	}
	return "", time.Time{}
}

// surgeOf is how many pods a rollout may have above the number of replicas: a quarter, rounded up, unless it says otherwise.
func surgeOf(strategy appsv1.DeploymentStrategy, replicas int32) int32 {
	if strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return 0
	}
	surge := intstr.FromString("25%")
	if r := strategy.RollingUpdate; r != nil && r.MaxSurge != nil {
		surge = *r.MaxSurge
	}
	pods, err := intstr.GetScaledValueFromIntOrPercent(&surge, int(replicas), true)
	if err != nil {
		return replicas // the API server refuses such a strategy
	}
	return int32(pods)
}

func replicasOr1(replicas *int32) int32 {
	if replicas == nil {
		return 1 // the API server's default
	}
	return *replicas
}

// kindList is a list to read workloads of one kind into.
type kindList struct {
	kind string
	list client.ObjectList
}

// eachWorkload calls visit for every workload of a namespace, kind by kind.
func (e *Engine) eachWorkload(ctx context.Context, namespace string, visit func(Target, client.Object)) error {
	kinds := []kindList{
		{kindDeployment, &appsv1.DeploymentList{}},
		{kindStatefulSet, &appsv1.StatefulSetList{}},
		{kindDaemonSet, &appsv1.DaemonSetList{}},
		{kindCronJob, &batchv1.CronJobList{}},
	}
	for _, k := range e.Kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.FromAPIVersionAndKind(k.APIVersion, k.Kind+"List"))
		kinds = append(kinds, kindList{k.Kind, list})
	}
	for _, k := range kinds {
		if err := e.Client.List(ctx, k.list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("list %ss of %s: %w", k.kind, namespace, err)
		}
		err := apimeta.EachListItem(k.list, func(item runtime.Object) error {
			if object, ok := item.(client.Object); ok {
				visit(Target{Namespace: namespace, Kind: k.kind, Name: object.GetName()}, object)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the list of %ss of %s: %w", k.kind, namespace, err)
		}
	}
	return nil
}
