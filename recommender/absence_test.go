package recommender

import (
	"testing"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/guard"
)

func TestAnAutoscalerThatIsGoneIsAwaitedForADay(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.Replicas = 12
	l.uses(14*day, testkit.Flat(0.2), testkit.Flat(400*mebibyte)) // Far less than twelve pods, or two cores each, are for.
	l.in.Settings.Replicas, l.in.Settings.ReplicasSet = v1alpha1.ReplicasAuto, true
	l.in.HPA = guard.HPA{Owner: "HorizontalPodAutoscaler/checkout", OnCPU: true, Max: 20}
	l.look()
	l.in.HPA = guard.HPA{}
	for _, later := range []time.Duration{time.Minute, 12 * time.Hour, 11 * time.Hour} {
		v := l.after(later).look().rec.Status.Applicable
		if cpu, _ := app(v); cpu != 0 || v.Replicas != nil {
			t.Errorf("%s later a request of %dm and %v pods are in force", later, cpu, v.Replicas)
		}
	}
	v := l.after(2 * time.Hour).look().rec.Status.Applicable
	if cpu, _ := app(v); cpu == 0 || v.Replicas == nil {
		t.Errorf("after a day: %dm and %v pods", cpu, v.Replicas)
	}
	if l.rec.Status.Memory.Autoscaler != nil {
		t.Errorf("it is remembered for good: %+v", l.rec.Status.Memory.Autoscaler)
	}
}

// An autoscaler of another metric does not hold the CPU, so requests go on; but nobody sets the number of pods that they would be for.
func TestPodsAreNotSizedForANumberThatNobodySetsWhileAnAutoscalerIsAwaited(t *testing.T) {
	l := checkout(t, 14*day)
	for later, want := range map[time.Duration]bool{time.Minute: true, 23 * time.Hour: true, 25 * time.Hour: false} {
		held := &Autoscaler{Held: guard.HPA{Owner: "HorizontalPodAutoscaler/checkout", Max: 40}, GoneSince: l.now}
		p := pass{now: l.now.Add(later), in: l.in}
		p.mem.Autoscaler = held.seen(p.now, guard.HPA{})
		p.forecasts = p.forecastAll()
		if got := p.sizingInput().ReplicasFixed; got != want {
			t.Errorf("%s after it went, the number of pods is taken as it is: %v, want %v", later, got, want)
		}
	}
}

func TestAnAutoscalerThatIsBackIsNotForgottenADayAfterItsAbsence(t *testing.T) {
	l := checkout(t, 14*day)
	present := guard.HPA{Owner: "HorizontalPodAutoscaler/checkout", OnCPUOf: []string{"app"}}
	for _, there := range []guard.HPA{present, {}, present, {}} {
		l.in.HPA = there
		if cpu, _ := app(l.after(20 * time.Hour).look().rec.Status.Applicable); cpu != 0 {
			t.Errorf("a request of %dm is in force", cpu)
		}
	}
}
