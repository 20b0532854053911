package updater

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// Annotations by which a pod asks other tools, and therefore also Loadline, not to evict it.
const (
	annotationSafeToEvict  = "cluster-autoscaler.kubernetes.io/safe-to-evict"
	annotationDoNotDisrupt = "karpenter.sh/do-not-disrupt"
)

// CacheOptions returns the options of the cache that the updater reads. Objects are stripped of what it does not need and
// handed out without a copy, so a manager with this cache must not be shared with code that changes what it reads.
func CacheOptions() cache.Options {
	return cache.Options{
		DefaultTransform:             apply.StripManagedFields,
		DefaultUnsafeDisableDeepCopy: new(true),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.Recommendation{}:               {Transform: stripping(stripRecommendation)},
			&v1alpha1.SizingPolicy{}:                 {},
			&corev1.Pod{}:                            {Transform: stripping(stripPod)},
			&corev1.Node{}:                           {Transform: stripping(stripNode)},
			&policyv1.PodDisruptionBudget{}:          {},
			&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: keeping(apply.KeepMinimum, stripAutoscaler)},
			&appsv1.Deployment{}:                     {Transform: keeping(apply.KeepScaling, stripDeployment)},
			&appsv1.StatefulSet{}:                    {Transform: keeping(apply.KeepScaling, stripStatefulSet)},
			&appsv1.DaemonSet{}:                      {Transform: stripping(stripDaemonSet)},
			namespaceMetadata():                      {},
		},
	}
}

func namespaceMetadata() *metav1.PartialObjectMetadata {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return ns
}

// stripping makes a cache transform of a function that changes objects of one type; others, such as tombstones, pass.
func stripping[T client.Object](strip func(T)) func(any) (any, error) {
	return func(in any) (any, error) {
		if obj, ok := in.(T); ok {
			obj.SetManagedFields(nil)
			strip(obj)
		}
		return in, nil
	}
}

func stripRecommendation(rec *v1alpha1.Recommendation) {
	memory := rec.Status.Memory
	rec.Status = v1alpha1.RecommendationStatus{
		Mode: rec.Status.Mode, Conditions: rec.Status.Conditions, ObservedTime: rec.Status.ObservedTime,
		Applicable: rec.Status.Applicable, Outcomes: rec.Status.Outcomes, Replicas: rec.Status.Replicas,
		OOMFloor: rec.Status.OOMFloor, Rollback: rec.Status.Rollback, Health: rec.Status.Health,
		Trial: rec.Status.Trial, Trying: rec.Status.Trying, TryingSince: rec.Status.TryingSince, Current: rec.Status.Current,
	}
	if memory != nil {
		rec.Status.Memory = &v1alpha1.DecisionMemory{LastGood: memory.LastGood}
	}
}

func stripPod(pod *corev1.Pod) {
	for key := range pod.Annotations {
		if !strings.HasPrefix(key, v1alpha1.Group+"/") && key != annotationSafeToEvict && key != annotationDoNotDisrupt {
			delete(pod.Annotations, key)
		}
	}
	pod.Spec = corev1.PodSpec{
		Containers: stripContainers(pod.Spec.Containers), InitContainers: stripContainers(pod.Spec.InitContainers),
		NodeName: pod.Spec.NodeName, Resources: pod.Spec.Resources, OS: pod.Spec.OS,
		NodeSelector: pod.Spec.NodeSelector, Tolerations: pod.Spec.Tolerations, Affinity: pod.Spec.Affinity,
		TopologySpreadConstraints: pod.Spec.TopologySpreadConstraints, ResourceClaims: pod.Spec.ResourceClaims,
		Overhead: pod.Spec.Overhead, Volumes: boundVolumes(pod.Spec.Volumes),
	}
	status := &pod.Status
	*status = corev1.PodStatus{
		Phase: status.Phase, Conditions: status.Conditions,
		ContainerStatuses: status.ContainerStatuses, InitContainerStatuses: status.InitContainerStatuses,
	}
}

func stripContainers(in []corev1.Container) []corev1.Container {
	out := make([]corev1.Container, 0, len(in))
	for _, c := range in {
		out = append(out, corev1.Container{
			Name: c.Name, Resources: c.Resources, ResizePolicy: c.ResizePolicy, RestartPolicy: c.RestartPolicy,
			Ports: slices.DeleteFunc(slices.Clone(c.Ports), func(p corev1.ContainerPort) bool { return p.HostPort == 0 }),
		})
	}
	return out
}

// boundVolumes are those that may tie a pod to some nodes.
func boundVolumes(all []corev1.Volume) []corev1.Volume {
	return slices.DeleteFunc(slices.Clone(all), func(v corev1.Volume) bool { return v.PersistentVolumeClaim == nil && v.Ephemeral == nil })
}

func stripNode(n *corev1.Node) {
	n.Annotations, n.Spec = nil, corev1.NodeSpec{Taints: n.Spec.Taints, Unschedulable: n.Spec.Unschedulable}
	n.Status = corev1.NodeStatus{Allocatable: n.Status.Allocatable, Conditions: n.Status.Conditions}
}

// stripAutoscaler keeps what it scales, its minimum, and who keeps that.
func stripAutoscaler(hpa *autoscalingv2.HorizontalPodAutoscaler) {
	hpa.Spec = autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: hpa.Spec.ScaleTargetRef, MinReplicas: hpa.Spec.MinReplicas}
	hpa.Status = autoscalingv2.HorizontalPodAutoscalerStatus{}
}

// keeping is stripping where a part of the metadata's managed fields is needed.
func keeping[T client.Object](keep func(metav1.Object), strip func(T)) func(any) (any, error) {
	return func(in any) (any, error) {
		if obj, ok := in.(T); ok {
			keep(obj)
			strip(obj)
		}
		return in, nil
	}
}

func stripDeployment(d *appsv1.Deployment) { d.Spec.Template = stripTemplate(d.Spec.Template) }

// stripTemplate keeps nothing but what somebody noted under Loadline's name, and the memory that containers ask for.
func stripTemplate(t corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: v1alpha1.OwnAnnotations(t.Annotations)},
		Spec:       corev1.PodSpec{Containers: memoryOf(t.Spec.Containers), InitContainers: memoryOf(t.Spec.InitContainers)},
	}
}

func memoryOf(containers []corev1.Container) []corev1.Container {
	only := func(list corev1.ResourceList) corev1.ResourceList {
		memory, found := list[corev1.ResourceMemory]
		if !found {
			return nil
		}
		return corev1.ResourceList{corev1.ResourceMemory: memory}
	}
	var kept []corev1.Container
	for i := range containers {
		has := containers[i].Resources
		kept = append(kept, corev1.Container{
			Name: containers[i].Name, Resources: corev1.ResourceRequirements{Requests: only(has.Requests), Limits: only(has.Limits)},
		})
	}
	return kept
}

func stripStatefulSet(s *appsv1.StatefulSet) {
	s.Spec.Template, s.Spec.VolumeClaimTemplates = stripTemplate(s.Spec.Template), nil
}

func stripDaemonSet(d *appsv1.DaemonSet) { d.Spec.Template = stripTemplate(d.Spec.Template) }
