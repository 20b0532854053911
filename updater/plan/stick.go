package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/apply"
)

// triesToStick is how often sizes may fail to stay on pods before the workload is left alone.
const triesToStick = 2

// Holds are how long a workload is left alone after the first, second, third and every later time that something went wrong.
// A mistake that a person mends at once costs an hour; one that nobody mends does not come back every hour for ever.
func hold(times int) time.Duration {
	holds := []time.Duration{time.Hour, 4 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}
	return holds[min(max(times, 1), len(holds))-1]
}

// Until is when the workload is tried again; zero while it may be.
func (u Unstuck) Until() time.Time {
	if u.Times < triesToStick {
		return time.Time{}
	}
	return u.Last.Add(hold(u.Times - triesToStick + 1))
}

// Since is until when the workload was left alone, or, where it was not, when sizes last did not stay; zero if they always did.
func (u Unstuck) Since() time.Time {
	if until := u.Until(); until.After(u.Last) {
		return until
	}
	return u.Last
}

// Sticks reports whether sizes stay again: a pod that got the present revision after they last did not came through the watch, and no pod
// differs from what it was given.
func Sticks(now time.Time, w Workload) bool {
	kept := func(p Pod) bool { return p.Touched.After(w.Unstuck.Since()) && p.cameThrough(now, w) }
	differs := func(p Pod) bool { return Mismatch(w, p) != "" }
	return slices.ContainsFunc(w.Pods, kept) && !slices.ContainsFunc(w.Pods, differs)
}

// Mismatch says how a pod differs from what it was given of the present revision, or nothing if it does not. Memory that the pod
// asks for itself is no difference: while sizes are stale, admission does not go below it.
func Mismatch(w Workload, pod Pod) string {
	switch {
	case pod.AdmittedWithout:
		return fmt.Sprintf("pods were evicted to get revision %s, and pod %s came without it: admission leaves it out", w.Revision, pod.Name)
	case pod.Reverted:
		return fmt.Sprintf("pod %s was resized to revision %s and asks for something else again: something else changes it", pod.Name, w.Revision)
	case pod.InjectedRevision != w.Revision || pod.Mark != nil || w.Revision == "":
		return ""
	}
	drifts := slices.DeleteFunc(apply.Drifted(w.Values, pod.Original, pod.Present, apply.ForNewPod), pod.keptItself)
	if len(drifts) > 0 {
		return fmt.Sprintf("pod %s got revision %s at admission and has other sizes now, so something else changes them: %s",
			pod.Name, w.Revision, describe(drifts))
	}
	return ""
}

// keptItself reports whether a drift is memory that the pod asks for itself and admission left to it.
func (p Pod) keptItself(d apply.Drift) bool {
	return d.Resource == corev1.ResourceMemory && d.Direction == apply.Down && d.Have == p.Original[d.Container].Requests.MemoryBytes
}

// sticking stops a workload whose pods do not keep what they are given.
func sticking(now time.Time, w Workload) *Refused {
	until := w.Unstuck.Until()
	if !now.Before(until) {
		return nil
	}
	return refuse(SkipDidNotStick, "%d times sizes did not stay as they were given, tried again at %s: %s",
		w.Unstuck.Times, until.UTC().Format(time.RFC3339), w.Unstuck.Message)
}

// Digest names resources by their content: equal resources have equal digests.
func Digest(resources map[string]apply.Resources) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		fmt.Fprintf(hash, "%q %+v\n", name, resources[name])
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}
