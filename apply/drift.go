package apply

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Direction is which way a pod has to move.
type Direction string

// Directions.
const (
	// Up: the pod has too little.
	Up Direction = "up"
	// Down: the pod has more than it needs.
	Down Direction = "down"
)

// Drift is one amount of one container that is too far from what is desired.
type Drift struct {
	Container string
	// Resource is cpu, with amounts in millicores, or memory, with amounts in bytes.
	Resource corev1.ResourceName
	// OfLimit says that the limit is too low; otherwise the request is outside its band.
	OfLimit bool
	// Have is what the pod has; Min and Max are the closed interval that would be accepted. Max is 0 for a limit: a limit
	// that is too high is no drift.
	Have, Min, Max int64
	Direction      Direction
	// InPlace says that Resize mends it. Otherwise only a new pod can.
	InPlace bool
}

// String tells the drift as a sentence without its full stop.
func (d Drift) String() string {
	what := "request"
	if d.OfLimit {
		what = "limit"
	}
	side, bound := "under", d.Min
	if d.Direction == Down {
		side, bound = "over", d.Max
	}
	return fmt.Sprintf("container %s: %s %s %s is %s %s", d.Container, d.Resource, what,
		d.format(d.Have), side, d.format(bound))
}

func (d Drift) format(amount int64) string {
	if d.Resource == corev1.ResourceCPU {
		return FormatCPU(amount)
	}
	return FormatMemory(amount)
}

// limitTolerance in percent: a limit may be this much under the desired one. It mirrors the lower edge of a request's
// band, so that a limit that follows its request does not ask for changes the request would not ask for. The raise after
// an out-of-memory kill is at least 20 %, so it always counts.
const limitTolerance = 10

// Drifted returns in what a pod differs too much from what v wants of pods of its tempo: requests that are too far from it, and
// limits that are too low. How far is too far is in the bands. Original is what the pod had before Loadline changed it (see
// Original), actual what its spec says now (see Present).
//
// The tempo is ForRunningPod where the pod can be resized, and ForNewPod where only another pod could take its place: a pod is
// not replaced to come to a size that new pods do not get.
//
// A pod that equals Desired for the tempo has not drifted. Neither has a pod of class BestEffort: it can get requests at
// admission only, and is not disturbed for it. The result is in the order of containers, CPU before memory, request before limit.
func Drifted(v Values, original, actual map[string]Resources, tempo Tempo) []Drift {
	if QOSClass(actual) == corev1.PodQOSBestEffort {
		return nil
	}
	drifts := deviations(v, original, actual, tempo)
	if len(drifts) == 0 {
		return nil
	}
	resized, err := Resize(v, original, actual)
	if err != nil {
		return drifts // No resize is possible, so none of them can be mended in place.
	}
	left := deviations(v, original, resized, tempo)
	for i, d := range drifts {
		drifts[i].InPlace = !slices.ContainsFunc(left, func(l Drift) bool {
			return l.Container == d.Container && l.Resource == d.Resource && l.OfLimit == d.OfLimit
		})
	}
	return drifts
}

// DriftedReplicas reports whether a workload that asks for current pods differs from v. It has not if v has no opinion.
func DriftedReplicas(v Values, current int32) bool {
	return v.Replicas != nil && *v.Replicas != current
}

func deviations(v Values, original, actual map[string]Resources, tempo Tempo) []Drift {
	desired := Desired(v, original, tempo)
	var out []Drift
	for _, c := range slices.SortedStableFunc(slices.Values(v.Containers), byName) {
		have, exists := actual[c.Name]
		want, wanted := desired[c.Name]
		if !exists || !wanted {
			continue
		}
		target, inPlace := c.amounts(ForNewPod), c.amounts(ForRunningPod)
		if c.Target.CPUMillis > 0 {
			out = append(out, deviation{
				container: c.Name, resource: corev1.ResourceCPU, request: want.Requests.CPUMillis, limit: want.Limits.CPUMillis,
				accepted: c.CPUBand.around(want.Requests.CPUMillis, target.CPUMillis, inPlace.CPUMillis),
			}.of(have.Requests.CPUMillis, have.Limits.CPUMillis)...)
		}
		if c.Target.MemoryBytes > 0 {
			out = append(out, deviation{
				container: c.Name, resource: corev1.ResourceMemory, request: want.Requests.MemoryBytes, limit: want.Limits.MemoryBytes,
				accepted: c.MemoryBand.around(want.Requests.MemoryBytes, target.MemoryBytes, inPlace.MemoryBytes),
			}.of(have.Requests.MemoryBytes, have.Limits.MemoryBytes)...)
		}
	}
	return out
}

// around returns the interval about one of two requests that is as wide, relatively, as the band is about both.
//
// Example: target 1000, in place 800, band [727, 1250] → [909, 1250] around the target, [727, 1000] around in place.
func (i Interval) around(request, target, inPlace int64) Interval {
	smaller, larger := min(target, inPlace), max(target, inPlace)
	if i == (Interval{}) || smaller <= 0 {
		return Interval{Min: request, Max: request}
	}
	low := float64(request) / float64(smaller) * float64(i.Min)
	high := float64(request) / float64(larger) * float64(i.Max)
	// The band contains both requests by contract; this keeps that true for sizes that somebody edited.
	return Interval{Min: min(int64(low), request), Max: max(int64(math.Ceil(high)), request)}
}

// deviation compares one resource of one container with what is desired.
type deviation struct {
	container      string
	resource       corev1.ResourceName
	request, limit int64
	accepted       Interval
}

func (d deviation) of(request, limit int64) []Drift {
	var out []Drift
	low, high := d.accepted.Min, d.accepted.Max
	if request < low || request > high {
		direction := Up
		if request > high {
			direction = Down
		}
		out = append(out, Drift{Container: d.container, Resource: d.resource, Have: request, Min: low, Max: high, Direction: direction})
	}
	least := d.limit
	least -= least / (100 + limitTolerance) * limitTolerance
	if d.resource == corev1.ResourceMemory {
		least -= least % MiB
	}
	if cmp.Or(limit, least) < least {
		out = append(out, Drift{Container: d.container, Resource: d.resource, OfLimit: true, Have: limit, Min: least, Direction: Up})
	}
	return out
}
