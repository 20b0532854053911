package apply_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/apply"
)

// cpu and memory make Resources of a request and a limit; 0 is no limit.
func cpu(request, limit int64) apply.Resources {
	return apply.Resources{Requests: apply.Amounts{CPUMillis: request}, Limits: apply.Amounts{CPUMillis: limit}}
}

func memory(request, limit int64) apply.Resources {
	return apply.Resources{Requests: apply.Amounts{MemoryBytes: request * mib}, Limits: apply.Amounts{MemoryBytes: limit * mib}}
}

func TestDesiredFollowsTheLimitPolicy(t *testing.T) {
	for _, test := range []struct {
		name                   string
		policy                 apply.Limit
		original               apply.Resources
		wantNew, wantInRunning apply.Resources
	}{
		{"Keep leaves the limit", apply.Limit{Policy: "Keep"}, cpu(500, 1000), cpu(300, 1000), cpu(200, 1000)},
		{"Keep raises a limit that is under the request", apply.Limit{Policy: "Keep"}, cpu(100, 250), cpu(300, 300), cpu(200, 250)},
		{"Keep leaves no limit where there was none", apply.Limit{Policy: "Keep"}, cpu(500, 0), cpu(300, 0), cpu(200, 0)},
		{"Keep cuts to the most that it may be", apply.Limit{Policy: "Keep", Value: 700}, cpu(500, 1000), cpu(300, 700), cpu(200, 700)},
		{"what Keep may be at most is no limit of its own", apply.Limit{Policy: "Keep", Value: 700}, cpu(500, 0), cpu(300, 0), cpu(200, 0)},
		{"no policy is Keep", apply.Limit{}, cpu(500, 1000), cpu(300, 1000), cpu(200, 1000)},
		{"Ratio takes the computed limit", apply.Limit{Policy: "Ratio", Value: 600}, cpu(500, 1000), cpu(300, 600), cpu(200, 600)},
		{"Headroom gives a limit where there was none", apply.Limit{Policy: "Headroom", Value: 450}, cpu(500, 0), cpu(300, 450), cpu(200, 450)},
		{"a computed limit under the request is raised to it", apply.Limit{Policy: "Headroom", Value: 250}, cpu(500, 0), cpu(300, 300), cpu(200, 250)},
		{"without a computed limit the original stays", apply.Limit{Policy: "Ratio"}, cpu(500, 1000), cpu(300, 1000), cpu(200, 1000)},
		{"Equal follows the request", apply.Limit{Policy: "Equal"}, cpu(500, 1000), cpu(300, 300), cpu(200, 200)},
		{"None removes the limit of new pods only", apply.Limit{Policy: "None"}, cpu(500, 1000), cpu(300, 0), cpu(200, 1000)},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := apply.Values{Containers: []apply.Container{{
				Name: "app", CPULimit: test.policy,
				Target: apply.Amounts{CPUMillis: 300}, InPlace: apply.Amounts{CPUMillis: 200},
			}}}
			original := map[string]apply.Resources{"app": test.original}
			if diff := cmp.Diff(test.wantNew, apply.Desired(v, original, apply.ForNewPod)["app"]); diff != "" {
				t.Errorf("new pod (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.wantInRunning, apply.Desired(v, original, apply.ForRunningPod)["app"]); diff != "" {
				t.Errorf("running pod (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDesiredLeavesAloneWhatHasNoSize(t *testing.T) {
	original := map[string]apply.Resources{"app": memory(512, 1024), "excluded": cpu(100, 200)}
	v := apply.Values{Containers: []apply.Container{
		{Name: "app", Target: apply.Amounts{CPUMillis: 50}},
		{Name: "not-in-this-pod", Target: apply.Amounts{CPUMillis: 50}},
	}}
	want := memory(512, 1024)
	want.Requests.CPUMillis = 50
	if diff := cmp.Diff(map[string]apply.Resources{"app": want}, apply.Desired(v, original, apply.ForNewPod)); diff != "" {
		t.Error(diff)
	}
}

func TestAGuaranteedPodStaysGuaranteedUnderEveryPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original := anyPod().Filter(func(pod map[string]apply.Resources) bool {
			return apply.QOSClass(pod) == corev1.PodQOSGuaranteed
		}).Draw(t, "pod")
		v := anyValues().Draw(t, "values")
		for _, tempo := range []apply.Tempo{apply.ForNewPod, apply.ForRunningPod} {
			if after := apply.Desired(v, original, tempo); apply.WouldChangeQOS(original, after) {
				t.Fatalf("tempo %d: %+v becomes %+v", tempo, original, after)
			}
		}
	})
}

func TestAPodBecomesGuaranteedOnlyWhereEveryLimitIsToEqualItsRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original, v := anyPod().Draw(t, "pod"), anyValues().Draw(t, "values")
		if apply.QOSClass(original) == corev1.PodQOSGuaranteed {
			return
		}
		for _, tempo := range []apply.Tempo{apply.ForNewPod, apply.ForRunningPod} {
			after := apply.Desired(v, original, tempo)
			if !apply.WouldChangeQOS(original, after) || apply.QOSClass(original) == corev1.PodQOSBestEffort {
				continue
			}
			for _, c := range v.Containers {
				_, exists := after[c.Name]
				cpu, memory := after[c.Name].Requests.CPUMillis > 1 && c.Target.CPUMillis > 0, c.Target.MemoryBytes > 0
				if exists && (cpu && c.CPULimit.Policy != "Equal" || memory && c.MemoryLimit.Policy != "Equal") {
					t.Fatalf("tempo %d: %+v becomes %+v, which container %s does not ask for", tempo, original, after, c.Name)
				}
			}
		}
	})
}

func TestARequestThatGrowsToItsLimitStaysAStepUnderIt(t *testing.T) {
	original := map[string]apply.Resources{
		"app":   {Requests: apply.Amounts{CPUMillis: 500, MemoryBytes: mib}, Limits: apply.Amounts{CPUMillis: 1000, MemoryBytes: mib}},
		"proxy": {Requests: apply.Amounts{CPUMillis: 10, MemoryBytes: mib}, Limits: apply.Amounts{CPUMillis: 10, MemoryBytes: mib}},
	}
	v := apply.Values{Containers: []apply.Container{{Name: "app", Target: apply.Amounts{CPUMillis: 1000}}}}
	got := apply.Desired(v, original, apply.ForNewPod)
	if app := got["app"]; app.Requests.CPUMillis != 999 || app.Limits.CPUMillis != 1000 {
		t.Errorf("app gets %+v, want 999m under a limit of 1000m: a Guaranteed pod may get cores of its own", app)
	}
}

func TestNoLimitIsUnderItsRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original, v := anyPod().Draw(t, "pod"), anyValues().Draw(t, "values")
		for _, tempo := range []apply.Tempo{apply.ForNewPod, apply.ForRunningPod} {
			for name, r := range apply.Desired(v, original, tempo) {
				requireLimitsCoverRequests(t, name, r)
			}
		}
	})
}

func requireLimitsCoverRequests(t *rapid.T, name string, r apply.Resources) {
	t.Helper()
	if r.Limits.CPUMillis > 0 && r.Limits.CPUMillis < r.Requests.CPUMillis {
		t.Fatalf("container %s: cpu limit under its request: %+v", name, r)
	}
	if r.Limits.MemoryBytes > 0 && r.Limits.MemoryBytes < r.Requests.MemoryBytes {
		t.Fatalf("container %s: memory limit under its request: %+v", name, r)
	}
}

func TestDesiredAtLeastGivesNothingLessThanEither(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, floor, from := anyValues().Draw(t, "values"), anyValues().Draw(t, "floor"), anyPod().Draw(t, "pod")
		got, least := apply.DesiredAtLeast(v, floor, from), apply.Desired(floor, from, apply.ForNewPod)
		plain := apply.Desired(v, from, apply.ForNewPod)
		for name, have := range got {
			floor, sized := least[name]
			if !sized {
				floor = from[name]
			}
			for what, other := range map[string]apply.Resources{"the values": plain[name], "what was before": floor} {
				// A step of the class: a millicore less than a limit, see Desired.
				other.Requests.CPUMillis--
				if other.Lowers(have) {
					t.Fatalf("container %s has %+v, less than %s: %+v", name, have, what, other)
				}
			}
		}
		if len(got) != len(plain) {
			t.Fatalf("%d containers, want the %d with sizes", len(got), len(plain))
		}
	})
}
