package v1alpha1

import "slices"

// Mode is how much Loadline may do in a namespace or to a workload. The values are ordered.
// +kubebuilder:validation:Enum=off;dry-run;initial;auto
type Mode string

// Modes, from the narrowest to the widest.
const (
	// ModeOff: Loadline does nothing.
	ModeOff Mode = "off"
	// ModeDryRun: Recommendation objects and reports, nothing else.
	ModeDryRun Mode = "dry-run"
	// ModeInitial: sizes are injected at admission.
	ModeInitial Mode = "initial"
	// ModeAuto: also running pods are brought to their sizes.
	ModeAuto Mode = "auto"
)

// Admits reports whether the webhook injects sizes in this mode.
func (m Mode) Admits() bool { return m == ModeInitial || m == ModeAuto }

// NarrowerThan reports whether this mode allows less than another. What is no mode is narrower than nothing.
func (m Mode) NarrowerThan(other Mode) bool {
	i := slices.Index(modes, m)
	return i >= 0 && i < slices.Index(modes, other)
}

// Approval says whether a person has to approve each revision.
// +kubebuilder:validation:Enum=automatic;manual
type Approval string

// Approvals, from the widest to the narrowest.
const (
	ApprovalAutomatic Approval = "automatic"
	ApprovalManual    Approval = "manual"
)

// Priority is for saying who gets capacity first. The updater raises by it where shortages are about the same.
// +kubebuilder:validation:Enum=critical;high;standard;low
type Priority string

// Priorities, from the first to the last.
const (
	PriorityCritical Priority = "critical"
	PriorityHigh     Priority = "high"
	PriorityStandard Priority = "standard"
	PriorityLow      Priority = "low"
)

// ReplicaMode says what happens to the number of pods.
// +kubebuilder:validation:Enum=off;recommend;auto
type ReplicaMode string

// Replica modes, from the narrowest to the widest.
const (
	ReplicasOff       ReplicaMode = "off"
	ReplicasRecommend ReplicaMode = "recommend"
	ReplicasAuto      ReplicaMode = "auto"
)

// UpdaterMode says how running pods may be changed.
// +kubebuilder:validation:Enum=in-place;in-place-or-evict;evict
type UpdaterMode string

// Updater modes.
const (
	UpdaterInPlace        UpdaterMode = "in-place"
	UpdaterInPlaceOrEvict UpdaterMode = "in-place-or-evict"
	UpdaterEvict          UpdaterMode = "evict"
)

// Every value from the narrowest to the widest. UpdaterModes have no such order.
var (
	modes        = []Mode{ModeOff, ModeDryRun, ModeInitial, ModeAuto}
	approvals    = []Approval{ApprovalManual, ApprovalAutomatic}
	priorities   = []Priority{PriorityLow, PriorityStandard, PriorityHigh, PriorityCritical}
	replicaModes = []ReplicaMode{ReplicasOff, ReplicasRecommend, ReplicasAuto}
	updaterModes = []UpdaterMode{UpdaterInPlace, UpdaterInPlaceOrEvict, UpdaterEvict}
)
