package sizing

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

const (
	// modeOff of ReplicaPolicy.Mode proposes nothing.
	modeOff = "off"
	// maxWindows of a schedule.
	maxWindows = 8
	// keptReplicas: who runs two pods or more keeps two, because going down to one gives up availability, not size.
	keptReplicas = 2
	// holdAhead is how much of the forecast the number is not lowered under: a day, so that a quiet night does not take away
	// what the next noon needs.
	holdAhead = 24 * time.Hour
	// defaultMaxFactor times the number that the manifest asks for is the most where the policy names none.
	defaultMaxFactor = 4
	// countedShare of the largest CPU request in the pod is what a container asks for at least whose demand adds pods.
	countedShare = 0.5
)

// podGroup is what is needed to count pods for one container.
type podGroup struct {
	size *cpuSize
	// forecast that is answered by pods: after advice where pods answer it, else before.
	forecast forecast.Forecast
	// usableCores is what one pod should use at the peak, by the larger of the template's request and the plain target:
	// the target alone would shrink whenever pods are added, and ask for more of them without end. Under joint sizing, where
	// pods are really added, it is by the template's request alone.
	usableCores float64
	// most is how many pods are asked for at most. Under joint sizing a pod that needs more than its template asks for is made
	// larger, and no more of them are added.
	most float64
	// sizedCores is what one pod should use by the plain target, which is what a pod gets once it is sized.
	sizedCores float64
}

// sizeReplicas counts the pods that carry the expected demand of all together.
//
// Where the number is Loadline's to change, pods answer what advice adds, too, and each request is for its share. Elsewhere the
// plain forecast is answered, and advice by the request alone, so that an event is not provided for twice.
func sizeReplicas(in Input, sizes []cpuSize) ReplicaProposal {
	policy := in.Policy.Replicas
	if policy.Mode == modeOff || policy.Mode == "" {
		return ReplicaProposal{}
	}
	if in.CurrentReplicas <= 0 {
		return ReplicaProposal{Trail: []string{"Replicas: the workload asks for none, so none are proposed."}}
	}
	groups := podGroups(in, sizes)
	if len(groups) == 0 {
		return ReplicaProposal{Trail: []string{"Replicas: no container whose CPU request counts has a forecast, so no number is proposed."}}
	}
	until := in.Now.Add(max(policy.LeadTime, time.Minute))
	ahead, busiest, ok := needed(groups, in.Now, until)
	if !ok {
		return ReplicaProposal{Trail: []string{"Replicas: the forecast does not reach the present, so no number is proposed."}}
	}
	var p ReplicaProposal
	fixed := p.bound(in)
	held := min(stillNeeded(groups, in.Now, policy.LowerAfter), float64(in.CurrentReplicas))
	p.Target = p.clamp(max(ahead, held))
	p.say("within %s, all pods together need up to %.3f cores for %s (p%.4g of the forecast); a pod should use %.3f cores at the peak, "+
		"%s of its request: %.0f.", duration(policy.LeadTime), busiest.expected(in.Now, until), busiest.size.container.Name,
		ReplicaLevel*100, busiest.usableCores, percent(policy.TargetUtilization), ahead)
	if held > ahead {
		p.say("not lowered below %.0f: what was used in the last %s, and what is expected in the next %s, needs them at the recommended request.",
			held, duration(policy.LowerAfter), duration(holdAhead))
	}
	if float64(p.Target) != max(ahead, held) {
		p.say("bounded to %d to %d: %d.", p.Min, p.Max, p.Target)
	}
	p.fix(fixed)
	p.Schedule = p.schedule(groups, in.Now)
	p.raiseAutoscaler(in, groups, until)
	return p
}

// raiseAutoscaler asks for as many pods as carry what advice expects, where an autoscaler would otherwise add them only when
// the demand is there. Each counts with what pods get at present: nothing is lowered in sight of an event.
func (p *ReplicaProposal) raiseAutoscaler(in Input, groups []podGroup, until time.Time) {
	if !in.Autoscaled || in.DemandPercent <= 100 {
		return
	}
	var plain, advised float64
	for _, g := range groups {
		c := g.size.container
		each := float64(cmp.Or(c.InForceMillis, c.Current.Requests.CPUMillis)) * in.Policy.Replicas.TargetUtilization / 1000
		plain = max(plain, podsFor(g.expected(in.Now, until), each))
		if cores, ok := highest(c.CPUForecast, ReplicaLevel, in.Now, until); ok {
			advised = max(advised, podsFor(cores, each))
		}
	}
	if advised > plain {
		p.AutoscalerMin = p.clamp(advised)
		p.say("the autoscaler would follow the demand; %d pods are asked of it beforehand: %s.", p.AutoscalerMin, in.DemandReason)
	}
}

func (p *ReplicaProposal) say(format string, args ...any) {
	p.Trail = append(p.Trail, "Replicas: "+fmt.Sprintf(format, args...))
}

// podGroups returns the containers that count. A small one beside a large one does not: a log shipper, a proxy or whatever else uses
// as much in each pod however many there are would ask for more pods with each one that is added. It is made larger instead.
func podGroups(in Input, sizes []cpuSize) []podGroup {
	var groups []podGroup
	usable := in.Policy.Replicas.TargetUtilization / 1000
	var largest int64
	for _, s := range sizes {
		largest = max(largest, s.container.Current.Requests.CPUMillis)
	}
	for i := range sizes {
		s := &sizes[i]
		request := s.container.Current.Requests.CPUMillis
		plain := s.container.plainForecast()
		if request <= 0 || float64(request) < countedShare*float64(largest) || s.plainMillis == 0 || plain.Empty() || !(usable > 0) {
			continue
		}
		g := podGroup{
			size: s, forecast: plain, most: math.Inf(1),
			usableCores: float64(max(request, s.plainMillis)) * usable, sizedCores: float64(s.plainMillis) * usable,
		}
		if joint(in) {
			g = g.shared(in, request)
		}
		groups = append(groups, g)
	}
	return groups
}

// shared is the group as pods are counted where their number and size are decided together.
func (g podGroup) shared(in Input, request int64) podGroup {
	g.usableCores = float64(request) * in.Policy.Replicas.TargetUtilization / 1000
	if g.size.plainMillis > request {
		g.most = float64(in.CurrentReplicas)
	}
	if advised := g.size.container.CPUForecast; !advised.Empty() {
		g.forecast = advised
	}
	return g
}

// bound sets the least and the most pods, and says why both are the present number where they are. Where the policy names no most,
// it is a multiple of the number that the manifest asks for, which stays where it is: a multiple of the present number would move along
// with every pod that is added, and bound nothing.
//
// Somebody may run more pods than that already, and what the manifest asks for may not be known. Then the present number is the most and,
// because what is lowered could not be raised again, the least. An autoscaler has a maximum of its own.
//
// Example: the manifest asks for 3, 5 run → 2 to 12; 20 run → 20.
func (p *ReplicaProposal) bound(in Input) (why string) {
	policy, current := in.Policy.Replicas, in.CurrentReplicas
	p.Min, p.Max = max(policy.Min, 1, min(current, keptReplicas)), policy.Max
	if p.Max > 0 {
		p.Min = min(p.Min, p.Max)
		return ""
	}
	base := in.DeclaredReplicas
	if in.Autoscaled {
		base = current
	}
	most := int32(min(int64(max(base, 0))*defaultMaxFactor, math.MaxInt32))
	if current > most {
		why, most, p.Min = unbounded(in), current, max(p.Min, current)
	}
	p.Max = max(p.Min, most)
	return why
}

// fix tells why the number stays as it is, if it does for lack of a most.
func (p *ReplicaProposal) fix(why string) {
	if p.Unbounded = why; why != "" {
		p.say("%s, and the policy names no replicas.max, so the number is left alone.", why)
	}
}

// unbounded says why there is no most by default.
func unbounded(in Input) string {
	if in.DeclaredReplicas <= 0 {
		return fmt.Sprintf("%d pods run, and it is not known how many the manifest asks for", in.CurrentReplicas)
	}
	return fmt.Sprintf("%d pods run, more than %d times the %d that the manifest asks for", in.CurrentReplicas, defaultMaxFactor, in.DeclaredReplicas)
}

func (p *ReplicaProposal) clamp(n float64) int32 {
	return int32(min(max(n, float64(p.Min)), float64(p.Max)))
}

// pods returns how many pods carry so many cores.
func (g podGroup) pods(cores float64) float64 { return min(podsFor(cores, g.usableCores), g.most) }

// podsFor returns how many pods carry so many cores if each carries some. A relative 1e-7 is taken for rounding of float32.
func podsFor(cores, each float64) float64 {
	const rounding = 1e-7
	return math.Ceil(cores / each * (1 - rounding))
}

// expected returns the most cores that are expected in a window.
func (g podGroup) expected(from, until time.Time) float64 {
	cores, _ := highest(g.forecast, ReplicaLevel, from, until)
	return cores
}

// needed returns the number of pods for a window and the container that needs the most. It is false if no forecast
// reaches the window.
func needed(groups []podGroup, from, until time.Time) (pods float64, most podGroup, ok bool) {
	for _, g := range groups {
		cores, found := highest(g.forecast, ReplicaLevel, from, until)
		if n := g.pods(cores); found && (!ok || n > pods) {
			pods, most, ok = n, g, true
		}
	}
	return pods, most, ok
}

// stillNeeded returns the number of pods below which nothing is lowered. It counts with the size that a pod is given, because
// the same decision lowers the request: fewer pods and smaller ones together must still carry the demand.
func stillNeeded(groups []podGroup, now time.Time, before time.Duration) float64 {
	pods := 0.0
	for _, g := range groups {
		pods = max(pods, podsFor(g.expected(now, now.Add(holdAhead)), g.sizedCores))
		total := g.size.container.CPUTotal
		for _, s := range []forecast.Series{total.Recent, total.HourlyMax} {
			if cores, ok := s.Since(now.Add(-before)).Max(); ok {
				pods = max(pods, podsFor(cores, g.sizedCores))
			}
		}
	}
	return pods
}

// plainForecast is the forecast before advice.
func (c ContainerInput) plainForecast() forecast.Forecast {
	if c.BaseForecast.Empty() {
		return c.CPUForecast
	}
	return c.BaseForecast
}
