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

// forbidden tells why a LimitRange refuses a pod whose containers get these sizes; empty if none does. The recommender fits what it
// stores by the same rules; this is the last net, for a pod that is not like its template and for a LimitRange of this moment.
func forbidden(ranges []corev1.LimitRange, pod *corev1.Pod, sized map[string]apply.Resources) string {
	refusal, refused := apply.Refused(apply.LimitBounds(ranges), apply.Members(pod.Spec), sized)
	switch {
	case !refused:
		return ""
	case refusal.Container == "":
		return refusal.Text + " (containers that are not in the template count, too)"
	}
	return refusal.Text + " (container " + refusal.Container + ")"
}
