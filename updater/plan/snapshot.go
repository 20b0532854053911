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
	// Gate is closed until an admission round trip has succeeded: an evicted pod that comes back with its old sizes is
	// evicted again.
	Gate Gate
	// KillSwitch says who stopped everything and why; empty means nobody did.
	KillSwitch string
}

// Gate says whether anything may be changed at all.
type Gate struct {
	Open bool
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
	// NoEviction is why a pod must not be evicted whatever it has, in words, such as that its successor could not be
	// created; empty means nothing is known against it.
	NoEviction string

	Disruption Disruption

	// Replicas is the number of pods asked for.
	Replicas int32
	// RolloutInProgress is true while the workload's own controller replaces pods; Paused while a person stopped it.
	RolloutInProgress, Paused bool

	// ScaleReplicas is true where `replicas: auto` is in force.
	ScaleReplicas bool
	// Autoscaler names the HorizontalPodAutoscaler that owns the number of pods; empty means none.
	Autoscaler string

	Pods []Pod
}

// Disruption is the policy's disruption section with every default filled in.
type Disruption struct {
	// MaxUnavailable pods at a time: a number or a percentage of the replicas, rounded down but at least one.
	MaxUnavailable intstr.IntOrString
	// EvictionsPerHour of the workload.
	EvictionsPerHour int32
	// MinReplicas is the number of ready pods below which none is evicted.
	MinReplicas int32
	// Windows in which pods may be evicted; none means always.
	Windows []v1alpha1.Window
}

// Pod is one pod.
type Pod struct {
	Name                        string
	UID                         types.UID
	Running, Ready, Terminating bool
	// Original is what the containers had before Loadline changed them, Present what the spec asks for, Actual what they run
	// with: by container name, init containers included.
	Original, Present, Actual map[string]apply.Resources
	// Fixed names the resources that cannot be resized without restarting or at all, by container name.
	Fixed map[string]Fixed
	// InjectedRevision is the revision that admission wrote on the pod.
	InjectedRevision string
	// AdmittedWithout is true where the pod came without the present revision although it was created after another pod had
	// been evicted to get it.
	AdmittedWithout bool
	// ResizeSupported is true where both API server and node offer in-place resize for this pod.
	ResizeSupported bool
	Resize          ResizeStatus
	// ResizeRefused is why the API server lately refused to resize the pod to the present revision; empty means it did not.
	ResizeRefused string
	// RefusedByNamespace is true where that was for a quota or a LimitRange, which bind the pod's successor as well.
	RefusedByNamespace bool
	// Change is when the present revision reached the pod, by resize or at admission; zero if it did not.
	Change time.Time
	// Troubles that the containers had.
	Troubles []Trouble
	// NotBefore is when the pod may be evicted again after a disruption budget said no.
	NotBefore time.Time
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
}

// Trouble is a container that was killed for lack of memory or keeps crashing.
type Trouble struct {
	Container string
	// What happened, such as OOMKilled.
	What string
	At   time.Time
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
