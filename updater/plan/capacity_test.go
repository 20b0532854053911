package plan_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// growing asks for so many pods of 500m and 512Mi, of which it has one.
func growing(name string, priority v1alpha1.Priority, to int32) plan.Workload {
	w := checkout(pod(name, fits))
	w.Name, w.Priority, w.ScaleReplicas, w.Values.Replicas = name, priority, true, &to
	return w
}

func free(cpuMillis int64) *apply.Amounts {
	return &apply.Amounts{CPUMillis: cpuMillis, MemoryBytes: 1 << 40}
}

func grown(s plan.Snapshot) (names []string) {
	for _, a := range plan.Plan(now, s, plenty).Actions {
		if a.Kind == plan.Scale {
			names = append(names, a.Workload.Name)
		}
	}
	slices.Sort(names)
	return names
}

func TestTheHigherPriorityGetsScarceCapacityFirst(t *testing.T) {
	const critical, low = v1alpha1.PriorityCritical, v1alpha1.PriorityLow
	pending := func(w plan.Workload) plan.Workload { w.Pods[0].Unscheduled = true; return w }
	for name, c := range map[string]struct {
		free      *apply.Amounts
		workloads []plan.Workload
		want      []string
	}{
		"both fit":                                {free(3000), []plan.Workload{growing("a", low, 4), growing("b", critical, 4)}, []string{"a", "b"}},
		"only one fits":                           {free(1500), []plan.Workload{growing("a", low, 4), growing("b", critical, 4)}, []string{"b"}},
		"none fits for all":                       {free(1400), []plan.Workload{growing("a", low, 4), growing("b", critical, 4)}, []string{"b"}},
		"the same priority: nobody waits":         {free(0), []plan.Workload{growing("a", low, 4), growing("b", low, 4)}, []string{"a", "b"}},
		"alone: the scheduler has to see it":      {free(0), []plan.Workload{growing("a", low, 4)}, []string{"a"}},
		"a more important pod waits for its node": {free(0), []plan.Workload{growing("a", low, 4), pending(growing("b", critical, 1))}, nil},
		"a less important pod waits for its node": {free(0), []plan.Workload{pending(growing("a", low, 1)), growing("b", critical, 4)}, []string{"b"}},
		"nothing is known of the nodes":           {nil, []plan.Workload{growing("a", low, 4), growing("b", critical, 4)}, []string{"a", "b"}},
		"more is wanted than nodes have: CPU":     {free(-500), []plan.Workload{growing("a", low, 2), growing("b", critical, 2)}, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(c.workloads...)
			s.Free = c.free
			if diff := cmp.Diff(c.want, grown(s)); diff != "" {
				t.Errorf("get more pods (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNobodyGetsRoomThatSomebodyMoreImportantWaitsFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		priorities := []v1alpha1.Priority{v1alpha1.PriorityCritical, v1alpha1.PriorityHigh, v1alpha1.PriorityStandard, v1alpha1.PriorityLow}
		var s plan.Snapshot
		for i := range rapid.IntRange(1, 8).Draw(t, "workloads") {
			place := rapid.IntRange(0, 3).Draw(t, "priority")
			s = open(append(s.Workloads, growing(fmt.Sprintf("%d-%d", place, i), priorities[place], rapid.Int32Range(2, 9).Draw(t, "to")))...)
		}
		s.Free = free(rapid.Int64Range(-1000, 20000).Draw(t, "free"))
		names := grown(s)
		if len(names) == 0 {
			t.Fatal("nobody gets anything, so the most important one waits for ever")
		}
		left := s.Free.CPUMillis
		for _, w := range s.Workloads {
			if slices.Contains(names, w.Name) {
				left -= 500 * int64(*w.Values.Replicas-1)
			}
		}
		for _, w := range s.Workloads {
			beyond := slices.ContainsFunc(names, func(name string) bool { return name[0] > w.Name[0] })
			if !slices.Contains(names, w.Name) && beyond && left < 0 {
				t.Fatalf("%s waits, and somebody less important gets pods beyond what there is: %v", w.Name, names)
			}
		}
	})
}
