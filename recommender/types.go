// Package recommender turns history, events and policy into Recommendation objects.
//
// The path is always the same: an Engine gathers everything a decision may look at (Gather, the only code that reads), the
// pure function Decide computes the decision and what has to be remembered, and the controller publishes it. Whoever
// computes sizes calls Decide; report and explain show what was stored.
package recommender

import (
	"hash/fnv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/history"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// maxContainers is how many containers of one workload are sized: a Recommendation holds no more.
const maxContainers = 32

// Target names a workload.
type Target struct {
	Namespace string
	// Kind is Deployment, StatefulSet or DaemonSet of apps/v1, or CronJob of batch/v1.
	Kind string
	Name string
}

// RecommendationKey returns the key of the Recommendation for the target.
func (t Target) RecommendationKey() types.NamespacedName {
	return types.NamespacedName{Namespace: t.Namespace, Name: v1alpha1.RecommendationName(t.Kind, t.Name)}
}

// spread returns a number from 0 to 1, 1 excluded, that is always the same for the same target.
func (t Target) spread() float64 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(t.Namespace + "/" + t.Kind + "/" + t.Name)) // never fails
	return float64(hash.Sum32()) / (1 << 32)
}

// Input is all that a decision on one workload may depend on, besides Memory and the time.
type Input struct {
	Target Target
	// TargetUID and Generation of the workload as it is now.
	TargetUID types.UID
	// Settings are the annotations in force, Policy the policy with every default filled in.
	Settings v1alpha1.Effective
	Policy   v1alpha1.SizingPolicySpec
	// PolicyProblem tells why the policy that was asked for is not used; empty if it is.
	PolicyProblem string
	// Containers of the workload's template that are to be sized, in template order, native side-cars last; at most
	// maxContainers.
	Containers []corev1.Container
	// LeftAlone are the containers that are not sized: ordinary init containers, excluded ones, and those beyond
	// maxContainers, of which there are Surplus. They have a part in the pod's QoS class.
	LeftAlone []corev1.Container
	Surplus   int
	// Template is the templateID of the workload's pod template; empty if that is not known.
	Template string
	// PodLevel says that the template sets resources for the pod as a whole, so that all its containers are left alone.
	PodLevel bool
	// Init names the ordinary init containers among LeftAlone.
	Init []string
	// Refused is what the API server says to the workload's new pods, where it refuses them.
	Refused string
	// RefusedSince is when that began, as far as it is known.
	RefusedSince time.Time
	// Replicas that the workload's spec asks for.
	Replicas int32
	// Controller is what keeps the workload as it is, as kind and name; empty where a person does.
	Controller string
	// Declared is the number of pods that the workload's manifest asks for; 0 if the workload does not tell.
	Declared int32
	// Scaled tells who set the number of pods last; nil if that is not known. YieldFor is how long it is left alone then.
	Scaled   metav1.Object
	YieldFor time.Duration
	History  history.Workload
	// HistoryProblem tells why the history could not be read; empty if it was.
	HistoryProblem string
	// OOMKills that the workload's pods report, of containers of the template.
	OOMKills []OOMKill
	// PendingRaises tells, by container, since when a running pod waits for CPU that its node does not give it.
	PendingRaises map[string]time.Time
	// Forecasts of each container's demand, by name, made from History; see Forecaster. A container that is missing has none.
	Forecasts map[string]DemandForecast
	// Demands are what sizing.Measure found in History at the policy's quantile, by container. One that is missing is measured.
	Demands map[string]sizing.Demand
	// Annotations are the evidence that people wrote.
	Annotations []advice.Annotation
	// Events are warnings of Kubernetes about the workload and its pods, counted; Scalings what its autoscalers did last.
	Events   []advice.KubernetesEvent
	Scalings []advice.Scaling
	// Signals are the measurements that the policy names as drivers of the demand, and SignalProblems why some are missing.
	Signals        []advice.Signal
	SignalProblems []string
	// ModelConfigured tells that there is a model to ask. ModelAdvice is what it says; without a Source that is nothing, and
	// Reason tells why.
	ModelConfigured bool
	ModelAdvice     advice.Advice
	// Evidence is what the model was shown of this input, this memory and this time, so that it need not be gathered twice;
	// nil where none was asked.
	Evidence *advice.Evidence
	// Nodes that a pod of the template may run on, with what each has for it; see largestNodes, and smallestNode for a DaemonSet. None if
	// that is not known.
	Nodes []guard.Node
	// Own is what the pods of a DaemonSet ask for, by node.
	Own map[string]apply.Amounts
	// Free are the same nodes with what no pod has asked for, the most memory first. Waiting are the workload's pods that have found
	// no node for a while. None are free for a DaemonSet, whose pod has one node to go to.
	Free    []guard.Node
	Waiting []Waiting
	// Placed is the most CPU, and the most memory, that a pod of the workload runs with that has found a node.
	// None of a DaemonSet.
	Placed apply.Amounts
	// Unmeasured are finished runs of a CronJob that left no measurement.
	Unmeasured Unmeasured
	// LimitBounds are what the LimitRanges of the namespace ask for. Their defaults are in Containers and LeftAlone already.
	LimitBounds []apply.LimitBound
	// DefaultMemory are the containers that have their memory from LimitRanges alone.
	DefaultMemory []string
	HPA           guard.HPA
	// VPA changes the same pods, so that Settings allow no more than a dry run.
	VPA VPA
	// Ledgers are the ResourceQuotas of the namespace that bind this workload, each with who else it binds. Pods is how many
	// pods of this workload they may have to count.
	Ledgers []Ledger
	Pods    int32
	// Spec holds the decisions of people on the Recommendation.
	Spec v1alpha1.RecommendationSpec
	// Outcomes are what the updater did and saw last, newest first; Applied is true where it says that pods carry what is
	// applicable.
	Outcomes []v1alpha1.Outcome
	Applied  bool
	// Admissions are the pods that came with sizes of late; Trial is the last revision that pods came through the watch with.
	Admissions []Admission
	Trial      *v1alpha1.Trial
	// Health is what the health signals say about the last change.
	Health Health
	// Cadence says how far to look and how often to confirm.
	Cadence Cadence
}

// batch reports whether the workload runs to its end again and again. Its pods are never changed once they run.
func (in Input) batch() bool { return in.Target.Kind == kindCronJob }

// everywhere reports whether each node that the template allows has to run a pod.
func (in Input) everywhere() bool { return in.Target.Kind == kindDaemonSet }

// held reports whether a person's hold is in force.
func (in Input) held(now time.Time) bool {
	hold := in.Spec.Hold
	return hold != nil && (hold.Until == nil || now.Before(hold.Until.Time))
}

// Cadence holds the times that the operator configures.
type Cadence struct {
	// Horizon of the forecast.
	Horizon time.Duration
	// Confirm is how often observedTime is written on its own account; StaleAfter is how old it may be before nothing is
	// lowered any more.
	Confirm, StaleAfter time.Duration
	// Unschedulable is how long a pod may find no node before its sizes are lowered.
	Unschedulable time.Duration
}

// OOMKill is one kill for lack of memory as a pod's status tells it.
type OOMKill struct {
	Container string
	// LimitBytes that the container ran into; or what it used when its node ran low on memory and evicted the pod.
	LimitBytes int64
	// MostBytes is the most that an eviction asks for: the container's limit, which was not what ended it. 0 means no bound.
	MostBytes int64
	Time      time.Time
}

// Memory is what a decision needs from the ones before. It is stored in the Recommendation's status.
type Memory struct {
	// Candidate and Applicable were published last; nil if nothing was.
	Candidate, Applicable *Revisioned
	OOM                   []OOMFloor
	Guard                 guard.Memory
	// Template of the workload's pods when it was last seen.
	Template Template
	// Claim is what one pod would have without ResourceQuotas; nil where there is none.
	Claim *Claim
	// Reach is what was learnt from pods that found no node; nil if none did.
	Reach *Reach
	// Autoscaler is what was last seen of the workload's autoscalers; nil if there were none for a while.
	Autoscaler *Autoscaler
	// DeclaredReplicas is the number of pods that the workload's manifest asks for; 0 if that was never known.
	DeclaredReplicas int32
	// Scaling is what somebody else set through the scale subresource; the zero value if nobody did.
	Scaling apply.Scaling
	// Advice is what a model said, and AdvisedUntil how long it lets nothing shrink; see pass.advisedUntil.
	Advice       advice.Advice
	AdvisedUntil time.Time
	// LastGood are the sizes in force before the present ones, if they did no harm; nil if none are known.
	LastGood *Revisioned
	// Withheld are the sizes that come back when new pods no longer come as they are written; nil while they do not.
	Withheld *Revisioned
	// Rollback is the last one, also after its time is over; nil if there was none.
	Rollback *v1alpha1.Rollback
	// HealthCheck is the last that found the signals no worse; nil if there was none.
	HealthCheck *v1alpha1.HealthCheck
}

// Revisioned is a set of sizes with its name and the time it was first decided.
type Revisioned struct {
	Values   apply.Values
	Revision string
	Time     time.Time
}

// OOMFloor is what an out-of-memory kill taught.
type OOMFloor struct {
	Container string
	// HitBytes is the limit that the container ran into, or what it used when its pod was evicted; FloorBytes the request that
	// follows. FromBytes is where the kills began, or what the template asks for if that is more; 0 if that was not noted.
	HitBytes, FloorBytes, FromBytes int64
	// Time of the last kill. Kills is how many were seen; of those in one second one is counted.
	Time  time.Time
	Kills int32
}

// Decision is the outcome of Decide.
type Decision struct {
	Proposal sizing.Proposal
	Guard    guard.Decision
	Advice   advice.Advice
	// Evidence that Advice cites.
	Evidence []advice.Cited
	// Rules is the part of Advice that needs no model.
	Rules advice.Advice
	// Forecasts of each container's CPU, in the order of Input.Containers.
	Forecasts []ContainerForecast
	// YieldsTo says whose number of pods is left alone; empty if nobody's.
	YieldsTo string
	// Trail is the whole reasoning, in order.
	Trail    []string
	Findings []v1alpha1.Finding
}
