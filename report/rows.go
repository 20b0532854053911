// Package report turns Recommendations into tables and documents. It is pure: objects and a writer in, text out.
package report

import (
	"cmp"
	"maps"
	"slices"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Report is everything that a report shows.
type Report struct {
	// GeneratedTime is when the objects were read.
	GeneratedTime metav1.Time `json:"generatedTime"`
	// Halts are why nothing that runs is changed in the whole cluster, or only a little.
	Halts []string `json:"halts,omitempty"`
	// Rows, one per workload, in the order of namespace and workload.
	Rows []Row `json:"rows"`
	// Totals over all rows.
	Totals Totals `json:"totals"`
}

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

	// Ready says whether there is something to apply; Why is the most important reason, in words.
	Ready    bool               `json:"ready"`
	Revision string             `json:"revision,omitempty"`
	Why      string             `json:"why,omitempty"`
	Findings []v1alpha1.Finding `json:"findings,omitempty"`
}

// Totals sums the rows.
type Totals struct {
	Workloads int `json:"workloads"`
	// Ready workloads have sizes that may be applied.
	Ready int `json:"ready"`
	// CPU in cores and Memory in bytes that the recommended requests save over all pods. Negative means more is needed.
	CPU    resource.Quantity `json:"cpu"`
	Memory resource.Quantity `json:"memory"`
}

// New makes a report of the given Recommendations.
func New(now metav1.Time, recommendations []v1alpha1.Recommendation) Report {
	report := Report{GeneratedTime: now, Rows: make([]Row, 0, len(recommendations))}
	report.Totals.Memory.Format = resource.BinarySI
	for i := range recommendations {
		row := rowOf(&recommendations[i])
		report.Rows = append(report.Rows, row)
		report.Totals.Workloads++
		if row.Ready {
			report.Totals.Ready++
		}
		if row.Savings != nil {
			report.Totals.CPU.Add(row.Savings.CPU)
			report.Totals.Memory.Add(row.Savings.Memory)
		}
	}
	slices.SortFunc(report.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return report
}

func rowOf(rec *v1alpha1.Recommendation) Row {
	s := rec.Status
	row := Row{
		Namespace: rec.Namespace, Kind: rec.Spec.TargetRef.Kind, Name: rec.Spec.TargetRef.Name, Mode: s.Mode,
		Ready:    apimeta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady),
		Revision: s.Revision, Why: s.Display.Why, Findings: s.Findings, Savings: s.Savings,
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
