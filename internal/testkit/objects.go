// Package testkit builds the objects and histories that tests start from. Builders read as sentences and share nothing.
package testkit

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// podTemplateHash of every Deployment's ReplicaSet.
const podTemplateHash = "6d8f9c7b5d"

// Namespace returns a namespace with the given annotations, as key, value, key, value and so on.
func Namespace(name string, annotations ...string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: pairs(annotations)}}
}

func pairs(annotations []string) map[string]string {
	out := map[string]string{}
	for i := 0; i+1 < len(annotations); i += 2 {
		out[annotations[i]] = annotations[i+1]
	}
	return out
}

// Node returns a schedulable node of that size.
func Node(name, cpu, memory string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Allocatable: amounts(cpu, memory)}}
}

// DeploymentBuilder builds a Deployment.
type DeploymentBuilder struct{ object appsv1.Deployment }

// Deployment starts one with that many replicas and no container.
func Deployment(namespace, name string, replicas int32) *DeploymentBuilder {
	b := &DeploymentBuilder{}
	b.object.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name), Annotations: map[string]string{}}
	b.object.Spec.Replicas = new(replicas)
	return b
}

// Annotated adds an annotation.
func (b *DeploymentBuilder) Annotated(key, value string) *DeploymentBuilder {
	b.object.Annotations[key] = value
	return b
}

// Container adds a container with these requests; an empty amount is not requested.
func (b *DeploymentBuilder) Container(name, cpu, memory string) *DeploymentBuilder {
	b.object.Spec.Template.Spec.Containers = append(b.object.Spec.Template.Spec.Containers, Container(name, cpu, memory))
	return b
}

// Object returns the Deployment.
func (b *DeploymentBuilder) Object() *appsv1.Deployment { return b.object.DeepCopy() }

// Container returns a container with these requests and no limits; an empty amount is not requested.
func Container(name, cpu, memory string) corev1.Container {
	return corev1.Container{Name: name, Image: "registry.example/" + name + ":1", Resources: corev1.ResourceRequirements{Requests: amounts(cpu, memory)}}
}

// Pod returns the i-th pod of the Deployment, as the controllers would name and own it.
func (b *DeploymentBuilder) Pod(i int) *PodBuilder {
	replicaSet := b.object.Name + "-" + podTemplateHash
	return &PodBuilder{object: corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: b.object.Namespace, Name: replicaSet + "-" + string(rune('a'+i)),
			Labels:          map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: podTemplateHash},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: replicaSet, Controller: new(true)}},
		},
		Spec: *b.object.Spec.Template.Spec.DeepCopy(),
	}}
}

// PodBuilder builds a pod.
type PodBuilder struct{ object corev1.Pod }

// OOMKilled says that a container was killed at that memory limit, and has been started again since.
func (b *PodBuilder) OOMKilled(container, limit string, at time.Time) *PodBuilder {
	b.object.Status.ContainerStatuses = append(b.object.Status.ContainerStatuses, corev1.ContainerStatus{
		Name:      container,
		Resources: &corev1.ResourceRequirements{Limits: amounts("", limit)},
		LastTerminationState: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: metav1.Time{Time: at}},
		},
	})
	return b
}

// EvictForMemory writes into the pod's status what its kubelet writes when the node ran low on memory, and a container used so much more
// than it requests that the pod had to go. The containers end with 0 when they are asked to, and so the pod has succeeded.
func EvictForMemory(pod *corev1.Pod, container, used string, at time.Time) {
	message := "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90100Ki. " +
		"Container " + container + " was using " + used + ", request is 1Mi, has larger consumption of memory. "
	status := &pod.Status
	status.Phase = corev1.PodSucceeded
	status.Conditions = slices.DeleteFunc(status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	status.Conditions = append(status.Conditions,
		corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "PodCompleted", LastTransitionTime: metav1.NewTime(at)},
		corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: corev1.PodReasonTerminationByKubelet,
			Message: message, LastTransitionTime: metav1.NewTime(at),
		})
	for i := range status.ContainerStatuses {
		status.ContainerStatuses[i].Ready = false
		status.ContainerStatuses[i].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", FinishedAt: metav1.NewTime(at)}}
	}
}

// Object returns the pod.
func (b *PodBuilder) Object() *corev1.Pod { return b.object.DeepCopy() }

func amounts(cpu, memory string) corev1.ResourceList {
	out := corev1.ResourceList{}
	if cpu != "" {
		out[corev1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		out[corev1.ResourceMemory] = resource.MustParse(memory)
	}
	return out
}

// ScaledRollout is a workload of a custom kind that argo applied and kubectl scaled, as its managed fields say.
func ScaledRollout() *unstructured.Unstructured {
	entry := func(manager, subresource string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Subresource: subresource, APIVersion: "argoproj.io/v1alpha1",
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
		}
	}
	rollout := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}}
	rollout.SetManagedFields([]metav1.ManagedFieldsEntry{entry("argo", ""), entry("kubectl", "scale")})
	return rollout
}
