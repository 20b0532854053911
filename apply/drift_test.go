package apply_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/apply"
)

func TestAPodEqualToDesiredHasNotDrifted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original, v := anyPod().Draw(t, "pod"), anyValues().Draw(t, "values")
		for _, tempo := range []apply.Tempo{apply.ForNewPod, apply.ForRunningPod} {
			actual := maps.Clone(original)
			maps.Copy(actual, apply.Desired(v, original, tempo))
			if drifts := apply.Drifted(v, original, actual, tempo); len(drifts) > 0 {
				t.Fatalf("tempo %d: %v", tempo, drifts)
			}
		}
	})
}

func TestAResizeMendsWhatDriftSaysItMends(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original, actual := anyPod().Draw(t, "original"), anyPod().Draw(t, "actual")
		v := anyValues().Draw(t, "values")
		drifts := apply.Drifted(v, original, actual, apply.ForRunningPod)
		resized, err := apply.Resize(v, original, actual)
		if err != nil {
			if !errors.Is(err, apply.ErrQOSChange) || resized != nil {
				t.Fatalf("Resize = %v, %v", resized, err)
			}
			return
		}
		if apply.QOSClass(resized) != apply.QOSClass(actual) {
			t.Fatalf("the class changes from %s to %s", apply.QOSClass(actual), apply.QOSClass(resized))
		}
		requireCautious(t, actual, resized)
		left := apply.Drifted(v, original, resized, apply.ForRunningPod)
		for _, l := range left {
			if l.InPlace {
				t.Fatalf("%s: a second resize would find more to do", l)
			}
			if slices.ContainsFunc(drifts, func(d apply.Drift) bool {
				return d.InPlace && l.Container == d.Container && l.Resource == d.Resource && l.OfLimit == d.OfLimit
			}) {
				t.Fatalf("%s is left after a resize that should mend it", l)
			}
		}
	})
}

// requireCautious: no memory limit goes down, no cpu limit appears or disappears, no limit is under its request.
func requireCautious(t *rapid.T, actual, resized map[string]apply.Resources) {
	t.Helper()
	for name, r := range resized {
		requireLimitsCoverRequests(t, name, r)
		if r.Limits.MemoryBytes < actual[name].Limits.MemoryBytes {
			t.Fatalf("container %s: a memory limit goes down from %+v to %+v", name, actual[name], r)
		}
		if (r.Limits.CPUMillis == 0) != (actual[name].Limits.CPUMillis == 0) {
			t.Fatalf("container %s: a cpu limit appears or disappears: %+v, %+v", name, actual[name], r)
		}
	}
}

func TestDriftSaysWhatIsWrong(t *testing.T) {
	sized := func(edit func(*apply.Container)) apply.Values {
		c := apply.Container{
			Name:   "app",
			Target: apply.Amounts{CPUMillis: 1000, MemoryBytes: 1000 * mib}, InPlace: apply.Amounts{CPUMillis: 800, MemoryBytes: 1000 * mib},
			CPUBand: apply.Interval{Min: 727, Max: 1250}, MemoryBand: apply.Interval{Min: 910 * mib, Max: 1250 * mib},
		}
		if edit != nil {
			edit(&c)
		}
		return apply.Values{Containers: []apply.Container{c}}
	}
	with := func(cpuRequest, cpuLimit, memoryRequest, memoryLimit int64) map[string]apply.Resources {
		return map[string]apply.Resources{"app": {
			Requests: apply.Amounts{CPUMillis: cpuRequest, MemoryBytes: memoryRequest * mib},
			Limits:   apply.Amounts{CPUMillis: cpuLimit, MemoryBytes: memoryLimit * mib},
		}}
	}
	for _, test := range []struct {
		name             string
		values           apply.Values
		original, actual map[string]apply.Resources
		toReplace        bool
		want             []string
		wantNewPod       bool
	}{
		{name: "a running pod at the lower edge", values: sized(nil), original: with(2000, 0, 2000, 0), actual: with(727, 0, 1250, 0)},
		{name: "a running pod at the upper edge", values: sized(nil), original: with(2000, 0, 2000, 0), actual: with(1000, 0, 1250, 0)},
		{name: "a pod to replace at the lower edge", values: sized(nil), original: with(2000, 0, 2000, 0), actual: with(908, 0, 1250, 0), toReplace: true},
		{name: "a pod to replace at the upper edge", values: sized(nil), original: with(2000, 0, 2000, 0), actual: with(1250, 0, 1250, 0), toReplace: true},
		{
			name: "a running pod that gives back", values: sized(nil), original: with(2000, 0, 2000, 0), actual: with(1001, 0, 1000, 0),
			want: []string{"container app: cpu request 1001m is over 1"},
		},
		{
			name: "a pod to replace that has what running pods get", values: sized(nil), original: with(2000, 0, 2000, 0), actual: with(800, 0, 1000, 0), toReplace: true,
			want: []string{"container app: cpu request 800m is under 908m"}, wantNewPod: true,
		},
		{
			name: "a request under its band", values: sized(nil), original: with(2000, 0, 2000, 0), actual: with(700, 0, 1000, 0),
			want: []string{"container app: cpu request 700m is under 727m"},
		},
		{
			name: "requests over their bands", values: sized(nil), original: with(2000, 0, 2000, 0), actual: with(2000, 0, 2000, 0),
			want: []string{"container app: cpu request 2 is over 1", "container app: memory request 2000Mi is over 1250Mi"},
		},
		{
			name: "a memory limit that is too low", values: sized(func(c *apply.Container) { c.MemoryLimit = apply.Limit{Policy: "Headroom", Value: 2200 * mib} }),
			original: with(1000, 0, 1000, 1500), actual: with(1000, 0, 1000, 1500),
			want: []string{"container app: memory limit 1500Mi is under 2000Mi"},
		},
		{
			name: "a limit that is too high is no drift", values: sized(func(c *apply.Container) { c.MemoryLimit = apply.Limit{Policy: "Headroom", Value: 1200 * mib} }),
			original: with(1000, 0, 1000, 4000), actual: with(1000, 0, 1000, 4000),
		},
		{
			name: "a limit that should go away is no drift", values: sized(func(c *apply.Container) { c.CPULimit = apply.Limit{Policy: "None"} }),
			original: with(1000, 1000, 1000, 0), actual: with(1000, 1000, 1000, 0),
		},
		{
			name: "the memory of a Guaranteed pod can go down only with a new pod", values: sized(nil),
			original: with(1000, 1000, 4000, 4000), actual: with(1000, 1000, 4000, 4000),
			want: []string{"container app: memory request 4000Mi is over 1250Mi"}, wantNewPod: true,
		},
		{
			name: "a BestEffort pod waits for its next admission", values: sized(nil), original: with(0, 0, 0, 0), actual: with(0, 0, 0, 0),
		},
		{
			name: "a container without a request in a pod that has others", values: sized(nil), original: with(0, 0, 1000, 0), actual: with(0, 0, 1000, 0),
			want: []string{"container app: cpu request 0 is under 727m"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			tempo := apply.ForRunningPod
			if test.toReplace {
				tempo = apply.ForNewPod
			}
			var got []string
			for _, d := range apply.Drifted(test.values, test.original, test.actual, tempo) {
				got = append(got, d.String())
				if d.InPlace == test.wantNewPod {
					t.Errorf("%s: InPlace = %t", d, d.InPlace)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("drift (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheRaiseAfterAnOutOfMemoryKillAlwaysCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hit := rapid.Int64Range(16, 1<<20).Draw(t, "limit that was hit in MiB") * mib
		floor := apply.Round(apply.Amounts{MemoryBytes: max(hit*12/10, hit+100*mib)}).MemoryBytes
		original := map[string]apply.Resources{"app": {
			Requests: apply.Amounts{CPUMillis: 100, MemoryBytes: rapid.Int64Range(1, hit).Draw(t, "request")},
			Limits:   apply.Amounts{MemoryBytes: hit},
		}}
		v := apply.Values{Containers: []apply.Container{{
			Name: "app", Target: apply.Amounts{MemoryBytes: floor}, InPlace: apply.Amounts{MemoryBytes: floor},
			MemoryBand: apply.Interval{Min: floor * 10 / 11, Max: floor * 10 / 8},
		}}}
		limitTooLow := false
		for _, d := range apply.Drifted(v, original, original, apply.ForRunningPod) {
			limitTooLow = limitTooLow || d.OfLimit && d.Resource == corev1.ResourceMemory && d.Direction == apply.Up && d.InPlace
		}
		if !limitTooLow {
			t.Fatalf("a pod with the limit %d that killed it is left alone; wanted %d", hit, floor)
		}
	})
}

func TestDriftedReplicasNeedsAnOpinion(t *testing.T) {
	if apply.DriftedReplicas(apply.Values{}, 3) {
		t.Error("no opinion on replicas is reported as drift")
	}
	if v := (apply.Values{Replicas: new(int32(5))}); apply.DriftedReplicas(v, 5) || !apply.DriftedReplicas(v, 4) {
		t.Error("5 wanted: 5 is no drift, 4 is")
	}
}

func TestARequestThatReachesItsLimitDoesNotMakeARunningPodGuaranteed(t *testing.T) {
	original := map[string]apply.Resources{"app": {
		Requests: apply.Amounts{CPUMillis: 500, MemoryBytes: 512 * mib}, Limits: apply.Amounts{CPUMillis: 1000, MemoryBytes: 512 * mib},
	}}
	for _, policy := range []string{"Keep", "Equal"} {
		v := apply.Values{Containers: []apply.Container{{
			Name: "app", Target: apply.Amounts{CPUMillis: 1000}, CPUBand: apply.Interval{Min: 910, Max: 1250}, CPULimit: apply.Limit{Policy: policy},
		}}}
		resized, err := apply.Resize(v, original, original)
		if got, want := resized["app"].Requests.CPUMillis, int64(999); err != nil || got != want {
			t.Errorf("%s: resized to %dm, %v, want %dm: the API server refuses a resize to another class", policy, got, err, want)
		}
		if drifts := apply.Drifted(v, original, original, apply.ForRunningPod); len(drifts) != 1 || !drifts[0].InPlace {
			t.Errorf("%s: drift %v, want one that a resize mends", policy, drifts)
		}
	}
}

func TestAResizeOfAPodWithoutRequestsIsRefused(t *testing.T) {
	pod := map[string]apply.Resources{"app": {}}
	v := apply.Values{Containers: []apply.Container{{Name: "app", Target: apply.Amounts{CPUMillis: 100}}}}
	if _, err := apply.Resize(v, pod, pod); !errors.Is(err, apply.ErrQOSChange) {
		t.Errorf("error = %v, want ErrQOSChange: the pod would not be BestEffort any more", err)
	}
}

func TestNoResizeChangesTheClass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original, v := anyPod().Draw(t, "pod"), anyValues().Draw(t, "values")
		actual := maps.Clone(original)
		maps.Copy(actual, apply.Desired(v, original, apply.ForNewPod))
		for _, from := range []map[string]apply.Resources{original, actual} {
			resized, err := apply.Resize(anyValues().Draw(t, "next"), original, from)
			switch class := apply.QOSClass(from); {
			case err != nil && class != corev1.PodQOSBestEffort:
				t.Fatalf("a %s pod cannot be resized: %v", class, err)
			case err == nil && apply.WouldChangeQOS(from, resized):
				t.Fatalf("a %s pod becomes %s", class, apply.QOSClass(resized))
			}
		}
	})
}

// Bands end at whole MiB, so a limit that equals its request must be let down as far.
func TestAGuaranteedPodAtTheLowerEdgeOfItsBandHasNotDrifted(t *testing.T) {
	of := func(memory int64) map[string]apply.Resources {
		amounts := apply.Amounts{CPUMillis: 500, MemoryBytes: memory}
		return map[string]apply.Resources{"app": {Requests: amounts, Limits: amounts}}
	}
	target := apply.Amounts{CPUMillis: 500, MemoryBytes: 512 * apply.MiB}
	edge := 465 * apply.MiB // 512 MiB ÷ 1.1, down to a whole MiB
	v := apply.Values{Containers: []apply.Container{{
		Name: "app", Target: target, InPlace: target, CPUBand: apply.Interval{Min: 400, Max: 600},
		MemoryBand: apply.Interval{Min: edge, Max: 640 * apply.MiB},
	}}}
	if drifts := apply.Drifted(v, of(edge), of(edge), apply.ForRunningPod); len(drifts) != 0 {
		t.Errorf("at the edge: %v", drifts)
	}
	if drifts := apply.Drifted(v, of(edge-apply.MiB), of(edge-apply.MiB), apply.ForRunningPod); len(drifts) != 2 {
		t.Errorf("under it: %v, want request and limit", drifts)
	}
}
