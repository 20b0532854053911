// Package history keeps what each workload used: it reads Prometheus and turns pods into workloads and samples into the
// series that forecasts are made from.
//
// Time runs in UTC in steps of five minutes, called slots here, and in hours of twelve slots. A [Reader] holds 28 days by the
// hour and the last 24 hours by the slot for every workload it was told of, reads per namespace, and reads nothing twice but a
// short overlap for samples that came late. A value, once seen, is only ever replaced by a larger one, so it does not matter
// in how many parts, or how often, the same time is read.
//
// The contract in full, with what gaps and zeros mean, is docs/design/0004-history.md.
package history

import (
	"context"
	"fmt"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

// Target is a workload whose history is wanted.
type Target struct {
	// Kind is Deployment, StatefulSet, DaemonSet or CronJob. Of any other kind only the pods that are listed are found, unless
	// ReplicaSets says that it makes ReplicaSets as a Deployment does: its pods are then named like a Deployment's.
	Kind        string
	ReplicaSets bool
	Name        string
	// Pods are the names of the pods that exist now, by their owner references. Pods long gone are found by their names.
	Pods []string
}

// Workload is the history of one workload. The caller owns it.
//
// All series but those of Throttled start and end alike: hourly ones at the hour of From, Recent 24 hours before Until or at
// From. Hourly series hold whole hours only; the running hour is in Recent. So a peak is the larger of HourlyMax and Recent.
type Workload struct {
	// Containers by name, every one that was seen in the last 28 days.
	Containers map[string]Container
	// Pods is the number of pods that were seen running. Zero means that other pods of the namespace were seen and none of
	// this workload; NaN means that nothing at all was seen.
	Pods forecast.Usage
	// Runs are the last 20 runs of a CronJob that were measured, the oldest first; none of any other kind.
	Runs []Run
	// From is the start of the first five minutes in which a pod was seen.
	From time.Time
	// Until is the end of what was read. It stands still while Prometheus does not answer.
	Until time.Time
}

// Container is the history of one container over all pods of its workload. NaN means that no pod was seen.
type Container struct {
	// CPUTotal is the sum over the pods, in cores.
	CPUTotal forecast.Usage
	// CPUHottest is the busiest pod, in cores.
	CPUHottest forecast.Usage
	// WorkingSet is the largest working set of a pod, in bytes.
	WorkingSet forecast.Usage
	// RSS is the largest resident set of a pod, in bytes.
	RSS forecast.Usage
	// Throttled is the largest share, from 0 to 1, of its CFS periods in which a pod was held back. Recent only: its hourly
	// series are empty.
	Throttled forecast.Usage
}

// Get returns what is known of a workload, and false until its first read is complete or if no pod of it was ever seen.
func (r *Reader) Get(namespace, kind, name string) (Workload, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, ok := r.namespaces[namespace]
	if !ok || !n.caughtUp {
		return Workload{}, false
	}
	w, ok := n.workloads[workloadKey{kind, name}]
	if !ok || w.until != n.until || w.firstSeen == never {
		return Workload{}, false
	}
	return w.view(), true
}

// Forget drops a workload at once. If it is asked for again, its history is read anew.
func (r *Reader) Forget(namespace, kind, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := r.namespaces[namespace]; ok {
		delete(n.workloads, workloadKey{kind, name})
	}
}

// Sync reads what is new in a namespace up to now. The first time, it reads Backfill; within the same five minutes, nothing.
//
// Targets are the workloads that are wanted now. Pass all of a namespace at once: what a later call adds costs queries of its
// own. What no call has named for a day is dropped.
//
// A long read goes in parts. A part is stored when all its queries were answered; after an error, of type *Error unless ctx
// ended, the store holds the parts before it, and the next call goes on from there. Sync may be called by many goroutines:
// those of one namespace wait for each other.
func (r *Reader) Sync(ctx context.Context, namespace string, targets []Target, now time.Time) error {
	end := slotAt(now)
	if end < 2*keptSlots {
		return fmt.Errorf("read the history of namespace %s: the clock says %s, which cannot be", namespace, now.Format(time.RFC3339))
	}
	n := r.namespace(namespace, end)
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	own := newOwners(r.register(n, targets, end), targets)
	if err := r.readNew(ctx, n, own, end); err != nil {
		return err
	}
	return r.readNewcomers(ctx, n, own, targets)
}
