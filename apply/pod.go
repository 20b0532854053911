package apply

import corev1 "k8s.io/api/core/v1"

// Member is a container of a pod, with what it asks for.
type Member struct {
	Name      string
	Resources Resources
	// Init says that it runs to its end before the others start, Sidecar that it starts before them and goes on beside them.
	Init, Sidecar bool
}

// Members lists the containers of a pod, those that start first before the others.
func Members(spec corev1.PodSpec) []Member {
	members := make([]Member, 0, len(spec.InitContainers)+len(spec.Containers))
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		sidecar := IsSidecar(*c)
		members = append(members, Member{Name: c.Name, Resources: ResourcesOf(c.Resources), Init: !sidecar, Sidecar: sidecar})
	}
	for i := range spec.Containers {
		members = append(members, Member{Name: spec.Containers[i].Name, Resources: ResourcesOf(spec.Containers[i].Resources)})
	}
	return members
}

// PodResources is what the scheduler, quotas and LimitRanges count for a pod with these containers, in the order in which they
// start: all that run side by side together, and at least each init container beside the side-cars before it. A request that
// is absent counts as its limit; a limit that is absent counts as nothing.
func PodResources(members []Member) Resources {
	var beside, largestInit Resources
	for _, m := range members {
		has := m.Resources.Defaulted()
		if m.Init {
			largestInit = join(largestInit, join(beside, has, add), most)
			continue
		}
		beside = join(beside, has, add)
	}
	return join(beside, largestInit, most)
}

func join(a, b Resources, with func(a, b int64) int64) Resources {
	return Resources{Requests: joinAmounts(a.Requests, b.Requests, with), Limits: joinAmounts(a.Limits, b.Limits, with)}
}

func joinAmounts(a, b Amounts, with func(a, b int64) int64) Amounts {
	return Amounts{CPUMillis: with(a.CPUMillis, b.CPUMillis), MemoryBytes: with(a.MemoryBytes, b.MemoryBytes)}
}

func most(a, b int64) int64 { return max(a, b) }

// add adds amounts that are not negative. It saturates: a sum that wrapped around would look small.
func add(a, b int64) int64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return 1<<63 - 1
}
