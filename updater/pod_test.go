package updater

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

func TestWhatAPodTells(t *testing.T) {
	cases := map[string]struct {
		change func(*corev1.Pod)
		says   func(plan.Pod) bool
	}{
		"it runs and can be resized": {func(*corev1.Pod) {}, func(p plan.Pod) bool {
			return p.Running && p.Ready && !p.Terminating && p.ResizeSupported && p.Pinned == ""
		}},
		"it is pending": {func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }, func(p plan.Pod) bool { return !p.Running }},
		"it is not ready": {
			func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }, func(p plan.Pod) bool { return !p.Ready },
		},
		"it is on its way out": {func(p *corev1.Pod) {
			p.DeletionTimestamp, p.Finalizers = new(metav1.NewTime(start)), []string{"example.com/wait"}
		}, func(p plan.Pod) bool { return p.Terminating }},
		"it asks the cluster autoscaler not to evict it": {
			func(p *corev1.Pod) { p.Annotations = map[string]string{annotationSafeToEvict: "false"} },
			func(p plan.Pod) bool { return p.Pinned != "" },
		},
		"it asks Karpenter not to evict it": {
			func(p *corev1.Pod) { p.Annotations = map[string]string{annotationDoNotDisrupt: "true"} },
			func(p plan.Pod) bool { return p.Pinned != "" },
		},
		"it may be evicted": {
			func(p *corev1.Pod) { p.Annotations = map[string]string{annotationSafeToEvict: "true"} },
			func(p plan.Pod) bool { return p.Pinned == "" },
		},
		"it runs on Windows": {
			func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }, func(p plan.Pod) bool { return !p.ResizeSupported },
		},
		"its node does not say what it runs with": {
			func(p *corev1.Pod) { p.Status.ContainerStatuses[0].Resources = nil },
			func(p plan.Pod) bool { return !p.ResizeSupported && p.Actual["app"].Requests.CPUMillis == 500 },
		},
		"it runs with less than it asks for": {
			func(p *corev1.Pod) {
				p.Status.ContainerStatuses[0].Resources = &podOf("x", 100).Spec.Containers[0].Resources
			},
			func(p plan.Pod) bool {
				return p.Actual["app"].Requests.CPUMillis == 100 && p.Present["app"].Requests.CPUMillis == 500
			},
		},
		"its containers run and it is not ready yet": {
			func(p *corev1.Pod) { unready(p, -time.Minute); p.Status.ContainerStatuses[0].State = running(start) },
			func(p plan.Pod) bool { return len(p.Troubles) == 1 && p.Troubles[0].What == plan.TroubleNeverReady },
		},
		"its containers do not run yet": {
			func(p *corev1.Pod) {
				unready(p, -2*time.Hour)
				p.Status.ContainerStatuses[0].State = corev1.ContainerState{}
			},
			func(p plan.Pod) bool { return len(p.Troubles) == 0 },
		},
		"it was ready and is not any more": {
			func(p *corev1.Pod) { unready(p, time.Minute); p.Status.ContainerStatuses[0].State = running(start) },
			func(p plan.Pod) bool { return len(p.Troubles) == 1 && p.Troubles[0].What == plan.TroubleNotReady },
		},
		"its node puts a resize off": {resizing(corev1.PodResizePending, corev1.PodReasonDeferred), resizeIs(plan.ResizeDeferred)},
		"its node calls a resize infeasible": {
			resizing(corev1.PodResizePending, corev1.PodReasonInfeasible), resizeIs(plan.ResizeInfeasible),
		},
		"its node carries a resize out":    {resizing(corev1.PodResizeInProgress, ""), resizeIs(plan.ResizeInProgress)},
		"its node fails to resize it":      {resizing(corev1.PodResizeInProgress, corev1.PodReasonError), resizeIs(plan.ResizeError)},
		"more memory would restart it":     {restartsFor(corev1.ResourceMemory), func(p plan.Pod) bool { return p.Fixed["app"] == plan.Fixed{Memory: true} }},
		"more CPU would restart it":        {restartsFor(corev1.ResourceCPU), func(p plan.Pod) bool { return p.Fixed["app"] == plan.Fixed{CPU: true} }},
		"nothing that it gets restarts it": {restartsFor(), func(p plan.Pod) bool { return len(p.Fixed) == 0 }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects := shop(500)
			c.change(objects[3].(*corev1.Pod))
			if p := seen(t, objects).Pods[0]; !c.says(p) {
				t.Errorf("seen: %+v", p)
			}
		})
	}
}

func running(since time.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}}
}

// unready has the kubelet say, that long after the start, that containers of the pod are not ready.
func unready(p *corev1.Pod, after time.Duration) {
	p.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", LastTransitionTime: metav1.NewTime(start.Add(after)),
	}}
}

// resizing makes a node say this of a resize.
func resizing(kind corev1.PodConditionType, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: "because"})
	}
}

func resizeIs(state plan.ResizeState) func(plan.Pod) bool {
	return func(p plan.Pod) bool { return p.Resize.State == state && p.Resize.Message == "because" }
}

// restartsFor makes a pod's container restart when one of these resources changes.
func restartsFor(resources ...corev1.ResourceName) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		policies := []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceEphemeralStorage, RestartPolicy: corev1.NotRequired}}
		for _, name := range resources {
			policies = append(policies, corev1.ContainerResizePolicy{ResourceName: name, RestartPolicy: corev1.RestartContainer})
		}
		p.Spec.Containers[0].ResizePolicy = policies
	}
}

// servesNoResize is an API server before Kubernetes 1.33.
type servesNoResize struct{}

func (servesNoResize) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "pods"}, {Name: "pods/eviction"}}}, nil
}

func TestNoResizeIsTriedWhereTheAPIServerHasNone(t *testing.T) {
	w := newWorld(t, shop(100, 500, 500)...)
	w.controller.gatherer.resources = servesNoResize{}
	w.round()
	if len(w.resized) != 0 || len(w.evicted) != 1 {
		t.Errorf("resized %v, evicted %v; want checkout-0 evicted", w.resized, w.evicted)
	}
}

func TestAPausedDeploymentIsSeenAsPaused(t *testing.T) {
	objects := shop(500)
	deployment(objects).Spec.Paused = true
	if !seen(t, objects).Paused {
		t.Error("a person stopped the rollout, and it is not seen")
	}
}

func TestPodsWithResourcesOfTheirOwnAreNotTouched(t *testing.T) {
	objects := shop(100)
	objects[3].(*corev1.Pod).Spec.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: quantity("2")}}
	if n := len(seen(t, objects).Pods); n != 0 {
		t.Errorf("%d pods, want none", n)
	}
}

func TestExcludedNamespacesAreNeverTouched(t *testing.T) {
	for _, name := range []string{"kube-system", "loadline-system", "ours"} {
		t.Run(name, func(t *testing.T) {
			objects := shop(100, 500)
			for _, o := range objects[1:] {
				o.SetNamespace(name)
			}
			objects[0].SetName(name)
			w := newWorld(t, objects...)
			w.controller.gatherer.config.ExcludedNamespaces = []string{"ours"}
			w.round()
			if len(w.resized) != 0 {
				t.Errorf("resized %v in %s", w.resized, name)
			}
		})
	}
}

func TestASuccessorOfThePodIsNotAnnotated(t *testing.T) {
	w := newWorld(t, shop(100)...)
	action := resizeOf(w.pod("checkout-0"))
	action.UID = "that-of-its-predecessor"
	if got, message := w.controller.actor.do(t.Context(), action); got == answerDone {
		t.Errorf("answer = %s (%s), want no success", got, message)
	}
	var pod corev1.Pod
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "checkout-0"}, &pod); err != nil {
		t.Fatal(err)
	}
	if text, written := pod.Annotations[v1alpha1.AnnotationOriginal]; written {
		t.Errorf("its annotation says %s", text)
	}
	if got := apply.Present(&pod)["app"].Requests.CPUMillis; got != 100 {
		t.Errorf("it asks for %dm, want 100m as before", got)
	}
}
