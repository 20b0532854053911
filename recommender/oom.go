package recommender

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// oomBumpBytes is the least that is added to a limit that was hit.
const oomBumpBytes = 100 << 20

// maxOOMBytes bounds a limit that is believed, so that a floor cannot overflow: a pebibyte.
const maxOOMBytes = 1 << 50

// oomFloorBytes returns the request that follows from a limit that was hit: the larger of 1.2 × hit and hit + 100 MiB.
//
// Example: 256 MiB → 356 MiB; 1 GiB → 1.2 GiB.
func oomFloorBytes(hit int64) int64 {
	hit = min(hit, maxOOMBytes)
	return max(hit+hit/5, hit+oomBumpBytes)
}

// OOMKills returns the out-of-memory kills that the pod's status tells of, in the order of their time. Kubelets emit no
// Event for a container's kill, and Events can be forged; the status cannot.
func OOMKills(pod *corev1.Pod) []OOMKill {
	var kills []OOMKill
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
			if state.Terminated == nil || state.Terminated.Reason != "OOMKilled" {
				continue
			}
			kills = append(kills, OOMKill{
				Container:  status.Name,
				LimitBytes: memoryLimit(pod, status),
				Time:       state.Terminated.FinishedAt.UTC(),
			})
		}
	}
	slices.SortFunc(kills, compareKills)
	return kills
}

// compareKills orders by time. Of kills at one time, which count as one, the one at the highest limit comes first.
func compareKills(a, b OOMKill) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Container, b.Container), cmp.Compare(b.LimitBytes, a.LimitBytes))
}

// memoryLimit returns the limit the container ran under: the one in the status, which an in-place resize moves, else the
// one in the spec. Without a limit the node ran out of memory, and the request is what is known.
func memoryLimit(pod *corev1.Pod, status corev1.ContainerStatus) int64 {
	if status.Resources != nil {
		if limit, ok := status.Resources.Limits[corev1.ResourceMemory]; ok {
			return limit.Value()
		}
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if container.Name != status.Name {
			continue
		}
		if limit, ok := container.Resources.Limits[corev1.ResourceMemory]; ok {
			return limit.Value()
		}
		return container.Resources.Requests.Memory().Value()
	}
	return 0
}

// What kills alone may raise. Whoever needs more than four times what the first kill asked for is more likely to leak than to grow, and
// each further raise would be taken from everybody else on the node.
const (
	maxOOMFactor = 4
	// oomQuiet without a kill ends a row of kills: as long as history is kept.
	oomQuiet = 28 * 24 * time.Hour
)

// endless reports whether the last raise was cut, so that more memory does not seem to end the kills. After quiet weeks it is forgotten.
func (f *OOMFloor) endless(now time.Time) bool {
	return f.FromBytes > 0 && f.FloorBytes < oomFloorBytes(f.HitBytes) && now.Sub(f.Time) <= oomQuiet
}

// learn adds a kill. The container's template asks for that much memory, as its limit or, without one, its request.
//
// Example: the first kill at 1 GiB → a floor of 1.2 GiB; further ones raise it to 4.8 GiB at most.
func (f *OOMFloor) learn(kill OOMKill, template int64) {
	if f.FromBytes == 0 || kill.Time.Sub(f.Time) > oomQuiet {
		f.FromBytes = max(f.HitBytes, kill.LimitBytes)
	}
	f.FromBytes = min(max(f.FromBytes, template), maxOOMBytes)
	f.Time = kill.Time
	f.Kills++
	f.HitBytes = max(f.HitBytes, kill.LimitBytes)
	f.FloorBytes = max(f.FloorBytes, min(oomFloorBytes(f.HitBytes), maxOOMFactor*oomFloorBytes(f.FromBytes)))
}

// rememberOOM adds kills that are newer than what is known. A floor never goes down: several pods killed at a lower limit
// do not undo what one at a higher limit taught.
//
// A kill that is not newer teaches nothing: its pod still tells of it after a resize, and would then blame the limit that
// the resize gave. At most maxContainers floors are kept, those of the latest kills.
func rememberOOM(known []OOMFloor, kills []OOMKill, template []corev1.Container) []OOMFloor {
	floors := slices.Clone(known)
	for _, kill := range slices.SortedFunc(slices.Values(kills), compareKills) {
		i := slices.IndexFunc(floors, func(f OOMFloor) bool { return f.Container == kill.Container })
		switch {
		case kill.LimitBytes <= 0 || kill.Time.IsZero():
			continue
		case i < 0:
			floors = append(floors, OOMFloor{Container: kill.Container})
			i = len(floors) - 1
		case !kill.Time.After(floors[i].Time):
			continue
		}
		floors[i].learn(kill, templateMemory(template, kill.Container))
	}
	if len(floors) > maxContainers {
		slices.SortStableFunc(floors, func(a, b OOMFloor) int { return b.Time.Compare(a.Time) })
		floors = floors[:maxContainers]
	}
	slices.SortFunc(floors, func(a, b OOMFloor) int { return cmp.Compare(a.Container, b.Container) })
	return floors
}

// templateMemory is what the template asks for: the limit, else the request; 0 if neither.
func templateMemory(template []corev1.Container, container string) int64 {
	i := slices.IndexFunc(template, func(c corev1.Container) bool { return c.Name == container })
	if i < 0 {
		return 0
	}
	r := resourcesOf(template[i])
	return cmp.Or(r.Limits.MemoryBytes, r.Requests.MemoryBytes)
}

// oomFloorOf returns what the kills of a container taught; the zero value if it was never killed.
func oomFloorOf(floors []OOMFloor, container string) OOMFloor {
	for _, f := range floors {
		if f.Container == container {
			return f
		}
	}
	return OOMFloor{}
}
