package apply

import (
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// ErrQOSChange says that a resize would change the quality-of-service class of a pod, which the API server refuses.
var ErrQOSChange = errors.New("a resize would change the QoS class")

// Resize returns what a running pod may be resized to: every container of actual, those that v sizes by
// Desired(…, ForRunningPod), with more caution, because somebody is using the pod:
//
//   - a memory limit never goes down: a process over its new limit would be killed. A Guaranteed pod then keeps its memory
//     request too;
//   - no limit is added, which would lower it from infinity, and none is removed, which the API server refuses;
//   - a resource without a size stays as the pod has it;
//   - a pod that is not Guaranteed does not become it, whatever the policies say: one request then stays a step under its limit.
//
// The error is ErrQOSChange, and the map nil, if even that would change the pod's class, as for a pod without any request.
func Resize(v Values, original, actual map[string]Resources) (map[string]Resources, error) {
	guaranteed := QOSClass(actual) == corev1.PodQOSGuaranteed
	out := maps.Clone(actual)
	desired := Desired(v, original, ForRunningPod)
	for _, c := range v.Containers {
		want, wanted := desired[c.Name]
		have, exists := actual[c.Name]
		if !wanted || !exists {
			continue
		}
		if c.Target.CPUMillis > 0 {
			have.Requests.CPUMillis, have.Limits.CPUMillis = resize{
				request: want.Requests.CPUMillis, limit: want.Limits.CPUMillis, present: have.Limits.CPUMillis,
				lowerLimit: true, guaranteed: guaranteed,
			}.amounts()
		}
		if c.Target.MemoryBytes > 0 {
			have.Requests.MemoryBytes, have.Limits.MemoryBytes = resize{
				request: want.Requests.MemoryBytes, limit: want.Limits.MemoryBytes, present: have.Limits.MemoryBytes,
				guaranteed: guaranteed,
			}.amounts()
		}
		out[c.Name] = have
	}
	if !guaranteed {
		v.loosen(actual, out, func(Limit) bool { return false })
	}
	if before, after := QOSClass(actual), QOSClass(out); before != after {
		return nil, fmt.Errorf("%w from %s to %s", ErrQOSChange, before, after)
	}
	return out, nil
}

// resize is the wanted request and limit of one resource, and the limit that the pod has.
type resize struct {
	request, limit, present int64
	lowerLimit, guaranteed  bool
}

func (r resize) amounts() (request, limit int64) {
	if r.present == 0 {
		return r.request, 0
	}
	limit = r.limit
	if limit == 0 || (limit < r.present && !r.lowerLimit) {
		limit = r.present
	}
	limit = max(limit, r.request)
	if r.guaranteed {
		return limit, limit
	}
	return r.request, limit
}
