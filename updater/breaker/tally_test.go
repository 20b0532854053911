package breaker_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/updater/breaker"
)

func TestWhatCountsOfASignal(t *testing.T) {
	type sign struct {
		namespace string
		workloads int
		ours      bool
	}
	cases := map[string]struct {
		signs      []sign
		namespaces int
		want       int
	}{
		"nothing":              {nil, 3, 0},
		"one workload of ours": {[]sign{{"a", 1, true}}, 3, 1},
		"one namespace of ours among several: half":      {[]sign{{"a", 40, true}}, 3, 3},
		"the only namespace of ours: all":                {[]sign{{"a", 40, true}}, 1, 40},
		"two of ours":                                    {[]sign{{"a", 40, true}, {"b", 2, true}}, 3, 5},
		"a namespace that is none of ours has one voice": {[]sign{{"a", 40, false}}, 3, 1},
		"so has each of several":                         {[]sign{{"a", 40, false}, {"b", 1, false}}, 3, 2},
		"others beside ours":                             {[]sign{{"a", 1, true}, {"a", 40, false}}, 3, 2},
		"others beside many of ours":                     {[]sign{{"a", 40, true}, {"a", 40, false}}, 3, 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var tally breaker.Tally
			for _, s := range c.signs {
				for i := range s.workloads {
					tally.Add(s.namespace, fmt.Sprint("w", i), s.ours)
					tally.Add(s.namespace, fmt.Sprint("w", i), s.ours) // another pod
				}
			}
			if got := tally.Count(5, c.namespaces); got != c.want {
				t.Errorf("%d count of a minimum of 5, want %d", got, c.want)
			}
		})
	}
}

func TestOneNamespaceAloneNeverOpensTheBreakerForTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tally breaker.Tally
		for range rapid.IntRange(0, 60).Draw(t, "pods") {
			tally.Add("noisy", fmt.Sprint("w", rapid.IntRange(0, 30).Draw(t, "workload")), rapid.Bool().Draw(t, "ours"))
		}
		minimum := rapid.IntRange(2, 20).Draw(t, "minimum")
		if got := tally.Count(minimum, rapid.IntRange(2, 9).Draw(t, "namespaces")); got >= minimum {
			t.Fatalf("%d count of a minimum of %d", got, minimum)
		}
	})
}

func TestInALargeClusterAShareOfTheWorkloadsHasToShowIt(t *testing.T) {
	for workloads, want := range map[int]int{0: 5, 100: 5, 500: 5, 501: 6, 5000: 50} {
		scaled := rules.For(workloads)
		if got := scaled.Minimum[breaker.OOMKills]; got != want {
			t.Errorf("of %d workloads %d are needed, want %d", workloads, got, want)
		}
		if got := scaled.Minimum[breaker.ProbeFailures]; got != 3 {
			t.Errorf("of %d workloads: %d failures of the probe are needed, want 3 as ever", workloads, got)
		}
		if got := scaled.Minimum[breaker.UnsizedWorkloads]; got != 0 {
			t.Errorf("what is not looked at has a minimum of %d", got)
		}
	}
}
