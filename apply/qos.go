package apply

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// QOSClass returns the quality-of-service class of a pod with these containers, init containers included.
//
//	every container has CPU and memory limits and requests equal to them  → Guaranteed
//	no container has any request or limit of CPU or memory                → BestEffort
//	everything else                                                       → Burstable
//
// A request that is absent counts as its limit, as the API server defaults it. No containers give BestEffort.
func QOSClass(containers map[string]Resources) corev1.PodQOSClass {
	guaranteed, bestEffort := len(containers) > 0, true
	for _, r := range containers {
		r = r.Defaulted()
		if r != (Resources{}) {
			bestEffort = false
		}
		if r.Limits.CPUMillis == 0 || r.Limits.MemoryBytes == 0 || r.Requests != r.Limits {
			guaranteed = false
		}
	}
	switch {
	case guaranteed:
		return corev1.PodQOSGuaranteed
	case bestEffort:
		return corev1.PodQOSBestEffort
	}
	return corev1.PodQOSBurstable
}

// WouldChangeQOS reports whether a pod changes its class when the containers in after replace those of the same name in
// before. The API server refuses such a resize.
func WouldChangeQOS(before, after map[string]Resources) bool {
	return QOSClass(overlay(before, after)) != QOSClass(before)
}

// overlay returns the containers of before, those in after as they are there.
func overlay(before, after map[string]Resources) map[string]Resources {
	merged := maps.Clone(before)
	for name, r := range after {
		if _, exists := before[name]; exists {
			merged[name] = r
		}
	}
	return merged
}
