package recommender

import (
	"fmt"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/guard"
)

// autoscalerAwaited is how long an autoscaler that is gone still counts. A release may delete it and create it again, and KEDA takes it
// away while it is paused: what moves in between would be a surprise when it is back.
const autoscalerAwaited = 24 * time.Hour

// Autoscaler is what the HorizontalPodAutoscalers of a workload held when they were last seen.
type Autoscaler struct {
	// Held has no bounds of the number of pods.
	Held guard.HPA
	// GoneSince is zero while they are there.
	GoneSince time.Time
}

// seen remembers the autoscalers that are there, and those that are gone for as long as they are awaited.
func (a *Autoscaler) seen(now time.Time, present guard.HPA) *Autoscaler {
	switch {
	case present.Owner != "":
		return &Autoscaler{Held: guard.HPA{
			Owner: present.Owner, OnCPU: present.OnCPU, OnMemory: present.OnMemory, OnCPUOf: present.OnCPUOf, OnMemoryOf: present.OnMemoryOf,
		}}
	case a == nil:
		return nil
	case a.GoneSince.IsZero():
		return &Autoscaler{Held: a.Held, GoneSince: now}
	case now.Before(a.GoneSince.Add(autoscalerAwaited)):
		return a
	}
	return nil
}

// hpa is what counts for the sizes: the autoscalers that are there, else those that are awaited.
func (a *Autoscaler) hpa(present guard.HPA) guard.HPA {
	if present.Owner != "" || a == nil {
		return present
	}
	held := a.Held
	held.Owner = fmt.Sprintf("%s (gone since %s, awaited for a day)", held.Owner, a.GoneSince.UTC().Format(time.RFC3339))
	return held
}

func (a *Autoscaler) status() *v1alpha1.AutoscalerMemory {
	if a == nil {
		return nil
	}
	atMost := func(names []string) []string { return names[:min(len(names), maxContainers)] }
	return &v1alpha1.AutoscalerMemory{
		Owner: a.Held.Owner, CPU: a.Held.OnCPU, Memory: a.Held.OnMemory,
		CPUOf: atMost(a.Held.OnCPUOf), MemoryOf: atMost(a.Held.OnMemoryOf), GoneSince: timeOrNil(a.GoneSince),
	}
}

func autoscalerOf(m *v1alpha1.AutoscalerMemory) *Autoscaler {
	if m == nil {
		return nil
	}
	return &Autoscaler{
		Held:      guard.HPA{Owner: m.Owner, OnCPU: m.CPU, OnMemory: m.Memory, OnCPUOf: m.CPUOf, OnMemoryOf: m.MemoryOf},
		GoneSince: timeOf(m.GoneSince),
	}
}
