package sizing

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/forecast"
)

func propose(t *testing.T, in Input) ContainerProposal {
	t.Helper()
	return Propose(in).Containers[0]
}

func checkMillis(t *testing.T, what string, got, want int64) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %dm, want %dm", what, got, want)
	}
}

func checkTrail(t *testing.T, trail []string, want string) {
	t.Helper()
	if !strings.Contains(strings.Join(trail, "\n"), want) {
		t.Errorf("the trail does not say %q:\n%s", want, strings.Join(trail, "\n"))
	}
}

func TestSteadyDemandIsSharedByThePodsAndGetsItsMargin(t *testing.T) {
	got := propose(t, input(container()))
	checkMillis(t, "target", got.Target.CPUMillis, 460) // 0.8 cores ÷ 2 pods × 1.15.
	checkTrail(t, got.Trail, "CPU: p95 of the last 14 days, recent days weighing more (half-life 24 h), is 0.400 cores per pod; plus 15 % margin: 460m.")
}

func TestAnOlderHoursMaximumCountsAsFiveMinutes(t *testing.T) {
	// Mean 1, and a burst to 2 in every hour before the last day. Those days weigh a half, a twelfth of that is at the
	// burst: 4.2 % of all, less than the 5 % that may lie above. In the last day nothing goes beyond 1.
	burst := usage(1)
	burst.HourlyMax = usage(2).HourlyMax
	c := with(func(c *ContainerInput) { c.CPUTotal, c.CPUHottest = burst, burst })
	in := input(c)
	in.Pods = usage(1)
	checkMillis(t, "p95", propose(t, in).Target.CPUMillis, 1150)
	in.Policy.CPU.Quantile = 0.96
	checkMillis(t, "p96", propose(t, in).Target.CPUMillis, 2300)
}

func TestAPodThatDoesMoreThanItsShareIsCovered(t *testing.T) {
	leader := with(func(c *ContainerInput) { c.CPUHottest = usage(0.7) })
	got := propose(t, input(leader))
	checkMillis(t, "target", got.Target.CPUMillis, 805) // 0.7 × 1.15.
	checkTrail(t, got.Trail, "p90 of the busiest pod")
	// The bound, 0.4 per pod, is scaled by 0.7 ÷ 0.4, too.
	checkMillis(t, "in place", got.InPlace.CPUMillis, 700)
}

func TestOneBusyHourInTwentyDoesNotSizeAllPods(t *testing.T) {
	hours := make([]float32, 20)
	for i := range hours {
		hours[i] = 0.3
	}
	hours[7] = 3
	lucky := with(func(c *ContainerInput) { c.CPUHottest = usage(hours...) })
	checkMillis(t, "target", propose(t, input(lucky)).Target.CPUMillis, 460)
}

func TestWithoutTheNumberOfPodsTheBusiestPodDecides(t *testing.T) {
	in := input(container())
	in.Pods = forecast.Usage{}
	checkMillis(t, "target", propose(t, in).Target.CPUMillis, 460)
}

func TestAdviceRaisesTheTargetAndNeverLowersIt(t *testing.T) {
	in := input(container())
	in.DemandPercent, in.DemandReason = 300, "sale from 2026-03-16T12:00:00Z"
	got := propose(t, in)
	checkMillis(t, "target at 300 %", got.Target.CPUMillis, 1380)
	checkTrail(t, got.Trail, "raised to 300 % of that, 1380m: sale from")
	in.DemandPercent = 50
	checkMillis(t, "target at 50 %", propose(t, in).Target.CPUMillis, 460)
}

func TestRunningPodsFollowTheHourButGiveBackOnlySoMuch(t *testing.T) {
	for _, test := range []struct {
		name     string
		expected float64
		want     int64
	}{
		{"a quiet hour gives back a quarter of the target", 0.2, 345},
		{"an hour in between gets what it needs", 0.8, 400},
		{"an hour that needs more than the target gets it", 1.2, 600},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := with(func(c *ContainerInput) {
				c.NextHour = bound(test.expected)
				c.CPUTotal.Recent.Values = c.CPUTotal.Recent.Values[:23*valuesPerHour] // Nothing is known of the last minutes.
			})
			checkMillis(t, "in place", propose(t, input(c)).InPlace.CPUMillis, test.want)
		})
	}
}

func TestTheUseOfTheLastMinutesIsTold(t *testing.T) {
	c := with(func(c *ContainerInput) { c.CPUTotal.Recent.Values[24*valuesPerHour-2] = 1.4 })
	checkMillis(t, "used", propose(t, input(c)).UsedMillis, 700) // 1.4 ÷ 2.
	in := input(c)
	in.Now = now.Add(5 * time.Minute)
	checkMillis(t, "ten minutes later", propose(t, in).UsedMillis, 400)
	c.CPUHottest = usage(0.7)
	checkMillis(t, "used by a pod that always has more than its share", propose(t, input(c)).UsedMillis, 1225) // 0.7 × 0.7 ÷ 0.4.
}

func TestWithoutABoundNothingIsGivenBack(t *testing.T) {
	for name, c := range map[string]ContainerInput{
		"none":       with(func(c *ContainerInput) { c.NextHour = forecast.HourBound{} }),
		"hours old":  with(func(c *ContainerInput) { c.NextHour.Start = now.Add(-2 * time.Hour) }),
		"no history": with(func(c *ContainerInput) { c.NextHour, c.CPUTotal = forecast.HourBound{}, forecast.Usage{} }),
	} {
		got := propose(t, input(c))
		if got.InPlace.CPUMillis != got.Target.CPUMillis || got.Target.CPUMillis == 0 {
			t.Errorf("%s: %+v in place, target %+v", name, got.InPlace, got.Target)
		}
	}
}

func TestAdviceRaisesRunningPodsUpToTheTarget(t *testing.T) {
	in := input(with(func(c *ContainerInput) { c.NextHour = bound(1.2) }))
	in.DemandPercent, in.DemandReason = 150, "sale"
	checkMillis(t, "the bound raised to 150 %, no more than the target", propose(t, in).InPlace.CPUMillis, 690) // 460 × 1.5.
	in.Containers[0].NextHour = bound(0.7)
	checkMillis(t, "no more than the announced demand", propose(t, in).InPlace.CPUMillis, 525) // 0.35 × 1.5; three quarters of 690 are less.
}

func TestAnIdleContainerIsNotLeftWithoutAProposal(t *testing.T) {
	c := with(func(c *ContainerInput) { c.CPUTotal, c.CPUHottest, c.NextHour = usage(0), usage(0), bound(0) })
	checkMillis(t, "target", propose(t, input(c)).Target.CPUMillis, 1)
}

func TestWithoutHistoryNothingIsProposed(t *testing.T) {
	for name, none := range map[string]forecast.Usage{"empty": {}, "missing": missing(usage(1))} {
		c := with(func(c *ContainerInput) {
			c.CPUTotal, c.CPUHottest, c.MemoryHottest, c.CPUForecast = none, none, none, forecast.Forecast{}
		})
		got := propose(t, input(c))
		if got.Target != (Amounts{}) || got.InPlace != (Amounts{}) || got.CPUHours != 0 {
			t.Errorf("%s: got %+v, want nothing", name, got)
		}
		checkTrail(t, got.Trail, "CPU: no usable history")
		checkTrail(t, got.Trail, "Memory: no usable history")
	}
}

// TestTheTargetEqualsAnIndependentCalculation spreads every hour over its twelve 5-minute values and looks for the one that
// costs least among those with enough weight at or below them, in the most naive way.
func TestTheTargetEqualsAnIndependentCalculation(t *testing.T) {
	total := usage(0.9, 1.1, 1.4, 2.2, 0.3)
	total.HourlyMax = usage(1.3, 2.9, 1.4, 3.1, 0.8, 2).HourlyMax
	for i := range total.Recent.Values {
		total.Recent.Values[i] = float32(1 + math.Sin(float64(i)))
	}
	pods := usage(3, 2, 4)
	var values, weights []float64
	spread := func(v, n float64, at time.Time, count float64) {
		values = append(values, v/n)
		weights = append(weights, count*math.Pow(0.5, now.Sub(at).Hours()/24))
	}
	for i := range 13 * 24 {
		at := total.HourlyMax.TimeAt(i)
		highest, mean := float64(total.HourlyMax.Values[i]), float64(total.HourlyMean.Values[i])
		n := float64(pods.HourlyMean.Values[i])
		spread(highest, n, at, 1)
		spread(min(highest, max(0, (12*mean-highest)/11)), n, at, 11)
	}
	for i, v := range total.Recent.Values {
		spread(float64(v), float64(pods.Recent.Values[i]), total.Recent.TimeAt(i), 1)
	}
	best, least := math.NaN(), math.Inf(1)
	for _, candidate := range values {
		var below, all float64
		for i, v := range values {
			all += weights[i]
			if v <= candidate {
				below += weights[i]
			}
		}
		if cost := math.Log(candidate) - 0.5/0.05*below/all; below >= 0.95*all && cost < least {
			best, least = candidate, cost
		}
	}
	in := input(with(func(c *ContainerInput) { c.CPUTotal, c.CPUHottest = total, forecast.Usage{} }))
	in.Pods = pods
	checkMillis(t, "target", propose(t, in).Target.CPUMillis, int64(math.Ceil(best*1.15*1000)))
}
