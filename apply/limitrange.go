package apply

import (
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// LimitBound is one entry of a LimitRange, as far as it concerns CPU and memory of containers or of pods.
type LimitBound struct {
	// Name of the LimitRange.
	Name string
	// OfPod says that it bounds a pod as a whole; otherwise each of its containers.
	OfPod bool
	// CPU is in millicores, Memory in bytes.
	CPU, Memory ResourceBound
}

// ResourceBound is what a LimitRange says about one resource. Zero means nothing.
type ResourceBound struct {
	Min, Max int64
	// Ratio is the largest limit ÷ request.
	Ratio float64
	// Default and DefaultRequest are what a container gets that states no limit or no request.
	Default, DefaultRequest int64
}

// Of returns what the entry says about CPU or memory.
func (b LimitBound) Of(name corev1.ResourceName) ResourceBound {
	if name == corev1.ResourceCPU {
		return b.CPU
	}
	return b.Memory
}

// LimitBounds reads the entries of LimitRanges, in the order of their names. Bounds of volume claims are left out.
func LimitBounds(ranges []corev1.LimitRange) []LimitBound {
	var bounds []LimitBound
	for i := range ranges {
		for _, item := range ranges[i].Spec.Limits {
			if item.Type != corev1.LimitTypePod && item.Type != corev1.LimitTypeContainer {
				continue
			}
			smallest, largest, usual, usualRequest := amountsOf(item.Min), amountsOf(item.Max), amountsOf(item.Default), amountsOf(item.DefaultRequest)
			cpuRatio, memoryRatio := item.MaxLimitRequestRatio[corev1.ResourceCPU], item.MaxLimitRequestRatio[corev1.ResourceMemory]
			bounds = append(bounds, LimitBound{
				Name: ranges[i].Name, OfPod: item.Type == corev1.LimitTypePod,
				CPU: ResourceBound{
					smallest.CPUMillis, largest.CPUMillis, cpuRatio.AsApproximateFloat64(), usual.CPUMillis, usualRequest.CPUMillis,
				},
				Memory: ResourceBound{
					smallest.MemoryBytes, largest.MemoryBytes, memoryRatio.AsApproximateFloat64(), usual.MemoryBytes, usualRequest.MemoryBytes,
				},
			})
		}
	}
	slices.SortStableFunc(bounds, func(a, b LimitBound) int { return strings.Compare(a.Name, b.Name) })
	return bounds
}

// WithLimitDefaults returns what a container asks for after the API server filled in the defaults of LimitRanges, which it does
// before any webhook and again after it. Entries that are there stay, and so does an explicit 0.
func WithLimitDefaults(bounds []LimitBound, has corev1.ResourceRequirements) corev1.ResourceRequirements {
	next := *has.DeepCopy()
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		_, limited := next.Limits[name]
		_, requested := next.Requests[name]
		for _, b := range bounds {
			usual := b.Of(name)
			if b.OfPod {
				continue
			}
			if !requested && !limited && usual.DefaultRequest > 0 {
				next.Requests, requested = withAmount(next.Requests, name, usual.DefaultRequest), true
			}
			if _, has := next.Limits[name]; !has && usual.Default > 0 {
				next.Limits = withAmount(next.Limits, name, usual.Default)
			}
		}
	}
	return next
}

func withAmount(list corev1.ResourceList, name corev1.ResourceName, amount int64) corev1.ResourceList {
	if list == nil {
		list = corev1.ResourceList{}
	}
	if name == corev1.ResourceCPU {
		list[name] = *cpuQuantity(amount)
	} else {
		list[name] = *memoryQuantity(amount)
	}
	return list
}

// Refusal is why the API server would refuse a pod.
type Refusal struct {
	// LimitRange that refuses it.
	LimitRange string
	// Container that it refuses; empty if it is the pod as a whole.
	Container string
	Resource  corev1.ResourceName
	// Text says what is wrong, with numbers, without a full stop.
	Text string
}

// Refused tells whether a LimitRange refuses a pod in which the sized containers have other resources than the members say,
// and why. The API server checks after every webhook, so such a pod would not be created at all. Members that are not sized
// count towards the bounds of the whole pod only: what they ask for by themselves is their owner's business.
func Refused(bounds []LimitBound, members []Member, sized map[string]Resources) (Refusal, bool) {
	final := make([]Member, len(members))
	for i, m := range members {
		if r, ok := sized[m.Name]; ok {
			m.Resources = r
		}
		m.Resources = withDefaults(bounds, m.Resources)
		final[i] = m
	}
	whole := PodResources(final)
	for _, b := range bounds {
		if b.OfPod {
			if refusal, refused := b.refuses("", whole); refused {
				return refusal, true
			}
			continue
		}
		for _, m := range final {
			if _, ours := sized[m.Name]; ours {
				if refusal, refused := b.refuses(m.Name, m.Resources); refused {
					return refusal, true
				}
			}
		}
	}
	return Refusal{}, false
}

// withDefaults is WithLimitDefaults for plain numbers.
func withDefaults(bounds []LimitBound, r Resources) Resources {
	r = r.Defaulted()
	fill := func(into *int64, usual int64) {
		if *into == 0 {
			*into = usual
		}
	}
	for _, b := range bounds {
		if !b.OfPod {
			fill(&r.Requests.CPUMillis, b.CPU.DefaultRequest)
			fill(&r.Requests.MemoryBytes, b.Memory.DefaultRequest)
			fill(&r.Limits.CPUMillis, b.CPU.Default)
			fill(&r.Limits.MemoryBytes, b.Memory.Default)
		}
	}
	return r
}

func (b LimitBound) refuses(container string, have Resources) (Refusal, bool) {
	for _, r := range []struct {
		name           corev1.ResourceName
		request, limit int64
		format         func(int64) string
	}{
		{corev1.ResourceCPU, have.Requests.CPUMillis, have.Limits.CPUMillis, FormatCPU},
		{corev1.ResourceMemory, have.Requests.MemoryBytes, have.Limits.MemoryBytes, FormatMemory},
	} {
		if text := b.Of(r.name).refuses(r.request, r.limit, r.format); text != "" {
			who := "of a pod"
			if container != "" {
				who = "of a container"
			}
			text = fmt.Sprintf("LimitRange %s bounds the %s %s: %s", b.Name, r.name, who, text)
			return Refusal{LimitRange: b.Name, Container: container, Resource: r.name, Text: text}, true
		}
	}
	return Refusal{}, false
}

// refuses tells why amounts break the bound, as the API server understands it: who is bounded from below needs a request, who
// is bounded from above needs a limit, and who is bounded in their ratio needs both. An amount of 0 is none.
func (b ResourceBound) refuses(request, limit int64, format func(int64) string) string {
	switch {
	case request < b.Min: // and a limit is never under its request
		return fmt.Sprintf("request %s is under %s", format(request), format(b.Min))
	case b.Max > 0 && limit == 0:
		return fmt.Sprintf("there is no limit, and at most %s is allowed", format(b.Max))
	case b.Max > 0 && max(request, limit) > b.Max:
		return fmt.Sprintf("%s is over %s", format(max(request, limit)), format(b.Max))
	case b.Default > 0 && request > limit:
		return fmt.Sprintf("request %s is over the limit %s that a container gets by default", format(request), format(limit))
	}
	return b.refusesRatio(request, limit, format)
}

func (b ResourceBound) refusesRatio(request, limit int64, format func(int64) string) string {
	switch {
	case b.Ratio > 0 && (request == 0 || limit == 0):
		return fmt.Sprintf("there is no request or no limit, and the limit may be at most %g times the request", b.Ratio)
	case b.Ratio > 0 && float64(limit)/float64(request) > b.Ratio:
		return fmt.Sprintf("limit %s is more than %g times the request %s", format(limit), b.Ratio, format(request))
	}
	return ""
}

// RequestFor returns the least request beside which a limit is within the ratio; 0 where there is no ratio.
func (b ResourceBound) RequestFor(limit int64) int64 {
	if b.Ratio <= 0 {
		return 0
	}
	return int64(math.Ceil(float64(limit) / b.Ratio))
}

// LimitFor returns the largest limit that is allowed beside a request; 0 where there is no bound.
func (b ResourceBound) LimitFor(request int64) int64 {
	most := b.Max
	if b.Ratio > 0 {
		if byRatio := int64(float64(request) * b.Ratio); most == 0 || byRatio < most {
			most = byRatio
		}
	}
	return most
}

// NeedsLimit says that a container without a limit is refused, or gets one anyway.
func (b ResourceBound) NeedsLimit() bool { return b.Max > 0 || b.Ratio > 0 || b.Default > 0 }
