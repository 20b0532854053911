package apply_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/apply"
)

var names = []string{"app", "istio-proxy", "migrate"}

func amount(unit int64) *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Just(int64(0)), rapid.Map(rapid.Int64Range(1, 5000), func(n int64) int64 { return n * unit }))
}

// anyPod draws the containers of a valid pod: no limit is under its request, and a limit without request is defaulted.
func anyPod() *rapid.Generator[map[string]apply.Resources] {
	return rapid.Custom(func(t *rapid.T) map[string]apply.Resources {
		pod := map[string]apply.Resources{}
		guaranteed := rapid.Bool().Draw(t, "guaranteed")
		for _, name := range names[:rapid.IntRange(1, len(names)).Draw(t, "containers")] {
			var r apply.Resources
			r.Requests.CPUMillis = amount(1).Draw(t, "cpu request")
			r.Requests.MemoryBytes = amount(mib/2).Draw(t, "memory request")
			if limit := amount(1).Draw(t, "cpu limit"); limit > 0 {
				r.Limits.CPUMillis = max(limit, r.Requests.CPUMillis)
			}
			if limit := amount(mib/2).Draw(t, "memory limit"); limit > 0 {
				r.Limits.MemoryBytes = max(limit, r.Requests.MemoryBytes)
			}
			if guaranteed {
				r.Requests.CPUMillis, r.Requests.MemoryBytes = r.Requests.CPUMillis+1, r.Requests.MemoryBytes+1
				r.Limits = r.Requests
			}
			pod[name] = r.Defaulted()
		}
		return pod
	})
}

// anyValues draws sizes, sensible or not: bands may miss their target, limits may be too small.
func anyValues() *rapid.Generator[apply.Values] {
	policies := []string{"", "Keep", "Ratio", "Headroom", "Equal", "None", "Nonsense"}
	return rapid.Custom(func(t *rapid.T) apply.Values {
		var v apply.Values
		if rapid.Bool().Draw(t, "with replicas") {
			v.Replicas = new(rapid.Int32Range(0, 50).Draw(t, "replicas"))
		}
		if rapid.Bool().Draw(t, "with an autoscaler's minimum") {
			v.AutoscalerMin = new(rapid.Int32Range(1, 50).Draw(t, "autoscaler's minimum"))
		}
		for _, name := range names {
			if !rapid.Bool().Draw(t, name) {
				continue
			}
			interval := func(unit int64) apply.Interval {
				return apply.Interval{Min: amount(unit).Draw(t, "min"), Max: amount(unit).Draw(t, "max")}
			}
			limit := func(unit int64) apply.Limit {
				return apply.Limit{Policy: rapid.SampledFrom(policies).Draw(t, "policy"), Value: amount(unit).Draw(t, "limit")}
			}
			v.Containers = append(v.Containers, apply.Container{
				Name:        name,
				Target:      apply.Amounts{CPUMillis: amount(1).Draw(t, "cpu"), MemoryBytes: amount(mib/2).Draw(t, "memory")},
				InPlace:     apply.Amounts{CPUMillis: amount(1).Draw(t, "cpu in place"), MemoryBytes: amount(mib/2).Draw(t, "memory in place")},
				CPUBand:     interval(1),
				MemoryBand:  interval(mib / 2),
				CPULimit:    limit(1),
				MemoryLimit: limit(mib / 2),
			})
		}
		return v
	})
}

func shuffled(t *rapid.T, v apply.Values) apply.Values {
	v.Containers = rapid.Permutation(slices.Clone(v.Containers)).Draw(t, "order")
	return v
}
