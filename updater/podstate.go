package updater

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/eviction"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/updater/plan"
)

func podIs(pod *corev1.Pod, condition corev1.PodConditionType) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == condition && c.Status == corev1.ConditionTrue
	})
}

// unschedulable reports whether the scheduler said that it finds no node for the pod.
func unschedulable(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
}

// gated reports whether somebody keeps the pod from being scheduled, so that it takes room from nobody.
func gated(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonSchedulingGated
	})
}

// actual is what the containers run with. Where the node has not said, that is what the spec asks for.
func actual(pod *corev1.Pod) map[string]apply.Resources {
	out := apply.Present(pod)
	for _, s := range containerStatuses(pod) {
		if _, exists := out[s.Name]; exists && s.Resources != nil {
			out[s.Name] = apply.ResourcesOf(*s.Resources)
		}
	}
	return out
}

func containerStatuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

// resizable reports whether the API server accepts a resize of this pod: not of Windows pods, and not where the node is too
// old to tell what a container runs with.
func resizable(pod *corev1.Pod) bool {
	if pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows {
		return false
	}
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Running != nil {
			return s.Resources != nil
		}
	}
	return false
}

// fixed names what is not resized in place: see plan.Fixed.
func fixed(pod *corev1.Pod) map[string]plan.Fixed {
	out := map[string]plan.Fixed{}
	for _, c := range pod.Spec.InitContainers {
		if !apply.IsSidecar(c) {
			out[c.Name] = plan.Fixed{CPU: true, Memory: true}
		}
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		f := out[c.Name]
		for _, p := range c.ResizePolicy {
			restarts := p.RestartPolicy == corev1.RestartContainer
			f.CPU = f.CPU || restarts && p.ResourceName == corev1.ResourceCPU
			f.Memory = f.Memory || restarts && p.ResourceName == corev1.ResourceMemory
		}
		if f != (plan.Fixed{}) {
			out[c.Name] = f
		}
	}
	return out
}

func resizeStatus(pod *corev1.Pod) plan.ResizeStatus {
	for _, c := range pod.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		status := plan.ResizeStatus{Since: c.LastTransitionTime.Time, Message: c.Message}
		switch c.Type {
		case corev1.PodResizePending:
			status.State = plan.ResizeDeferred
			if c.Reason == corev1.PodReasonInfeasible {
				status.State = plan.ResizeInfeasible
			}
			return status
		case corev1.PodResizeInProgress:
			status.State = plan.ResizeInProgress
			if c.Reason == corev1.PodReasonError {
				status.State = plan.ResizeError
			}
			return status
		}
	}
	return plan.ResizeStatus{}
}

// troubles lists what went wrong with a pod. It comes from the pod's status, which only its node writes; Events can be forged by
// anyone who may create them.
func troubles(pod *corev1.Pod) []plan.Trouble {
	if evicted, ok := eviction.ForMemory(pod); ok {
		return evictedFor(evicted)
	}
	out := containerTroubles(pod)
	if at, lost := lostReadiness(pod); lost {
		out = append(out, plan.Trouble{What: plan.TroubleNotReady, At: at})
	} else if !at.IsZero() && allRun(pod) {
		out = append(out, plan.Trouble{What: plan.TroubleNeverReady, At: started(pod)})
	}
	return out
}

// containerTroubles lists how containers of a pod ended.
func containerTroubles(pod *corev1.Pod) []plan.Trouble {
	const crashLoop = "CrashLoopBackOff"
	var out []plan.Trouble
	for _, s := range containerStatuses(pod) {
		for _, t := range []*corev1.ContainerStateTerminated{s.State.Terminated, s.LastTerminationState.Terminated} {
			switch {
			case t == nil:
			case t.Reason == "OOMKilled":
				out = append(out, plan.Trouble{Container: s.Name, What: plan.TroubleOOM, At: t.FinishedAt.Time})
			case t.ExitCode != 0:
				out = append(out, plan.Trouble{Container: s.Name, What: plan.TroubleRestart, At: t.FinishedAt.Time})
			}
		}
		if last := s.LastTerminationState.Terminated; last != nil && s.State.Waiting != nil && s.State.Waiting.Reason == crashLoop {
			out = append(out, plan.Trouble{Container: s.Name, What: plan.TroubleCrashLoop, At: last.FinishedAt.Time})
		}
	}
	return out
}

// evictedFor lists what an eviction by its node did to a pod: to the containers that used more memory than they request, or to the pod as
// a whole where the node named none. Whatever else is in its status is what such an end looks like.
func evictedFor(e eviction.Memory) []plan.Trouble {
	var out []plan.Trouble
	for _, used := range e.Used {
		out = append(out, plan.Trouble{Container: used.Container, What: plan.TroubleEvicted, At: e.At})
	}
	if len(out) == 0 {
		out = append(out, plan.Trouble{What: plan.TroubleEvicted, At: e.At})
	}
	return out
}

// allRun reports whether all containers of the pod run.
func allRun(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && len(pod.Status.ContainerStatuses) > 0 &&
		!slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.State.Running == nil })
}

// readyAfter is how long after its creation the pod became ready, the last time; 0 where it is not.
func readyAfter(pod *corev1.Pod) time.Duration {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Sub(pod.CreationTimestamp.Time)
		}
	}
	return 0
}

// lostReadiness reports when the kubelet found that containers of the pod are not ready, and whether they were before. A pod that never
// was ready has had that condition since before its containers started. A pod whose node went silent is marked by another controller, which
// gives no such reason.
func lostReadiness(pod *corev1.Pod) (time.Time, bool) {
	const containersNotReady = "ContainersNotReady"
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionFalse && c.Reason == containersNotReady {
			return c.LastTransitionTime.Time, c.LastTransitionTime.After(started(pod)) && pod.DeletionTimestamp == nil
		}
	}
	return time.Time{}, false
}

// templateOf is the hash of the template that the pod was made from; empty if its controller does not tell.
func templateOf(pod *corev1.Pod, kinds owner.Kinds) string {
	for _, k := range kinds {
		if hash := pod.Labels[k.HashLabel]; hash != "" {
			return hash
		}
	}
	return cmp.Or(pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey], pod.Labels[appsv1.ControllerRevisionHashLabelKey])
}

// pinned names the annotation by which the pod asks not to be evicted.
func pinned(pod *corev1.Pod) string {
	switch {
	case pod.Annotations[annotationSafeToEvict] == "false":
		return annotationSafeToEvict + "=false"
	case pod.Annotations[annotationDoNotDisrupt] == "true":
		return annotationDoNotDisrupt + "=true"
	default:
		return ""
	}
}
