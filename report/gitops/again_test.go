package gitops_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/report/gitops"
)

// sizes sets what is recommended for the containers of a workload.
func sizes(w *gitops.Workload, containers ...apply.Container) {
	w.Recommendation.Status.Applicable = apply.ToAPI(apply.Values{Containers: containers}, "3f1c0a9b2d4e5f60", time.Time{})
}

// rewritten is the patch of a workload that has an earlier one applied.
func rewritten(t *testing.T, w gitops.Workload, before string) string {
	t.Helper()
	text, err := changeOf(t, w).Patch([]byte(before))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// drawSizes draws what is recommended for some of the containers, and resources that are not sized.
func drawSizes(t *rapid.T) []apply.Container {
	policy := rapid.SampledFrom([]string{"Keep", "Ratio", "Headroom", "Equal", "None"})
	var out []apply.Container
	for _, name := range []string{"app", "other", "proxy"} {
		if rapid.IntRange(0, 4).Draw(t, "left out") == 0 {
			continue
		}
		out = append(out, apply.Container{
			Name:     name,
			Target:   apply.Amounts{CPUMillis: rapid.SampledFrom([]int64{0, 100, 105, 900}).Draw(t, "cpu"), MemoryBytes: rapid.SampledFrom([]int64{0, 64, 66, 900}).Draw(t, "MiB") << 20},
			CPULimit: apply.Limit{Policy: policy.Draw(t, "cpu policy"), Value: rapid.SampledFrom([]int64{0, 2000}).Draw(t, "cpu limit")}, MemoryLimit: apply.Limit{Policy: policy.Draw(t, "memory policy")},
		})
	}
	return out
}

func TestAPatchThatIsWrittenAgainGivesTheManifestExactlyWhatIsRecommended(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := checkout()
		for _, c := range []*corev1.Container{&base.Template.InitContainers[1], &base.Template.Containers[0], &base.Template.Containers[1]} {
			c.Resources = drawResources(t)
		}
		live, file := base, ""
		for range 3 {
			sizes(&live, drawSizes(t)...)
			live.Recommendation.Status.Replicas = &v1alpha1.ReplicaStatus{Target: rapid.SampledFrom([]*int32{nil, new(int32(3)), new(int32(4)), new(int32(9))}).Draw(t, "replicas")}
			change, why := gitops.Compare(live, gitops.Options{ThresholdPercent: 10})
			if why != "" {
				continue
			}
			var err error
			if file, err = change.Patch([]byte(file)); err != nil {
				t.Fatal(err)
			}
			before := apply.Present(&corev1.Pod{Spec: live.Template})
			for name, r := range before {
				before[name] = r.Defaulted()
			}
			want := apply.Desired(apply.FromAPI(live.Recommendation.Status.Applicable), before, apply.ForNewPod)
			replicas := live.Replicas
			if target := live.Recommendation.Status.Replicas.Target; target != nil {
				replicas = *target
			}
			live.Template, live.Replicas = deployed(t, base, file)
			got := apply.Present(&corev1.Pod{Spec: live.Template})
			for name, was := range before {
				if _, sized := want[name]; !sized {
					want[name] = was
				}
				if got[name].Defaulted() != want[name].Defaulted() {
					t.Fatalf("%s asks for %+v, want %+v, by\n%s", name, got[name], want[name], file)
				}
			}
			if live.Replicas != replicas {
				t.Fatalf("%d replicas, want %d, by\n%s", live.Replicas, replicas, file)
			}
		}
	})
}

// Whoever needs the raise of one container must not lose it because another one moves, or the number of pods alone.
func TestWhenOnlyTheNumberOfPodsMovesTheSizesStay(t *testing.T) {
	base := checkout()
	first := rewritten(t, base, "")
	live := base
	live.Template, live.Replicas = deployed(t, base, first)
	live.Recommendation.Status.Replicas = &v1alpha1.ReplicaStatus{Target: new(int32(9))}
	after, replicas := deployed(t, base, rewritten(t, live, first))
	if diff := cmp.Diff(live.Template, after); diff != "" || replicas != 9 {
		t.Errorf("%d replicas, want 9, and sizes changed (-as recommended +now):\n%s", replicas, diff)
	}
}

func TestANumberOfPodsThatWasWrittenStaysUntilSomebodyElseDecidesIt(t *testing.T) {
	live := checkout()
	first := rewritten(t, live, "")
	for name, c := range map[string]struct {
		status v1alpha1.ReplicaStatus
		stays  bool
	}{
		"no opinion":            {v1alpha1.ReplicaStatus{}, true},
		"a person scaled":       {v1alpha1.ReplicaStatus{Target: new(int32(3)), YieldsTo: "kubectl"}, true},
		"an autoscaler decides": {v1alpha1.ReplicaStatus{Target: new(int32(3)), Owner: "HorizontalPodAutoscaler/checkout"}, false},
	} {
		live.Recommendation.Status.Replicas = &c.status
		if text := rewritten(t, live, first); strings.Contains(text, "\n  replicas: 5\n") != c.stays {
			t.Errorf("%s: the number stays %v, want %v:\n%s", name, !c.stays, c.stays, text)
		}
		if text := rewritten(t, live, ""); strings.Contains(text, "replicas:") {
			t.Errorf("%s: a number where none was:\n%s", name, text)
		}
	}
}

// Whoever takes the number into their own hands does not want the pods of the manifest back.
func TestANumberOfPodsThatWasWrittenStaysWhereNoneIsWantedAnyMore(t *testing.T) {
	live := checkout()
	first := rewritten(t, live, "")
	for owner, stays := range map[string]bool{"": true, "HorizontalPodAutoscaler/checkout": false} {
		live.Recommendation.Status.Replicas.Owner = owner
		change, why := gitops.Compare(live, gitops.Options{ThresholdPercent: 10, WithoutReplicas: true})
		text, err := change.Patch([]byte(first))
		if why != "" || err != nil || strings.Contains(text, "\n  replicas: 5\n") != stays {
			t.Errorf("owner %q: the number stays %v, want %v (%s, %v):\n%s", owner, !stays, stays, why, err, text)
		}
		if text, _ := change.Patch(nil); strings.Contains(text, "replicas:") {
			t.Errorf("owner %q: a number where none was:\n%s", owner, text)
		}
	}
}

// An autoscaler on memory takes the memory out of Loadline's hands. What Git said of it goes on.
func TestWhatIsNoLongerSizedStaysAsItWasWritten(t *testing.T) {
	live := checkout()
	first := rewritten(t, live, "")
	sizes(&live, apply.Container{Name: "app", Target: apply.Amounts{CPUMillis: 100}, CPULimit: apply.Limit{Policy: "None"}})
	after, _ := deployed(t, checkout(), rewritten(t, live, first))
	got := apply.Present(&corev1.Pod{Spec: after})
	if app := got["app"]; app.Requests != (apply.Amounts{CPUMillis: 100, MemoryBytes: 1 << 30}) || app.Limits != (apply.Amounts{MemoryBytes: 1229 << 20}) {
		t.Errorf("app asks for %+v", app)
	}
	if proxy := got["proxy"]; proxy.Requests.CPUMillis != 50 {
		t.Errorf("the side-car, which has no sizes any more, asks for %+v, want 50m as before", proxy)
	}
	live.Template.InitContainers = nil
	if text := rewritten(t, live, first); strings.Contains(text, "proxy") {
		t.Errorf("a container that is gone is still written, and would be created without an image:\n%s", text)
	}
}

// The folder may be new, and the manifest still has its limit.
func TestAPatchTakesALimitAwayThatTheClusterHasNoMore(t *testing.T) {
	live := checkout()
	live.Template.Containers[0].Resources = requirements("100m 1Gi", "- 1229Mi")
	after, _ := deployed(t, checkout(), rewritten(t, live, ""))
	if limit, limited := after.Containers[0].Resources.Limits[corev1.ResourceCPU]; limited {
		t.Errorf("the manifest's limit of %s comes back", limit.String())
	}
}

func TestALimitThatValuesTookAwayStaysAway(t *testing.T) {
	paths := gitops.Paths{Resources: "{{.Container}}.resources"}
	write := func(w gitops.Workload, before string) string {
		text, err := changeOf(t, w).Values(paths, []byte(before))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	live := checkout()
	first := write(live, "")
	live.Template.Containers[0].Resources = requirements("690m 1Gi", "- 1229Mi")
	second := write(live, first)
	if !strings.Contains(second, "cpu: null") {
		t.Errorf("the chart's limit of CPU comes back:\n%s", second)
	}
	if text := write(live, ""); strings.Contains(text, "null") {
		t.Errorf("null where there was no limit, which many charts write as a limit of nothing:\n%s", text)
	}
	sizes(&live, apply.Container{Name: "app", Target: apply.Amounts{CPUMillis: 100, MemoryBytes: 1 << 30}})
	if text := write(live, second); !strings.Contains(text, "proxy:") || !strings.Contains(text, "cpu: 50m") {
		t.Errorf("what the side-car was given is gone:\n%s", text)
	}
	paths.Resources = "resources" // One path, for the one container that is sized.
	sizes(&live, apply.Container{Name: "app", Target: apply.Amounts{CPUMillis: 100}})
	if text := write(live, write(live, "")); strings.Count(text, "cpu: 100m") != 1 {
		t.Errorf("got\n%s", text)
	}
}
