package apply

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Tempo says for which pods sizes are wanted.
type Tempo int

// Tempos.
const (
	// ForNewPod is a pod that is being admitted: it gets Target, and its limits may appear or disappear.
	ForNewPod Tempo = iota
	// ForRunningPod is a pod that runs: it gets InPlace, and its limits neither appear nor disappear.
	ForRunningPod
)

// Container returns the sizes of the container with that name, and false if there are none.
func (v Values) Container(name string) (Container, bool) {
	for _, c := range v.Containers {
		if c.Name == name {
			return c, true
		}
	}
	return Container{}, false
}

// Desired returns what the containers of a pod should carry: those that v sizes and that exist in original, which is what
// the pod had before Loadline changed it (see Original). Containers without sizes are not in the result.
//
// A resource without a size stays as in original. For the others the request is Target or InPlace, and the limit follows
// the policy:
//
//	Keep              the original limit, cut to the value where there is one
//	Ratio, Headroom   the computed value; the original limit where there is none
//	Equal             the request
//	None              no limit on a new pod, the original limit on a running one
//
// A limit under its request is raised to it. A Guaranteed pod stays Guaranteed: its limits are its requests, whatever the
// policy says. Another pod becomes Guaranteed only where the policies ask for it with Equal: where requests merely grew up
// to their limits, one request stays a step under its limit. A container without requests gets them if v has sizes for
// it: whether it should is the guard's decision.
func Desired(v Values, original map[string]Resources, tempo Tempo) map[string]Resources {
	class := QOSClass(original)
	out := make(map[string]Resources, len(v.Containers))
	for _, c := range v.Containers {
		if from, exists := original[c.Name]; exists {
			out[c.Name] = c.desired(from, tempo, class == corev1.PodQOSGuaranteed)
		}
	}
	if class != corev1.PodQOSGuaranteed {
		v.loosen(original, out, Limit.isEqual)
	}
	return out
}

// DesiredAtLeast is Desired for a new pod that must not have less of anything than with other sizes, which are what is in original
// where there are none.
func DesiredAtLeast(v, floor Values, original map[string]Resources) map[string]Resources {
	out, least := Desired(v, original, ForNewPod), Desired(floor, original, ForNewPod)
	for name, want := range out {
		if _, sized := least[name]; !sized {
			least[name] = original[name]
		}
		out[name] = AtLeast(want, least[name])
	}
	v.KeepClass(original, out)
	return out
}

// KeepClass loosens sizes that were raised after they were computed, if they would make a pod Guaranteed that is not.
func (v Values) KeepClass(original, sized map[string]Resources) {
	if QOSClass(original) != corev1.PodQOSGuaranteed {
		v.loosen(original, sized, Limit.isEqual)
	}
}

// AtLeast is the larger of both in everything. No limit is the largest limit.
func AtLeast(a, b Resources) Resources {
	limit := func(a, b int64) int64 {
		if a == 0 || b == 0 {
			return 0
		}
		return max(a, b)
	}
	return Resources{
		Requests: Amounts{CPUMillis: max(a.Requests.CPUMillis, b.Requests.CPUMillis), MemoryBytes: max(a.Requests.MemoryBytes, b.Requests.MemoryBytes)},
		Limits:   Amounts{CPUMillis: limit(a.Limits.CPUMillis, b.Limits.CPUMillis), MemoryBytes: limit(a.Limits.MemoryBytes, b.Limits.MemoryBytes)},
	}
}

// loosen puts one step between a request and its limit in sized if the sizes would make a pod Guaranteed whose containers are
// in before. A CPU request goes down by a millicore, which nobody feels and no bound forbids; only where no CPU may move, a
// memory limit goes up by a MiB. Limits that tight says are meant to equal their requests are left; if those are all,
// nothing moves. Which one moves depends on nothing but the names.
func (v Values) loosen(before, sized map[string]Resources, tight func(Limit) bool) {
	if QOSClass(overlay(before, sized)) != corev1.PodQOSGuaranteed {
		return
	}
	containers := slices.SortedStableFunc(slices.Values(v.Containers), byName)
	for _, c := range containers {
		if r, ok := sized[c.Name]; ok && c.Target.CPUMillis > 0 && !tight(c.CPULimit) && r.Requests.CPUMillis > 1 {
			r.Requests.CPUMillis--
			sized[c.Name] = r
			return
		}
	}
	for _, c := range containers {
		if r, ok := sized[c.Name]; ok && c.Target.MemoryBytes > 0 && !tight(c.MemoryLimit) && r.Limits.MemoryBytes < maxMemory {
			r.Limits.MemoryBytes += MiB
			sized[c.Name] = r
			return
		}
	}
}

func (l Limit) isEqual() bool { return l.Policy == string(v1alpha1.LimitEqual) }

func (c Container) desired(from Resources, tempo Tempo, guaranteed bool) Resources {
	amount := c.amounts(tempo)
	if guaranteed {
		c.CPULimit.Policy, c.MemoryLimit.Policy = string(v1alpha1.LimitEqual), string(v1alpha1.LimitEqual)
	}
	out := from
	if amount.CPUMillis > 0 {
		out.Requests.CPUMillis = amount.CPUMillis
		out.Limits.CPUMillis = c.CPULimit.desired(from.Limits.CPUMillis, amount.CPUMillis, tempo)
	}
	if amount.MemoryBytes > 0 {
		out.Requests.MemoryBytes = amount.MemoryBytes
		limit := c.MemoryLimit
		limit.Value = roundMemory(limit.Value)
		out.Limits.MemoryBytes = limit.desired(from.Limits.MemoryBytes, amount.MemoryBytes, tempo)
	}
	return out
}

// amounts returns the rounded requests for a tempo. A resource is sized if it has a target; without an amount for running
// pods those get the target too.
func (c Container) amounts(tempo Tempo) Amounts {
	out := Round(c.Target)
	if tempo == ForNewPod {
		return out
	}
	inPlace := Round(c.InPlace)
	if out.CPUMillis > 0 && inPlace.CPUMillis > 0 {
		out.CPUMillis = inPlace.CPUMillis
	}
	if out.MemoryBytes > 0 && inPlace.MemoryBytes > 0 {
		out.MemoryBytes = inPlace.MemoryBytes
	}
	return out
}

// desired returns the limit beside a request. Zero means no limit.
func (l Limit) desired(original, request int64, tempo Tempo) int64 {
	limit := original
	switch v1alpha1.LimitPolicy(l.Policy) {
	case v1alpha1.LimitEqual:
		limit = request
	case v1alpha1.LimitRatio, v1alpha1.LimitHeadroom:
		if l.Value > 0 {
			limit = l.Value
		}
	case v1alpha1.LimitNone:
		if tempo == ForNewPod {
			limit = 0
		}
	case v1alpha1.LimitKeep:
		if l.Value > 0 {
			limit = min(limit, l.Value)
		}
	}
	if limit == 0 {
		return 0
	}
	return max(limit, request)
}
