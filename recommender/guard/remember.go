package guard

import (
	"cmp"
	"maps"

	"github.com/loadline-dev/loadline/apply"
)

// remember returns what the next decision has to know. The input's memory is not written to. What is remembered about a
// container that is gone is dropped.
func (d *draft) remember(candidate apply.Values) Memory {
	out := Memory{Containers: make(map[string]ContainerMemory, len(d.sizes)), LastReplicasLowered: d.in.Memory.LastReplicasLowered}
	maps.Copy(out.Containers, d.excludedMemory())
	for _, s := range d.sizes {
		out.Containers[s.container.Name] = d.rememberContainer(s)
	}
	before := d.in.CurrentReplicas
	if d.in.Previous != nil && d.in.Previous.Replicas != nil {
		before = *d.in.Previous.Replicas
	}
	if candidate.Replicas != nil && *candidate.Replicas < before {
		out.LastReplicasLowered = d.in.Now
	}
	return out
}

func (d *draft) rememberContainer(s *size) ContainerMemory {
	m := d.in.Memory.Containers[s.container.Name]
	m.ImageSince = d.imageSince(s.container)
	m.Image = s.container.Image
	m.MemoryAsked, m.MemoryLimitAsked = d.memoryAsked(s.container)
	m.TemplateMemory = Asked{s.container.Current.Requests.MemoryBytes, s.container.Current.Limits.MemoryBytes}
	switch direction := s.cpu.direction(); {
	case direction == raised && !s.proposal.Advised:
		m.CPURaised = d.in.Now
	case direction != 0:
		m.CPULowered = d.in.Now
	}
	if s.cpu.target > 0 && s.cpu.inPlace != s.cpu.before.inPlace {
		m.CPUInPlaceMoved = d.in.Now
	}
	m.GiveBackLockedUntil = d.giveBackLockedUntil(s.container)
	switch s.memory.direction() {
	case raised:
		m.MemoryRaised = d.in.Now
	case lowered:
		m.MemoryLowered = d.in.Now
		if s.memory.hours+historySlackHours >= m.MemoryHistoryHours {
			m.MemoryHistoryHours = s.memory.hours // The new target rests on this history.
		}
	}
	if s.memory.target > 0 {
		m.MemoryHistoryHours = max(m.MemoryHistoryHours, s.memory.hours)
	}
	return m
}

// Directions of a target since the last decision. A target that is dropped has none.
const (
	lowered = -1
	raised  = 1
)

func (a *amount) direction() int {
	if a.target == 0 || a.target == a.good.target { // What is given back was not asked for by the load.
		return 0
	}
	return cmp.Compare(a.target, a.before.target)
}

// excludedMemory keeps what is known about containers that are left alone for now.
func (d *draft) excludedMemory() map[string]ContainerMemory {
	out := map[string]ContainerMemory{}
	for _, c := range d.in.Containers {
		if m, known := d.in.Memory.Containers[c.Name]; known && c.Excluded {
			out[c.Name] = m
		}
	}
	return out
}
