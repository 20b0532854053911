package apply_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/apply"
)

func TestAsWrittenLeavesEveryNewPodAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, pod := anyValues().Draw(t, "sizes"), anyPod().Draw(t, "pod")
		got := apply.AsWritten(v, pod)
		for name, want := range apply.Desired(got, pod, apply.ForNewPod) {
			if want != pod[name] {
				t.Errorf("container %s gets %+v instead of %+v", name, want, pod[name])
			}
		}
		if diff := cmp.Diff(v.Replicas, got.Replicas); diff != "" {
			t.Errorf("the number of pods changed: %s", diff)
		}
	})
}

func TestAsWrittenGivesRunningPodsBackWhatTheyLackAndTakesNothing(t *testing.T) {
	amounts := func(cpu, memory int64) apply.Amounts {
		return apply.Amounts{CPUMillis: cpu, MemoryBytes: memory * apply.MiB}
	}
	pod := map[string]apply.Resources{"app": {Requests: amounts(1000, 512), Limits: amounts(0, 512)}}
	band := apply.Interval{Min: 800, Max: 1200}
	v := apply.Values{Containers: []apply.Container{{
		Name: "app", Target: amounts(1000, 800), InPlace: amounts(900, 800), CPUBand: band, MemoryBand: apply.Interval{Min: 1, Max: 900 * apply.MiB},
		CPULimit: apply.Limit{Policy: "Equal", Value: 1000}, MemoryLimit: apply.Limit{Policy: "Headroom", Value: 1000 * apply.MiB},
	}}}
	running := map[string]apply.Resources{"app": {Requests: amounts(500, 800), Limits: amounts(0, 800)}}
	got, err := apply.Resize(apply.AsWritten(v, pod), pod, running)
	want := map[string]apply.Resources{"app": {Requests: amounts(1000, 800), Limits: amounts(0, 800)}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, resized (-want +got):\n%s", err, diff)
	}
}
