package recommender

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/recommender/advice"
)

const (
	// involvedIndex finds events by the object that they are about, as kind/name.
	involvedIndex = "loadline.involved"
	// maxEventPods is of how many of a workload's pods events are read, and maxRawEvents how many of one object.
	maxEventPods, maxRawEvents = 50, 100
	// maxEventMessage in bytes is kept of an event.
	maxEventMessage = 512
)

// involved is the value of involvedIndex for an event.
func involved(object client.Object) []string {
	if event, ok := object.(*corev1.Event); ok {
		return []string{event.InvolvedObject.Kind + "/" + event.InvolvedObject.Name}
	}
	return nil
}

// stripEvent keeps of an event what it is about and what it says.
func stripEvent(object any) (any, error) {
	event, ok := object.(*corev1.Event)
	if !ok {
		return object, nil
	}
	meta := event.ObjectMeta
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: meta.Namespace, Name: meta.Name, UID: meta.UID, ResourceVersion: meta.ResourceVersion, CreationTimestamp: meta.CreationTimestamp,
		},
		InvolvedObject: corev1.ObjectReference{Kind: event.InvolvedObject.Kind, Name: event.InvolvedObject.Name},
		Type:           event.Type, Reason: event.Reason, Message: strings.Clone(event.Message[:min(len(event.Message), maxEventMessage)]),
		Count: event.Count, Series: event.Series, EventTime: event.EventTime, FirstTimestamp: event.FirstTimestamp, LastTimestamp: event.LastTimestamp,
	}, nil
}

// gatherEvents reads the warnings about the workload, the controllers of its pods, its autoscaler, and its pods.
func (e *Engine) gatherEvents(ctx context.Context, in *Input, now time.Time) error {
	if e.Advisor == nil { // nobody would read them, and they are not watched
		return nil
	}
	objects, err := e.objectsOf(ctx, in)
	if err != nil {
		return err
	}
	var raw []advice.RawEvent
	for _, object := range objects {
		list := &corev1.EventList{}
		err := e.Client.List(ctx, list, client.InNamespace(in.Target.Namespace), client.MatchingFields{involvedIndex: object},
			client.Limit(maxRawEvents), client.UnsafeDisableDeepCopy)
		if err != nil {
			return fmt.Errorf("list events about %s in %s: %w", object, in.Target.Namespace, err)
		}
		for i := range list.Items {
			raw = append(raw, rawEvent(&list.Items[i]))
		}
	}
	in.Events = inStableOrder(advice.Events(raw, now))
	return nil
}

// objectsOf names the objects whose events concern a workload, as kind/name and in order.
func (e *Engine) objectsOf(ctx context.Context, in *Input) ([]string, error) {
	objects := []string{in.Target.Kind + "/" + in.Target.Name}
	if in.HPA.Owner != "" {
		objects = append(objects, in.HPA.Owner)
	}
	pods := &corev1.PodList{}
	err := e.Client.List(ctx, pods, client.InNamespace(in.Target.Namespace),
		client.MatchingFields{podOwnerIndex: in.Target.Kind + "/" + in.Target.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list pods of %s %s/%s: %w", in.Target.Kind, in.Target.Namespace, in.Target.Name, err)
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for i := range pods.Items[:min(len(pods.Items), maxEventPods)] {
		pod := &pods.Items[i]
		objects = append(objects, "Pod/"+pod.Name)
		if of := metav1.GetControllerOf(pod); of != nil {
			objects = append(objects, of.Kind+"/"+of.Name)
		}
	}
	slices.Sort(objects)
	return slices.Compact(objects), nil
}

// rawEvent reads an event in any of the forms that the API has had.
func rawEvent(event *corev1.Event) advice.RawEvent {
	raw := advice.RawEvent{
		Type: event.Type, Reason: event.Reason, Message: event.Message, Count: event.Count,
		First: firstSet(event.FirstTimestamp.Time, event.EventTime.Time, event.CreationTimestamp.Time),
		Last:  firstSet(event.LastTimestamp.Time, event.EventTime.Time, event.CreationTimestamp.Time),
	}
	if event.Series != nil {
		raw.Count, raw.Last = event.Series.Count, event.Series.LastObservedTime.Time
	}
	return raw
}

func firstSet(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
