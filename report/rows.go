package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Row is one workload. Requests are those of one pod, summed over its containers; savings are over all its pods.
type Row struct {
	Namespace string        `json:"namespace"`
	Kind      string        `json:"kind"`
	Name      string        `json:"name"`
	Mode      v1alpha1.Mode `json:"mode"`

	CPUNow            *resource.Quantity `json:"cpuNow,omitempty"`
	CPURecommended    *resource.Quantity `json:"cpuRecommended,omitempty"`
	MemoryNow         *resource.Quantity `json:"memoryNow,omitempty"`
	MemoryRecommended *resource.Quantity `json:"memoryRecommended,omitempty"`

	ReplicasNow         *int32 `json:"replicasNow,omitempty"`
	ReplicasRecommended *int32 `json:"replicasRecommended,omitempty"`

	Savings *v1alpha1.Savings `json:"savings,omitempty"`
	// SavesPerMonth is what the savings are worth in a month of 730 hours, in the currency of the report's prices.
	SavesPerMonth *float64 `json:"savesPerMonth,omitempty"`

	// Ready says whether there is something to apply; Why is the most important reason, in words.
	Ready    bool   `json:"ready"`
	Revision string `json:"revision,omitempty"`
	// Waiting is the revision that a person has to approve before it is used; empty if none waits.
	Waiting  string             `json:"waitingRevision,omitempty"`
	Why      string             `json:"why,omitempty"`
	Findings []v1alpha1.Finding `json:"findings,omitempty"`
	// Advice is what events and business context changed, or were refused to change, with the reasons.
	Advice *v1alpha1.AdviceStatus `json:"advice,omitempty"`
}

func rowOf(rec *v1alpha1.Recommendation) Row {
	s := rec.Status
	row := Row{
		Namespace: rec.Namespace, Kind: rec.Spec.TargetRef.Kind, Name: rec.Spec.TargetRef.Name, Mode: s.Mode,
		Ready:    apimeta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady),
		Revision: s.Revision, Why: s.Display.Why, Findings: s.Findings, Savings: s.Savings, Waiting: waiting(s),
		Advice: s.Advice,
	}
	if s.Current != nil {
		row.ReplicasNow = s.Current.Replicas
		for _, c := range s.Current.Containers {
			row.CPUNow, row.MemoryNow = plus(row.CPUNow, c.Requests.CPU), plus(row.MemoryNow, c.Requests.Memory)
		}
	}
	if s.Replicas != nil {
		row.ReplicasRecommended = s.Replicas.Target // Candidate holds replicas only where they may be applied.
	}
	if s.Candidate != nil {
		row.CPURecommended, row.MemoryRecommended = recommended(s)
	}
	return row
}

// waiting returns the revision of the candidate if it is not used before a person approves it.
func waiting(s v1alpha1.RecommendationStatus) string {
	approved := apimeta.FindStatusCondition(s.Conditions, v1alpha1.ConditionApproved)
	if s.Candidate == nil || approved == nil || approved.Reason != v1alpha1.ReasonWaitingForApproval {
		return ""
	}
	return s.Candidate.Revision
}

// Workload is the row's kind and name as people type them, such as deployment/checkout.
func (r Row) Workload() string { return strings.ToLower(r.Kind) + "/" + r.Name }

// name is the row's namespace, kind and name in one, such as shop/deployment/checkout.
func (r Row) name() string { return r.Namespace + "/" + r.Workload() }

// reserved is what all pods of the workload request now.
func (r Row) reserved() (cpu, memory resource.Quantity) {
	memory.Format = resource.BinarySI
	if r.ReplicasNow == nil {
		return cpu, memory
	}
	if r.CPUNow != nil {
		cpu = *resource.NewMilliQuantity(r.CPUNow.MilliValue()*int64(*r.ReplicasNow), resource.DecimalSI)
	}
	if r.MemoryNow != nil {
		memory = *resource.NewQuantity(r.MemoryNow.Value()*int64(*r.ReplicasNow), resource.BinarySI)
	}
	return cpu, memory
}

// recommended sums the requests of one pod as they would be: what is not sized stays as it is.
func recommended(s v1alpha1.RecommendationStatus) (cpu, memory *resource.Quantity) {
	now := map[string]v1alpha1.ResourceAmounts{}
	if s.Current != nil {
		for _, c := range s.Current.Containers {
			now[c.Name] = c.Requests
		}
	}
	for _, c := range s.Candidate.Containers {
		now[c.Name] = v1alpha1.ResourceAmounts{CPU: cmp.Or(c.Target.CPU, now[c.Name].CPU), Memory: cmp.Or(c.Target.Memory, now[c.Name].Memory)}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		cpu, memory = plus(cpu, now[name].CPU), plus(memory, now[name].Memory)
	}
	return cpu, memory
}

// plus adds two amounts of which either may be absent.
func plus(sum, more *resource.Quantity) *resource.Quantity {
	if more == nil {
		return sum
	}
	if sum == nil {
		return new(more.DeepCopy())
	}
	sum.Add(*more)
	return sum
}
