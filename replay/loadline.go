package replay

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/recommender"
	"github.com/loadline-dev/loadline/recommender/history"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

const (
	// container is the name of the one container of every workload that is replayed.
	container = "app"
	// What Loadline stores: 28 days by the hour, 24 hours by the step.
	keptHours = 28 * 24
	keptSteps = 24 * stepsPerHour
)

// loadline is Loadline itself: recommender.Decide on the history that would be stored by then, and what the updater makes of
// the decision.
type loadline struct {
	trace *trace
	tempo apply.Tempo
	input recommender.Input
	// containers is the map in input.History, kept to change it in place.
	containers map[string]history.Container
	memory     recommender.Memory
	// original is what the pod asked for at first; present is what it asks for now.
	original, present map[string]apply.Resources
	noForecast        bool
	// level of the bound that running pods follow.
	level float64
	// revision and at are sizes and a request that were found not to have drifted apart.
	revision string
	at       Amounts
}

// loadlineOptions say which Loadline to replay.
type loadlineOptions struct {
	tempo      apply.Tempo
	noForecast bool
	policy     v1alpha1.SizingPolicySpec
	// level is the share of hours that the bound of running pods covers.
	level   float64
	horizon time.Duration
}

func newLoadline(o loadlineOptions) factory {
	return func(t *trace, from int) policy {
		template := initial(t, from)
		l := &loadline{trace: t, tempo: o.tempo, noForecast: o.noForecast, level: o.level, containers: map[string]history.Container{}}
		l.input = recommender.Input{
			Target:     recommender.Target{Namespace: "replay", Kind: "Deployment", Name: t.workload.Name},
			TargetUID:  "replay",
			Settings:   v1alpha1.Resolve(v1alpha1.Settings{Mode: v1alpha1.ModeAuto}, v1alpha1.Settings{}, nil, nil, false),
			Policy:     o.policy,
			Containers: []corev1.Container{templateOf(template)},
			Replicas:   1,
			History:    history.Workload{Containers: l.containers},
			Cadence:    recommender.Cadence{Horizon: o.horizon, Confirm: 6 * time.Hour, StaleAfter: 24 * time.Hour},
		}
		l.original = map[string]apply.Resources{container: {Requests: apply.Amounts(template)}}
		l.present = map[string]apply.Resources{container: {Requests: apply.Amounts(template)}}
		return l
	}
}

// templateOf is a container with requests and without limits: what it requests is all it is promised.
func templateOf(a Amounts) corev1.Container {
	requests := corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(a.CPUMillis, resource.DecimalSI)}
	if a.MemoryBytes > 0 {
		requests[corev1.ResourceMemory] = *resource.NewQuantity(a.MemoryBytes, resource.BinarySI)
	}
	return corev1.Container{Name: container, Resources: corev1.ResourceRequirements{Requests: requests}}
}

func (l *loadline) want(i int, p pod) Amounts {
	l.look(i)
	if !l.noForecast {
		l.input.Forecasts = l.trace.forecastsAt(l.level).at(l.input, l.trace.at(i))
	}
	l.input.Demands = l.trace.demands.at(i, l.input)
	l.input.PendingRaises = l.pending(p)
	_, l.memory = recommender.Decide(l.trace.at(i), l.input, l.memory)
	if l.memory.Applicable == nil {
		return p.have
	}
	return l.update(p.have)
}

// look sets the history to what is stored when step i begins.
func (l *loadline) look(i int) {
	t := l.trace
	hours := t.hoursBefore(i)
	// The oldest of the kept hours, of which the running one is the last.
	first := max(0, (t.lead+i-1)/stepsPerHour-(keptHours-1))
	recent := max(0, i-keptSteps)
	series := func(values []float32) forecast.Series {
		return forecast.Series{Start: t.hourAt(first), Step: time.Hour, Values: values[first:hours:hours]}
	}
	usage := func(mean, highest, values []float32) forecast.Usage {
		return forecast.Usage{
			HourlyMean: series(mean), HourlyMax: series(highest),
			Recent: forecast.Series{Start: t.at(recent), Step: Step, Values: values[recent:i:i]},
		}
	}
	c := history.Container{CPUTotal: usage(t.cpuMean, t.cpuMax, t.workload.CPU)}
	c.CPUHottest = c.CPUTotal
	if t.hasMemory {
		c.WorkingSet = usage(t.memoryMean, t.memMax, t.workload.Memory)
		c.RSS = c.WorkingSet
	}
	l.containers[container] = c
	pods := func(n int) forecast.Series {
		return forecast.Series{Start: t.hourAt(first), Step: time.Hour, Values: t.hourlyOnes[:n:n]}
	}
	l.input.History.Pods = forecast.Usage{
		HourlyMean: pods(hours - first), HourlyMax: pods(hours - first),
		Recent: forecast.Series{Start: t.at(recent), Step: Step, Values: t.ones[: i-recent : i-recent]},
	}
	l.input.History.From, l.input.History.Until = t.hourAt(first), t.at(i)
	if first == 0 {
		l.input.History.From = t.start
	}
}

// pending tells of a raise of CPU that the node puts off, as the pod's status would.
func (l *loadline) pending(p pod) map[string]time.Time {
	if p.pendingSince < 0 {
		return nil
	}
	return map[string]time.Time{container: l.trace.at(p.pendingSince)}
}

// update is what the updater does: a pod that drifted gets the sizes of its tempo.
func (l *loadline) update(have Amounts) Amounts {
	applicable := l.memory.Applicable
	if l.revision == applicable.Revision && l.at == have {
		return have
	}
	l.present[container] = apply.Resources{Requests: apply.Amounts(have)}
	if len(apply.Drifted(applicable.Values, l.original, l.present, l.tempo)) == 0 {
		l.revision, l.at = applicable.Revision, have
		return have
	}
	return Amounts(apply.Desired(applicable.Values, l.original, l.tempo)[container].Requests)
}

// forecasts are those of one workload at one level. They depend on its history alone, so all policies of a replay with that level
// share them: the first one makes them with a Forecaster, as production does.
type forecasts struct {
	forecaster recommender.Forecaster
	byHour     map[time.Time]map[string]recommender.DemandForecast
}

// forecastsAt returns the forecasts whose bound has a level.
func (t *trace) forecastsAt(level float64) *forecasts {
	known, ok := t.forecasts[level]
	if !ok {
		known = &forecasts{byHour: map[time.Time]map[string]recommender.DemandForecast{}}
		known.forecaster.InPlaceLevel = level
		t.forecasts[level] = known
	}
	return known
}

// at returns the forecasts that hold at a time, which rest on the whole hours before it.
func (f *forecasts) at(in recommender.Input, now time.Time) map[string]recommender.DemandForecast {
	hour := now.Truncate(time.Hour)
	made, ok := f.byHour[hour]
	if !ok {
		made = f.forecaster.Forecasts(in, now)
		f.byHour[hour] = made
	}
	return made
}

// demands are what the history of one workload says of its demand at the start of each step. That depends on the policy's quantile
// besides, so all policies with the same one share them.
type demands map[demandKey]map[string]sizing.Demand

type demandKey struct {
	step            int
	quantilePercent int32
}

// at returns the demand at the start of a step, from the history in the input.
func (d demands) at(i int, in recommender.Input) map[string]sizing.Demand {
	key := demandKey{i, *in.Policy.CPU.QuantilePercent}
	known, ok := d[key]
	if !ok {
		c := in.History.Containers[container]
		measured := sizing.ContainerInput{CPUTotal: c.CPUTotal, CPUHottest: c.CPUHottest}
		quantile := float64(key.quantilePercent) / 100
		known = map[string]sizing.Demand{container: sizing.Measure(measured, quantile, in.History.Pods, in.History.Until)}
		d[key] = known
	}
	return known
}

// killed reports the kill as the pod's status would, from the next step on.
func (l *loadline) killed(i int, requestBytes int64) {
	l.input.OOMKills = []recommender.OOMKill{{Container: container, LimitBytes: requestBytes, Time: l.trace.at(i)}}
}
