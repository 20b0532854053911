package recommender

import (
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// departedFor is how long the kills of pods that are gone are kept: many times as long as it takes to look at their workload.
const departedFor = time.Hour

// departed remembers the kills of pods that have ended. The controllers of StatefulSets and DaemonSets delete such a pod at once, so it may
// be gone before its workload is looked at. What was learnt is stored then; this is only the way there. The zero value is ready.
type departed struct {
	mu    sync.Mutex
	kills map[Target][]OOMKill
}

// note keeps the kills of a pod, if it has ended, and forgets older ones.
func (d *departed) note(target Target, pod *corev1.Pod) {
	kills := OOMKills(pod)
	over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if !over || len(kills) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kills == nil {
		d.kills = map[Target][]OOMKill{}
	}
	d.forget(kills[len(kills)-1].Time)
	d.kills[target] = append(d.kills[target], kills...)
}

// of returns the kills of a workload's pods that are gone.
func (d *departed) of(target Target, now time.Time) []OOMKill {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(now)
	return slices.Clone(d.kills[target])
}

// forget drops what is too old. It is called with the lock held.
func (d *departed) forget(now time.Time) {
	maps.DeleteFunc(d.kills, func(target Target, kills []OOMKill) bool {
		kept := slices.DeleteFunc(kills, func(k OOMKill) bool { return now.Sub(k.Time) > departedFor })
		d.kills[target] = kept
		return len(kept) == 0
	})
}
