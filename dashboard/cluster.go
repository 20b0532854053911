package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// maxEvents is how many events are shown.
const maxEvents = 30

// Cluster reads a real cluster.
type Cluster struct {
	// Cached holds the Recommendations: every page looks at all of them.
	Cached client.Reader
	// Live asks the API server for what is needed for one page.
	Live client.Reader
	// Hidden namespaces are left out where all are shown.
	Hidden []string
	// StopReasons reads why the updater stands still.
	StopReasons func(context.Context, client.Reader) ([]string, error)
}

// Recommendations implements Source.
func (c *Cluster) Recommendations(ctx context.Context, namespace string) ([]v1alpha1.Recommendation, error) {
	list := &v1alpha1.RecommendationList{}
	if err := c.Cached.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list recommendations: %w", err)
	}
	if namespace == "" {
		list.Items = slices.DeleteFunc(list.Items, func(r v1alpha1.Recommendation) bool { return slices.Contains(c.Hidden, r.Namespace) })
	}
	return list.Items, nil
}

// Halts implements Source.
func (c *Cluster) Halts(ctx context.Context) ([]string, error) { return c.StopReasons(ctx, c.Live) }

// Events implements Source.
func (c *Cluster) Events(ctx context.Context, rec *v1alpha1.Recommendation) ([]Event, error) {
	var found []Event
	target := rec.Spec.TargetRef
	for _, about := range [...]client.MatchingFields{
		{"involvedObject.kind": target.Kind, "involvedObject.name": target.Name},
		{"involvedObject.kind": "Recommendation", "involvedObject.name": rec.Name},
	} {
		list := &corev1.EventList{}
		// All of them: the API server answers in the order of names, in which the newest come last. It forgets them after an hour.
		if err := c.Live.List(ctx, list, client.InNamespace(rec.Namespace), about); err != nil {
			return nil, err
		}
		for i := range list.Items {
			found = append(found, eventOf(&list.Items[i]))
		}
	}
	slices.SortStableFunc(found, func(a, b Event) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Reason, b.Reason)) })
	return found[:min(len(found), maxEvents)], nil
}

// eventOf reads an event as either of the two APIs wrote it.
func eventOf(e *corev1.Event) Event {
	event := Event{
		Time: e.LastTimestamp.Time, Type: e.Type, Reason: e.Reason, Message: e.Message, Count: e.Count,
		Object: e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name,
	}
	if e.Series != nil {
		event.Time, event.Count = e.Series.LastObservedTime.Time, e.Series.Count
	}
	if event.Time.IsZero() {
		event.Time = e.EventTime.Time
	}
	if event.Time.IsZero() {
		event.Time = e.CreationTimestamp.Time
	}
	return event
}
