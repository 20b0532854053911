package recommender

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// protectBefore is how long before an event nothing is lowered any more. A whole day would block lowering for ever where an
// event recurs daily; a few hours keep the calm before the storm from taking away what the storm needs.
const protectBefore = 6 * time.Hour

// ContainerForecast is the forecast of one container's CPU demand over all pods, before and after advice.
type ContainerForecast struct {
	Container string
	Base      forecast.Forecast
	Advised   forecast.Forecast
	// HistoryHours that the forecast rests on.
	HistoryHours int
}

// Decide computes what a workload should get, and what has to be remembered for the next time.
//
// It is pure: history, settings, clock and everything else come in as arguments, so that whoever computes
// sizes calls it and comes to the same result; report and explain show what was stored. It follows the straight path: forecast, advice, sizing, guard.
func Decide(now time.Time, in Input, mem Memory) (Decision, Memory) {
	mem.OOM = rememberOOM(mem.OOM, in.OOMKills, in.Containers)
	mem.Rollback = judge(now, in, mem)
	mem = mem.withhold(now)
	mem.Autoscaler = mem.Autoscaler.seen(now, in.HPA)
	var evidence advice.Evidence
	if in.Evidence != nil {
		evidence = *in.Evidence
	} else {
		evidence = gatherEvidence(now, in, mem)
	}
	refined, rules := counsel(evidence, in.ModelAdvice)

	p := pass{now: now, in: in, mem: mem, policy: sizingPolicy(in), evidence: evidence, counsel: refined}
	p.yields, p.scaling = in.yield(now, mem.Scaling)
	p.forecasts = p.forecastAll()
	proposal := p.propose()
	bounded, reach := p.guardInput(proposal), p.reach()
	bounded.Budgets = reach.budget(now, in.Placed)
	verdict := p.withinQuotas(bounded)
	verdict.Decision = p.asWritten(verdict.Decision, bounded.Containers)

	decision := Decision{Proposal: proposal, Guard: verdict.Decision, Advice: refined, Rules: rules, Forecasts: p.forecasts, YieldsTo: p.yields}
	decision.Evidence = advice.Citations(refined, evidence)
	decision.Trail = trail(now, in, decision)
	decision.Findings = findings(now, in, mem, decision)
	memory := p.remember(verdict.Decision)
	memory.Claim, memory.Reach = verdict.claim, reach
	return decision, memory
}

// pass is one run of Decide: its arguments, and what was found on the way.
type pass struct {
	now       time.Time
	in        Input
	mem       Memory
	policy    sizing.Policy
	evidence  advice.Evidence
	counsel   advice.Advice
	forecasts []ContainerForecast
	// yields says whose number of pods is left alone; empty if nobody's. scaling is what is kept on record of it.
	yields  string
	scaling apply.Scaling
}

// propose sizes the workload: a CronJob from its runs, all else from its hours.
func (p pass) propose() sizing.Proposal {
	if p.in.batch() {
		return sizing.ProposeRuns(p.sizingInput())
	}
	return sizing.Propose(p.sizingInput())
}

// forecastAll lets advice adjust the forecast of each container's CPU demand.
func (p pass) forecastAll() []ContainerForecast {
	result := make([]ContainerForecast, 0, len(p.in.Containers))
	for _, container := range p.in.Containers {
		base := p.in.Forecasts[container.Name].CPU
		result = append(result, ContainerForecast{
			Container:    container.Name,
			Base:         base,
			Advised:      advice.Apply(base, p.counsel),
			HistoryHours: p.in.History.Containers[container.Name].CPUTotal.KnownHours(),
		})
	}
	return result
}

func (p pass) sizingInput() sizing.Input {
	percent, why := advice.DemandPercent(p.counsel, p.now, p.in.Policy.EventLeadTime.Duration)
	input := sizing.Input{
		Now:              p.now,
		Policy:           p.policy,
		Pods:             p.in.History.Pods,
		CurrentReplicas:  p.in.Replicas,
		DeclaredReplicas: cmp.Or(p.in.Declared, p.mem.DeclaredReplicas),
		DemandPercent:    percent,
		DemandReason:     why,
		Ignored:          p.ignored(),
		Autoscaled:       p.in.HPA.Owner != "",
		ReplicasFixed:    p.mem.Autoscaler.hpa(p.in.HPA).Owner != "" || p.in.Target.Kind == kindDaemonSet || p.in.batch() || p.in.Settings.Approval == v1alpha1.ApprovalManual || p.in.held(p.now) || p.yields != "",
	}
	for i, container := range p.in.Containers {
		floor := oomFloorOf(p.mem.OOM, container.Name)
		past := p.in.History.Containers[container.Name]
		memory := past.WorkingSet
		if *p.in.Policy.Memory.Metric == v1alpha1.MemoryRSS {
			memory = past.RSS
		}
		input.Containers = append(input.Containers, sizing.ContainerInput{
			Name:          container.Name,
			CPUTotal:      past.CPUTotal,
			CPUHottest:    past.CPUHottest,
			Demand:        p.in.Demands[container.Name],
			MemoryHottest: memory,
			Throttled:     past.Throttled,
			CPUForecast:   p.forecasts[i].Advised,
			BaseForecast:  p.forecasts[i].Base,
			NextHour:      p.in.Forecasts[container.Name].NextHour,
			Current:       resourcesOf(container),
			InForceMillis: p.cpuInForce(container),
			OOMFloorBytes: floor.FloorBytes,
			OOMEndless:    floor.endless(p.now),
			Runs:          p.in.runsOf(container.Name),
		})
	}
	return input
}

// cpuInForce is the CPU request that new pods of a container get, in millicores; 0 where its template rules. Where an autoscaler holds
// the utilisation it is never under the template's; see the guard's rule.
func (p pass) cpuInForce(container corev1.Container) int64 {
	if p.mem.Applicable == nil || !p.in.Settings.Mode.Admits() {
		return 0
	}
	sized, _ := p.mem.Applicable.Values.Container(container.Name)
	if hpa := p.in.HPA; hpa.OnCPU || slices.Contains(hpa.OnCPUOf, container.Name) {
		return max(sized.Target.CPUMillis, resourcesOf(container).Requests.CPUMillis)
	}
	return sized.Target.CPUMillis
}

// ignored are the windows of the past that people's words take out of the history.
func (p pass) ignored() []sizing.Ignored {
	var out []sizing.Ignored
	for _, a := range p.counsel.Accepted {
		if a.Kind == advice.IgnoreHistory {
			out = append(out, sizing.Ignored{Start: a.Start, End: a.End, Reason: a.Reason})
		}
	}
	return out
}

func (p pass) guardInput(proposal sizing.Proposal) guard.Input {
	input := guard.Input{
		Now:             p.now,
		Proposal:        proposal,
		Policy:          p.policy,
		Behavior:        behavior(p.in.Policy.Behavior),
		CurrentReplicas: p.in.Replicas,
		Memory:          p.mem.Guard,
		Nodes:           p.in.Nodes,
		OnEveryNode:     p.in.everywhere(),
		Batch:           p.in.batch(),
		LimitBounds:     p.in.LimitBounds,
		HPA:             p.mem.Autoscaler.hpa(p.in.HPA),
		ReplicasYield:   p.yields,
		Windows:         p.protectedWindows(),
		Manual:          p.in.Settings.Approval == v1alpha1.ApprovalManual,
		Approved:        p.in.Spec.ApprovedRevision,
	}
	if c := p.mem.Candidate; c != nil {
		input.Previous, input.PreviousRevision, input.PreviousTime = &c.Values, c.Revision, c.Time
	}
	if a := p.mem.Applicable; a != nil {
		input.Applicable, input.ApplicableRevision = &a.Values, a.Revision
	}
	input.Rollback = p.rollback()
	if p.in.held(p.now) {
		input.Hold, input.HoldReason = true, p.in.Spec.Hold.Reason
	}
	for i, container := range p.in.Containers {
		c := p.guardContainer(container)
		c.PeakMemoryBytes = proposal.Containers[i].SizedPeakBytes
		floor := oomFloorOf(p.mem.OOM, container.Name)
		c.OOMFloorBytes, c.OOMEndless = floor.FloorBytes, floor.endless(p.now)
		c.RaisePendingSince = p.in.PendingRaises[container.Name]
		input.Containers = append(input.Containers, c)
	}
	for _, container := range p.in.LeftAlone {
		c := p.guardContainer(container)
		c.Excluded, c.Init = true, slices.Contains(p.in.Init, container.Name)
		input.Containers = append(input.Containers, c)
	}
	return input
}

func (p pass) guardContainer(container corev1.Container) guard.Container {
	return guard.Container{
		Name:    container.Name,
		Current: resourcesOf(container),
		Image:   imageID(container.Image),
		JVM:     looksLikeJVM(container),
		Sidecar: apply.IsSidecar(container),

		DefaultMemory: slices.Contains(p.in.DefaultMemory, container.Name),
	}
}

// imageID is what is remembered of an image: its name, or the hash of a name that is longer than maxImage.
func imageID(name string) string {
	if len(name) <= maxImage {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// protectedWindows are the times around accepted adjustments in which nothing is lowered. Neither is anything lowered while
// the history is not up to date, because what cannot be measured must not shrink, nor while the policy that was asked for
// is missing, or a model is asked again, because it may have said so.
func (p pass) protectedWindows() []guard.Window {
	var windows []guard.Window
	_, trouble := p.in.trouble(p.now)
	again := ""
	if p.askedAgain() {
		again = "the model let nothing shrink until " + p.mem.AdvisedUntil.UTC().Format(time.RFC3339) + " and has not answered since the evidence changed"
	}
	for _, reason := range []string{trouble, p.in.PolicyProblem, again} {
		if reason != "" {
			windows = append(windows, guard.Window{Start: p.now, End: p.now.Add(time.Hour), NeverShrink: true, Reason: reason})
		}
	}
	for _, a := range p.counsel.Accepted {
		w := guard.Window{Start: protectedFrom(a), End: a.End, Reason: a.Reason}
		for _, r := range a.Resources {
			w.Resources = append(w.Resources, string(r))
		}
		switch a.Kind {
		case advice.Demand:
			w.NeverShrink = a.Percent > 100
		case advice.NeverShrink:
			w.NeverShrink = true
		case advice.Hold:
			w.Freeze = true
		case advice.IgnoreHistory:
		}
		if w.NeverShrink || w.Freeze {
			windows = append(windows, w)
		}
	}
	return windows
}

// remember keeps what the verdict says has to be known next time. While the history is not up to date, the last candidate is
// kept where there is no new one: it can still be looked at and approved.
func (p pass) remember(verdict guard.Decision) Memory {
	mem := Memory{
		OOM: p.mem.OOM, Guard: verdict.Memory, AdvisedUntil: p.advisedUntil(), Rollback: p.mem.Rollback, HealthCheck: p.mem.HealthCheck,
		DeclaredReplicas: cmp.Or(p.in.Declared, p.mem.DeclaredReplicas), Scaling: p.scaling,
		Template: p.mem.Template.seen(p.now, p.in.Template), Autoscaler: p.mem.Autoscaler, Withheld: p.mem.Withheld,
	}
	if p.in.Health.Passed {
		mem.HealthCheck = &v1alpha1.HealthCheck{Revision: p.in.Health.Revision, Time: metav1.NewTime(p.now)}
	}
	if p.counsel.Source == advice.SourceModel {
		mem.Advice = p.in.ModelAdvice
	}
	trouble, _ := p.in.trouble(p.now)
	switch {
	case verdict.Candidate != nil:
		mem.Candidate = &Revisioned{Values: *verdict.Candidate, Revision: verdict.Revision, Time: verdict.CandidateTime}
	case trouble != "":
		mem.Candidate = p.mem.Candidate
	}
	if verdict.Applicable != nil {
		mem.Applicable = &Revisioned{Values: *verdict.Applicable, Revision: verdict.ApplicableRevision, Time: p.now}
		if applied := p.mem.Applicable; applied != nil && applied.Revision == verdict.ApplicableRevision {
			mem.Applicable.Time = applied.Time
		}
	}
	mem.LastGood = p.lastGood(mem.Applicable)
	return mem
}
