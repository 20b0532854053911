package apply

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// ResourcesOf reads CPU and memory out of a container's resources. Fractions of a millicore or byte round up.
//
// An explicit request of 0 under a limit reads as the smallest amount, a millicore or a byte: read as absent, it would count as
// that limit, which the API server does not make of it. A limit of 0 is none.
func ResourcesOf(r corev1.ResourceRequirements) Resources {
	out := Resources{Requests: amountsOf(r.Requests), Limits: amountsOf(r.Limits)}
	if _, explicit := r.Requests[corev1.ResourceCPU]; explicit && out.Limits.CPUMillis > 0 {
		out.Requests.CPUMillis = max(out.Requests.CPUMillis, 1)
	}
	if _, explicit := r.Requests[corev1.ResourceMemory]; explicit && out.Limits.MemoryBytes > 0 {
		out.Requests.MemoryBytes = max(out.Requests.MemoryBytes, 1)
	}
	return out
}

func amountsOf(list corev1.ResourceList) Amounts {
	return Amounts{CPUMillis: millis(list.Cpu()), MemoryBytes: bytes(list.Memory())}
}

// Into returns a copy of req whose CPU and memory are those of r. Everything else, such as extended resources, huge pages,
// ephemeral storage and claims, is as in req.
//
// An amount that is the same already keeps its spelling ("1Gi" does not become "1024Mi"), and an explicit 0 stays: without
// it the API server would set the request to the limit. An amount of 0 in r otherwise removes the entry. An explicit limit of 0,
// which is none to a node, goes where there is a request now: the API server would refuse it as less than the request.
func (r Resources) Into(req corev1.ResourceRequirements) corev1.ResourceRequirements {
	out, have := *req.DeepCopy(), ResourcesOf(req)
	out.Requests = r.Requests.into(req.Requests, have.Requests)
	out.Limits = r.Limits.into(req.Limits, have.Limits)
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request := out.Requests[name]
		if limit, limited := out.Limits[name]; limited && limit.IsZero() && request.Sign() > 0 {
			delete(out.Limits, name)
		}
	}
	return out
}

// into returns a copy of a list, which reads as have, with the amounts of a.
func (a Amounts) into(list corev1.ResourceList, have Amounts) corev1.ResourceList {
	if a == have {
		return list.DeepCopy()
	}
	out := corev1.ResourceList{}
	maps.Copy(out, list.DeepCopy())
	set := func(name corev1.ResourceName, have, want int64, write func(int64) *resource.Quantity) {
		switch {
		case want == have:
		case want <= 0:
			delete(out, name)
		default:
			out[name] = *write(want)
		}
	}
	set(corev1.ResourceCPU, have.CPUMillis, a.CPUMillis, cpuQuantity)
	set(corev1.ResourceMemory, have.MemoryBytes, a.MemoryBytes, memoryQuantity)
	if len(out) == 0 {
		return nil
	}
	return out
}

// Defaulted returns r with every absent request set to its limit, as the API server does for pods, though not for the
// template of a workload.
func (r Resources) Defaulted() Resources {
	if r.Requests.CPUMillis == 0 {
		r.Requests.CPUMillis = r.Limits.CPUMillis
	}
	if r.Requests.MemoryBytes == 0 {
		r.Requests.MemoryBytes = r.Limits.MemoryBytes
	}
	return r
}

// Difference says in what two sizes of a container differ, such as "cpu request 2 → 250m, memory limit 2Gi → none"; it is empty
// if they are the same. A request that is absent in r counts as its limit.
func (r Resources) Difference(to Resources) string {
	from := r.Defaulted()
	var changed []string
	tell := func(what string, format func(int64) string, from, to int64) {
		if from == to {
			return
		}
		text := func(amount int64) string {
			if amount == 0 {
				return "none"
			}
			return format(amount)
		}
		changed = append(changed, fmt.Sprintf("%s %s → %s", what, text(from), text(to)))
	}
	tell("cpu request", FormatCPU, from.Requests.CPUMillis, to.Requests.CPUMillis)
	tell("cpu limit", FormatCPU, from.Limits.CPUMillis, to.Limits.CPUMillis)
	tell("memory request", FormatMemory, from.Requests.MemoryBytes, to.Requests.MemoryBytes)
	tell("memory limit", FormatMemory, from.Limits.MemoryBytes, to.Limits.MemoryBytes)
	return strings.Join(changed, ", ")
}

// Present reads what the spec of a pod asks for, for containers and init containers.
func Present(pod *corev1.Pod) map[string]Resources {
	out := make(map[string]Resources, len(pod.Spec.Containers)+len(pod.Spec.InitContainers))
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			out[containers[i].Name] = ResourcesOf(containers[i].Resources)
		}
	}
	return out
}

// IsSidecar reports whether an init container is a native side-car: it starts before the containers and runs beside them, and
// is sized like one of them. Ordinary init containers are never sized.
func IsSidecar(init corev1.Container) bool {
	return init.RestartPolicy != nil && *init.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// HasPodLevelResources reports whether CPU or memory is set for the pod as a whole. The resources of its containers must
// then fit inside, so such a pod is left alone.
func HasPodLevelResources(pod *corev1.Pod) bool {
	if pod.Spec.Resources == nil {
		return false
	}
	return ResourcesOf(*pod.Spec.Resources) != Resources{}
}
