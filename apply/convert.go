package apply

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// FromAPI reads sizes out of a Recommendation. Nil gives the zero Values, which has no opinion on anything.
//
// A negative amount reads as 0, which means no opinion, so that a status that somebody edited cannot make a pod invalid.
// Containers come out in the order of their names. FromAPI(ToAPI(v, …)) equals v for every v with sorted containers and no
// negative amount.
func FromAPI(in *v1alpha1.RevisionedValues) Values {
	if in == nil {
		return Values{}
	}
	out := Values{}
	if in.Replicas != nil {
		out.Replicas = new(*in.Replicas)
	}
	if in.AutoscalerMinReplicas != nil && *in.AutoscalerMinReplicas > 0 {
		out.AutoscalerMin = new(*in.AutoscalerMinReplicas)
	}
	for _, c := range in.Containers {
		out.Containers = append(out.Containers, Container{
			Name:        c.Name,
			Target:      amountsFrom(c.Target),
			InPlace:     amountsFrom(c.InPlace),
			CPUBand:     intervalFrom(c.Band.CPU, millis),
			MemoryBand:  intervalFrom(c.Band.Memory, bytes),
			CPULimit:    limitFrom(c.Limits.CPU, millis),
			MemoryLimit: limitFrom(c.Limits.Memory, bytes),
		})
	}
	slices.SortStableFunc(out.Containers, byName)
	return out
}

// ToAPI writes sizes for a Recommendation. Revision names them and computed is when they were first decided.
func ToAPI(v Values, revision string, computed time.Time) *v1alpha1.RevisionedValues {
	out := &v1alpha1.RevisionedValues{Revision: revision, ComputedTime: metav1.NewTime(computed)}
	if v.Replicas != nil {
		out.Replicas = new(*v.Replicas)
	}
	if v.AutoscalerMin != nil {
		out.AutoscalerMinReplicas = new(*v.AutoscalerMin)
	}
	for _, c := range slices.SortedStableFunc(slices.Values(v.Containers), byName) {
		out.Containers = append(out.Containers, v1alpha1.ContainerValues{
			Name:    c.Name,
			Target:  amountsTo(c.Target),
			InPlace: amountsTo(c.InPlace),
			Band:    v1alpha1.Band{CPU: intervalTo(c.CPUBand, cpuQuantity), Memory: intervalTo(c.MemoryBand, memoryQuantity)},
			Limits:  v1alpha1.Limits{CPU: limitTo(c.CPULimit, cpuQuantity), Memory: limitTo(c.MemoryLimit, memoryQuantity)},
		})
	}
	return out
}

// SeenMemory is the memory that the containers of a template asked for when the recommender last saw it, by name, as ResourcesOf and
// Defaulted read it. A container that it did not see is not there.
func SeenMemory(current *v1alpha1.CurrentValues) map[string]int64 {
	seen := map[string]int64{}
	if current == nil {
		return seen
	}
	for _, c := range current.Containers {
		seen[c.Name] = bytes(c.Requests.Memory)
		if c.Requests.Memory != nil {
			seen[c.Name] = max(seen[c.Name], 1)
		}
	}
	return seen
}

func byName(a, b Container) int { return strings.Compare(a.Name, b.Name) }

func millis(q *resource.Quantity) int64 {
	if q == nil {
		return 0
	}
	return max(q.MilliValue(), 0)
}

func bytes(q *resource.Quantity) int64 {
	if q == nil {
		return 0
	}
	return max(q.Value(), 0)
}

func cpuQuantity(v int64) *resource.Quantity {
	return resource.NewMilliQuantity(v, resource.DecimalSI)
}

func memoryQuantity(v int64) *resource.Quantity {
	return resource.NewQuantity(v, resource.BinarySI)
}

// FormatCPU writes millicores the way people write quantities: 250m, 2.
func FormatCPU(millis int64) string { return cpuQuantity(millis).String() }

// FormatMemory writes bytes the way people write quantities: 512Mi, 2Gi.
func FormatMemory(bytes int64) string { return memoryQuantity(bytes).String() }

func amountsFrom(a v1alpha1.ResourceAmounts) Amounts {
	return Amounts{CPUMillis: millis(a.CPU), MemoryBytes: bytes(a.Memory)}
}

func amountsTo(a Amounts) v1alpha1.ResourceAmounts {
	var out v1alpha1.ResourceAmounts
	if a.CPUMillis > 0 {
		out.CPU = cpuQuantity(a.CPUMillis)
	}
	if a.MemoryBytes > 0 {
		out.Memory = memoryQuantity(a.MemoryBytes)
	}
	return out
}

func intervalFrom(in *v1alpha1.Interval, read func(*resource.Quantity) int64) Interval {
	if in == nil {
		return Interval{}
	}
	return Interval{Min: read(&in.Min), Max: read(&in.Max)}
}

func intervalTo(in Interval, write func(int64) *resource.Quantity) *v1alpha1.Interval {
	if in == (Interval{}) {
		return nil
	}
	return &v1alpha1.Interval{Min: *write(in.Min), Max: *write(in.Max)}
}

func limitFrom(in *v1alpha1.Limit, read func(*resource.Quantity) int64) Limit {
	if in == nil {
		return Limit{}
	}
	return Limit{Policy: string(in.Policy), Value: read(in.Value)}
}

func limitTo(in Limit, write func(int64) *resource.Quantity) *v1alpha1.Limit {
	if in == (Limit{}) {
		return nil
	}
	out := &v1alpha1.Limit{Policy: v1alpha1.LimitPolicy(in.Policy)}
	if in.Value > 0 {
		out.Value = write(in.Value)
	}
	return out
}
