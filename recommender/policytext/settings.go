package policytext

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// setting is one number of a policy that can be asked for in words. The unit is in its name, because a model writes integers
// only.
type setting struct {
	name string
	// means is what a model and a person are told of it; %d is the value.
	means    string
	min, max int64
	set      func(spec *v1alpha1.SizingPolicySpec, value int64)
}

// settings lists the numbers, in the order of the policy. The bounds are those of the CRD; of quantities, what fits a machine.
func settings() []setting {
	int32Of := func(field func(*v1alpha1.SizingPolicySpec) **int32) func(*v1alpha1.SizingPolicySpec, int64) {
		return func(spec *v1alpha1.SizingPolicySpec, value int64) { *field(spec) = new(int32(value)) }
	}
	minutesOf := func(field func(*v1alpha1.SizingPolicySpec) **metav1.Duration) func(*v1alpha1.SizingPolicySpec, int64) {
		return func(spec *v1alpha1.SizingPolicySpec, value int64) {
			*field(spec) = &metav1.Duration{Duration: time.Duration(value) * time.Minute}
		}
	}
	type spec = v1alpha1.SizingPolicySpec
	return []setting{
		{"cpu_quantile_percent", "the CPU request covers the demand in %d %% of the time", 50, 100, int32Of(func(s *spec) **int32 { return &s.CPU.QuantilePercent })},
		{"cpu_margin_percent", "%d %% of the CPU demand is added on top", 0, 200, int32Of(func(s *spec) **int32 { return &s.CPU.MarginPercent })},
		{"cpu_min_millicores", "a CPU request is at least %dm", 1, 1_000_000, func(s *spec, v int64) { s.CPU.Min = resource.NewMilliQuantity(v, resource.DecimalSI) }},
		{"cpu_max_millicores", "a CPU request is at most %dm", 1, 1_000_000, func(s *spec, v int64) { s.CPU.Max = resource.NewMilliQuantity(v, resource.DecimalSI) }},
		{"memory_margin_percent", "%d %% of the memory peak is added to it", 0, 200, int32Of(func(s *spec) **int32 { return &s.Memory.MarginPercent })},
		{"memory_min_mib", "a memory request is at least %dMi", 1, 10_000_000, func(s *spec, v int64) { s.Memory.Min = resource.NewQuantity(v<<20, resource.BinarySI) }},
		{"memory_max_mib", "a memory request is at most %dMi", 1, 10_000_000, func(s *spec, v int64) { s.Memory.Max = resource.NewQuantity(v<<20, resource.BinarySI) }},
		{"replicas_min", "at least %d pods", 1, 10_000, int32Of(func(s *spec) **int32 { return &s.Replicas.Min })},
		{"replicas_max", "at most %d pods", 1, 10_000, int32Of(func(s *spec) **int32 { return &s.Replicas.Max })},
		{"replicas_target_utilization_percent", "at the peak a pod uses %d %% of its CPU request", 10, 100, int32Of(func(s *spec) **int32 { return &s.Replicas.TargetUtilizationPercent })},
		{"replicas_lead_minutes", "pods are added %d minutes before they are needed", 0, 24 * 60, minutesOf(func(s *spec) **metav1.Duration { return &s.Replicas.LeadTime })},
		{"replicas_lower_after_minutes", "fewer pods must have sufficed for %d minutes before the number is lowered", 0, 168 * 60, minutesOf(func(s *spec) **metav1.Duration { return &s.Replicas.LowerAfter })},
		{"raise_max_step_percent", "one raise is at most %d %% of the request", 1, 1000, int32Of(func(s *spec) **int32 { return &s.Behavior.Up.MaxStepPercent })},
		{"lower_max_step_percent", "one step down is at most %d %% of the request", 1, 100, int32Of(func(s *spec) **int32 { return &s.Behavior.Down.MaxStepPercent })},
		{"lower_cooldown_minutes", "%d minutes pass between a change and the next step down", 0, 168 * 60, minutesOf(func(s *spec) **metav1.Duration { return &s.Behavior.Down.Cooldown })},
		{"max_give_back_percent", "in quiet hours running pods are lowered at most %d %% below their target", 0, 90, int32Of(func(s *spec) **int32 { return &s.MaxGiveBackPercent })},
		{"max_demand_percent", "an announced event raises the forecast to at most %d %%", 100, 2000, int32Of(func(s *spec) **int32 { return &s.MaxDemandPercent })},
		{"event_lead_minutes", "the target is raised %d minutes before an event", 0, 24 * 60, minutesOf(func(s *spec) **metav1.Duration { return &s.EventLeadTime })},
		{"evictions_per_hour", "at most %d pods of a workload are evicted in an hour", 0, 3600, int32Of(func(s *spec) **int32 { return &s.Disruption.EvictionsPerHour })},
		{"evict_only_with_ready_pods", "no pod is evicted where fewer than %d are ready", 1, 10_000, int32Of(func(s *spec) **int32 { return &s.Disruption.MinReplicas })},
	}
}

// choice is one setting of a policy that is a word.
type choice struct {
	name, means string
	legal       []string
	set         func(spec *v1alpha1.SizingPolicySpec, value string)
}

func choices() []choice {
	type spec = v1alpha1.SizingPolicySpec
	limits := []string{
		string(v1alpha1.LimitKeep), string(v1alpha1.LimitRatio), string(v1alpha1.LimitHeadroom), string(v1alpha1.LimitEqual), string(v1alpha1.LimitNone),
	}
	return []choice{
		{"cpu_limit", "the CPU limit: %s", limits, func(s *spec, v string) { s.CPU.Limit = new(v1alpha1.LimitPolicy(v)) }},
		{"memory_limit", "the memory limit: %s", limits, func(s *spec, v string) { s.Memory.Limit = new(v1alpha1.LimitPolicy(v)) }},
		{"replicas_mode", "the number of pods: %s", []string{
			string(v1alpha1.ReplicasOff), string(v1alpha1.ReplicasRecommend), string(v1alpha1.ReplicasAuto),
		}, func(s *spec, v string) { s.Replicas.Mode = new(v1alpha1.ReplicaMode(v)) }},
	}
}

// daysOfWeek maps the words that a model may use for the days of a window to the fifth field of a cron expression.
func daysOfWeek() []struct{ word, cron string } {
	return []struct{ word, cron string }{
		{"every-day", "*"},
		{"weekdays", "1-5"},
		{"weekend", "0,6"},
		{"monday", "1"},
		{"tuesday", "2"},
		{"wednesday", "3"},
		{"thursday", "4"},
		{"friday", "5"},
		{"saturday", "6"},
		{"sunday", "0"},
	}
}

// legal reports why the value is out of the setting's bounds, or nil.
func (s setting) legal(value int64) error {
	if value < s.min || value > s.max {
		return fmt.Errorf("%s: %d is not between %d and %d", s.name, value, s.min, s.max)
	}
	return nil
}
