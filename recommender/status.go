package recommender

import (
	"cmp"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/advice"
)

// currentValues is what a pod of the template asks for, and the memory it was seen to use: a request that is absent equals its
// limit.
func currentValues(in Input, d Decision) *v1alpha1.CurrentValues {
	current := &v1alpha1.CurrentValues{Replicas: new(in.Replicas)}
	for i, c := range in.Containers {
		requests, limits := amountsOf(c.Resources.Requests), amountsOf(c.Resources.Limits)
		requests.CPU, requests.Memory = cmp.Or(requests.CPU, limits.CPU), cmp.Or(requests.Memory, limits.Memory)
		container := v1alpha1.CurrentContainer{Name: c.Name, Requests: requests, Limits: limits}
		if peak := d.Proposal.Containers[i].Peak.MemoryBytes; peak > 0 {
			container.PeakMemory = new(byteQuantity(peak))
		}
		current.Containers = append(current.Containers, container)
	}
	slices.SortFunc(current.Containers, func(a, b v1alpha1.CurrentContainer) int { return cmp.Compare(a.Name, b.Name) })
	return current
}

func amountsOf(list corev1.ResourceList) v1alpha1.ResourceAmounts {
	var amounts v1alpha1.ResourceAmounts
	if cpu, ok := list[corev1.ResourceCPU]; ok {
		amounts.CPU = new(cpu.DeepCopy())
	}
	if memory, ok := list[corev1.ResourceMemory]; ok {
		amounts.Memory = new(memory.DeepCopy())
	}
	return amounts
}

func oomFloorStatus(floors []OOMFloor) []v1alpha1.OOMFloor {
	var out []v1alpha1.OOMFloor
	for _, f := range floors {
		floor := v1alpha1.OOMFloor{
			Container: f.Container, Hit: byteQuantity(f.HitBytes), Floor: byteQuantity(f.FloorBytes),
			Time: metav1.Time{Time: f.Time}, Kills: f.Kills,
		}
		if f.FromBytes > 0 {
			floor.From = new(byteQuantity(f.FromBytes))
		}
		out = append(out, floor)
	}
	return out
}

func replicaStatus(in Input, d Decision, mem Memory) *v1alpha1.ReplicaStatus {
	r := d.Proposal.Replicas
	status := &v1alpha1.ReplicaStatus{Current: in.Replicas, Owner: cmp.Or(in.HPA.Owner, in.Controller), YieldsTo: shorten(d.YieldsTo, 320), Scaled: scaledStatus(mem.Scaling)}
	if mem.DeclaredReplicas > 0 {
		status.Declared = new(mem.DeclaredReplicas)
	}
	switch {
	case in.Target.Kind == kindDaemonSet:
		status.Owner = "the DaemonSet controller, by the number of nodes"
	case in.batch():
		status.Owner = "the parallelism of the CronJob"
	}
	if d.Guard.Replicas > 0 {
		status.Target = new(d.Guard.Replicas)
	}
	if r.Target > 0 {
		status.Min, status.Max = new(r.Min), new(r.Max)
	}
	for _, w := range r.Schedule[:min(len(r.Schedule), 8)] {
		status.Schedule = append(status.Schedule, v1alpha1.ReplicaWindow{
			From: metav1.Time{Time: w.From}, Until: metav1.Time{Time: w.Until}, Replicas: w.Replicas,
		})
	}
	return status
}

func forecastStatus(d Decision) []v1alpha1.ForecastStatus {
	var out []v1alpha1.ForecastStatus
	for _, f := range d.Forecasts {
		status := v1alpha1.ForecastStatus{Container: f.Container, HistoryHours: int32(f.HistoryHours), HorizonHours: int32(len(f.Base.Mean))}
		if peak, at, ok := peakOf(f.Base.Mean); ok {
			status.Peak = resource.NewMilliQuantity(int64(math.Ceil(peak*1000)), resource.DecimalSI)
			status.PeakTime = &metav1.Time{Time: f.Base.Start.Add(time.Duration(at) * f.Base.Step)}
		}
		for _, w := range f.Base.Weights {
			if percent := int32(math.Round(w.Share * 100)); percent > 0 {
				status.Weights = append(status.Weights, v1alpha1.ModelWeight{Model: w.Model, Percent: percent})
			}
		}
		status.BacktestErrorPercent = percentOf(f.Base.BacktestError, 1000)
		if n := len(f.Base.Quantiles); n > 0 {
			status.CoveragePercent = percentOf(f.Base.Quantiles[n-1].Coverage, 1)
		}
		out = append(out, status)
	}
	return out
}

// percentOf returns a share, at most most, in whole percent; nil where it is not known.
func percentOf(share, most float64) *int32 {
	if math.IsNaN(share) || share < 0 {
		return nil
	}
	return new(int32(math.Round(min(share, most) * 100)))
}

func peakOf(values []float64) (peak float64, at int, ok bool) {
	for i, v := range values {
		if !ok || v > peak {
			peak, at, ok = v, i, true
		}
	}
	return peak, at, ok
}

func adviceStatus(d Decision) *v1alpha1.AdviceStatus {
	a := d.Advice
	status := &v1alpha1.AdviceStatus{
		Source: cmp.Or(a.Source, advice.SourceRules), Reason: shorten(a.Reason, 256), Model: shorten(a.Model, 128),
		Digest: shorten(a.Digest, 128), InputHash: shorten(a.InputHash, 64), Summary: shorten(a.Summary, 512),
	}
	for _, accepted := range a.Accepted {
		one := adjustment(accepted, accepted.Reason)
		one.Accepted, one.Source = true, status.Source
		if slices.ContainsFunc(d.Rules.Accepted, func(r advice.Adjustment) bool { return sameAdjustment(r, accepted) }) {
			one.Source = advice.SourceRules
		}
		status.Adjustments = append(status.Adjustments, one)
	}
	for i, rejected := range a.Rejected {
		one := adjustment(rejected.Adjustment, rejected.Why)
		one.Source = status.Source
		if i < len(d.Rules.Rejected) { // whose refusals come first
			one.Source = advice.SourceRules
		}
		status.Adjustments = append(status.Adjustments, one)
	}
	for _, cited := range d.Evidence[:min(len(d.Evidence), maxCited)] {
		status.Evidence = append(status.Evidence, v1alpha1.EvidenceStatus{ID: shorten(cited.ID, 64), Text: shorten(cited.Text, 256)})
	}
	return keepAdjustments(status, maxAdjustments)
}

// keepAdjustments returns the advice with as many adjustments at most, and the number of those left out.
func keepAdjustments(a *v1alpha1.AdviceStatus, most int) *v1alpha1.AdviceStatus {
	kept := *a
	kept.Adjustments = a.Adjustments[:min(len(a.Adjustments), most)]
	kept.Omitted += int32(len(a.Adjustments) - len(kept.Adjustments))
	return &kept
}

func sameAdjustment(a, b advice.Adjustment) bool {
	return a.Kind == b.Kind && a.Percent == b.Percent && a.Start.Equal(b.Start) && a.End.Equal(b.End) && slices.Equal(a.Evidence, b.Evidence) &&
		slices.Equal(a.Resources, b.Resources)
}

func adjustment(a advice.Adjustment, reason string) v1alpha1.AdjustmentStatus {
	status := v1alpha1.AdjustmentStatus{
		Kind: string(a.Kind), Reason: shorten(reason, 256), ConfidencePercent: min(max(a.Confidence, 0), 100),
	}
	if !a.Start.IsZero() {
		status.From, status.Until = &metav1.Time{Time: a.Start}, &metav1.Time{Time: a.End}
	}
	if a.Kind == advice.Demand {
		status.Percent = new(max(a.Percent, 0))
	}
	for _, id := range a.Evidence[:min(len(a.Evidence), 8)] {
		status.Evidence = append(status.Evidence, shorten(id, 64))
	}
	for _, r := range a.Resources[:min(len(a.Resources), 3)] {
		status.Resources = append(status.Resources, shorten(string(r), 16))
	}
	return status
}

// savings compares the template's requests with the candidate's, over all replicas. Containers or resources that are not
// sized, or have no request today, count as unchanged.
func savings(in Input, mem Memory) *v1alpha1.Savings {
	if mem.Candidate == nil {
		return nil
	}
	now, then := totals(in, mem.Candidate.Values)
	replicas := int64(in.Replicas)
	return &v1alpha1.Savings{
		CPU:    *resource.NewMilliQuantity((now.CPUMillis-then.CPUMillis)*replicas, resource.DecimalSI),
		Memory: byteQuantity((now.MemoryBytes - then.MemoryBytes) * replicas),
	}
}

// totals sums requests over the containers of one pod, as they are and as they would be.
func totals(in Input, values apply.Values) (now, then apply.Amounts) {
	for _, c := range in.Containers {
		requests := apply.Amounts(resourcesOf(c).Requests)
		now.CPUMillis += requests.CPUMillis
		now.MemoryBytes += requests.MemoryBytes
		target := requests
		for _, v := range values.Containers {
			if v.Name == c.Name {
				target.CPUMillis = cmp.Or(v.Target.CPUMillis, target.CPUMillis)
				target.MemoryBytes = cmp.Or(v.Target.MemoryBytes, target.MemoryBytes)
			}
		}
		then.CPUMillis += target.CPUMillis
		then.MemoryBytes += target.MemoryBytes
	}
	return now, then
}

func byteQuantity(bytes int64) resource.Quantity {
	return *resource.NewQuantity(bytes, resource.BinarySI)
}
