package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/apply"
)

// limitRanges returns the LimitRanges of a namespace, from memory. The caller must not change them.
type limitRanges interface {
	LimitRanges(ctx context.Context, namespace string) ([]corev1.LimitRange, error)
}

// LimitRanges answers from the cache.
func (c cached) LimitRanges(ctx context.Context, namespace string) ([]corev1.LimitRange, error) {
	var found corev1.LimitRangeList
	if err := c.reader.List(ctx, &found, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("look up limit ranges in the cache: %w", err)
	}
	return found.Items, nil
}

// forbidden reports whether a LimitRange refuses a pod whose containers get these sizes. The API server checks them after
// every webhook, so a size beyond them would keep the pod from being created at all. The containers that are not sized
// count towards the bounds of the whole pod only.
func forbidden(ranges []corev1.LimitRange, pod *corev1.Pod, sized map[string]apply.Resources) bool {
	var whole apply.Resources
	present := apply.Present(pod)
	for _, c := range pod.Spec.Containers {
		r, ok := sized[c.Name]
		if !ok {
			r = present[c.Name]
		}
		whole = sum(whole, r.Defaulted())
	}
	for _, r := range ranges {
		for _, item := range r.Spec.Limits {
			switch item.Type {
			case corev1.LimitTypePod:
				if outside(item, whole) {
					return true
				}
			case corev1.LimitTypeContainer:
				for _, r := range sized {
					if outside(item, r.Defaulted()) {
						return true
					}
				}
			case corev1.LimitTypePersistentVolumeClaim:
			}
		}
	}
	return false
}

func sum(a, b apply.Resources) apply.Resources {
	a.Requests.CPUMillis += b.Requests.CPUMillis
	a.Requests.MemoryBytes += b.Requests.MemoryBytes
	a.Limits.CPUMillis += b.Limits.CPUMillis
	a.Limits.MemoryBytes += b.Limits.MemoryBytes
	return a
}

// outside reports whether CPU or memory break the bounds of a LimitRange, as the API server understands them: who is bounded
// from below needs a request, who is bounded from above needs a limit, and who is bounded in their ratio needs both.
func outside(item corev1.LimitRangeItem, have apply.Resources) bool {
	bounds := func(list corev1.ResourceList) apply.Amounts {
		return apply.ResourcesOf(corev1.ResourceRequirements{Requests: list}).Requests
	}
	smallest, largest := bounds(item.Min), bounds(item.Max)
	cpuRatio, memoryRatio := item.MaxLimitRequestRatio[corev1.ResourceCPU], item.MaxLimitRequestRatio[corev1.ResourceMemory]
	return bound{smallest.CPUMillis, largest.CPUMillis, cpuRatio.AsApproximateFloat64()}.
		refuses(have.Requests.CPUMillis, have.Limits.CPUMillis) ||
		bound{smallest.MemoryBytes, largest.MemoryBytes, memoryRatio.AsApproximateFloat64()}.
			refuses(have.Requests.MemoryBytes, have.Limits.MemoryBytes)
}

// bound is what a LimitRange says about one resource. Zero means nothing.
type bound struct {
	smallest, largest int64
	// ratio is the largest limit ÷ request.
	ratio float64
}

// refuses compares amounts of the same unit as the bound, where zero means none.
func (b bound) refuses(request, limit int64) bool {
	switch {
	case request < b.smallest, // and a limit is never under its request
		b.largest > 0 && (limit == 0 || max(request, limit) > b.largest),
		b.ratio > 0 && (request == 0 || limit == 0 || float64(limit)/float64(request) > b.ratio):
		return true
	default:
		return false
	}
}
