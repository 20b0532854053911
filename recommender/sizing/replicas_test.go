package sizing

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/forecast"
)

// hours is a forecast with these values, hour by hour.
func hours(cores ...float64) forecast.Forecast {
	f := flat(0)
	f.Mean = cores
	for i := range f.Quantiles {
		f.Quantiles[i].Values = cores
	}
	return f
}

func TestReplicasCarryTheExpectedDemandAtTheWantedUtilisation(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Input)
		want   int32
	}{
		{"0.8 cores need three pods of 500m at 70 %", func(*Input) {}, 3},
		{"without a mode there is no opinion", func(in *Input) { in.Policy.Replicas.Mode = "off" }, 0},
		{"without a CPU request there is no opinion", func(in *Input) { in.Containers[0].Current.Requests.CPUMillis = 0 }, 0},
		{"without a forecast there is no opinion", func(in *Input) {
			in.Containers[0].CPUForecast, in.Containers[0].BaseForecast = forecast.Forecast{}, forecast.Forecast{}
		}, 0},
		{"a workload that a person scaled to zero stays there", func(in *Input) { in.CurrentReplicas = 0 }, 0},
		{"what advice adds is answered by the request alone", func(in *Input) {
			in.DemandPercent = 300
			in.Containers[0].CPUForecast = flat(2.4)
		}, 3},
		{"a template that asks for too little is not a reason for more pods", func(in *Input) {
			in.Containers[0].Current.Requests.CPUMillis = 10
		}, 3},
		{"the maximum bounds it", func(in *Input) { in.Containers[0].BaseForecast = flat(100); in.Policy.Replicas.Max = 7 }, 7},
		{"without a maximum four times the manifest's number bounds it", func(in *Input) { in.Containers[0].BaseForecast = flat(100) }, 8},
		{"that bound does not move with the pods that were added", func(in *Input) {
			in.Containers[0].BaseForecast, in.CurrentReplicas = flat(100), 8
		}, 8},
		{"who runs more than that by hand keeps them all", func(in *Input) { in.CurrentReplicas = 9 }, 9},
		{"without a maximum and a manifest's number it stays", func(in *Input) {
			in.Containers[0].BaseForecast, in.CurrentReplicas, in.DeclaredReplicas = flat(100), 3, 0
		}, 3},
		{"a minimum is a wish of its own", func(in *Input) { in.DeclaredReplicas, in.Policy.Replicas.Min = 0, 5 }, 5},
		{"a small container beside a large one adds no pods", func(in *Input) {
			small := container()
			small.Name, small.BaseForecast, small.Current.Requests.CPUMillis = "proxy", flat(1.7), 100
			in.Containers = append(in.Containers, small)
		}, 3},
		{"the minimum bounds it", func(in *Input) { in.Policy.Replicas.Min = 5 }, 5},
		{"what was needed within the last hour holds it up", func(in *Input) {
			in.CurrentReplicas = 3
			in.Containers[0].BaseForecast = flat(0.1)
		}, 3},
		{"after that hour it is lowered, but two pods stay two", func(in *Input) {
			in.CurrentReplicas = 3
			in.Containers[0].BaseForecast = flat(0.1)
			quiet := in.Containers[0].CPUTotal
			quiet.Recent.Values = slices.Clone(quiet.Recent.Values)
			quiet.HourlyMax.Values = slices.Clone(quiet.HourlyMax.Values)
			quiet.HourlyMax.Values[14*24-1] = 0.1
			for i := range valuesPerHour {
				quiet.Recent.Values[len(quiet.Recent.Values)-1-i] = 0.1
			}
			in.Containers[0].CPUTotal = quiet
		}, 2},
		{"the peak within the lead time counts, the one after it does not", func(in *Input) {
			in.Containers[0].BaseForecast = hours(0.8, 1.2, 9)
			in.Policy.Replicas.LeadTime = 2 * time.Hour
			in.Policy.Replicas.Max = 100
		}, 4},
		{"the container that needs most decides", func(in *Input) {
			second := container()
			second.Name, second.BaseForecast = "second", flat(1.7)
			in.Containers = append(in.Containers, second)
		}, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := input(container())
			test.change(&in)
			got := Propose(in).Replicas
			if got.Target != test.want {
				t.Errorf("got %d, want %d: %v", got.Target, test.want, got.Trail)
			}
		})
	}
}

// auto is the usual workload where the number of pods is Loadline's to change.
func auto(change func(*Input)) Input {
	in := input(container())
	in.Policy.Replicas.Mode = "auto"
	change(&in)
	return in
}

func TestNumberAndSizeOfThePodsAreDecidedTogether(t *testing.T) {
	sale := func(in *Input) {
		in.DemandPercent, in.DemandReason = 300, "sale"
		in.Containers[0].CPUForecast = flat(2.4)
	}
	for _, test := range []struct {
		name     string
		in       Input
		replicas int32
		target   int64
	}{
		{"pods to come carry nothing yet: two are sized for all", auto(func(*Input) {}), 3, 460},
		{"once there are three, each is for a third", auto(func(in *Input) { in.CurrentReplicas = 3 }), 3, 307},
		{"pods to go will carry nothing: those that stay are sized before", auto(func(in *Input) {
			in.CurrentReplicas, in.Policy.Replicas.Max, in.Pods = 8, 4, usage(8)
			in.Containers[0].CPUHottest = usage(0.1)
		}), 4, 230},
		{"an event is answered by pods, and by requests until they are there", auto(sale), 7, 1380},
		{"when they are there, each is for its share of the event", auto(func(in *Input) {
			sale(in)
			in.CurrentReplicas = 7
		}), 7, 395}, // 0.8 × 1.15 × 3 ÷ 7.
		{"pods that need more than their template asks for become larger, not more", auto(func(in *Input) {
			in.Containers[0].Current.Requests.CPUMillis = 50
		}), 2, 460},
		{"where the number is not to be changed, the request alone answers", auto(func(in *Input) {
			sale(in)
			in.ReplicasFixed = true
		}), 3, 1380},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Propose(test.in)
			if got.Replicas.Target != test.replicas {
				t.Errorf("%d pods, want %d: %v", got.Replicas.Target, test.replicas, got.Replicas.Trail)
			}
			checkMillis(t, "target", got.Containers[0].Target.CPUMillis, test.target)
		})
	}
}

func TestABusyPodAndARarePeakOfAllAreNotProvidedForTwice(t *testing.T) {
	hours := slices.Repeat([]float32{0.8}, 50)
	hours[24] = 0.9
	peak := auto(func(in *Input) {
		in.Containers[0].CPUTotal, in.Policy.Replicas.Max = usage(hours...), 2
	})
	checkMillis(t, "for the peak", propose(t, peak).Target.CPUMillis, 518) // 0.9 cores ÷ 2 pods × 1.15.
	peak.Containers[0].CPUHottest = usage(0.7)
	checkMillis(t, "for the busy pod", propose(t, peak).Target.CPUMillis, 805) // 0.7 cores × 1.15.
}

func TestANumberThatHasNoMostIsToldBeforeItIsNeeded(t *testing.T) {
	unknown := auto(func(in *Input) { in.DeclaredReplicas, in.CurrentReplicas = 0, 3 })
	if got := Propose(unknown).Replicas; got.Target != 3 || !strings.Contains(got.Unbounded, "not known how many the manifest asks for") {
		t.Errorf("%d pods, told: %q", got.Target, got.Unbounded)
	}
}

func TestAnAutoscalerIsAskedForPodsAndNoPodIsMadeLarger(t *testing.T) {
	sale := func(change func(*Input)) Input {
		return auto(func(in *Input) {
			in.Autoscaled, in.ReplicasFixed, in.Policy.Replicas.Max = true, true, 20
			in.DemandPercent, in.DemandReason = 300, "sale"
			in.Containers[0].CPUForecast = flat(2.4)
			change(in)
		})
	}
	for _, test := range []struct {
		name    string
		in      Input
		minimum int32
		target  int64
	}{
		{"2.4 cores need seven pods of 500m at 70 %", sale(func(*Input) {}), 7, 460},
		{"pods that were made smaller carry less: 2.4 cores need 18 of 200m", sale(func(in *Input) {
			in.CurrentReplicas, in.Policy.Replicas.Max, in.Containers[0].InForceMillis = 6, 40, 200
		}), 18, 460},
		{"pods that were made larger carry more", sale(func(in *Input) { in.Containers[0].InForceMillis = 1000 }), 4, 460},
		{"none before the lead time", sale(func(in *Input) {
			in.Containers[0].CPUForecast = hours(0.8, 2.4)
			in.Policy.Replicas.LeadTime = 10 * time.Minute
		}), 0, 460},
		{"none without an event", sale(func(in *Input) { in.DemandPercent = 100 }), 0, 460},
		{"the maximum bounds it", sale(func(in *Input) { in.Policy.Replicas.Max = 5 }), 5, 460},
		{"without an autoscaler the request answers", sale(func(in *Input) { in.Autoscaled = false }), 0, 1380},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Propose(test.in)
			if got.Replicas.AutoscalerMin != test.minimum {
				t.Errorf("%d pods, want %d: %v", got.Replicas.AutoscalerMin, test.minimum, got.Replicas.Trail)
			}
			checkMillis(t, "target", got.Containers[0].Target.CPUMillis, test.target)
		})
	}
}

// TestJointSizingComesToRest follows its own advice: demand that stays the same must not drive number and size in a circle.
func TestJointSizingComesToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cores := rapid.Float32Range(0.05, 20).Draw(t, "cores")
		in := auto(func(in *Input) {
			in.Containers[0].CPUTotal, in.Containers[0].BaseForecast = usage(cores), flat(float64(cores))
			in.Containers[0].CPUForecast = in.Containers[0].BaseForecast
			in.Containers[0].Current.Requests.CPUMillis = rapid.Int64Range(50, 4000).Draw(t, "template")
			in.Policy.Replicas.Max = 1000
		})
		replicas := rapid.Int32Range(1, 60).Draw(t, "replicas")
		var before int32
		for range 12 { // A day of history goes by between two moves.
			in.CurrentReplicas, in.Pods = replicas, usage(float32(replicas))
			in.Containers[0].CPUHottest = usage(cores / float32(replicas))
			before, replicas = replicas, Propose(in).Replicas.Target
		}
		if before != replicas {
			t.Fatalf("after 12 days it still goes from %d to %d pods", before, replicas)
		}
		total := float64(replicas) * float64(Propose(in).Containers[0].Target.CPUMillis)
		if want := float64(cores) * 1150; total < want*(1-1e-6) || total > want+float64(replicas) {
			t.Fatalf("%d pods get %.0fm together, want %.0fm", replicas, total, want)
		}
	})
}

// TestWhatEachPodUsesByItselfAddsNoPodsWithoutEnd follows its own advice: one container has a load to share, another uses as much in
// every pod.
func TestWhatEachPodUsesByItselfAddsNoPodsWithoutEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		declared := rapid.Int32Range(1, 30).Draw(t, "declared")
		load, own := rapid.Float32Range(0.05, 20).Draw(t, "load"), rapid.Float32Range(0, 0.5).Draw(t, "own")
		each := rapid.Float32Range(0.001, 0.5).Draw(t, "side-car")
		side := container()
		side.Name, side.CPUHottest = "side-car", usage(each)
		in := auto(func(in *Input) {
			in.DeclaredReplicas, in.Containers = declared, append(in.Containers, side)
			in.Containers[0].Current.Requests.CPUMillis = rapid.Int64Range(50, 4000).Draw(t, "template")
			in.Containers[1].Current.Requests.CPUMillis = rapid.Int64Range(1, 1000).Draw(t, "side-car's template")
		})
		in.CurrentReplicas = declared
		for range 40 {
			pods := float32(in.CurrentReplicas)
			for i, total := range []float32{load + own*pods, each * pods} {
				c := &in.Containers[i]
				c.CPUTotal, c.CPUHottest, c.BaseForecast = usage(total), usage(total/pods), flat(float64(total))
				c.CPUForecast = c.BaseForecast
			}
			in.Pods = usage(pods)
			if in.CurrentReplicas = Propose(in).Replicas.Target; in.CurrentReplicas > 4*declared {
				t.Fatalf("%d pods, where the manifest asks for %d", in.CurrentReplicas, declared)
			}
		}
	})
}

func TestASmallSideCarThatUsesTheSameInEveryPodAddsNone(t *testing.T) {
	shipper := container()
	shipper.Name, shipper.Current.Requests.CPUMillis = "shipper", 10
	in := auto(func(in *Input) { in.Containers = append(in.Containers, shipper) })
	for range 40 {
		total := 0.0085 * float32(in.CurrentReplicas)
		c := &in.Containers[1]
		c.CPUTotal, c.CPUHottest, c.BaseForecast, c.CPUForecast = usage(total), usage(0.0085), flat(float64(total)), flat(float64(total))
		in.Containers[0].CPUHottest, in.Pods = usage(0.8/float32(in.CurrentReplicas)), usage(float32(in.CurrentReplicas))
		in.CurrentReplicas = Propose(in).Replicas.Target
	}
	if in.CurrentReplicas != 3 {
		t.Errorf("%d pods; the load of 0.8 cores needs three", in.CurrentReplicas)
	}
}

func TestANumberThatCannotGrowForLackOfABoundIsAFinding(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Input)
		want   []string
	}{
		{"the manifest's number is not known", func(in *Input) { in.DeclaredReplicas = 0 }, []string{FindingNoMaximum}},
		{"more pods run than four times that number", func(in *Input) { in.CurrentReplicas = 9 }, []string{FindingNoMaximum}},
		{"the policy names a maximum", func(in *Input) { in.DeclaredReplicas, in.Policy.Replicas.Max = 0, 9 }, nil},
		{"the number is not Loadline's to change", func(in *Input) { in.DeclaredReplicas, in.ReplicasFixed = 0, true }, nil},
	} {
		t.Run(test.name, func(t *testing.T) { checkFindings(t, auto(test.change), test.want...) })
	}
}

func TestTheScheduleTellsTheWindowsToCome(t *testing.T) {
	in := input(container())
	in.Containers[0].BaseForecast = hours(0.8, 0.8, 2.4, 2.4, 0.8)
	got := Propose(in).Replicas.Schedule
	want := []ReplicaWindow{
		{From: now, Until: now.Add(2 * time.Hour), Replicas: 3},
		{From: now.Add(2 * time.Hour), Until: now.Add(4 * time.Hour), Replicas: 7},
		{From: now.Add(4 * time.Hour), Until: now.Add(5 * time.Hour), Replicas: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schedule (want, got):\n%s", diff)
	}
}

func TestAScheduleIsShortHasNoHolesAndIsNeverTooLow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cores := rapid.SliceOfN(rapid.Float64Range(0, 4), 1, 48).Draw(t, "cores")
		in := input(container())
		in.Policy.Replicas.Max = 1000
		in.Containers[0].BaseForecast = hours(cores...)
		schedule := Propose(in).Replicas.Schedule
		if len(schedule) > maxWindows {
			t.Fatalf("%d windows", len(schedule))
		}
		end := now
		for _, w := range schedule {
			if !w.From.Equal(end) || !w.Until.After(w.From) {
				t.Fatalf("hole at %v: %v", end, schedule)
			}
			for h := int(w.From.Sub(now) / time.Hour); h < int(w.Until.Sub(now)/time.Hour); h++ {
				if float64(w.Replicas)*0.5*0.7 < cores[h]*(1-1e-6) {
					t.Fatalf("hour %d needs %v cores, but has %d pods", h, cores[h], w.Replicas)
				}
			}
			end = w.Until
		}
		if want := now.Add(time.Duration(len(cores)) * time.Hour); !end.Equal(want) {
			t.Fatalf("ends at %v, want %v", end, want)
		}
	})
}

func TestFewerPodsAndSmallerOnesTogetherStillCarryTheDemand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := input(container())
		in.CurrentReplicas = rapid.Int32Range(1, 40).Draw(t, "replicas")
		in.Containers[0].Current.Requests.CPUMillis = rapid.Int64Range(1, 8000).Draw(t, "template")
		var day []float64
		for range 24 {
			day = append(day, rapid.Float64Range(0, 10).Draw(t, "cores"))
		}
		in.Containers[0].BaseForecast = hours(day...)

		p := Propose(in)
		if p.Replicas.Target >= in.CurrentReplicas {
			return
		}
		reserved := float64(p.Replicas.Target) * float64(p.Containers[0].Target.CPUMillis) / 1000
		if usable := reserved * in.Policy.Replicas.TargetUtilization; usable < slices.Max(day)*(1-1e-6) {
			t.Fatalf("%d → %d pods of %dm use at most %.3f cores at the wanted utilisation, but %.3f are expected",
				in.CurrentReplicas, p.Replicas.Target, p.Containers[0].Target.CPUMillis, usable, slices.Max(day))
		}
	})
}

func TestAPeakFarOverTheRequestIsAnnounced(t *testing.T) {
	in := input(container())
	peak := make([]float64, 48)
	for i := range peak {
		peak[i] = 0.8
	}
	peak[30] = 12
	in.Containers[0].BaseForecast = hours(peak...)
	checkFindings(t, in, FindingPeakAhead)
}
