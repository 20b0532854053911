package recommender

import (
	"context"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// mapper turns changed objects into the targets that they concern.
type mapper struct {
	engine   *Engine
	excluded func(namespace string) bool
}

// wanted drops a target in a namespace that Loadline never touches, before any work is done for it.
func (m mapper) wanted(target Target) []Target {
	if m.excluded(target.Namespace) {
		return nil
	}
	return []Target{target}
}

func (m mapper) one(kind string) handler.TypedEventHandler[client.Object, Target] {
	return handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []Target {
		return m.wanted(Target{Namespace: o.GetNamespace(), Kind: kind, Name: o.GetName()})
	})
}

func (m mapper) recommendation(_ context.Context, o client.Object) []Target {
	rec, ok := o.(*v1alpha1.Recommendation)
	if !ok {
		return nil
	}
	return m.wanted(targetOf(rec))
}

func targetOf(rec *v1alpha1.Recommendation) Target {
	return Target{Namespace: rec.Namespace, Kind: rec.Spec.TargetRef.Kind, Name: rec.Spec.TargetRef.Name}
}

func (m mapper) autoscaler(_ context.Context, o client.Object) []Target {
	hpa, ok := o.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	return m.wanted(Target{Namespace: hpa.Namespace, Kind: hpa.Spec.ScaleTargetRef.Kind, Name: hpa.Spec.ScaleTargetRef.Name})
}

// killedPod returns the workload of a pod that was killed, and keeps what the kill tells: the pod may be gone when the workload is looked at.
func (m mapper) killedPod(_ context.Context, o client.Object) []Target {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return nil
	}
	of, ok := m.engine.Kinds.Of(pod)
	if !ok {
		return nil
	}
	wanted := m.wanted(Target{Namespace: pod.Namespace, Kind: of.Kind, Name: of.Name})
	for _, target := range wanted {
		m.engine.departed.note(target, pod)
	}
	return wanted
}

func (m mapper) namespace(ctx context.Context, o client.Object) []Target {
	return m.all(ctx, o.GetName())
}

func (m mapper) namespaceOf(ctx context.Context, o client.Object) []Target {
	return m.all(ctx, o.GetNamespace())
}

// all returns the workloads of a namespace. A failed list is not fatal: each workload is visited again in time.
func (m mapper) all(ctx context.Context, namespace string) []Target {
	if m.excluded(namespace) {
		return nil
	}
	var targets []Target
	err := m.engine.eachWorkload(ctx, namespace, func(t Target, _ client.Object) { targets = append(targets, t) })
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list workloads of a changed namespace; they follow at their next visit", "namespace", namespace)
	}
	return targets
}

// autoscalerChanged passes autoscalers whose spec changed. They have a generation only since Kubernetes 1.37.
func autoscalerChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*autoscalingv2.HorizontalPodAutoscaler)
		after, isOne := e.ObjectNew.(*autoscalingv2.HorizontalPodAutoscaler)
		return !ok || !isOne || !equality.Semantic.DeepEqual(before.Spec, after.Spec)
	}}
}

// outOfMemoryKilled passes pods whose status tells of a kill that it did not tell of before.
func outOfMemoryKilled() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return newKill(nil, e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return newKill(e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}

func newKill(before, after client.Object) bool {
	newPod, ok := after.(*corev1.Pod)
	if !ok {
		return false
	}
	kills := OOMKills(newPod)
	if len(kills) == 0 {
		return false
	}
	oldPod, ok := before.(*corev1.Pod)
	if !ok {
		return true
	}
	old := OOMKills(oldPod)
	return len(old) == 0 || old[len(old)-1].Time.Before(kills[len(kills)-1].Time)
}

// harmReported passes Recommendations whose outcomes tell of harm that they did not tell of before: it is answered at once.
func harmReported() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false }, DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool { return lastHarm(e.ObjectNew).After(lastHarm(e.ObjectOld)) },
	}
}

func lastHarm(o client.Object) time.Time {
	rec, ok := o.(*v1alpha1.Recommendation)
	if !ok {
		return time.Time{}
	}
	for _, outcome := range rec.Status.Outcomes { // newest first
		if outcome.Result == v1alpha1.OutcomeFailed {
			return outcome.Time.Time
		}
	}
	return time.Time{}
}
