package config

import (
	"cmp"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// ResolvePolicy returns override with every absent field taken from base. Where base is complete, no pointer of the result
// is nil except cpu.max, memory.max and replicas.max: absent, they mean no bound. A minimum that
// comes from base gives way to a smaller maximum in override, and a maximum to a larger minimum. The result shares nothing
// with its sources.
func ResolvePolicy(base, override v1alpha1.SizingPolicySpec) v1alpha1.SizingPolicySpec {
	resolved := v1alpha1.SizingPolicySpec{
		CPU:                resolveCPU(base.CPU, override.CPU),
		Memory:             resolveMemory(base.Memory, override.Memory),
		Replicas:           resolveReplicas(base.Replicas, override.Replicas),
		Behavior:           resolveBehavior(base.Behavior, override.Behavior),
		MaxGiveBackPercent: cmp.Or(override.MaxGiveBackPercent, base.MaxGiveBackPercent),
		MaxDemandPercent:   cmp.Or(override.MaxDemandPercent, base.MaxDemandPercent),
		EventLeadTime:      cmp.Or(override.EventLeadTime, base.EventLeadTime),
		Disruption:         resolveDisruption(base.Disruption, override.Disruption),
		Signals:            orSlice(override.Signals, base.Signals),
		SizeBestEffort:     cmp.Or(override.SizeBestEffort, base.SizeBestEffort),
		AllowOverrides:     cmp.Or(override.AllowOverrides, base.AllowOverrides),
	}
	return *resolved.DeepCopy()
}

// ForPriority returns the default policy for workloads of a priority: what is more important covers more of its own use of CPU, what
// is less important less. Quantiles of 99 and 97 percent are the least for critical and high, 90 is the most for low. The result shares
// everything else with base. A quantile that a SizingPolicy names wins over it, see ResolvePolicy.
func ForPriority(base v1alpha1.SizingPolicySpec, priority v1alpha1.Priority) v1alpha1.SizingPolicySpec {
	usual := *base.CPU.QuantilePercent
	switch priority {
	case v1alpha1.PriorityCritical:
		base.CPU.QuantilePercent = new(max(99, usual))
	case v1alpha1.PriorityHigh:
		base.CPU.QuantilePercent = new(max(97, usual))
	case v1alpha1.PriorityLow:
		base.CPU.QuantilePercent = new(min(90, usual))
	default: // standard is what the operator says
	}
	return base
}

func resolveCPU(base, override v1alpha1.CPUPolicy) v1alpha1.CPUPolicy {
	within := resolveBounds(
		bounds[resource.Quantity]{base.Min, base.Max},
		bounds[resource.Quantity]{override.Min, override.Max},
		compareQuantities)
	return v1alpha1.CPUPolicy{
		QuantilePercent:      cmp.Or(override.QuantilePercent, base.QuantilePercent),
		MarginPercent:        cmp.Or(override.MarginPercent, base.MarginPercent),
		Min:                  within.smallest,
		Max:                  within.largest,
		Limit:                cmp.Or(override.Limit, base.Limit),
		LimitHeadroomPercent: cmp.Or(override.LimitHeadroomPercent, base.LimitHeadroomPercent),
	}
}

func resolveMemory(base, override v1alpha1.MemoryPolicy) v1alpha1.MemoryPolicy {
	within := resolveBounds(
		bounds[resource.Quantity]{base.Min, base.Max},
		bounds[resource.Quantity]{override.Min, override.Max},
		compareQuantities)
	return v1alpha1.MemoryPolicy{
		Metric:               cmp.Or(override.Metric, base.Metric),
		PeakDays:             cmp.Or(override.PeakDays, base.PeakDays),
		MarginPercent:        cmp.Or(override.MarginPercent, base.MarginPercent),
		Min:                  within.smallest,
		Max:                  within.largest,
		Limit:                cmp.Or(override.Limit, base.Limit),
		LimitHeadroomPercent: cmp.Or(override.LimitHeadroomPercent, base.LimitHeadroomPercent),
	}
}

func resolveReplicas(base, override v1alpha1.ReplicaPolicy) v1alpha1.ReplicaPolicy {
	within := resolveBounds(
		bounds[int32]{base.Min, base.Max},
		bounds[int32]{override.Min, override.Max},
		cmp.Compare[int32])
	return v1alpha1.ReplicaPolicy{
		Mode:                     cmp.Or(override.Mode, base.Mode),
		Min:                      within.smallest,
		Max:                      within.largest,
		TargetUtilizationPercent: cmp.Or(override.TargetUtilizationPercent, base.TargetUtilizationPercent),
		LeadTime:                 cmp.Or(override.LeadTime, base.LeadTime),
		LowerAfter:               cmp.Or(override.LowerAfter, base.LowerAfter),
		MaxStepPercent:           cmp.Or(override.MaxStepPercent, base.MaxStepPercent),
	}
}

func resolveBehavior(base, override v1alpha1.Behavior) v1alpha1.Behavior {
	return v1alpha1.Behavior{
		Up:   resolveMovement(base.Up, override.Up),
		Down: resolveMovement(base.Down, override.Down),
	}
}

func resolveMovement(base, override v1alpha1.Movement) v1alpha1.Movement {
	return v1alpha1.Movement{
		ThresholdPercent: cmp.Or(override.ThresholdPercent, base.ThresholdPercent),
		MaxStepPercent:   cmp.Or(override.MaxStepPercent, base.MaxStepPercent),
		Cooldown:         cmp.Or(override.Cooldown, base.Cooldown),
	}
}

func resolveDisruption(base, override v1alpha1.DisruptionPolicy) v1alpha1.DisruptionPolicy {
	return v1alpha1.DisruptionPolicy{
		MaxUnavailable:   cmp.Or(override.MaxUnavailable, base.MaxUnavailable),
		EvictionsPerHour: cmp.Or(override.EvictionsPerHour, base.EvictionsPerHour),
		MinReplicas:      cmp.Or(override.MinReplicas, base.MinReplicas),
		Canary: v1alpha1.CanaryPolicy{
			Pods:    cmp.Or(override.Canary.Pods, base.Canary.Pods),
			Observe: cmp.Or(override.Canary.Observe, base.Canary.Observe),
		},
		StartupGrace: cmp.Or(override.StartupGrace, base.StartupGrace),
		Windows:      orSlice(override.Windows, base.Windows),
	}
}

// bounds of one resource; nil means none.
type bounds[T any] struct{ smallest, largest *T }

// resolveBounds fills absent bounds; one that was filled never contradicts one that was written.
func resolveBounds[T any](base, written bounds[T], compare func(a, b T) int) bounds[T] {
	filled := bounds[T]{cmp.Or(written.smallest, base.smallest), cmp.Or(written.largest, base.largest)}
	switch {
	case filled.smallest == nil || filled.largest == nil || compare(*filled.smallest, *filled.largest) <= 0:
		return filled
	case written.smallest == nil:
		return bounds[T]{filled.largest, filled.largest}
	case written.largest == nil:
		return bounds[T]{filled.smallest, filled.smallest}
	default: // Both were written: validation refuses them.
		return filled
	}
}

func compareQuantities(a, b resource.Quantity) int { return a.Cmp(b) }

// orSlice returns override unless it is empty: a list is replaced as a whole.
func orSlice[T any](override, base []T) []T {
	if len(override) > 0 {
		return override
	}
	return base
}
