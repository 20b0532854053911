// Package guard decides what of a proposal may be used.
//
// The rules are an ordered list; each sees the outcome of the ones before it, may change sizes, and gives a reason for
// every change. Refusing is a result, not an error.
package guard

import (
	"time"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// Input is all that a decision may depend on.
type Input struct {
	Now      time.Time
	Proposal sizing.Proposal
	Policy   sizing.Policy
	Behavior Behavior
	// Containers of the workload's template, in template order.
	Containers []Container
	// CurrentReplicas is what the workload's spec asks for.
	CurrentReplicas int32
	// Previous are the sizes that were decided last; nil if there were none.
	Previous *apply.Values
	// PreviousRevision and PreviousTime name Previous.
	PreviousRevision string
	PreviousTime     time.Time
	// Applicable are the sizes in force; nil if there are none.
	Applicable         *apply.Values
	ApplicableRevision string
	Memory             Memory
	// Nodes that a pod of the workload may run on; none if that is not known. One that is smaller than another in both resources
	// may be left out.
	Nodes []Node
	// OnEveryNode says that each node has to run a pod, as those of a DaemonSet; Nodes has the smallest then.
	OnEveryNode bool
	// LimitBounds are what the LimitRanges of the namespace ask for.
	LimitBounds []apply.LimitBound
	// Budgets bound a pod as a whole.
	Budgets []Budget
	// Batch says that the workload runs to its end again and again, and what is known of it counts in runs instead of hours.
	Batch bool
	// CPULimitRequired and MemoryLimitRequired say that a quota admits no container without that limit.
	CPULimitRequired, MemoryLimitRequired bool
	HPA                                   HPA
	// ReplicasYield says who set the number of pods so lately that it is left alone; empty if nobody did.
	ReplicasYield string
	// ReplicaRoom bounds how far the number of pods is raised.
	ReplicaRoom ReplicaRoom
	// Windows in which changes are restricted.
	Windows []Window
	// Manual asks for approval of each revision; Approved is the revision a person approved.
	Manual   bool
	Approved string
	// Hold stops every change while it lasts; HoldReason is the person's reason.
	Hold       bool
	HoldReason string
	// Rollback is in force while it is not nil.
	Rollback *Rollback
}

// Container is what the guard knows about a container of the template.
type Container struct {
	Name string
	// Current is what the template asks for.
	Current sizing.Resources
	// DefaultMemory says that its memory is what LimitRanges fill in, which is nobody's wish for this container.
	DefaultMemory bool
	// Image that runs.
	Image string
	// PeakMemoryBytes is the peak of one pod that memory is sized from; the memory target never falls under it.
	PeakMemoryBytes int64
	OOMFloorBytes   int64
	// OOMEndless says that kills went on after they had raised the floor as far as kills alone may.
	OOMEndless bool
	// Excluded says that the container is left alone. It is here because it has a part in the pod's QoS class, and in its size.
	Excluded bool
	// Init says that it runs to its end before the others start, Sidecar that it starts before them and goes on beside them.
	Init, Sidecar bool
	// RaisePendingSince is since when a running pod waits for CPU that its node does not give it; zero if none does.
	RaisePendingSince time.Time
	// JVM says that the image or its environment looks like a Java virtual machine, which sizes its heap from its limit.
	JVM bool
}

// Behavior bounds how far and how often requests move.
type Behavior struct{ Up, Down Movement }

// Movement bounds changes in one direction.
type Movement struct {
	// Threshold: a smaller relative change is not made; 0.1 is 10 %.
	Threshold float64
	// MaxStep bounds one change relative to the present request; 0.5 is 50 %.
	MaxStep  float64
	Cooldown time.Duration
}

// Node is what a node has for one pod: its allocatable, less what runs on every node.
type Node struct {
	Name string
	Room apply.Amounts
}

// Budget is the most that one pod may have, all its containers together. An amount of 0 is no bound.
type Budget struct {
	// Rule names the budget in the trail, Why says where it comes from.
	Rule, Why        string
	Requests, Limits apply.Amounts
	// Finding is the type of the finding for who gets less than wanted; empty if only a pod that cannot fit is one.
	Finding string
	// OnlyRaises says that it takes nothing from what is in force. Soft says the same, and that it gives way to the floors, such
	// as memory that was observed.
	OnlyRaises, Soft bool
	// OnlyNewPods says that pods that run are not bounded.
	OnlyNewPods bool
	// Refuses says that the API server refuses a pod that is over it, so that it wins over what is held in force.
	Refuses bool
}

// ReplicaRoom is the most pods that there is room for; Most is 0 where nothing bounds them. The present number always stays.
type ReplicaRoom struct {
	Most int32
	// Why says where the bound comes from, Finding is the type of the finding for who wants more.
	Why, Finding string
}

// HPA tells what a HorizontalPodAutoscaler does with the workload.
type HPA struct {
	// Owner is "HorizontalPodAutoscaler/name", empty if there is none.
	Owner string
	// OnCPU and OnMemory say that it holds the utilisation of that resource, so the request must not move.
	OnCPU, OnMemory bool
	// OnCPUOf and OnMemoryOf name the containers of which alone it holds it.
	OnCPUOf, OnMemoryOf []string
	// Min and Max number of pods that its owner wrote. KeptBy says who would put the minimum back; empty means nobody, and
	// Loadline may raise it.
	Min, Max int32
	KeptBy   string
}

// Window restricts changes for a time.
type Window struct {
	Start, End time.Time
	// NeverShrink allows raising only; Freeze allows nothing but an out-of-memory raise.
	NeverShrink, Freeze bool
	// Resources that it concerns, of cpu, memory and replicas; empty means all.
	Resources []string
	Reason    string
}

// Memory is what the next decision has to remember.
type Memory struct {
	Containers map[string]ContainerMemory
	// LastReplicasLowered is when the number of pods was last lowered.
	LastReplicasLowered time.Time
}

// ContainerMemory is what is remembered about one container. Zero times mean never.
type ContainerMemory struct {
	Image      string
	ImageSince time.Time
	// CPULowered is also when the target was raised by advice, because that is not held when what was announced is over.
	CPURaised, CPULowered, MemoryRaised, MemoryLowered time.Time
	// CPUInPlaceMoved is when the CPU request of running pods last moved.
	CPUInPlaceMoved time.Time
	// GiveBackLockedUntil is how long running pods give no CPU back, because it was not to be had when it was needed again.
	GiveBackLockedUntil time.Time
	// MemoryAsked is when the template last began to ask for more memory, MemoryLimitAsked when its limit last rose, and TemplateMemory
	// what it asked for at the last look.
	MemoryAsked, MemoryLimitAsked time.Time
	TemplateMemory                Asked
	// MemoryHistoryHours is the history behind the present memory target: less never lowers it.
	MemoryHistoryHours int
}

// Asked is the memory that a template asks for, in bytes; 0 is none.
type Asked struct{ RequestBytes, LimitBytes int64 }

// Decision is the outcome.
type Decision struct {
	// Candidate is what was computed now, nil if nothing could be said yet. Revision names it.
	Candidate *apply.Values
	Revision  string
	// CandidateTime is when Candidate was first decided: unchanged values keep their time.
	CandidateTime time.Time
	// Applicable is what may be used; nil if nothing may. It is Candidate, or an older set that stays in force.
	Applicable         *apply.Values
	ApplicableRevision string
	// Approved tells whether Candidate may be used, and if not, why.
	Approved       bool
	ApprovedReason Reason
	Memory         Memory
	// Replicas is the recommended number of pods; 0 means no opinion. It is a part of Candidate only under mode auto.
	Replicas int32
	// Trail has one sentence for every change a rule made, in order.
	Trail []Reason
	// Findings are conflicts that only a person can solve.
	Findings []sizing.Finding
}

// Reason is why a rule acted: the rule's name, a sentence with numbers, and the container if it concerns one.
type Reason struct {
	Rule      string
	Container string
	Text      string
}
