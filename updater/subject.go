package updater

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/updater/plan"
)

// subject describes a Recommendation's workload and its pods, or says false if there is no such workload.
func (g *gatherer) subject(now time.Time, ns *namespace, rec *v1alpha1.Recommendation, memory *ledger) (subject, bool) {
	ref := owner.Workload{Kind: rec.Spec.TargetRef.Kind, Name: rec.Spec.TargetRef.Name}
	object, ok := ns.workloads[ref]
	if !ok {
		return subject{}, false
	}
	effective, policy, known := g.effective(ns, object)
	w := plan.Workload{
		Key:           plan.Key{Namespace: rec.Namespace, Kind: ref.Kind, Name: ref.Name},
		Mode:          narrower(effective.Mode, rec.Status.Mode),
		Updater:       effective.Updater,
		Priority:      effective.Priority,
		Hold:          rec.Spec.Hold,
		Stale:         g.stale(now, rec) || asksForMore(object, rec.Status.Current),
		Disruption:    disruption(policy.Disruption),
		Declared:      declared(rec.Status.Replicas),
		ScaleReplicas: known && effective.ReplicaMode(orDefault(policy.Replicas.Mode, v1alpha1.ReplicasOff)) == v1alpha1.ReplicasAuto,
		Autoscaler:    ns.scalers[ref],
		NoEviction:    notReplaceable(object),
	}
	switch {
	case !known:
		w.NoEviction = fmt.Sprintf("SizingPolicy %s, which would say how many and when, does not exist", effective.Policy)
	case !ns.admission:
		w.NoEviction = fmt.Sprintf("the namespace has no label %s=%s, so new pods come as they are written", v1alpha1.LabelAdmission, v1alpha1.LabelAdmissionEnabled)
	}
	past := history{workload: w.Key, memory: memory}
	if a := rec.Status.Applicable; a != nil {
		w.Revision, w.Values = a.Revision, apply.FromAPI(a)
		past.revision, past.since = a.Revision, a.ComputedTime.Time
		w.Values.Containers = slices.DeleteFunc(w.Values.Containers, func(c apply.Container) bool {
			return slices.Contains(effective.ExcludeContainers, c.Name)
		})
	}
	describeWorkload(object, &w)
	if g.outlived(now, rec) {
		forgetTheHour(w.Values.Containers)
		w.Values.Replicas = noFewer(apply.LastingReplicas(rec.Status, now), w.Replicas)
	}
	s, found := apply.LastScaling(object, w.Replicas, apply.RecordedScaling(rec.Status), now)
	if found && s.Wins(now, g.config.Scaling.YieldFor.Duration) {
		w.Yields = s.String()
	}
	number := memory.waits(plan.Scale, w.Key, "")
	w.NotScaledBefore, w.NotScaledFor = number.until, number.why
	past.outcomes = memory.learn(w.Key, rec.Status.Outcomes)
	past.notes = templateNotes(object)
	w.OOMFloorBytes = oomFloors(rec.Status.OOMFloor)
	w.Pods = g.pods(now, ns, ns.pods[ref], past)
	w.Lost = g.pods(now, ns, lostWithin(now, w.Disruption.Observe, ns.lost[ref]), past)
	w.NoSuccessor = notReplaced(now, object, w, past.outcomes)
	w.Harm = knownHarm(now, w.Revision, past.outcomes, rec.Status.Rollback)
	if rollback := rec.Status.Rollback; rollback != nil {
		w.Answered = rollback.HarmTime.Time
	}
	w.Good, w.Trial = goodAndTried(rec.Status)
	w.HeldBack = w.Revision != "" && rec.Status.Trying == w.Revision
	w.Unstuck = unstuck(past.outcomes)
	w.Health = health(past, policy.Signals, rec.Status.Health)
	return subject{Workload: w, recommendation: rec, object: object, labelled: ns.admission, putOff: putOff(now, w, ns.pods[ref])}, true
}

// goodAndTried are the sizes that were good before the present ones, and the last trial that was passed.
func goodAndTried(status v1alpha1.RecommendationStatus) (good apply.Values, trial plan.Trial) {
	if memory := status.Memory; memory != nil && memory.LastGood != nil {
		good = apply.FromAPI(memory.LastGood)
	}
	if t := status.Trial; t != nil {
		trial = plan.Trial{Revision: t.Revision, Template: t.Template}
	}
	return good, trial
}

// stale reports whether the sizes are not confirmed, by the recommender's own word or because it has been silent for long.
func (g *gatherer) stale(now time.Time, rec *v1alpha1.Recommendation) bool {
	return meta.IsStatusConditionTrue(rec.Status.Conditions, v1alpha1.ConditionStale) || rec.Status.ObservedTime == nil ||
		now.Sub(rec.Status.ObservedTime.Time) > g.config.Recommender.StaleAfter.Duration
}

// outlived reports whether the recommender has been silent for more than the hour that sizes for running pods follow, and the time that
// it may say nothing while they hold.
func (g *gatherer) outlived(now time.Time, rec *v1alpha1.Recommendation) bool {
	observed := rec.Status.ObservedTime
	return observed == nil || now.Sub(observed.Time) > g.config.Recommender.OutlivedAfter()
}

// effective combines what people wrote on the namespace and on the workload, as of now: taking an annotation away works
// without a running recommender. It is false where the policy that they name does not exist.
func (g *gatherer) effective(ns *namespace, object client.Object) (v1alpha1.Effective, v1alpha1.SizingPolicySpec, bool) {
	settings, problems := v1alpha1.ParseAnnotations(object.GetAnnotations())
	policy, _ := g.policy(ns, ns.settings.Policy)
	effective := v1alpha1.Resolve(ns.settings, settings, ns.problems, problems, orDefault(policy.AllowOverrides, false))
	policy, known := g.policy(ns, effective.Policy)
	return effective, policy, known
}

// notReplaceable is why no pod of the workload may be replaced at the moment: its controller cannot create pods, which only Deployments
// say, such as for a quota; or it would create them from a template that nobody has released yet. Empty where nothing is known.
func notReplaceable(object client.Object) string {
	switch o := object.(type) {
	case *appsv1.Deployment:
		for _, c := range o.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
				return "new pods cannot be created: " + c.Message
			}
		}
	case *appsv1.StatefulSet:
		if o.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
			return "its update strategy is OnDelete, so whoever deletes a pod releases the present template"
		}
	}
	return ""
}

// The successor of an evicted pod may take replacedWithin to be created. After notReplacedFor another pod is tried, so that nothing waits
// for ever for a sign that means something else.
const (
	replacedWithin = time.Minute
	notReplacedFor = time.Hour
)

// notReplaced says that the pod that was evicted last has had no successor; empty if it has one, or if none is missing. Of kinds that say
// nothing themselves it is the only sign that something refuses new pods. A StatefulSet that creates its pods one after the other waits
// for one that is not ready, which says nothing.
func notReplaced(now time.Time, object client.Object, w plan.Workload, outcomes []v1alpha1.Outcome) string {
	last := slices.IndexFunc(outcomes, func(o v1alpha1.Outcome) bool { return o.Result == v1alpha1.OutcomeEvicted }) // newest first
	if last < 0 || len(w.Pods) >= int(w.Replicas) || waitsForReadiness(object, w.Pods) {
		return ""
	}
	evicted := outcomes[last]
	age := now.Sub(evicted.Time.Time)
	came := func(p plan.Pod) bool { return p.Created.After(evicted.Time.Add(-clockSkew)) }
	if age < replacedWithin || age > notReplacedFor || slices.ContainsFunc(w.Pods, came) {
		return ""
	}
	return fmt.Sprintf("pod %s was evicted at %s, and no new pod has been created since", evicted.Pod, evicted.Time.UTC().Format(time.RFC3339))
}

func waitsForReadiness(object client.Object, pods []plan.Pod) bool {
	s, ok := object.(*appsv1.StatefulSet)
	return ok && s.Spec.PodManagementPolicy != appsv1.ParallelPodManagement && slices.ContainsFunc(pods, func(p plan.Pod) bool { return !p.Ready })
}

// narrower returns the mode that allows less. A mode that is not known, such as that of a Recommendation that was never
// computed, allows nothing.
func narrower(a, b v1alpha1.Mode) v1alpha1.Mode {
	order := []v1alpha1.Mode{v1alpha1.ModeOff, v1alpha1.ModeDryRun, v1alpha1.ModeInitial, v1alpha1.ModeAuto}
	return order[max(0, min(slices.Index(order, a), slices.Index(order, b)))]
}

// describeWorkload fills in what only the workload itself tells.
func describeWorkload(object client.Object, w *plan.Workload) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		w.Replicas = orDefault(o.Spec.Replicas, 1)
		w.Paused = o.Spec.Paused
		w.RolloutInProgress = o.Status.ObservedGeneration < o.Generation ||
			o.Status.UpdatedReplicas < w.Replicas || o.Status.Replicas > o.Status.UpdatedReplicas
	case *appsv1.StatefulSet:
		w.Replicas = orDefault(o.Spec.Replicas, 1)
		if keeps := o.Spec.PersistentVolumeClaimRetentionPolicy; keeps != nil && keeps.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType {
			w.KeepsPods = "with each pod that goes its volumes are deleted (persistentVolumeClaimRetentionPolicy.whenScaled)"
		}
		w.RolloutInProgress = o.Status.ObservedGeneration < o.Generation || statefulSetRolls(o, w.Replicas)
	case *unstructured.Unstructured:
		describeCustom(o, w)
	case *appsv1.DaemonSet:
		w.Replicas = o.Status.DesiredNumberScheduled
		w.RolloutInProgress = o.Status.ObservedGeneration < o.Generation || o.Status.UpdatedNumberScheduled < w.Replicas
	}
}

// statefulSetRolls reports whether the StatefulSet's controller is replacing pods by itself. Under OnDelete it never is, and
// pods under the partition keep the old revision for good.
func statefulSetRolls(s *appsv1.StatefulSet, replicas int32) bool {
	strategy := s.Spec.UpdateStrategy
	if strategy.Type == appsv1.OnDeleteStatefulSetStrategyType || s.Status.UpdateRevision == s.Status.CurrentRevision {
		return false
	}
	var partition int32
	if strategy.RollingUpdate != nil {
		partition = orDefault(strategy.RollingUpdate.Partition, 0)
	}
	return s.Status.UpdatedReplicas < replicas-partition
}

// history is what is known about earlier changes to the pods of a workload.
type history struct {
	workload plan.Key
	// revision that is applicable, and since when it has been, this time.
	revision string
	since    time.Time
	outcomes []v1alpha1.Outcome
	memory   *ledger
	// notes are the annotations under Loadline's name in the workload's pod template.
	notes map[string]string
}

// pods describes the pods of a workload, in their order.
func (g *gatherer) pods(now time.Time, ns *namespace, all []*corev1.Pod, past history) (pods []plan.Pod) {
	for _, pod := range all {
		pods = append(pods, g.pod(now, ns, pod, past))
	}
	return pods
}

// putOff are the pods of a workload, by their places, whose node has put a resize off for long.
func putOff(now time.Time, w plan.Workload, all []*corev1.Pod) map[int]*corev1.Pod {
	found := map[int]*corev1.Pod{}
	for i, pod := range all {
		if w.Pods[i].PutOff(now, w) {
			found[i] = pod
		}
	}
	return found
}

func (g *gatherer) pod(now time.Time, ns *namespace, pod *corev1.Pod, past history) plan.Pod {
	pasted := copied(pod, past.notes)
	if pasted {
		pod = withoutNotes(pod)
	}
	original, err := apply.Original(pod)
	if err != nil {
		g.metrics.badOriginals.Inc()
	}
	p := plan.Pod{
		Name: pod.Name, UID: pod.UID,
		Running:          pod.Status.Phase == corev1.PodRunning,
		Ready:            podIs(pod, corev1.PodReady),
		Terminating:      pod.DeletionTimestamp != nil,
		Unschedulable:    unschedulable(pod),
		Stranded:         unschedulable(pod) && now.Sub(pod.CreationTimestamp.Time) >= g.config.Recommender.UnschedulableAfter.Duration,
		Unscheduled:      pod.Spec.NodeName == "",
		Original:         original,
		Present:          apply.Present(pod),
		Actual:           actual(pod),
		Fixed:            fixed(pod),
		InjectedRevision: pod.Annotations[v1alpha1.AnnotationRevision],
		ResizeSupported:  g.resizeServed && resizable(pod),
		Resize:           resizeStatus(pod),
		Troubles:         troubles(pod),
		Mark:             markOf(pod),
		Created:          pod.CreationTimestamp.Time,
		ReadyAfter:       readyAfter(pod),
		Disbelieved:      pasted || err != nil,
		Template:         templateOf(pod, ns.kinds),
		Started:          started(pod),
		Restarts:         restarts(pod),
		Pinned:           pinned(pod),
	}
	evicted, resized := past.memory.waits(plan.Evict, past.workload, pod.UID), past.memory.waits(plan.Resize, past.workload, pod.UID)
	p.NotBefore, p.NotBeforeFor, p.Denied = evicted.until, evicted.why, past.memory.denied(past.workload, pod.UID)
	p.NoResizeBefore, p.NoResizeFor, p.Unanswered = resized.until, resized.why, resized.since
	p.Touched, p.TouchedBy = touched(p)
	if p.TouchedBy == past.revision {
		p.Change = p.Touched
	}
	injected, held := apply.Injected(pod)
	p.HeldBack = held
	p.AdmittedWithout = injected != past.revision && cameAfterEviction(pod, past) && past.memory.admits.contains(p.Created)
	recall(now, pod, past, &p)
	for _, b := range ns.budgets {
		if b.selector.Matches(labels.Set(pod.Labels)) {
			p.DisruptionBudgets = append(p.DisruptionBudgets, b.DisruptionBudget)
		}
	}
	return p
}

// recall fills in what the last attempt to resize the pod to the present revision tells.
func recall(now time.Time, pod *corev1.Pod, past history, p *plan.Pod) {
	o, ok := lastAttempt(pod, past)
	switch {
	case !ok:
	case o.Result == v1alpha1.OutcomeResized && askedSince(p.Mark, o): // It was not answered, so nobody took anything back.
	case o.Result == v1alpha1.OutcomeResized:
		p.Reverted = p.Mark != nil && p.Change.IsZero() && p.Mark.Revision == past.revision && now.Sub(o.Time.Time) >= cacheLag
		if p.Change.IsZero() {
			p.Change = o.Time.Time
		}
	case now.Sub(o.Time.Time) < past.memory.patience(p.InVain(past.revision)):
		p.ResizeRefused, p.RefusedByNamespace = o.Message, refusedByNamespace(o.Message)
	}
}

// askedSince reports whether the pod was asked to have the outcome's revision once more, after that outcome. Outcomes know their time to
// the second only.
func askedSince(mark *plan.Mark, o v1alpha1.Outcome) bool {
	return mark != nil && mark.Revision == o.Revision && mark.At.After(o.Time.Add(time.Second))
}

// cacheLag is more than what the caches are behind.
const cacheLag = 10 * time.Second

// touched is when the pod got which revision last: when it was resized, if it has what was asked for then, or else when it was
// created.
func touched(p plan.Pod) (at time.Time, by string) {
	switch {
	case p.Mark == nil && p.InjectedRevision != "":
		return p.Created, p.InjectedRevision
	case p.Mark != nil && p.Mark.Asked == plan.Digest(p.Present):
		return p.Mark.At, p.Mark.Revision
	default:
		return time.Time{}, ""
	}
}

// clockSkew is how far the clocks of recommender and updater may be apart.
const clockSkew = time.Minute

// cameAfterEviction reports whether the pod was created after another one had been evicted to get the present revision. Pods
// know their creation to the second only. Evictions of an earlier time in which the revision was applicable do not count:
// pods that came in between rightly carry another one.
func cameAfterEviction(pod *corev1.Pod, past history) bool {
	return slices.ContainsFunc(past.outcomes, func(o v1alpha1.Outcome) bool {
		return o.Result == v1alpha1.OutcomeEvicted && o.Revision == past.revision && o.Time.After(past.since.Add(-clockSkew)) &&
			!pod.CreationTimestamp.Time.Before(o.Time.Truncate(time.Second))
	})
}

// lastAttempt is the newest outcome of an attempt to resize the pod to the present revision.
func lastAttempt(pod *corev1.Pod, past history) (v1alpha1.Outcome, bool) {
	for _, o := range past.outcomes { // newest first
		attempt := o.Result == v1alpha1.OutcomeResized || o.Result == v1alpha1.OutcomeRefused
		if attempt && o.PodUID == pod.UID && o.Revision == past.revision {
			return o, true
		}
	}
	return v1alpha1.Outcome{}, false
}
