package recommender

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/guard"
)

// MemoryOf reads back what an earlier decision stored.
func MemoryOf(status v1alpha1.RecommendationStatus) Memory {
	mem := Memory{Guard: guardMemoryOf(status.Memory, status.Current), Advice: modelAdviceOf(status)}
	if status.Memory != nil {
		mem.AdvisedUntil = timeOf(status.Memory.AdvisedUntil)
		mem.Template = templateOf(status.Memory.Template)
		mem.Claim, mem.Reach = claimOf(status.Memory.QuotaClaim), reachOf(status.Memory.Unschedulable)
		mem.Autoscaler = autoscalerOf(status.Memory.Autoscaler)
	}
	mem.Rollback, mem.HealthCheck = status.Rollback, status.Health
	if status.Memory != nil {
		mem.LastGood, mem.Withheld = revisionedOf(status.Memory.LastGood), revisionedOf(status.Memory.Withheld)
	}
	mem.Scaling = apply.RecordedScaling(status)
	if r := status.Replicas; r != nil && r.Declared != nil {
		mem.DeclaredReplicas = *r.Declared
	}
	mem.Candidate = revisionedOf(status.Candidate)
	mem.Applicable = revisionedOf(status.Applicable)
	mem.OOM = floorsOf(status)
	return mem
}

// floorsOf are what out-of-memory kills taught.
func floorsOf(status v1alpha1.RecommendationStatus) (floors []OOMFloor) {
	for _, f := range status.OOMFloor {
		floor := OOMFloor{Container: f.Container, HitBytes: f.Hit.Value(), FloorBytes: f.Floor.Value(), Time: f.Time.Time, Kills: f.Kills}
		if f.From != nil {
			floor.FromBytes = f.From.Value()
		}
		floors = append(floors, floor)
	}
	return floors
}

func revisioned(r *Revisioned) *v1alpha1.RevisionedValues {
	if r == nil {
		return nil
	}
	return apply.ToAPI(r.Values, r.Revision, r.Time)
}

func revisionedOf(v *v1alpha1.RevisionedValues) *Revisioned {
	if v == nil {
		return nil
	}
	return &Revisioned{Values: apply.FromAPI(v), Revision: v.Revision, Time: v.ComputedTime.Time}
}

func memoryStatus(mem Memory) *v1alpha1.DecisionMemory {
	out := &v1alpha1.DecisionMemory{LastReplicasLowered: timeOrNil(mem.Guard.LastReplicasLowered), AdvisedUntil: timeOrNil(mem.AdvisedUntil)}
	if out.LastGood = revisioned(mem.LastGood); out.LastGood != nil {
		for i := range out.LastGood.Containers {
			out.LastGood.Containers[i].Band = v1alpha1.Band{} // follows from the rest
		}
	}
	out.Withheld = revisioned(mem.Withheld)
	out.Template = mem.Template.status()
	out.QuotaClaim, out.Unschedulable = mem.Claim.status(), mem.Reach.status()
	out.Autoscaler = mem.Autoscaler.status()
	for name, c := range mem.Guard.Containers {
		out.Containers = append(out.Containers, v1alpha1.ContainerMemory{
			Name: name, Image: c.Image, ImageSince: timeOrNil(c.ImageSince),
			CPURaised: timeOrNil(c.CPURaised), CPULowered: timeOrNil(c.CPULowered), CPUInPlaceMoved: timeOrNil(c.CPUInPlaceMoved),
			GiveBackLockedUntil: timeOrNil(c.GiveBackLockedUntil),
			MemoryRaised:        timeOrNil(c.MemoryRaised), MemoryLowered: timeOrNil(c.MemoryLowered),
			MemoryAsked: timeOrNil(c.MemoryAsked), MemoryLimitAsked: timeOrNil(c.MemoryLimitAsked),
			MemoryHistoryHours: int32(c.MemoryHistoryHours),
		})
	}
	slices.SortFunc(out.Containers, func(a, b v1alpha1.ContainerMemory) int { return cmp.Compare(a.Name, b.Name) })
	out.Containers = out.Containers[:min(len(out.Containers), maxContainers)]
	return out
}

func guardMemoryOf(m *v1alpha1.DecisionMemory, template *v1alpha1.CurrentValues) guard.Memory {
	mem := guard.Memory{Containers: map[string]guard.ContainerMemory{}}
	if m == nil {
		return mem
	}
	mem.LastReplicasLowered = timeOf(m.LastReplicasLowered)
	for _, c := range m.Containers {
		mem.Containers[c.Name] = guard.ContainerMemory{
			Image: c.Image, ImageSince: timeOf(c.ImageSince),
			CPURaised: timeOf(c.CPURaised), CPULowered: timeOf(c.CPULowered), CPUInPlaceMoved: timeOf(c.CPUInPlaceMoved),
			GiveBackLockedUntil: timeOf(c.GiveBackLockedUntil),
			MemoryRaised:        timeOf(c.MemoryRaised), MemoryLowered: timeOf(c.MemoryLowered),
			MemoryAsked: timeOf(c.MemoryAsked), MemoryLimitAsked: timeOf(c.MemoryLimitAsked),
			MemoryHistoryHours: int(c.MemoryHistoryHours),
		}
	}
	if template == nil {
		return mem
	}
	for _, c := range template.Containers {
		if known, sized := mem.Containers[c.Name]; sized {
			known.TemplateMemory = guard.Asked{RequestBytes: bytes(c.Requests.Memory), LimitBytes: bytes(c.Limits.Memory)}
			mem.Containers[c.Name] = known
		}
	}
	return mem
}

func timeOrNil(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}
