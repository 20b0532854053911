package recommender

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/eviction"
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

// OOMKills returns the kills for lack of memory that the pod's status tells of, in the order of their time: those of single containers, and
// that of the whole pod, by a node that ran low. Kubelets emit no Event for a container's kill, and Events can be forged; the status cannot.
func OOMKills(pod *corev1.Pod) []OOMKill {
	var kills []OOMKill
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
			if state.Terminated == nil || state.Terminated.Reason != "OOMKilled" {
				continue
			}
			kills = append(kills, OOMKill{
				Container:  status.Name,
				LimitBytes: killedAt(pod, status),
				Time:       state.Terminated.FinishedAt.UTC(),
			})
		}
	}
	kills = append(kills, evictions(pod)...)
	slices.SortFunc(kills, compareKills)
	return kills
}

// evictions returns what the eviction of a pod by its node teaches, if there was one: its containers that used more memory than they request
// need at least what they used, and a margin as after any kill. A request over the limit would be of no use to them, because the limit is not
// what ended them. Nothing is learnt about containers that used no more than they request; those of which the kubelet had no measurements
// are among them.
func evictions(pod *corev1.Pod) []OOMKill {
	evicted, ok := eviction.ForMemory(pod)
	if !ok {
		return nil
	}
	var kills []OOMKill
	for _, used := range evicted.Used {
		for _, c := range sizable(pod) {
			if c.Name == used.Container {
				limit, _ := memoryLimit(pod, statusOf(pod, c.Name))
				kills = append(kills, OOMKill{Container: c.Name, LimitBytes: used.Bytes, MostBytes: limit, Time: evicted.At.UTC()})
			}
		}
	}
	return kills
}

// sizable are the containers of a pod without those that end before the others start.
func sizable(pod *corev1.Pod) []corev1.Container {
	sidecars := slices.DeleteFunc(slices.Clone(pod.Spec.InitContainers), func(c corev1.Container) bool { return !apply.IsSidecar(c) })
	return slices.Concat(sidecars, pod.Spec.Containers)
}

// statusOf is the status of a container, with nothing but its name where there is none.
func statusOf(pod *corev1.Pod, container string) corev1.ContainerStatus {
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.Name == container {
			return s
		}
	}
	return corev1.ContainerStatus{Name: container}
}

// compareKills orders by time. Of kills at one time, which count as one, the one at the highest limit comes first.
func compareKills(a, b OOMKill) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Container, b.Container), cmp.Compare(b.LimitBytes, a.LimitBytes))
}

// killedAt is the limit that the container ran under. Without one the node ran out of memory, and the request is what is known.
func killedAt(pod *corev1.Pod, status corev1.ContainerStatus) int64 {
	limit, request := memoryLimit(pod, status)
	return cmp.Or(limit, request)
}

// memoryLimit returns the limit that the container ran under, 0 if it had none, and its request. The limit in the status, which an in-place
// resize moves, counts before the one in the spec.
func memoryLimit(pod *corev1.Pod, status corev1.ContainerStatus) (limit, request int64) {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if container.Name == status.Name {
			limit, request = container.Resources.Limits.Memory().Value(), container.Resources.Requests.Memory().Value()
		}
	}
	if status.Resources != nil {
		if moved, ok := status.Resources.Limits[corev1.ResourceMemory]; ok {
			limit = moved.Value()
		}
	}
	return limit, request
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
	most := maxOOMFactor * oomFloorBytes(f.FromBytes)
	return f.FromBytes > 0 && f.FloorBytes < oomFloorBytes(f.HitBytes) && most < oomFloorBytes(f.HitBytes) && now.Sub(f.Time) <= oomQuiet
}

// learn adds a kill. The container's template asks for that much memory, as its limit or, without one, its request.
//
// Example: the first kill at 1 GiB → a floor of 1.2 GiB; further ones raise it to 4.8 GiB at most. An eviction with 900 MiB in use → 1080 MiB
// without a limit, 1 GiB with a limit of 1 GiB.
func (f *OOMFloor) learn(kill OOMKill, template int64) {
	if f.FromBytes == 0 || kill.Time.Sub(f.Time) > oomQuiet {
		f.FromBytes = max(f.HitBytes, kill.LimitBytes)
	}
	f.FromBytes = min(max(f.FromBytes, template), maxOOMBytes)
	f.Time = kill.Time
	f.Kills++
	f.HitBytes = max(f.HitBytes, kill.LimitBytes)
	floor := min(oomFloorBytes(f.HitBytes), maxOOMFactor*oomFloorBytes(f.FromBytes))
	if kill.MostBytes > 0 {
		floor = min(floor, kill.MostBytes)
	}
	f.FloorBytes = max(f.FloorBytes, floor)
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
