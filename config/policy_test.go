package config_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
)

func TestAnEmptyPolicyIsTheDefault(t *testing.T) {
	base := config.Default().Policy
	if diff := cmp.Diff(base, config.ResolvePolicy(base, v1alpha1.SizingPolicySpec{})); diff != "" {
		t.Errorf("resolved (-default +got):\n%s", diff)
	}
}

func TestWhatAPolicySaysWinsAndTheRestIsFilled(t *testing.T) {
	got := config.ResolvePolicy(config.Default().Policy, v1alpha1.SizingPolicySpec{
		CPU:      v1alpha1.CPUPolicy{QuantilePercent: new(int32(99)), Max: new(resource.MustParse("4"))},
		Behavior: v1alpha1.Behavior{Down: v1alpha1.Movement{MaxStepPercent: new(int32(10))}},
	})
	want := config.Default().Policy
	want.CPU.QuantilePercent = new(int32(99))
	want.CPU.Max = new(resource.MustParse("4"))
	want.Behavior.Down.MaxStepPercent = new(int32(10))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resolved (-want +got):\n%s", diff)
	}
}

func TestEveryFieldOfAPolicyCanBeOverridden(t *testing.T) {
	// A field that ResolvePolicy forgets would stay absent.
	full := config.Default().Policy
	full.CPU.Max, full.Memory.Max = new(resource.MustParse("4")), new(resource.MustParse("4Gi"))
	full.Replicas.Max = new(int32(9))
	fill(reflect.ValueOf(&full).Elem())
	if diff := cmp.Diff(full, config.ResolvePolicy(v1alpha1.SizingPolicySpec{}, full)); diff != "" {
		t.Errorf("lost on the way (-written +resolved):\n%s", diff)
	}
	if diff := cmp.Diff(full, config.ResolvePolicy(full, v1alpha1.SizingPolicySpec{})); diff != "" {
		t.Errorf("lost from the default (-default +resolved):\n%s", diff)
	}
}

func TestEveryFieldOfThePolicyIsResolved(t *testing.T) {
	resolved := config.ResolvePolicy(config.Default().Policy, v1alpha1.SizingPolicySpec{})
	absent := map[string]bool{}
	findNil(reflect.ValueOf(resolved), "spec", absent)
	want := map[string]bool{"spec.CPU.Max": true, "spec.Memory.Max": true, "spec.Replicas.Max": true}
	if diff := cmp.Diff(want, absent); diff != "" {
		t.Errorf("fields without a value (-documented +found):\n%s", diff)
	}
}

func TestAFilledBoundGivesWayToAWrittenOne(t *testing.T) {
	got := config.ResolvePolicy(config.Default().Policy, v1alpha1.SizingPolicySpec{
		CPU: v1alpha1.CPUPolicy{Max: new(resource.MustParse("5m"))},
	})
	if got.CPU.Min.String() != "5m" || got.CPU.Max.String() != "5m" {
		t.Errorf("max 5m under the default min 10m gave [%s, %s], want [5m, 5m]", got.CPU.Min, got.CPU.Max)
	}
	base := config.Default().Policy
	base.Replicas.Max = new(int32(3))
	got = config.ResolvePolicy(base, v1alpha1.SizingPolicySpec{Replicas: v1alpha1.ReplicaPolicy{Min: new(int32(8))}})
	if *got.Replicas.Min != 8 || *got.Replicas.Max != 8 {
		t.Errorf("min 8 over the default max 3 gave [%d, %d], want [8, 8]", *got.Replicas.Min, *got.Replicas.Max)
	}
}

func TestWhatIsMoreImportantCoversMoreOfItsUseUnlessAPolicySaysOtherwise(t *testing.T) {
	for priority, want := range map[v1alpha1.Priority]int32{
		v1alpha1.PriorityCritical: 99, v1alpha1.PriorityHigh: 97, v1alpha1.PriorityStandard: 95, v1alpha1.PriorityLow: 90,
	} {
		base := config.ForPriority(config.Default().Policy, priority)
		if got := *config.ResolvePolicy(base, v1alpha1.SizingPolicySpec{}).CPU.QuantilePercent; got != want {
			t.Errorf("%s: p%d, want p%d", priority, got, want)
		}
		written := v1alpha1.SizingPolicySpec{CPU: v1alpha1.CPUPolicy{QuantilePercent: new(int32(80))}}
		if got := *config.ResolvePolicy(base, written).CPU.QuantilePercent; got != 80 {
			t.Errorf("%s: p%d where the policy says p80", priority, got)
		}
	}
	bold := config.Default().Policy
	bold.CPU.QuantilePercent = new(int32(80))
	if got := *config.ForPriority(bold, v1alpha1.PriorityLow).CPU.QuantilePercent; got != 80 {
		t.Errorf("low became p%d, which is more than the p80 of the others", got)
	}
}

func TestAResolvedPolicySharesNothing(t *testing.T) {
	base := config.Default().Policy
	got := config.ResolvePolicy(base, v1alpha1.SizingPolicySpec{})
	*got.CPU.QuantilePercent = 50
	got.CPU.Min.SetMilli(1)
	if diff := cmp.Diff(config.Default().Policy, base); diff != "" {
		t.Errorf("changing the result changed the default:\n%s", diff)
	}
}

// fill gives every nil pointer and empty slice a value.
func fill(v reflect.Value) {
	switch v.Kind() {
	default:
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
		}
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[resource.Quantity]() {
			return
		}
		for _, field := range v.Fields() {
			fill(field)
		}
	}
}

func findNil(v reflect.Value, path string, found map[string]bool) {
	switch v.Kind() {
	default:
	case reflect.Pointer:
		if v.IsNil() {
			found[path] = true
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			findNil(value, path+"."+field.Name, found)
		}
	}
}
