package recommender

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/owner"
)

// reasonFailedCreate is the reason of the Events in which controllers tell that a pod could not be created.
const reasonFailedCreate = "FailedCreate"

// refusedIndex finds Events that tell of a refusal which may be for sizes by the workload whose pods were to be created, as kind/name.
const refusedIndex = "loadline.refused"

// refusedBy returns the function that gives the values of refusedIndex for an Event.
func refusedBy(kinds owner.Kinds) client.IndexerFunc {
	return func(object client.Object) (values []string) {
		event, ok := object.(*corev1.Event)
		if !ok || event.Reason != reasonFailedCreate || !apply.PerhapsForSizes(event.Message) {
			return nil
		}
		for _, w := range kinds.Behind(event.InvolvedObject.Kind, event.InvolvedObject.Name) {
			values = append(values, w.Kind+"/"+w.Name)
		}
		return values
	}
}

// gatherRefusal reads why the API server refuses new pods of the workload, where it does. A Deployment says so in its status. For the
// others it takes two things that agree: an Event of their controller, which others could write, too, and pods that are missing.
func (e *Engine) gatherRefusal(ctx context.Context, in *Input, found *workload, now time.Time) error {
	if in.Refused, in.RefusedSince = found.refused, found.refusedSince; in.Refused != "" || in.Target.Kind == kindDeployment || !in.Settings.Mode.Admits() {
		return nil
	}
	key := in.Target.Kind + "/" + in.Target.Name
	events := &corev1.EventList{}
	err := e.Client.List(ctx, events, client.InNamespace(in.Target.Namespace), client.MatchingFields{refusedIndex: key}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list events about refused pods of %s in %s: %w", key, in.Target.Namespace, err)
	}
	var last time.Time
	message, since := "", now
	for i := range events.Items {
		raw := rawEvent(&events.Items[i])
		if now.Sub(raw.Last) >= retried {
			continue
		}
		if raw.First.Before(since) {
			since = raw.First
		}
		if raw.Last.After(last) {
			last, message = raw.Last, raw.Message
		}
	}
	if message == "" {
		return nil
	}
	lacks, err := e.lacksPods(ctx, in.Target, found)
	if lacks {
		in.Refused, in.RefusedSince = message, since
	}
	return err
}

// lacksPods reports whether the workload has fewer pods than it wants, or some that are not of its present template.
func (e *Engine) lacksPods(ctx context.Context, target Target, found *workload) (bool, error) {
	pods := &corev1.PodList{}
	err := e.Client.List(ctx, pods, client.InNamespace(target.Namespace),
		client.MatchingFields{podOwnerIndex: target.Kind + "/" + target.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return false, fmt.Errorf("list pods of %s %s/%s: %w", target.Kind, target.Namespace, target.Name, err)
	}
	pods.Items = slices.DeleteFunc(slices.Clone(pods.Items), func(pod corev1.Pod) bool {
		return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	})
	return found.outdated || len(pods.Items) < int(found.wants), nil
}
