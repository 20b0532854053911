package config

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// maxSignals and maxWindows are those of the SizingPolicy's schema.
const (
	maxSignals = 5
	maxWindows = 16
)

// policy holds the operator's default policy to the rules that the API server enforces on a SizingPolicy.
func (v *checks) policy(at *field.Path, p *v1alpha1.SizingPolicySpec) {
	v.cpu(at.Child("cpu"), &p.CPU)
	v.memory(at.Child("memory"), &p.Memory)
	v.replicas(at.Child("replicas"), &p.Replicas)
	v.movement(at.Child("behavior", "up"), &p.Behavior.Up)
	v.movement(at.Child("behavior", "down"), &p.Behavior.Down)
	v.percent(at.Child("maxGiveBackPercent"), p.MaxGiveBackPercent, 0, 90)
	v.percent(at.Child("maxDemandPercent"), p.MaxDemandPercent, 100, 2000)
	v.optionalDuration(at.Child("eventLeadTime"), p.EventLeadTime, 24*time.Hour)
	v.disruption(at.Child("disruption"), &p.Disruption)
	v.signals(at.Child("signals"), p.Signals)
}

func (v *checks) cpu(at *field.Path, p *v1alpha1.CPUPolicy) {
	v.percent(at.Child("quantilePercent"), p.QuantilePercent, 50, 100)
	v.percent(at.Child("marginPercent"), p.MarginPercent, 0, 200)
	v.bounds(at, p.Min, p.Max)
	v.limit(at.Child("limit"), p.Limit)
	v.percent(at.Child("limitHeadroomPercent"), p.LimitHeadroomPercent, 0, 1000)
}

func (v *checks) memory(at *field.Path, p *v1alpha1.MemoryPolicy) {
	known := []v1alpha1.MemoryMetric{v1alpha1.MemoryWorkingSet, v1alpha1.MemoryRSS}
	oneOf(v, at.Child("metric"), p.Metric, known)
	v.percent(at.Child("peakDays"), p.PeakDays, 7, 28)
	v.percent(at.Child("marginPercent"), p.MarginPercent, 0, 200)
	v.bounds(at, p.Min, p.Max)
	v.limit(at.Child("limit"), p.Limit)
	v.percent(at.Child("limitHeadroomPercent"), p.LimitHeadroomPercent, 0, 1000)
}

func (v *checks) replicas(at *field.Path, p *v1alpha1.ReplicaPolicy) {
	known := []v1alpha1.ReplicaMode{v1alpha1.ReplicasOff, v1alpha1.ReplicasRecommend, v1alpha1.ReplicasAuto}
	oneOf(v, at.Child("mode"), p.Mode, known)
	v.percent(at.Child("min"), p.Min, 1, 10000)
	v.percent(at.Child("max"), p.Max, 1, 10000)
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		v.add(field.Invalid(at.Child("min"), *p.Min, "must not be larger than max"))
	}
	v.percent(at.Child("targetUtilizationPercent"), p.TargetUtilizationPercent, 10, 100)
	v.optionalDuration(at.Child("leadTime"), p.LeadTime, 24*time.Hour)
	v.optionalDuration(at.Child("lowerAfter"), p.LowerAfter, 168*time.Hour)
	v.percent(at.Child("maxStepPercent"), p.MaxStepPercent, 1, 1000)
}

func (v *checks) movement(at *field.Path, p *v1alpha1.Movement) {
	v.percent(at.Child("thresholdPercent"), p.ThresholdPercent, 0, 100)
	v.percent(at.Child("maxStepPercent"), p.MaxStepPercent, 1, 1000)
	v.optionalDuration(at.Child("cooldown"), p.Cooldown, 168*time.Hour)
}

func (v *checks) disruption(at *field.Path, p *v1alpha1.DisruptionPolicy) {
	v.maxUnavailable(at.Child("maxUnavailable"), p.MaxUnavailable)
	v.percent(at.Child("evictionsPerHour"), p.EvictionsPerHour, 0, 3600)
	v.percent(at.Child("minReplicas"), p.MinReplicas, 1, 10000)
	v.percent(at.Child("canary", "pods"), p.Canary.Pods, 0, 5)
	v.optionalDuration(at.Child("canary", "observe"), p.Canary.Observe, 24*time.Hour)
	v.optionalDuration(at.Child("startupGrace"), p.StartupGrace, 24*time.Hour)
	windows := at.Child("windows")
	v.rule(windows, fmt.Sprintf("at most %d", maxWindows))
	if len(p.Windows) > maxWindows {
		v.add(field.TooMany(windows, len(p.Windows), maxWindows))
	}
	for i, w := range p.Windows {
		v.rule(windows.Index(i).Child("start"), "cron with five fields")
		v.rule(windows.Index(i).Child("timeZone"), "an IANA time zone")
		if err := CheckStart(w.Start); err != nil {
			v.add(field.Invalid(windows.Index(i).Child("start"), w.Start,
				fmt.Sprintf("must be a cron expression with five fields, minute hour day-of-month month day-of-week: %v", err)))
		}
		v.duration(windows.Index(i).Child("duration"), w.Duration, time.Minute, 168*time.Hour)
		if err := CheckTimeZone(w.TimeZone); err != nil {
			v.add(field.Invalid(windows.Index(i).Child("timeZone"), w.TimeZone,
				fmt.Sprintf("must be an IANA time zone such as Europe/Berlin, or nothing for UTC: %v", err)))
		}
	}
}

func (v *checks) maxUnavailable(at *field.Path, got *intstr.IntOrString) {
	v.rule(at, "a number from 1, or 1% to 100%")
	if got == nil {
		return
	}
	if pods, err := intstr.GetScaledValueFromIntOrPercent(got, 100, false); err != nil || pods < 1 || pods > 10000 ||
		got.Type == intstr.String && pods > 100 {
		v.add(field.Invalid(at, got.String(), "must be a number of at least 1 or a percentage from 1% to 100%"))
	}
}

func (v *checks) signals(at *field.Path, signals []v1alpha1.Signal) {
	v.rule(at, fmt.Sprintf("at most %d", maxSignals))
	if len(signals) > maxSignals {
		v.add(field.TooMany(at, len(signals), maxSignals))
	}
	seen := map[string]bool{}
	for i, s := range signals {
		v.rule(at.Index(i).Child("name"), "a DNS label")
		v.rule(at.Index(i).Child("promQL"), "1 to 1024 characters")
		for _, message := range validation.IsDNS1123Label(s.Name) {
			v.add(field.Invalid(at.Index(i).Child("name"), s.Name, message))
		}
		if seen[s.Name] {
			v.add(field.Duplicate(at.Index(i).Child("name"), s.Name))
		}
		seen[s.Name] = true
		if s.PromQL == "" || len(s.PromQL) > 1024 {
			v.add(field.Invalid(at.Index(i).Child("promQL"), s.PromQL, "must have between 1 and 1024 characters"))
		}
		oneOf(v, at.Index(i).Child("role"), &s.Role, []v1alpha1.SignalRole{v1alpha1.SignalDriver, v1alpha1.SignalHealth})
	}
}

func (v *checks) limit(at *field.Path, got *v1alpha1.LimitPolicy) {
	oneOf(v, at, got, []v1alpha1.LimitPolicy{
		v1alpha1.LimitKeep, v1alpha1.LimitRatio, v1alpha1.LimitHeadroom, v1alpha1.LimitEqual, v1alpha1.LimitNone,
	})
}

// percent also bounds plain counts.
func (v *checks) percent(at *field.Path, got *int32, smallest, largest float64) {
	if got != nil {
		v.within(at, float64(*got), smallest, largest)
	} else {
		v.rule(at, between(smallest, largest))
	}
}

func (v *checks) optionalDuration(at *field.Path, got *metav1.Duration, longest time.Duration) {
	if got != nil {
		v.duration(at, *got, 0, longest)
	} else {
		v.rule(at, fmt.Sprintf("%v to %v", time.Duration(0), longest))
	}
}

func (v *checks) bounds(at *field.Path, smallest, largest *resource.Quantity) {
	for name, got := range map[string]*resource.Quantity{"min": smallest, "max": largest} {
		v.rule(at.Child(name), "a quantity above 0, min at most max")
		if got != nil && got.Sign() <= 0 {
			v.add(field.Invalid(at.Child(name), got.String(), "must be larger than 0"))
		}
	}
	if smallest != nil && largest != nil && smallest.Cmp(*largest) > 0 {
		v.add(field.Invalid(at.Child("min"), smallest.String(), "must not be larger than max"))
	}
}

func oneOf[T ~string](v *checks, at *field.Path, got *T, known []T) {
	v.rule(at, choice(known))
	if got != nil && !slices.Contains(known, *got) {
		v.add(field.NotSupported(at, *got, known))
	}
}
