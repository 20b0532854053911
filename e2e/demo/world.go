package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// Workloads that the story follows.
const (
	checkout = "checkout"
	payments = "payments"
)

// amounts are cores and GiB.
type amounts struct{ cores, gib float64 }

// pods returns the living pods of one workload of the shop, or of all.
func (d *demo) pods(ctx context.Context, app string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	options := []client.ListOption{client.InNamespace(shop.Namespace)}
	if app != "" {
		options = append(options, client.MatchingLabels{"app": app})
	}
	if err := d.admin.List(ctx, list, options...); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), nil
}

// reserved sums what all pods of the shop request.
func (d *demo) reserved(ctx context.Context) (amounts, error) {
	pods, err := d.pods(ctx, "")
	if err != nil {
		return amounts{}, err
	}
	var sum amounts
	for i := range pods {
		requests := requested(&pods[i])
		sum.cores += float64(requests.CPUMillis) / 1000
		sum.gib += float64(requests.MemoryBytes) / (1 << 30)
	}
	return sum, nil
}

// sizes returns what may be applied to the one container of a Deployment of the shop.
func (d *demo) sizes(ctx context.Context, deployment string) (apply.Container, error) {
	rec, err := d.loadline.Recommendation(ctx, shop.Namespace, "Deployment", deployment)
	if err != nil {
		return apply.Container{}, fmt.Errorf("get the recommendation for %s: %w", deployment, err)
	}
	values := apply.FromAPI(rec.Status.Applicable)
	if len(values.Containers) == 0 {
		return apply.Container{}, fmt.Errorf("nothing may be applied to %s", deployment)
	}
	return values.Containers[0], nil
}

// countSized returns how many workloads of the shop have sizes that may be applied.
func (d *demo) countSized(ctx context.Context) (int, error) {
	list := &v1alpha1.RecommendationList{}
	if err := d.admin.List(ctx, list, client.InNamespace(shop.Namespace)); err != nil {
		return 0, fmt.Errorf("list recommendations: %w", err)
	}
	sized := 0
	for i := range list.Items {
		if list.Items[i].Status.Applicable != nil {
			sized++
		}
	}
	return sized, nil
}

func requested(pod *corev1.Pod) apply.Amounts {
	return apply.ResourcesOf(pod.Spec.Containers[0].Resources).Requests
}

// written returns what a Deployment of the shop says by itself.
func (d *demo) written(ctx context.Context, deployment string) (apply.Amounts, error) {
	object := &appsv1.Deployment{}
	if err := d.admin.Get(ctx, types.NamespacedName{Namespace: shop.Namespace, Name: deployment}, object); err != nil {
		return apply.Amounts{}, fmt.Errorf("get deployment %s: %w", deployment, err)
	}
	return apply.ResourcesOf(object.Spec.Template.Spec.Containers[0].Resources).Requests, nil
}

// running is what the node reports, not what was asked for.
func running(pod *corev1.Pod) apply.Amounts {
	if len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].Resources == nil {
		return apply.Amounts{}
	}
	return apply.ResourcesOf(*pod.Status.ContainerStatuses[0].Resources).Requests
}

func restarts(pod *corev1.Pod) int32 {
	if len(pod.Status.ContainerStatuses) == 0 {
		return 0
	}
	return pod.Status.ContainerStatuses[0].RestartCount
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func countReady(pods []corev1.Pod) int {
	n := 0
	for i := range pods {
		if ready(&pods[i]) {
			n++
		}
	}
	return n
}

// watchReady observes, until the returned function is first called, the least number of ready pods of a workload.
func (d *demo) watchReady(ctx context.Context, app string) (least func() int) {
	ctx, cancel := context.WithCancel(ctx)
	lowest, done := 1<<30, make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if pods, err := d.pods(ctx, app); err == nil {
				lowest = min(lowest, countReady(pods))
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() int {
		cancel()
		<-done
		return lowest
	}
}
