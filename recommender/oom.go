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

// rememberOOM adds kills that are newer than what is known. A floor never goes down: several pods killed at a lower limit
// do not undo what one at a higher limit taught.
//
// A kill that is not newer teaches nothing: its pod still tells of it after a resize, and would then blame the limit that
// the resize gave. At most maxContainers floors are kept, those of the latest kills.
func rememberOOM(known []OOMFloor, kills []OOMKill) []OOMFloor {
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
		floors[i].Time = kill.Time
		floors[i].Kills++
		if kill.LimitBytes > floors[i].HitBytes {
			floors[i].HitBytes = kill.LimitBytes
			floors[i].FloorBytes = oomFloorBytes(kill.LimitBytes)
		}
	}
	if len(floors) > maxContainers {
		slices.SortStableFunc(floors, func(a, b OOMFloor) int { return b.Time.Compare(a.Time) })
		floors = floors[:maxContainers]
	}
	slices.SortFunc(floors, func(a, b OOMFloor) int { return cmp.Compare(a.Container, b.Container) })
	return floors
}

// lastKill returns the time of a container's last kill, zero if there was none.
func lastKill(floors []OOMFloor, container string) time.Time {
	for _, f := range floors {
		if f.Container == container {
			return f.Time
		}
	}
	return time.Time{}
}

// oomFloorOf returns the floor of a container, 0 if it was never killed.
func oomFloorOf(floors []OOMFloor, container string) int64 {
	for _, f := range floors {
		if f.Container == container {
			return f.FloorBytes
		}
	}
	return 0
}
