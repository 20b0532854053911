package recommender

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Reconciler keeps one Recommendation per opted-in workload.
type Reconciler struct {
	Client   client.Client
	Engine   *Engine
	Clock    clock.Clock
	Recorder events.EventRecorder
	Metrics  *Metrics
	// Every is the time between visits. JitterShare spreads them, so that 5,000 workloads do not arrive together: 0.2 is up
	// to 20 % more, always the same for the same workload.
	Every       time.Duration
	JitterShare float64
	// Retention is how long a Recommendation outlives its workload or its opt-in.
	Retention time.Duration

	// wake brings a target back when the advisor knows more.
	wake *wake
}

// settle is how long our own writes take to show up in the cache, generously.
const settle = time.Second

// Reconcile brings the Recommendation of one workload up to date.
func (r *Reconciler) Reconcile(ctx context.Context, target Target) (reconcile.Result, error) {
	result, err := r.reconcile(ctx, target)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		// The cache is behind what was written last, by us or by the updater. Deciding on what is old could lose what was learnt.
		return reconcile.Result{RequeueAfter: settle}, nil
	}
	return result, err
}

func (r *Reconciler) reconcile(ctx context.Context, target Target) (reconcile.Result, error) {
	now := r.Clock.Now().UTC().Truncate(time.Second) // as the API stores it
	in, err := r.Engine.Gather(ctx, target, now)
	if apierrors.IsNotFound(err) {
		r.Engine.forget(target)
		return reconcile.Result{}, nil // the namespace is gone, and with it the Recommendation
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	current, err := r.current(ctx, target)
	if err != nil {
		return reconcile.Result{}, err
	}
	if in.Settings.Mode == v1alpha1.ModeOff || in.TargetUID == "" {
		r.Engine.forget(target)
		return r.retire(ctx, now, in, current)
	}
	if current == nil {
		if current, err = r.create(ctx, target); err != nil {
			return reconcile.Result{}, err
		}
	}
	in.Spec = current.Spec
	before := MemoryOf(current.Status)
	in.Outcomes, in.Applied = current.Status.Outcomes, apimeta.IsStatusConditionTrue(current.Status.Conditions, v1alpha1.ConditionApplied)
	in.Trial = current.Status.Trial
	in.Health = r.Engine.health(ctx, in, before, now)
	in = r.Engine.consult(in, before, now)
	decision, memory := Decide(now, in, before)
	publication := Publication{Now: now, Input: in, Decision: decision, Memory: memory, Previous: current}
	if err := r.publish(ctx, current, publication.Status()); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: r.nextVisit(target)}, nil
}

// current returns the target's Recommendation, or nil.
func (r *Reconciler) current(ctx context.Context, target Target) (*v1alpha1.Recommendation, error) {
	rec := &v1alpha1.Recommendation{}
	err := r.Client.Get(ctx, target.RecommendationKey(), rec)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Recommendation %s: %w", target.RecommendationKey(), err)
	}
	return rec, nil
}

func (r *Reconciler) create(ctx context.Context, target Target) (*v1alpha1.Recommendation, error) {
	key := target.RecommendationKey()
	rec := &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec: v1alpha1.RecommendationSpec{
			TargetRef: v1alpha1.TargetReference{APIVersion: r.Engine.apiVersion(target.Kind), Kind: target.Kind, Name: target.Name},
		},
	}
	if err := r.Client.Create(ctx, rec, client.FieldOwner(v1alpha1.FieldManagerRecommender)); err != nil {
		return nil, fmt.Errorf("create Recommendation %s: %w", key, err)
	}
	return rec, nil
}

// publish writes the status if something in it matters, then tells people what changed.
func (r *Reconciler) publish(ctx context.Context, rec *v1alpha1.Recommendation, status v1alpha1.RecommendationStatus) error {
	if material(status) == material(rec.Status) {
		r.Metrics.skipped()
		return nil
	}
	if err := r.applyStatus(ctx, rec, status); err != nil {
		return err
	}
	r.Metrics.published()
	r.announce(ctx, rec, status)
	return nil
}

// applyStatus writes with server-side apply: fields of other managers stay, fields that we no longer set go.
func (r *Reconciler) applyStatus(ctx context.Context, rec *v1alpha1.Recommendation, status v1alpha1.RecommendationStatus) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return fmt.Errorf("encode status of Recommendation %s/%s: %w", rec.Namespace, rec.Name, err)
	}
	object := &unstructured.Unstructured{Object: map[string]any{"status": content}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("Recommendation"))
	object.SetNamespace(rec.Namespace)
	object.SetName(rec.Name)
	object.SetResourceVersion(rec.ResourceVersion) // refused if the decision rests on an old status
	err = r.Client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object),
		client.FieldOwner(v1alpha1.FieldManagerRecommender), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("apply status of Recommendation %s/%s: %w", rec.Namespace, rec.Name, err)
	}
	return nil
}

// announce emits an event for a new revision and for a change of Ready.
func (r *Reconciler) announce(ctx context.Context, rec *v1alpha1.Recommendation, status v1alpha1.RecommendationStatus) {
	if status.Revision != rec.Status.Revision && status.Revision != "" {
		r.Recorder.Eventf(rec, nil, "Normal", v1alpha1.ReasonSized, "Recommend", "revision %s: CPU %s, memory %s (%s)",
			status.Revision, status.Display.CPU, status.Display.Memory, status.Display.Why)
		log.FromContext(ctx).Info("recommendation changed", "revision", status.Revision, "cpu", status.Display.CPU, "memory", status.Display.Memory)
	}
	before := apimeta.FindStatusCondition(rec.Status.Conditions, v1alpha1.ConditionReady)
	after := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if after != nil && after.Status != metav1.ConditionTrue && (before == nil || before.Reason != after.Reason) {
		r.Recorder.Eventf(rec, nil, "Normal", after.Reason, "Recommend", "%s", after.Message)
	}
}

// retire keeps the Recommendation of a workload that is gone or opted out for a while, so that coming back loses nothing,
// and then deletes it.
func (r *Reconciler) retire(ctx context.Context, now time.Time, in Input, rec *v1alpha1.Recommendation) (reconcile.Result, error) {
	if rec == nil {
		return reconcile.Result{}, nil // nothing to keep; a watch brings us back when that changes
	}
	status := retiredStatus(now, in, rec)
	ready := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	expires := ready.LastTransitionTime.Add(r.Retention)
	if !now.Before(expires) {
		preconditions := client.Preconditions{UID: &rec.UID, ResourceVersion: &rec.ResourceVersion}
		if err := r.Client.Delete(ctx, rec, preconditions); client.IgnoreNotFound(err) != nil {
			return reconcile.Result{}, fmt.Errorf("delete expired Recommendation %s/%s: %w", rec.Namespace, rec.Name, err)
		}
		return reconcile.Result{}, nil
	}
	if err := r.publish(ctx, rec, status); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: expires.Sub(now)}, nil
}

// retiredStatus is the status as it was, marked as no longer in force. A workload that is only gone keeps its mode unless the
// namespace narrows it: when it is created again, its first pods are admitted with what is known, and no wider than it allowed
// itself. Its annotations went with it, so what the namespace says does not widen it.
func retiredStatus(now time.Time, in Input, rec *v1alpha1.Recommendation) v1alpha1.RecommendationStatus {
	status := *rec.Status.DeepCopy()
	status.Outcomes, status.Trial, status.Trying, status.TryingSince, status.Savings = nil, nil, "", nil, nil
	reason, message := v1alpha1.ReasonTargetGone, "the workload does not exist any more"
	if in.Settings.Mode == v1alpha1.ModeOff {
		reason, message = v1alpha1.ReasonOptedOut, in.Settings.ModeFrom
	}
	if !status.Mode.NarrowerThan(in.Settings.Mode) {
		status.Mode, status.ModeFrom = in.Settings.Mode, shorten(in.Settings.ModeFrom, 256)
	}
	status.ObservedGeneration = rec.Generation
	since := metav1.Time{Time: now}
	conditions := status.Conditions
	status.Conditions = nil
	for _, c := range conditions {
		switch {
		case c.Type == v1alpha1.ConditionReady && c.Reason == reason:
			since = c.LastTransitionTime
		case c.Type != v1alpha1.ConditionReady && !updaterOwns(c.Type):
			status.Conditions = append(status.Conditions, c)
		}
	}
	ready := condition(v1alpha1.ConditionReady, false, reason, message)
	ready.LastTransitionTime, ready.ObservedGeneration = since, rec.Generation
	status.Conditions = append(status.Conditions, ready)
	status.Display.Why = shorten(message, maxSentence)
	return status
}

// nextVisit is Every plus the target's own part of the jitter.
func (r *Reconciler) nextVisit(target Target) time.Duration {
	return r.Every + time.Duration(target.spread()*r.JitterShare*float64(r.Every))
}
