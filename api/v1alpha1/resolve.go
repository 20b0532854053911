package v1alpha1

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Effective is what is in force for one workload, after its namespace's and its own annotations were combined. Every field
// has a value: defaults are filled in.
//
// +kubebuilder:object:generate=false
type Effective struct {
	Mode Mode
	// ModeFrom says where the mode comes from, in one sentence without a full stop of at most 256 characters.
	ModeFrom string
	// Policy is the name of the SizingPolicy; empty if no annotation names one.
	Policy string
	// Contexts are the business contexts that people wrote, the namespace's first.
	Contexts []string
	// Events of the namespace and of the workload in the order of their names. Of two with one name the workload's counts.
	Events   []Event
	Priority Priority
	Approval Approval
	Replicas ReplicaMode
	// ReplicasSet says that an annotation decided on Replicas. Otherwise the policy's replicas.mode does; see ReplicaMode.
	ReplicasSet bool
	Updater     UpdaterMode
	// ExcludeContainers, sorted.
	ExcludeContainers []string
	// Ignored are the workload's annotations that ask for more than the namespace grants.
	Ignored []AnnotationError
	// Problems are the refused annotations, the namespace's first. With any of them the mode is at most dry-run.
	Problems []AnnotationError
}

// Resolve combines the annotations of a namespace with those of a workload in it, as ParseAnnotations returned them.
//
// The workload may only narrow what the namespace grants: the narrower mode, approval, priority, replica and updater mode
// win, and both lists of excluded containers count. Naming another policy is not narrowing, because it may be wider. What
// asks for more is ignored, and told in Ignored. With allowOverrides the workload's own values win instead, with two
// exceptions that hold always. No workload opts in, or into admission, where its namespace has not, because the API server
// selects namespaces, not workloads. And no workload takes a container off its namespace's list, because admission sees the
// pod and the namespace and has to agree with everybody else.
//
// allowOverrides belongs to the policy that the namespace uses: a workload cannot grant it to itself by naming another.
//
// Refused annotations on either hold the workload at dry-run. That is also the mode where the namespace's mode itself was
// refused: it was meant to say something, and dry-run is the least that can tell about the mistake.
func Resolve(namespace, workload Settings, nsErrs, wlErrs []AnnotationError, allowOverrides bool) Effective {
	c := combiner{allowOverrides: allowOverrides}
	e := Effective{
		Policy:            c.policy(namespace.Policy, workload.Policy),
		Contexts:          slices.DeleteFunc([]string{namespace.Context, workload.Context}, func(s string) bool { return s == "" }),
		Events:            mergeEvents(namespace.Events, workload.Events),
		Priority:          narrow(&c, AnnotationPriority, priorities, cmp.Or(namespace.Priority, PriorityStandard), workload.Priority),
		Approval:          narrow(&c, AnnotationApproval, approvals, cmp.Or(namespace.Approval, ApprovalAutomatic), workload.Approval),
		ExcludeContainers: union(namespace.ExcludeContainers, workload.ExcludeContainers),
		Problems:          slices.Concat(nsErrs, wlErrs),
	}
	updater, compatible := c.updater(cmp.Or(namespace.Updater, UpdaterInPlaceOrEvict), workload.Updater)
	e.Updater = updater
	e.Replicas, e.ReplicasSet = c.replicas(namespace.Replicas, workload.Replicas)

	e.Mode, e.ModeFrom = c.mode(namespace.Mode, workload.Mode, nsErrs)
	if !compatible {
		capMode(&e, ModeInitial, "because namespace and workload allow no common way of updating pods")
	}
	if len(nsErrs) > 0 {
		capMode(&e, ModeDryRun, "because of a refused annotation on the namespace: "+nsErrs[0].Key)
	} else if len(wlErrs) > 0 {
		capMode(&e, ModeDryRun, "because of a refused annotation on the workload: "+wlErrs[0].Key)
	}
	e.Ignored = c.ignored
	return e
}

// maxModeFromRunes is the bound of status.modeFrom.
const maxModeFromRunes = 256

// HeldAtDryRun is the same with nothing applied, whatever people wrote. The reason continues a sentence, such as "because pods are sized
// by others".
func (e Effective) HeldAtDryRun(why string) Effective {
	capMode(&e, ModeDryRun, why)
	return e
}

func capMode(e *Effective, most Mode, why string) {
	if slices.Index(modes, e.Mode) <= slices.Index(modes, most) {
		return
	}
	e.Mode = most
	from := []rune(fmt.Sprintf("%s, held at %s %s", e.ModeFrom, most, why))
	e.ModeFrom = string(from[:min(len(from), maxModeFromRunes)])
}

// ReplicaMode is what happens to the number of pods under a policy with this replicas.mode: what the annotations say, else
// what the policy says. No annotation overrules a policy that says off.
func (e Effective) ReplicaMode(policy ReplicaMode) ReplicaMode {
	if policy == ReplicasOff || !e.ReplicasSet {
		return policy
	}
	return e.Replicas
}

// combiner remembers what it ignored.
//
// +kubebuilder:object:generate=false
type combiner struct {
	allowOverrides bool
	ignored        []AnnotationError
}

func (c *combiner) ignore(key, value, legal string) {
	c.ignored = append(c.ignored, AnnotationError{Key: key, Value: value, Legal: legal})
}

func (c *combiner) mode(granted, asked Mode, nsErrs []AnnotationError) (Mode, string) {
	from := fmt.Sprintf("namespace annotation %s=%s", AnnotationMode, granted)
	if granted == "" {
		granted, from = ModeOff, "the namespace has no annotation "+AnnotationMode
		if slices.ContainsFunc(nsErrs, func(e AnnotationError) bool { return e.Key == AnnotationMode }) {
			granted, from = ModeDryRun, fmt.Sprintf("the namespace's annotation %s is refused, which means %s", AnnotationMode, ModeDryRun)
		}
	}
	strict := combiner{allowOverrides: c.allowOverrides && granted.Admits()}
	mode := narrow(&strict, AnnotationMode, modes, granted, asked)
	c.ignored = append(c.ignored, strict.ignored...)
	switch {
	case slices.Index(modes, mode) < slices.Index(modes, granted):
		from += ", narrowed by the workload's annotation to " + string(mode)
	case mode != granted:
		from += ", widened by the workload's annotation to " + string(mode)
	}
	return mode, from
}

// narrow returns the narrower of what is granted and what is asked for, in the order of values from narrow to wide. An empty
// asked asks for nothing.
func narrow[T ~string](c *combiner, key string, order []T, granted, asked T) T {
	if asked == "" {
		return granted
	}
	if slices.Index(order, asked) <= slices.Index(order, granted) || c.allowOverrides {
		return asked
	}
	c.ignore(key, string(asked), fmt.Sprintf("at most %s here, which is what the namespace grants", granted))
	return granted
}

func (c *combiner) policy(granted, asked string) string {
	if asked == "" || asked == granted {
		return granted
	}
	if c.allowOverrides {
		return asked
	}
	c.ignore(AnnotationPolicy, asked, "the namespace's policy here, because that does not have allowOverrides")
	return granted
}

// updater intersects two sets of ways to change a running pod: {resize}, {evict} or both. It is false if nothing is left.
func (c *combiner) updater(granted, asked UpdaterMode) (UpdaterMode, bool) {
	switch {
	case asked == "" || asked == granted:
		return granted, true
	case c.allowOverrides || granted == UpdaterInPlaceOrEvict:
		return asked, true
	case asked == UpdaterInPlaceOrEvict:
		c.ignore(AnnotationUpdater, string(asked), fmt.Sprintf("only %s here, which is what the namespace grants", granted))
		return granted, true
	default:
		c.ignore(AnnotationUpdater, string(asked), fmt.Sprintf("only %s here; running pods are left alone", granted))
		return granted, false
	}
}

// replicas also says whether an annotation decided. Where the namespace has none, a workload that asks for auto, the widest,
// leaves the decision to the policy.
func (c *combiner) replicas(granted, asked ReplicaMode) (mode ReplicaMode, set bool) {
	if granted == "" && (asked == "" || asked == ReplicasAuto && !c.allowOverrides) {
		return ReplicasRecommend, false
	}
	return narrow(c, AnnotationReplicas, replicaModes, cmp.Or(granted, ReplicasAuto), asked), true
}

func union(namespace, workload []string) []string {
	all := slices.Concat(namespace, workload)
	slices.Sort(all)
	return slices.Compact(all)
}

func mergeEvents(namespace, workload []Event) []Event {
	own := func(e Event) bool {
		return slices.ContainsFunc(workload, func(w Event) bool { return w.Name == e.Name })
	}
	merged := slices.Concat(slices.DeleteFunc(slices.Clone(namespace), own), workload)
	slices.SortFunc(merged, func(a, b Event) int { return strings.Compare(a.Name, b.Name) })
	return merged
}
