package updater

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	loadlineac "github.com/loadline-dev/loadline/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater/plan"
)

// Bounds of the API.
const (
	maxOutcomeMessage   = 300
	maxConditionMessage = 1024
)

// retellAfter is how long a Recommendation keeps its message while nothing changes but a number or a name in it: how much a node
// lacks, or which of many pods waits. The rest is told at once.
const retellAfter = 10 * time.Minute

// reporter writes what happened into Recommendations, and then tells it as Events.
type reporter struct {
	client client.Client
	events events.EventRecorder
	// told is what Recommendations were told last.
	told map[plan.Key]telling
}

// telling is what a person would notice about the condition Applied, and when its message was written.
type telling struct {
	gist string
	at   time.Time
}

func newReporter(c client.Client, recorder events.EventRecorder) reporter {
	return reporter{client: c, events: brief{recorder}, told: map[plan.Key]telling{}}
}

// report writes one status for every Recommendation whose part of the status changed.
func (r reporter) report(ctx context.Context, now time.Time, v view, result plan.Result, memory *ledger) error {
	skips := map[plan.Key][]plan.Skip{}
	for _, s := range result.Skips {
		skips[s.Workload] = append(skips[s.Workload], s)
	}
	var errs []error
	present := map[plan.Key]bool{}
	for _, s := range v.subjects {
		present[s.Key] = true
		if !s.Mode.Admits() && meta.FindStatusCondition(s.recommendation.Status.Conditions, v1alpha1.ConditionApplied) == nil {
			continue // Nothing was ever applied, so there is nothing to tell.
		}
		status := statusOf(now, s, result.Drifted[s.Key], skips[s.Key], memory.toStore(s.Key))
		status.trying, status.tryingSince = keptFrom(now, s, status.outcomes, result.Admit[s.Key])
		if err := r.write(ctx, now, s, status); err != nil {
			errs = append(errs, err)
		}
	}
	maps.DeleteFunc(r.told, func(key plan.Key, _ telling) bool { return !present[key] })
	return errors.Join(errs...)
}

// status is the updater's part of a Recommendation's status.
type status struct {
	applied, healthy metav1.Condition
	// gist is what a person would notice about applied.
	gist     string
	outcomes []v1alpha1.Outcome
	trial    *v1alpha1.Trial
	trying   string
	// tryingSince is since when something has been tried.
	tryingSince *metav1.Time
}

func statusOf(now time.Time, s subject, drifted int, skips []plan.Skip, outcomes []v1alpha1.Outcome) status {
	applied := appliedCondition(s, drifted, skips)
	return status{applied: applied, gist: gist(applied, skips), healthy: healthyCondition(now, s), outcomes: outcomes, trial: trialOf(now, s)}
}

// trialOf is the last trial that was passed: the one that is stored, or a new one.
func trialOf(now time.Time, s subject) *v1alpha1.Trial {
	stored := s.recommendation.Status.Trial
	if s.Trial == (plan.Trial{}) || stored != nil && s.Trial == (plan.Trial{Revision: stored.Revision, Template: stored.Template}) {
		return stored
	}
	return &v1alpha1.Trial{Revision: s.Trial.Revision, Template: s.Trial.Template, Time: storedTime(now)}
}

// gist is the reason of the condition Applied, and what is waited for; of a gate or a breaker also why it is closed or open.
func gist(applied metav1.Condition, skips []plan.Skip) string {
	said := []string{applied.Reason}
	if i := slices.IndexFunc(skips, waits); i >= 0 && applied.Status == metav1.ConditionFalse {
		said = append(said, string(skips[i].Reason))
		if skips[i].Reason == plan.SkipClosed {
			said = append(said, skips[i].Message)
		}
	}
	if i := slices.IndexFunc(skips, ofNumber); i >= 0 {
		said = append(said, "Replicas", string(skips[i].Reason))
	}
	return strings.Join(said, " ")
}

// waits reports whether the reason is one that does not go away by itself and leaves something to do about what pods have.
func waits(k plan.Skip) bool {
	return !k.Passing() && k.Reason != plan.SkipOnlyLowering && !k.OfNumber
}

func ofNumber(k plan.Skip) bool { return k.OfNumber }

// wantsMore reports whether more pods are wanted, or a larger minimum, than there may be now.
func wantsMore(k plan.Skip) bool { return k.OfNumber && k.More }

// stopsAlways reports whether the workload is left alone for a reason that people are told although no pod differs.
func stopsAlways(k plan.Skip) bool {
	return k.Pod == "" && !k.OfNumber && (k.Reason == plan.SkipDidNotStick || k.Reason == plan.SkipHarmed)
}

// healthyCondition is false from the moment at which harm was seen until what was taken back may be tried again.
func healthyCondition(now time.Time, s subject) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse}
	switch rollback := s.recommendation.Status.Rollback; {
	case rollback.Holds(now):
		c.Reason = v1alpha1.ReasonRolledBack
		what := "nothing falls below what was good before"
		if rollback.AsWritten {
			what = "new pods come as they are written"
		}
		c.Message = fmt.Sprintf("revision %s was taken back at %s, and %s until %s: %s", rollback.Revision,
			rollback.Time.UTC().Format(time.RFC3339), what, rollback.Until.UTC().Format(time.RFC3339), rollback.Evidence)
	case s.Harm != "":
		c.Reason, c.Message = v1alpha1.ReasonHarmed, s.Harm
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonNoHarmSeen, "no pod came to harm by the present sizes"
	}
	c.Message = shorten(c.Message, maxConditionMessage)
	return c
}

// appliedCondition says whether the running pods carry the sizes, and if not, what is being done or in the way. Where the number of
// pods has to wait, the message ends with why.
func appliedCondition(s subject, drifted int, skips []plan.Skip) metav1.Condition {
	pods := 0
	for _, p := range s.Pods {
		if !p.Terminating {
			pods++
		}
	}
	c := metav1.Condition{Type: v1alpha1.ConditionApplied, Status: metav1.ConditionFalse}
	onlyMore := 0
	for _, k := range skips {
		if k.Reason == plan.SkipOnlyLowering {
			onlyMore++
		}
	}
	switch waiting := slices.IndexFunc(skips, waits); {
	case s.Revision == "":
		c.Reason, c.Message = v1alpha1.ReasonWaiting, "nothing is applicable yet"
	case drifted == 0 && slices.ContainsFunc(skips, stopsAlways):
		c.Reason, c.Message = waitingReason(skips[waiting].Reason), fmt.Sprintf("%d of %d pods differ; %s", drifted, pods, describeSkip(skips[waiting]))
	case drifted == 0:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonUpToDate
		c.Message = fmt.Sprintf("%d of %d pods run with what is recommended", pods, pods)
	case drifted == onlyMore:
		// Nothing is left to do: a memory limit never goes down on a running pod, and nobody is evicted for having too much.
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonUpToDate
		c.Message = fmt.Sprintf("%d of %d pods have more than is recommended and keep it until they are replaced", onlyMore, pods)
	case s.Mode != v1alpha1.ModeAuto:
		c.Reason = v1alpha1.ReasonNotAutomatic
		c.Message = fmt.Sprintf("%d of %d pods differ; in mode %s they keep what they have until they are replaced", drifted, pods, s.Mode)
	case waiting >= 0:
		c.Reason, c.Message = waitingReason(skips[waiting].Reason), fmt.Sprintf("%d of %d pods differ; %s", drifted, pods, describeSkip(skips[waiting]))
	default:
		c.Reason, c.Message = v1alpha1.ReasonDrifted, fmt.Sprintf("%d of %d pods differ and are being changed", drifted, pods)
	}
	return withNumber(c, skips)
}

// withNumber is the condition with why the number of pods stays as it is. Where more are wanted, nothing is up to date.
func withNumber(c metav1.Condition, skips []plan.Skip) metav1.Condition {
	if i := slices.IndexFunc(skips, ofNumber); i >= 0 {
		c.Message += "; " + skips[i].Message
	}
	if c.Status == metav1.ConditionTrue && slices.ContainsFunc(skips, wantsMore) {
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonWaiting
	}
	c.Message = shorten(c.Message, maxConditionMessage)
	return c
}

func waitingReason(skip plan.SkipReason) string {
	switch skip {
	case plan.SkipWatching:
		return v1alpha1.ReasonWatching
	case plan.SkipDidNotStick:
		return v1alpha1.ReasonDidNotStick
	default:
		return v1alpha1.ReasonWaiting
	}
}

func describeSkip(s plan.Skip) string {
	if s.Pod == "" {
		return s.Message
	}
	return "pod " + s.Pod + ": " + s.Message
}

// write applies the status if more than a detail of it changed, and then records an Event where harm was found, or sizes do not stay.
func (r reporter) write(ctx context.Context, now time.Time, s subject, want status) error {
	rec := s.recommendation
	have := rec.Status.Conditions
	harmed, stuck := begins(have, want.healthy, v1alpha1.ReasonHarmed, v1alpha1.ReasonRolledBack), begins(have, want.applied, v1alpha1.ReasonDidNotStick)
	applied, appliedChanged := transition(have, want.applied, now)
	healthy, healthyChanged := transition(have, want.healthy, now)
	last, known := r.told[s.Key]
	detail := known && last.gist == want.gist && now.Sub(last.at) < retellAfter
	if !detail {
		r.told[s.Key] = telling{gist: want.gist, at: now}
	}
	if (!appliedChanged || detail) && !healthyChanged && want.isStored(rec.Status) {
		return nil
	}
	err := r.client.Status().Apply(ctx, loadlineac.Recommendation(rec.Name, rec.Namespace).WithStatus(want.configuration(applied, healthy)),
		client.FieldOwner(v1alpha1.FieldManagerUpdater), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("apply the status of recommendation %s/%s: %w", rec.Namespace, rec.Name, err)
	}
	if harmed {
		r.events.Eventf(s.object, rec, corev1.EventTypeWarning, want.healthy.Reason, "Hold", "%s", want.healthy.Message)
	}
	if stuck {
		r.events.Eventf(s.object, rec, corev1.EventTypeWarning, want.applied.Reason, "Hold", "%s", want.applied.Message)
	}
	return nil
}

// isStored reports whether a status has all of it, conditions aside.
func (s status) isStored(have v1alpha1.RecommendationStatus) bool {
	return apiequality.Semantic.DeepEqual(have.Outcomes, s.outcomes) && apiequality.Semantic.DeepEqual(have.Trial, s.trial) &&
		have.Trying == s.trying && apiequality.Semantic.DeepEqual(have.TryingSince, s.tryingSince)
}

// configuration is what is applied.
func (s status) configuration(conditions ...*metav1ac.ConditionApplyConfiguration) *loadlineac.RecommendationStatusApplyConfiguration {
	configuration := loadlineac.RecommendationStatus().WithConditions(conditions...)
	for _, o := range s.outcomes {
		configuration.WithOutcomes(loadlineac.Outcome().WithTime(o.Time).WithPod(o.Pod).WithPodUID(o.PodUID).
			WithRevision(o.Revision).WithResult(o.Result).WithLowers(o.Lowers).WithMessage(o.Message))
	}
	if t := s.trial; t != nil {
		configuration.WithTrial(loadlineac.Trial().WithRevision(t.Revision).WithTemplate(t.Template).WithTime(t.Time))
	}
	if s.trying != "" {
		configuration.WithTrying(s.trying)
	}
	if s.tryingSince != nil {
		configuration.WithTryingSince(*s.tryingSince)
	}
	return configuration
}

// begins reports whether a condition gets one of the reasons that people are told about, and did not have it before.
func begins(have []metav1.Condition, want metav1.Condition, reasons ...string) bool {
	old := meta.FindStatusCondition(have, want.Type)
	return slices.Contains(reasons, want.Reason) && (old == nil || old.Reason != want.Reason)
}

// transition completes a condition with the time of its last transition, and says whether it differs from what is stored.
func transition(have []metav1.Condition, want metav1.Condition, now time.Time) (*metav1ac.ConditionApplyConfiguration, bool) {
	at := metav1.NewTime(now)
	changed := true
	if old := meta.FindStatusCondition(have, want.Type); old != nil {
		if old.Status == want.Status {
			at = old.LastTransitionTime
		}
		changed = old.Status != want.Status || old.Reason != want.Reason || old.Message != want.Message
	}
	return metav1ac.Condition().WithType(want.Type).WithStatus(want.Status).WithReason(want.Reason).
		WithMessage(want.Message).WithLastTransitionTime(at), changed
}

// tell records an Event on the workload for every change that was made or refused for good. The pod is the related object:
// Events that differ only in their note are counted as one.
func (r reporter) tell(v view, done []answered) {
	for _, a := range done {
		i := slices.IndexFunc(v.subjects, func(s subject) bool { return s.Key == a.Workload })
		pod := &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: a.Workload.Namespace, Name: a.Pod, UID: a.UID}
		event := func(kind, reason, action, note string, args ...any) {
			r.events.Eventf(v.subjects[i].object, pod, kind, reason, action, note, args...)
		}
		switch {
		case a.Kind == plan.Minimum && a.answer == answerDone:
			hpa := &corev1.ObjectReference{
				APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Namespace: a.Workload.Namespace, Name: a.Autoscaler,
			}
			r.events.Eventf(hpa, nil, corev1.EventTypeNormal, "MinReplicasChanged", "Scale", "%s", a.message)
		case a.Kind == plan.Scale && a.answer == answerDone:
			r.events.Eventf(v.subjects[i].object, v.subjects[i].recommendation, corev1.EventTypeNormal, "Scaled", "Scale",
				"scaled from %d to %d pods: %s", a.From, a.To, a.message)
		case a.Kind == plan.Scale, a.Kind == plan.Minimum:
		case a.answer == answerRefused, a.answer == answerDenied, a.answer == answerSeveralBudgets:
			event(corev1.EventTypeWarning, "Refused", "Update", "%s of pod %s was refused: %s", a.Kind, a.Pod, a.message)
		case a.answer != answerDone:
		case a.Kind == plan.Resize:
			event(corev1.EventTypeNormal, "Resized", "Resize", "pod %s resized in place to revision %s: %s", a.Pod, a.Revision, a.message)
		case a.Kind == plan.Evict:
			event(corev1.EventTypeNormal, "Evicted", "Evict", "pod %s evicted to get revision %s: %s", a.Pod, a.Revision, a.message)
		}
	}
}

// announce records an Event that concerns the whole cluster, on the ConfigMap that decides it.
func (r reporter) announce(about types.NamespacedName, warning bool, reason, note string) {
	kind := corev1.EventTypeNormal
	if warning {
		kind = corev1.EventTypeWarning
	}
	object := &corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: about.Namespace, Name: about.Name}
	r.events.Eventf(object, nil, kind, reason, "Stop", "%s", shorten(note, maxConditionMessage))
}

// shorten cuts a text to at most so many runes.
func shorten(text string, runes int) string {
	r := []rune(text)
	if len(r) <= runes {
		return text
	}
	return string(r[:runes-1]) + "…"
}
