// Package report turns Recommendations into tables and documents. It is pure: objects and a writer in, text out.
package report

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/owner"
)

// Input is what a report is made of.
type Input struct {
	// Now is when the objects were read.
	Now metav1.Time
	// Namespace that all of it is about; empty if it is the whole cluster.
	Namespace string
	// Recommendations in any order.
	Recommendations []v1alpha1.Recommendation
	// StaleAfter is the age at which sizes that nobody confirmed are stale. Without it, only the recommender's own word counts.
	StaleAfter time.Duration
	// Halts are why nothing that runs is changed in the whole cluster, or only a little.
	Halts []string
	// Prices turn savings into money. The zero value says nothing of money.
	Prices Prices
	// Nodes of the cluster and all its Pods, to say which nodes could go. Prices that differ from node to node are averaged over
	// the nodes. Without nodes nothing is said of them.
	Nodes []corev1.Node
	Pods  []corev1.Pod
	// Kinds of workloads beyond those of Kubernetes itself, whose pods are found by them.
	Kinds owner.Kinds
	// Before is an earlier report to compare with; nil compares with nothing.
	Before *Report
	// Program is what people type to run Loadline, with which commands begin; empty is loadline.
	Program string
}

// Report is everything that a report shows.
type Report struct {
	// GeneratedTime is when the objects were read.
	GeneratedTime metav1.Time `json:"generatedTime"`
	// Namespace that all of it is about; empty if it is the whole cluster.
	Namespace string `json:"namespace,omitempty"`
	// Halts are why nothing that runs is changed in the whole cluster, or only a little.
	Halts []string `json:"halts,omitempty"`
	// Health says how well the workloads are sized. Nil where there are none.
	Health *Health `json:"health,omitempty"`
	// Totals over all rows.
	Totals Totals `json:"totals"`
	// Prices that the money was computed with. Nil where nothing is said of money.
	Prices *Prices `json:"prices,omitempty"`
	// Nodes says which of them could go. Nil where they are not known.
	Nodes *Nodes `json:"nodes,omitempty"`
	// Trend is what changed since an earlier report. Nil where it was compared with none.
	Trend *Trend `json:"trend,omitempty"`
	// Risks that a person should look at, the gravest first.
	Risks []Risk `json:"risks,omitempty"`
	// Rows, one per workload, in the order of namespace and workload.
	Rows []Row `json:"rows"`
}

// Totals sums the rows.
type Totals struct {
	Workloads int `json:"workloads"`
	// Ready workloads have sizes that may be applied.
	Ready int `json:"ready"`
	// Modes counts the workloads by what Loadline may do to them.
	Modes map[v1alpha1.Mode]int `json:"modes,omitempty"`
	// ReservedCPU in cores and ReservedMemory in bytes are what all pods of the workloads request now.
	ReservedCPU    resource.Quantity `json:"reservedCPU"`
	ReservedMemory resource.Quantity `json:"reservedMemory"`
	// CPU in cores and Memory in bytes that the recommended requests save over all pods. Negative means more is needed.
	CPU    resource.Quantity `json:"cpu"`
	Memory resource.Quantity `json:"memory"`
	// SavesPerMonth is what that is worth in a month of 730 hours, in the currency of the prices.
	SavesPerMonth *float64 `json:"savesPerMonth,omitempty"`
}

// New makes a report.
func New(in Input) Report {
	report := Report{GeneratedTime: in.Now, Namespace: in.Namespace, Halts: in.Halts, Rows: make([]Row, 0, len(in.Recommendations))}
	if in.Prices.Currency != "" {
		in.Prices = in.Prices.over(in.Nodes)
		report.Prices = &in.Prices
	}
	report.Totals.Memory.Format, report.Totals.ReservedMemory.Format = resource.BinarySI, resource.BinarySI
	all := slices.SortedStableFunc(slices.Values(in.Recommendations), byWorkload)
	for i := range all {
		row := rowOf(&all[i])
		row.SavesPerMonth = saved(report.Prices, row.Savings)
		report.Rows = append(report.Rows, row)
		report.Totals.add(row)
		report.Risks = append(report.Risks, in.RisksOf(&all[i])...)
	}
	report.Totals.SavesPerMonth = saved(report.Prices, &v1alpha1.Savings{CPU: report.Totals.CPU, Memory: report.Totals.Memory})
	report.Health = health(all, report.Rows, in)
	slices.SortStableFunc(report.Risks, graver)
	report.Nodes = nodes(in)
	report.Trend = trend(in.Before, report)
	return report
}

func byWorkload(a, b v1alpha1.Recommendation) int {
	x, y := a.Spec.TargetRef, b.Spec.TargetRef
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Kind, y.Kind))
}

func (t *Totals) add(row Row) {
	t.Workloads++
	if row.Ready {
		t.Ready++
	}
	if row.Mode != "" {
		if t.Modes == nil {
			t.Modes = map[v1alpha1.Mode]int{}
		}
		t.Modes[row.Mode]++
	}
	cpu, memory := row.reserved()
	t.ReservedCPU.Add(cpu)
	t.ReservedMemory.Add(memory)
	if row.Savings != nil {
		t.CPU.Add(row.Savings.CPU)
		t.Memory.Add(row.Savings.Memory)
	}
}
