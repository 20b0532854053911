package updater

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/updater/plan"
)

// actTimeout bounds one change. The client waits by itself when the API server asks for patience.
const actTimeout = 10 * time.Second

// actor carries out actions. It reads pods from the cache and writes to the API server.
type actor struct {
	client client.Client
	// kinds of workloads besides those of Kubernetes itself.
	kinds owner.Kinds
}

// do carries out one action and names the answer; the message is the API server's.
func (a actor) do(ctx context.Context, action plan.Action) (answer, string) {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	var err error
	var named answer
	switch action.Kind {
	case plan.Resize:
		named, err = a.resize(ctx, action)
	case plan.Evict:
		named, err = a.evict(ctx, action)
	case plan.Scale:
		named, err = a.scale(ctx, action)
	case plan.Minimum:
		named, err = a.setMinimum(ctx, action)
	case plan.Lower, plan.GiveBack: // No plan asks for it.
	}
	if err != nil {
		return named, err.Error()
	}
	return named, action.Reason
}

// resize writes down on the pod what it had before and how it is, and then asks for the new sizes: whoever comes after a crash in
// between knows which pods were changed. Both patches carry the UID, so that a pod
// which took the name in between is not touched.
func (a actor) resize(ctx context.Context, action plan.Action) (answer, error) {
	pod := &corev1.Pod{}
	if err := a.client.Get(ctx, client.ObjectKey{Namespace: action.Workload.Namespace, Name: action.Pod}, pod); err != nil {
		return resizeAnswer(err), err
	}
	_, kept := pod.Annotations[v1alpha1.AnnotationOriginal]
	patch, err := annotate(action, kept && !action.Disbelieved)
	if err != nil {
		return answerRefused, err
	}
	if err := a.client.Patch(ctx, shell(action), client.RawPatch(types.MergePatchType, patch)); err != nil {
		return noteAnswer(err), err
	}
	patch, err = resizePatch(action, pod)
	if err != nil {
		return answerRefused, err
	}
	err = a.client.SubResource("resize").Patch(ctx, shell(action), client.RawPatch(types.StrategicMergePatchType, patch))
	return resizeAnswer(err), err
}

// shell is the pod to be changed with nothing but its name: what comes back is written into it and not needed.
func shell(action plan.Action) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: action.Workload.Namespace, Name: action.Pod}}
}

// annotate is the patch that keeps on the pod how it is, and what it had before Loadline changed it for the first time.
func annotate(action plan.Action, kept bool) ([]byte, error) {
	annotations := map[string]string{}
	var err error
	if annotations[v1alpha1.AnnotationResized], err = encodeMark(action.Mark); err != nil {
		return nil, err
	}
	if !kept {
		if annotations[v1alpha1.AnnotationOriginal], err = apply.EncodeOriginal(action.Original); err != nil {
			return nil, err
		}
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": action.UID, "annotations": annotations}})
}

// resizePatch sets the CPU and memory of the containers that change. Other resources are not in the patch, so they stay.
func resizePatch(action plan.Action, pod *corev1.Pod) ([]byte, error) {
	spec := map[string]any{}
	for field, containers := range map[string][]corev1.Container{
		"initContainers": pod.Spec.InitContainers, "containers": pod.Spec.Containers,
	} {
		var changes []corev1.Container
		for _, c := range containers {
			if to, changed := action.Containers[c.Name]; changed {
				changes = append(changes, corev1.Container{Name: c.Name, Resources: to.Into(corev1.ResourceRequirements{})})
			}
		}
		if len(changes) > 0 {
			spec[field] = changes
		}
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": action.UID}, "spec": spec})
}

func (a actor) evict(ctx context.Context, action plan.Action) (answer, error) {
	pod := shell(action)
	err := a.client.SubResource("eviction").Create(ctx, pod, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &action.UID}},
	})
	return evictionAnswer(err), err
}

// scale sets the number of pods, unless somebody else has set another one since the plan was made.
func (a actor) scale(ctx context.Context, action plan.Action) (answer, error) {
	meta := metav1.ObjectMeta{Namespace: action.Workload.Namespace, Name: action.Workload.Name}
	var workload client.Object
	switch action.Workload.Kind {
	case "Deployment":
		workload = &appsv1.Deployment{ObjectMeta: meta}
	case "StatefulSet":
		workload = &appsv1.StatefulSet{ObjectMeta: meta}
	default:
		return a.scaleCustom(ctx, action)
	}
	scale := &autoscalingv1.Scale{}
	if err := a.client.SubResource("scale").Get(ctx, workload, scale); err != nil {
		return scaleAnswer(err), err
	}
	if scale.Spec.Replicas != action.From {
		return answerChanged, fmt.Errorf("%d pods are asked for by now, not %d", scale.Spec.Replicas, action.From)
	}
	scale.Spec.Replicas = action.To
	err := a.client.SubResource("scale").Update(ctx, workload, client.WithSubResourceBody(scale), client.FieldOwner(v1alpha1.FieldManagerUpdater)) // the resource version guards it
	return scaleAnswer(err), err
}
