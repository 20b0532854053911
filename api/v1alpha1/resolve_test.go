package v1alpha1_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// resolve reads annotations, written without their prefix, as the recommender does.
func resolve(namespace, workload map[string]string, allowOverrides bool) v1alpha1.Effective {
	prefixed := func(in map[string]string) map[string]string {
		out := map[string]string{}
		for key, value := range in {
			out["loadline.dev/"+key] = value
		}
		return out
	}
	ns, nsErrs := v1alpha1.ParseAnnotations(prefixed(namespace))
	wl, wlErrs := v1alpha1.ParseAnnotations(prefixed(workload))
	return v1alpha1.Resolve(ns, wl, nsErrs, wlErrs, allowOverrides)
}

func TestWithoutAnnotationsEverythingHasItsDefault(t *testing.T) {
	want := v1alpha1.Effective{
		Mode: v1alpha1.ModeOff, ModeFrom: "the namespace has no annotation loadline.dev/mode",
		Priority: v1alpha1.PriorityStandard, Approval: v1alpha1.ApprovalAutomatic,
		Replicas: v1alpha1.ReplicasRecommend, Updater: v1alpha1.UpdaterInPlaceOrEvict,
	}
	got := resolve(nil, nil, false)
	if diff := cmp.Diff(want, got, cmp.Transformer("empty", emptyIsNil)); diff != "" {
		t.Error(diff)
	}
}

func emptyIsNil(in []string) string { return strings.Join(in, ",") }

type annotations = map[string]string

func TestTheModeAndWhereItComesFrom(t *testing.T) {
	for name, c := range map[string]struct {
		namespace, workload annotations
		overrides           bool
		mode                v1alpha1.Mode
		from                string
	}{
		"the namespace alone": {
			annotations{"mode": "auto"},
			nil, false, "auto",
			"namespace annotation loadline.dev/mode=auto",
		},
		"a workload narrows": {
			annotations{"mode": "auto"},
			annotations{"mode": "dry-run"},
			false, "dry-run",
			"namespace annotation loadline.dev/mode=auto, narrowed by the workload's annotation to dry-run",
		},
		"a workload opts out": {
			annotations{"mode": "initial"},
			annotations{"mode": "off"},
			false, "off",
			"namespace annotation loadline.dev/mode=initial, narrowed by the workload's annotation to off",
		},
		"a workload may not widen": {
			annotations{"mode": "initial"},
			annotations{"mode": "auto"},
			false, "initial",
			"namespace annotation loadline.dev/mode=initial",
		},
		"a workload may widen with allowOverrides": {
			annotations{"mode": "initial"},
			annotations{"mode": "auto"},
			true, "auto",
			"namespace annotation loadline.dev/mode=initial, widened by the workload's annotation to auto",
		},
		"a workload may narrow with allowOverrides": {
			annotations{"mode": "auto"},
			annotations{"mode": "dry-run"},
			true, "dry-run",
			"namespace annotation loadline.dev/mode=auto, narrowed by the workload's annotation to dry-run",
		},
		"no workload opts in by itself": {
			nil,
			annotations{"mode": "auto"},
			true, "off",
			"the namespace has no annotation loadline.dev/mode",
		},
		"no workload opts into admission by itself": {
			annotations{"mode": "dry-run"},
			annotations{"mode": "auto"},
			true, "dry-run",
			"namespace annotation loadline.dev/mode=dry-run",
		},
		"a refused annotation on the namespace": {
			annotations{"mode": "auto", "priority": "urgent"},
			nil, false, "dry-run",
			"namespace annotation loadline.dev/mode=auto, held at dry-run because of a refused annotation on the namespace: loadline.dev/priority",
		},
		"a refused annotation on the workload": {
			annotations{"mode": "auto"},
			annotations{"mode": "Off"},
			false, "dry-run",
			"namespace annotation loadline.dev/mode=auto, held at dry-run because of a refused annotation on the workload: loadline.dev/mode",
		},
		"a refused annotation where everything is off": {
			annotations{"mode": "off", "priority": "urgent"},
			nil, false, "off",
			"namespace annotation loadline.dev/mode=off",
		},
		"a refused mode on the namespace": {
			annotations{"mode": "automatic"},
			nil, false, "dry-run",
			"the namespace's annotation loadline.dev/mode is refused, which means dry-run",
		},
		"a refused mode on the namespace, and a workload that opted out": {
			annotations{"mode": "automatic"},
			annotations{"mode": "off"},
			false, "off",
			"the namespace's annotation loadline.dev/mode is refused, which means dry-run, narrowed by the workload's annotation to off",
		},
		"no common way of updating": {
			annotations{"mode": "auto", "updater": "in-place"},
			annotations{"updater": "evict"},
			false, "initial",
			"namespace annotation loadline.dev/mode=auto, held at initial because namespace and workload allow no common way of updating pods",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := resolve(c.namespace, c.workload, c.overrides)
			if got.Mode != c.mode || got.ModeFrom != c.from {
				t.Errorf("got  %s: %s\nwant %s: %s", got.Mode, got.ModeFrom, c.mode, c.from)
			}
		})
	}
}

func TestAWorkloadMayOnlyNarrow(t *testing.T) {
	for name, c := range map[string]struct {
		key, namespace, workload, strict, overridden string
	}{
		"to manual approval":            {"approval", "automatic", "manual", "manual", "manual"},
		"not to automatic approval":     {"approval", "manual", "automatic", "manual", "automatic"},
		"to a lower priority":           {"priority", "high", "low", "low", "low"},
		"not to a higher priority":      {"priority", "low", "critical", "low", "critical"},
		"not above standard by default": {"priority", "", "high", "standard", "high"},
		"to fewer replica decisions":    {"replicas", "auto", "off", "off", "off"},
		"not to more of them":           {"replicas", "recommend", "auto", "recommend", "auto"},
		"to resizing only":              {"updater", "in-place-or-evict", "in-place", "in-place", "in-place"},
		"to evicting only":              {"updater", "in-place-or-evict", "evict", "evict", "evict"},
		"not to evicting as well":       {"updater", "in-place", "in-place-or-evict", "in-place", "in-place-or-evict"},
		"not to another policy":         {"policy", "careful", "daring", "careful", "daring"},
		"not to a policy of its own":    {"policy", "", "daring", "", "daring"},
		"to more excluded containers":   {"exclude-containers", "b", "a,b", "a,b", "a,b"},
		"never to fewer of them":        {"exclude-containers", "a,b", "b", "a,b", "a,b"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := annotations{"mode": "auto"}
			if c.namespace != "" {
				namespace[c.key] = c.namespace
			}
			for overrides, want := range map[bool]string{false: c.strict, true: c.overridden} {
				got := resolve(namespace, annotations{c.key: c.workload}, overrides)
				value := map[string]string{
					"approval": string(got.Approval), "priority": string(got.Priority), "replicas": string(got.Replicas),
					"updater": string(got.Updater), "policy": got.Policy, "exclude-containers": strings.Join(got.ExcludeContainers, ","),
				}[c.key]
				if value != want {
					t.Errorf("allowOverrides %v: got %q, want %q", overrides, value, want)
				}
			}
		})
	}
}

func TestAnnotationsComeBeforeThePolicyForTheNumberOfPods(t *testing.T) {
	for name, c := range map[string]struct {
		policy              v1alpha1.ReplicaMode
		namespace, workload string
		overrides           bool
		want                v1alpha1.ReplicaMode
	}{
		"the policy alone":                                    {policy: "auto", want: "auto"},
		"the policy alone, by default":                        {policy: "recommend", want: "recommend"},
		"the namespace before the policy":                     {policy: "recommend", namespace: "auto", want: "auto"},
		"the namespace narrows the policy":                    {policy: "auto", namespace: "recommend", want: "recommend"},
		"no annotation overrules a policy that says off":      {policy: "off", namespace: "auto", workload: "auto", overrides: true, want: "off"},
		"a workload narrows the policy":                       {policy: "auto", workload: "off", want: "off"},
		"a workload repeats what the policy grants":           {policy: "auto", workload: "auto", want: "auto"},
		"a workload may not widen the policy":                 {policy: "recommend", workload: "auto", want: "recommend"},
		"a workload may widen the policy with allowOverrides": {policy: "recommend", workload: "auto", overrides: true, want: "auto"},
		"a workload may not widen its namespace":              {policy: "auto", namespace: "recommend", workload: "auto", want: "recommend"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace, workload := annotations{}, annotations{}
			if c.namespace != "" {
				namespace["replicas"] = c.namespace
			}
			if c.workload != "" {
				workload["replicas"] = c.workload
			}
			if got := resolve(namespace, workload, c.overrides).ReplicaMode(c.policy); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestWhatAWorkloadAskedForInVainIsTold(t *testing.T) {
	got := resolve(annotations{"mode": "initial"}, annotations{"mode": "auto", "priority": "critical"}, false)
	var messages []string
	for _, e := range got.Ignored {
		messages = append(messages, e.Key+": "+e.Legal)
	}
	want := []string{
		"loadline.dev/priority: at most standard here, which is what the namespace grants",
		"loadline.dev/mode: at most initial here, which is what the namespace grants",
	}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Error(diff)
	}
}

func TestEventsAndContextsOfBothCount(t *testing.T) {
	const half = "2026-11-27T00:00:00Z/2026-11-30T00:00:00Z demand=50%"
	got := resolve(
		annotations{"context": "sale", "event.sale": sale, "event.b": sale},
		annotations{"context": "not us", "event.sale": half, "event.a": half}, false)
	var told []string
	for _, e := range got.Events {
		told = append(told, e.Name+" "+e.String())
	}
	if diff := cmp.Diff([]string{"a " + half, "b " + sale, "sale " + half}, told); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"sale", "not us"}, got.Contexts); diff != "" {
		t.Error(diff)
	}
}

// Whatever people write on a workload, without allowOverrides it gets no more than its namespace grants.
func TestNoWorkloadWidensItsNamespace(t *testing.T) {
	rank := func(order, value string) int { return strings.Index(order, "<"+value+">") }
	rapid.Check(t, func(t *rapid.T) {
		namespace, workload := drawSettings(t), drawSettings(t)
		alone := v1alpha1.Resolve(namespace, v1alpha1.Settings{}, nil, nil, false)
		got := v1alpha1.Resolve(namespace, workload, nil, nil, false)
		for _, c := range []struct{ order, granted, got string }{
			{"<off><dry-run><initial><auto>", string(alone.Mode), string(got.Mode)},
			{"<manual><automatic>", string(alone.Approval), string(got.Approval)},
			{"<low><standard><high><critical>", string(alone.Priority), string(got.Priority)},
			{"<off><recommend><auto>", string(alone.Replicas), string(got.Replicas)},
		} {
			if rank(c.order, c.got) > rank(c.order, c.granted) {
				t.Fatalf("the namespace grants %s, the workload got %s", c.granted, c.got)
			}
		}
		if got.Policy != alone.Policy {
			t.Fatalf("the namespace's policy is %q, the workload got %q", alone.Policy, got.Policy)
		}
		if n := utf8.RuneCountInString(got.ModeFrom); n == 0 || n > 256 {
			t.Fatalf("modeFrom has %d characters: %s", n, got.ModeFrom)
		}
	})
}

func TestARefusedAnnotationNeverGoesBeyondDryRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refused := []v1alpha1.AnnotationError{{Key: "loadline.dev/" + strings.Repeat("x", rapid.IntRange(1, 300).Draw(t, "length"))}}
		got := v1alpha1.Resolve(drawSettings(t), drawSettings(t), nil, refused, rapid.Bool().Draw(t, "overrides"))
		if got.Mode != v1alpha1.ModeOff && got.Mode != v1alpha1.ModeDryRun {
			t.Fatalf("mode is %s: %s", got.Mode, got.ModeFrom)
		}
		if n := utf8.RuneCountInString(got.ModeFrom); n > 256 {
			t.Fatalf("modeFrom has %d characters", n)
		}
		if diff := cmp.Diff(refused, got.Problems); diff != "" {
			t.Fatal(diff)
		}
	})
}
