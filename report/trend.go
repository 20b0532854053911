package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Trend is what changed since an earlier report.
type Trend struct {
	// Since is when that report was made.
	Since metav1.Time `json:"since"`
	// Score is how many points of health were gained since; nil if one of the two reports has none.
	Score *int `json:"score,omitempty"`
	// ReservedCPU in cores and ReservedMemory in bytes are how much more is requested now. Negative is less.
	ReservedCPU    resource.Quantity `json:"reservedCPU"`
	ReservedMemory resource.Quantity `json:"reservedMemory"`
	// ReservedPerMonth is what that costs in a month, at the prices of this report.
	ReservedPerMonth *float64 `json:"reservedPerMonth,omitempty"`
	// Came and Went are the workloads, as namespace/kind/name, that only one of the reports has.
	Came []string `json:"came,omitempty"`
	Went []string `json:"went,omitempty"`
	// NewRisks were not there before; Solved are those that were and are not any more.
	NewRisks []Risk `json:"newRisks,omitempty"`
	Solved   []Risk `json:"solved,omitempty"`
}

// Parse reads a report that JSON or YAML wrote.
func Parse(text []byte) (*Report, error) {
	var r Report
	plain, err := yaml.YAMLToJSON(text)
	if err == nil {
		err = json.Unmarshal(plain, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("read the earlier report: %w", err)
	}
	if r.GeneratedTime.IsZero() || r.Rows == nil {
		return nil, errors.New("read the earlier report: it has no generatedTime or no rows; legal is what --output json or yaml wrote")
	}
	return &r, nil
}

// Comparable returns an error if the earlier report is about something else, so that a comparison would show what did not happen.
func (in Input) Comparable() error {
	if in.Before == nil || in.Before.Namespace == in.Namespace {
		return nil
	}
	return fmt.Errorf("that report is about %s, and this one would be about %s; compare the same", scope(in.Before.Namespace), scope(in.Namespace))
}

func scope(namespace string) string {
	if namespace == "" {
		return "the whole cluster"
	}
	return "namespace " + namespace
}

// trend compares a report with an earlier one.
func trend(before *Report, now Report) *Trend {
	if before == nil {
		return nil
	}
	t := &Trend{Since: before.GeneratedTime, ReservedCPU: now.Totals.ReservedCPU.DeepCopy(), ReservedMemory: now.Totals.ReservedMemory.DeepCopy()}
	t.ReservedCPU.Sub(before.Totals.ReservedCPU)
	t.ReservedMemory.Sub(before.Totals.ReservedMemory)
	if now.Prices != nil {
		t.ReservedPerMonth = new(cents(now.Prices.perMonth(t.ReservedCPU.AsApproximateFloat64(), t.ReservedMemory.AsApproximateFloat64())))
	}
	if before.Health != nil && now.Health != nil {
		t.Score = new(now.Health.Score - before.Health.Score)
	}
	t.Came, t.Went = missing(now.Rows, before.Rows), missing(before.Rows, now.Rows)
	t.NewRisks, t.Solved = lacking(now.Risks, before.Risks), lacking(before.Risks, now.Risks)
	return t
}

// missing returns the names of what is in a and not in b.
func missing(a, b []Row) []string {
	known := map[string]bool{}
	for _, r := range b {
		known[r.name()] = true
	}
	var out []string
	for _, r := range a {
		if !known[r.name()] {
			out = append(out, r.name())
		}
	}
	return out
}

// lacking returns the risks of a that b has none of the same type and workload for.
func lacking(a, b []Risk) []Risk {
	type key struct{ kind, namespace, workload string }
	known := map[key]bool{}
	for _, r := range b {
		known[key{r.Type, r.Namespace, r.Workload}] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(r Risk) bool { return known[key{r.Type, r.Namespace, r.Workload}] })
}
