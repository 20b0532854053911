package plan

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// Snapshot is everything that a plan depends on, read once.
type Snapshot struct {
	Workloads []Workload
	// Free is what the schedulable nodes have besides the requests of all pods, also of those that wait for a node, so that it
	// may be negative; nil if it is not known.
	Free *apply.Amounts
	// Autoscalers that Loadline has raised or is asked to raise.
	Autoscalers []Autoscaler
	// Gate is closed until an admission round trip has succeeded: an evicted pod that comes back with its old sizes is
	// evicted again.
	Gate Gate
	// KillSwitch says who stopped everything and why; empty means nobody did.
	KillSwitch string
	// Breaker says why everything stops because the whole cluster gets worse; empty means it does not.
	Breaker string
	// Cures lets one kind of change pass the breaker: raising, in place, the memory limit of a container that was killed for
	// lack of memory. GivesBack lets another one pass: giving back, in place, what Loadline took from a pod.
	Cures, GivesBack bool
}

// Gate says whether anything may be changed at all.
type Gate struct {
	Open bool
	// Ready is true where nothing but admission is in doubt: what was spent is known, and a new leader has looked for long enough. What
	// Loadline took from running pods is given back then; no admission is needed for it.
	Ready bool
	// Reason why it is closed, in words.
	Reason string
}

// Key names a workload.
type Key struct{ Namespace, Kind, Name string }

// String is namespace/kind/name.
func (k Key) String() string { return k.Namespace + "/" + k.Kind + "/" + k.Name }

// Workload is one workload, what is recommended for it, and its pods.
type Workload struct {
	Key
	// Mode and Updater in force.
	Mode    v1alpha1.Mode
	Updater v1alpha1.UpdaterMode
	// Priority says who gets capacity and the cluster's budgets first among those that need them about as much.
	Priority v1alpha1.Priority
	// Revision of Values; empty means that nothing is applicable.
	Revision string
	Values   apply.Values
	// Hold is a person's request to leave the workload alone.
	Hold *v1alpha1.Hold
	// Stale is true while the values are not confirmed: nothing is lowered then.
	Stale bool
	// Harm is what the present revision did to a pod, in words; empty means none.
	Harm string
	// Good are the sizes that were good before the present ones; zero if none are known.
	Good apply.Values
	// Trial is the last revision that pods came through the watch with; zero if none is known.
	Trial Trial
	// Answered is when harm was last answered by taking sizes back; what was before it counts no more.
	Answered time.Time
	// OOMFloorBytes is the memory that a container needs at least, by name, as out-of-memory kills taught.
	OOMFloorBytes map[string]int64
	// Health tells of the policy's health signals.
	Health Health
	// Unstuck counts how often pods did not keep the present revision.
	Unstuck Unstuck
	// NoEviction is why a pod must not be evicted whatever it has, in words, such as that its successor could not be
	// created; empty means nothing is known against it.
	NoEviction string
	// NoSuccessor is why the successor of the pod that was evicted last does not come, in words; empty if it came or may still come.
	NoSuccessor string

	Disruption Disruption

	// HeldBack is true while admission keeps new pods from the present revision.
	HeldBack bool
	// Evicted is when a pod was evicted for the present revision last; zero if none was.
	Evicted time.Time

	// Replicas is the number of pods asked for.
	Replicas int32
	// Declared is the number that the workload's manifest asks for; 0 if that is not known.
	Declared int32
	// RolloutInProgress is true while the workload's own controller replaces pods; Paused while a person stopped it.
	RolloutInProgress, Paused bool

	// ScaleReplicas is true where `replicas: auto` is in force.
	ScaleReplicas bool
	// Custom is true for a kind that the operator configures; it is treated like a Deployment.
	Custom bool
	// KeepsPods says why the number of pods must not go down; empty means that it may.
	KeepsPods string
	// Autoscaler names the HorizontalPodAutoscaler that owns the number of pods; empty means none.
	Autoscaler string
	// NotScaledBefore is when the number of pods may be set again after it could not be, and NotScaledFor why not, in words; empty means
	// that it could be the last time.
	NotScaledBefore time.Time
	NotScaledFor    string
	// Yields says who set the number of pods so lately that it is left alone; empty if nobody did.
	Yields string

	Pods []Pod
	// Lost are pods that their nodes evicted for lack of memory, as long as changes to them are watched. Nothing counts of them but
	// what happened to them.
	Lost []Pod
}

// Disruption is the policy's disruption section with every default filled in.
type Disruption struct {
	// MaxUnavailable pods at a time: a number or a percentage of the replicas, rounded down but at least one.
	MaxUnavailable intstr.IntOrString
	// EvictionsPerHour of the workload.
	EvictionsPerHour int32
	// MinReplicas is the number of ready pods below which none is evicted.
	MinReplicas int32
	// Windows in which pods may be evicted, and their number lowered; none means always.
	Windows []v1alpha1.Window
	// CanaryPods get a new revision first; 0 means that there is no canary. Observe is how long pods are watched.
	CanaryPods int32
	Observe    time.Duration
	// StartupGrace is how long a container runs before its pod is lowered in place.
	StartupGrace time.Duration
}

// Health tells of the policy's health signals, which the recommender compares.
type Health struct {
	// Wanted is true where there are any, and a pod lost something by the present revision.
	Wanted bool
	// Checked is when they were last found no worse, a whole watch after a pod got the present revision; zero if never. It counts for
	// all pods: the one that it rests on may be gone by now, and its successor was changed later.
	Checked time.Time
}

// Trial is a revision that pods came through the watch with, and the template of these pods.
type Trial struct{ Revision, Template string }

// Unstuck counts how often pods did not have, or did not keep, the sizes of the present revision.
type Unstuck struct {
	Times int
	// Last time, and what was seen then.
	Last    time.Time
	Message string
}

// Pod is one pod.
type Pod struct {
	Name                        string
	UID                         types.UID
	Running, Ready, Terminating bool
	// Unscheduled is true while no node has taken the pod.
	Unscheduled bool
	// Original is what the containers had before Loadline changed them, Present what the spec asks for, Actual what they run
	// with: by container name, init containers included.
	Original, Present, Actual map[string]apply.Resources
	// Disbelieved is true where what is noted on the pod as its original is not believed, and Original is what the spec asks for.
	Disbelieved bool
	// Fixed names the resources that cannot be resized without restarting or at all, by container name.
	Fixed map[string]Fixed
	// Unschedulable is true while the scheduler finds no node for the pod.
	Unschedulable bool
	// Stranded is true where it has found none for so long that it is not expected to: a new node is there within minutes.
	Stranded bool
	// Template is the hash of the pod's template, as its controller wrote it; empty if that is not known.
	Template string
	// InjectedRevision is the revision that admission wrote on the pod.
	InjectedRevision string
	// HeldBack is true where admission gave the pod no less than pods had before, because the revision was being tried on another one.
	HeldBack bool
	// AdmittedWithout is true where the pod came without the present revision although it was created after another pod had
	// been evicted to get it.
	AdmittedWithout bool
	// ResizeSupported is true where both API server and node offer in-place resize for this pod.
	ResizeSupported bool
	Resize          ResizeStatus
	// RoomOn names a node that has room for the pod's successor, where the pod's own node has put a resize off for long; empty
	// means that none is known.
	RoomOn string
	// ResizeRefused is why the API server lately refused to resize the pod to the present revision; empty means it did not.
	ResizeRefused string
	// RefusedByNamespace is true where that was for a quota or a LimitRange, which bind the pod's successor as well.
	RefusedByNamespace bool
	// Change is when the present revision reached the pod, by resize or at admission; zero if it did not.
	Change time.Time
	// Touched is when the pod last got a revision, TouchedBy, whichever it was; zero if it never did.
	Touched   time.Time
	TouchedBy string
	// Mark is how the pod was when it was resized last; nil if it never was.
	Mark *Mark
	// Reverted is true where a resize to the present revision was accepted and the pod asks for something else again.
	Reverted bool
	// Created is when the pod was, Started when the last of its containers did; Restarts counts those of all containers.
	Created, Started time.Time
	Restarts         int32
	// ReadyAfter is how long after its creation the pod became ready, the last time; 0 where it is not.
	ReadyAfter time.Duration
	// Troubles that the containers had.
	Troubles []Trouble
	// NotBefore is when the pod may be evicted again after it could not be, and NotBeforeFor why not, in words.
	NotBefore    time.Time
	NotBeforeFor string
	// Denied is true where it could not be evicted and something denies that for its workload, or for this pod alone: others come first.
	Denied bool
	// NoResizeBefore and NoResizeFor are the same of a resize that was not answered. One that was refused is ResizeRefused.
	NoResizeBefore time.Time
	NoResizeFor    string
	// Unanswered is when that resize was asked for; zero if there was none.
	Unanswered time.Time
	// Pinned names the annotation by which the pod asks not to be evicted; empty means none.
	Pinned string
	// DisruptionBudgets that select the pod.
	DisruptionBudgets []DisruptionBudget
}

// Fixed says which resources of a container are not resized in place: those whose resize policy restarts the container, and
// both of an init container that ends before the others start.
type Fixed struct{ CPU, Memory bool }

func (f Fixed) has(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU && f.CPU || name == corev1.ResourceMemory && f.Memory
}

// DisruptionBudget is a PodDisruptionBudget that selects a pod.
type DisruptionBudget struct {
	Name string
	// Allowed disruptions at the moment.
	Allowed int32
	// Keeps is how many healthy pods it asks for, however many there are; 0 where it asks for a share of them, which moves with their
	// number. Healthy is how many there are at the moment.
	Keeps, Healthy int32
}

// Trouble is something that went wrong with a container, or with the pod as a whole.
type Trouble struct {
	// Container is empty where it is the pod.
	Container string
	What      TroubleKind
	At        time.Time
}

// TroubleKind says what went wrong.
type TroubleKind string

// Troubles.
const (
	// TroubleOOM: the container was killed for lack of memory.
	TroubleOOM TroubleKind = "OOMKilled"
	// TroubleEvicted: the node ran low on memory and evicted the pod, of which the container used more than it requests.
	TroubleEvicted TroubleKind = "EvictedForMemory"
	// TroubleCrashLoop: the container keeps crashing.
	TroubleCrashLoop TroubleKind = "CrashLoopBackOff"
	// TroubleRestart: the container ended with an error and was started again.
	TroubleRestart TroubleKind = "Restarted"
	// TroubleNotReady: the pod was ready and is not any more.
	TroubleNotReady TroubleKind = "NotReady"
	// TroubleNeverReady: all containers run since then, and the pod has not become ready yet.
	TroubleNeverReady TroubleKind = "NeverReady"
)

// Mark is how a pod was when it was asked to be resized. It is kept on the pod, so that nothing is forgotten.
type Mark struct {
	// UID of the pod, so that a copied mark does not count.
	UID      types.UID `json:"uid"`
	Revision string    `json:"revision"`
	At       time.Time `json:"at"`
	// Asked is the digest of the resources that the pod was to have then.
	Asked string `json:"asked"`
	// Restarts counts those of all containers before.
	Restarts int32 `json:"restarts,omitempty"`
	// InVain counts how often in a row the revision had been asked for before, and the pod kept what it had.
	InVain int32 `json:"inVain,omitempty"`
	// Had is the most that the containers had before Loadline lowered them in place, by name; what was never lowered is missing.
	Had map[string]apply.Resources `json:"had,omitempty"`
	// Troubled is true where the pod was in trouble already, Lowers where the resize took something away.
	Troubled bool `json:"troubled,omitempty"`
	Lowers   bool `json:"lowers,omitempty"`
	// Before is the resize before this one, if the pod was still watched for what that took away. What came before that is gone.
	Before *Mark `json:"before,omitempty"`
}

// InVain counts how often in a row the pod was asked to be resized to a revision and kept what it had: refused by the API server,
// changed back, or never asked because whoever wrote the mark ended there. It is read from the pod, so a restart forgets nothing.
func (p Pod) InVain(revision string) int32 {
	if p.Mark == nil || p.Mark.Revision != revision || p.Mark.Asked == Digest(p.Present) {
		return 0
	}
	return max(p.Mark.InVain, 0) + 1
}

// ResizeState is how far the last in-place resize of a pod got.
type ResizeState string

// States of an in-place resize.
const (
	ResizeNone       ResizeState = ""
	ResizeInProgress ResizeState = "InProgress"
	ResizeDeferred   ResizeState = "Deferred"
	ResizeInfeasible ResizeState = "Infeasible"
	ResizeError      ResizeState = "Error"
)

// ResizeStatus is the state of the last in-place resize of a pod.
type ResizeStatus struct {
	State ResizeState
	Since time.Time
	// Message of the node.
	Message string
}
