package guard

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

func TestNoInputAndNoOrderOfRulesYieldsAnUnsafeDecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		order := rapid.Permutation(slices.Clone(indexes(len(rules())))).Draw(t, "order")
		var shuffled []rule
		for _, i := range order {
			shuffled = append(shuffled, rules()[i])
		}
		requireSafe(t, in, decide(in, shuffled))
		requireSafe(t, in, Decide(in))
	})
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func requireSafe(t *rapid.T, in Input, out Decision) {
	t.Helper()
	if out.Candidate == nil {
		return
	}
	template := map[string]apply.Resources{}
	for _, c := range in.Containers {
		template[c.Name] = resources(c.Current).Defaulted()
	}
	for _, c := range out.Candidate.Containers {
		requireSafeContainer(t, in, out, c)
	}
	for _, tempo := range []apply.Tempo{apply.ForNewPod, apply.ForRunningPod} {
		for name, r := range apply.Desired(*out.Candidate, template, tempo) {
			if (r.Limits.CPUMillis > 0 && r.Limits.CPUMillis < r.Requests.CPUMillis) || (r.Limits.MemoryBytes > 0 && r.Limits.MemoryBytes < r.Requests.MemoryBytes) {
				t.Fatalf("container %s gets a limit under its request: %+v", name, r)
			}
		}
		if apply.QOSClass(template) == "Guaranteed" && apply.WouldChangeQOS(template, apply.Desired(*out.Candidate, template, tempo)) {
			t.Fatal("a Guaranteed pod loses its class")
		}
	}
}

// What is stored is admitted: no LimitRange refuses it, and no budget is exceeded but by what was there before.
func TestWhatIsDecidedFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		out := Decide(in)
		if out.Candidate == nil {
			return
		}
		d := newDraft(in)
		sized := apply.Desired(*out.Candidate, d.template, apply.ForNewPod)
		asked := maps.Clone(sized)
		maps.Copy(asked, d.template)
		_, anyway := apply.Refused(in.LimitBounds, d.members(nil), asked)
		if refusal, refused := apply.Refused(in.LimitBounds, d.members(nil), sized); refused && !anyway {
			t.Fatalf("%s: %+v\n%s", refusal.Text, sized, story(out))
		}
		before, after := apply.PodResources(d.members(rounded(d.inForce()))), apply.PodResources(d.members(sized))
		template := apply.PodResources(d.members(rounded(d.template))) // What nothing is known to fit is left as it is, here or there.
		for _, b := range d.budgets() {
			for _, name := range []string{cpuName, memoryName} {
				if most, got := pick(name, b.Requests), pick(name, after.Requests); most > 0 && got > max(most, pick(name, before.Requests), pick(name, template.Requests)) {
					t.Fatalf("%s: the pod asks for %d of %s, more than %d\n%s", b.Why, got, name, most, story(out))
				}
			}
		}
	})
}

// rounded are the same containers with requests as we would write them.
func rounded(containers map[string]apply.Resources) map[string]apply.Resources {
	out := maps.Clone(containers)
	for name, r := range out {
		r.Requests = apply.Round(r.Requests)
		out[name] = r
	}
	return out
}

func requireSafeContainer(t *rapid.T, in Input, out Decision, c apply.Container) {
	t.Helper()
	known := in.Containers[slices.IndexFunc(in.Containers, func(k Container) bool { return k.Name == c.Name })]
	if known.Excluded {
		t.Fatalf("container %s is excluded and was sized", c.Name)
	}
	requireEnoughMemory(t, in, out, c, known)
	requireSafeAmounts(t, c.Name, "cpu", amounts{c.Target.CPUMillis, c.InPlace.CPUMillis, c.CPUBand, c.CPULimit})
	requireSafeAmounts(t, c.Name, "memory", amounts{c.Target.MemoryBytes, c.InPlace.MemoryBytes, c.MemoryBand, c.MemoryLimit})
}

// requireEnoughMemory: never under what was observed. Where a ceiling forbids that, nothing is lowered.
func requireEnoughMemory(t *rapid.T, in Input, out Decision, c apply.Container, known Container) {
	t.Helper()
	if c.Target.MemoryBytes == 0 {
		return
	}
	refused := slices.ContainsFunc(out.Findings, func(f sizing.Finding) bool {
		return f.Type == FindingCeilingBelowPeak && f.Container == c.Name
	})
	if was := container(in.Applicable, c.Name).Target.MemoryBytes; refused {
		if c.Target.MemoryBytes < min(was, max(known.PeakMemoryBytes, known.OOMFloorBytes)) {
			t.Fatalf("container %s: memory was refused and yet lowered from %d to %d\n%s", c.Name, was, c.Target.MemoryBytes, story(out))
		}
		return
	}
	left := slices.ContainsFunc(out.Findings, func(f sizing.Finding) bool {
		return f.Severity == "critical" && f.Container == "" || f.Type == FindingLimitRange
	})
	if left && c.Target == container(in.Applicable, c.Name).Target {
		return
	}
	if least := min(c.Target.MemoryBytes, c.InPlace.MemoryBytes); least < max(known.PeakMemoryBytes, known.OOMFloorBytes) {
		t.Fatalf("container %s: memory %d under the peak %d or out-of-memory floor %d\n%s",
			c.Name, least, known.PeakMemoryBytes, known.OOMFloorBytes, story(out))
	}
}

type amounts struct {
	target, inPlace int64
	band            apply.Interval
	limit           apply.Limit
}

func requireSafeAmounts(t *rapid.T, container, resource string, a amounts) {
	t.Helper()
	switch sized := a.target != 0; {
	case !sized:
		if a != (amounts{}) {
			t.Fatalf("container %s: %s is not sized and yet %+v", container, resource, a)
		}
	case a.target < 0 || a.inPlace <= 0 || a.target > 2*maxAmount || a.inPlace > 2*maxAmount:
		t.Fatalf("container %s: broken %s: %+v", container, resource, a)
	case !a.band.Contains(a.target) || !a.band.Contains(a.inPlace):
		t.Fatalf("container %s: the band does not contain the %s request: %+v", container, resource, a)
	case a.limit.Value != 0 && a.limit.Value < a.target:
		t.Fatalf("container %s: the %s limit is under the request: %+v", container, resource, a)
	}
}

func TestEveryChangeHasAReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		out := Decide(in)
		for _, p := range in.Proposal.Containers {
			got := container(out.Candidate, p.Name).Target
			if got != apply.Round(apply.Amounts(p.Target)) && !told(out, p.Name) {
				t.Fatalf("container %s: proposed %+v, decided %+v without a word\n%s", p.Name, p.Target, got, story(out))
			}
		}
		if out.Candidate == nil {
			return
		}
		d := newDraft(in)
		before := d.inForce()
		for name, after := range apply.Desired(*out.Candidate, d.template, apply.ForNewPod) {
			if before[name] != after && !told(out, name) {
				t.Fatalf("container %s: from %+v to %+v without a word\n%s", name, before[name], after, story(out))
			}
		}
	})
}

func told(out Decision, name string) bool {
	return slices.ContainsFunc(out.Trail, func(r Reason) bool { return r.Container == name && r.Rule != "" && r.Text != "" })
}

func TestASecondLookAtTheSameInputMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyFirstInput().Draw(t, "input")
		for i := range in.Proposal.Containers { // One that uses more than it has is raised again and again; see pressure.
			in.Proposal.Containers[i].UsedMillis = 0
		}
		first := Decide(in)
		second := Decide(again(in, first))
		for range 3 { // Containers that share what is not enough for all may take a few looks until thresholds agree as well.
			if first.Revision != second.Revision && cutTogether(first) {
				first, second = second, Decide(again(in, second))
			}
		}
		if first.Revision != second.Revision || first.ApplicableRevision != second.ApplicableRevision {
			t.Fatalf("the second look decides something else (-first +second):\n%s\nfirst:\n%s\nsecond:\n%s",
				cmp.Diff(first.Candidate, second.Candidate), story(first), story(second))
		}
		if first.Candidate != nil && !first.CandidateTime.Equal(second.CandidateTime) {
			t.Fatal("the same sizes have a new time")
		}
	})
}

// cutTogether says that the containers of the pod were cut to fit together.
func cutTogether(out Decision) bool {
	return slices.ContainsFunc(out.Trail, func(r Reason) bool {
		return r.Rule == "quota" || r.Rule == "limit-range" || r.Rule == "ceiling" && strings.Contains(r.Text, "for the pod")
	})
}

func TestARaiseAfterAnOutOfMemoryKillIsNeverHeldBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		in.Policy.Memory.Max, in.Nodes, in.LimitBounds, in.Budgets, in.Policy.SizeBestEffort = 0, nil, nil, nil, true
		c := &in.Containers[0]
		c.OOMFloorBytes = 8000 * mib
		c.Excluded = false
		out := Decide(in)
		if got := container(out.Candidate, c.Name); got.Target.MemoryBytes < c.OOMFloorBytes || got.InPlace.MemoryBytes < c.OOMFloorBytes {
			t.Fatalf("killed with 8000Mi demanded, decided %+v\n%s", got, story(out))
		}
		if !in.Manual && !in.Hold && container(out.Applicable, c.Name).Target.MemoryBytes < c.OOMFloorBytes {
			t.Fatalf("the raise is decided and not applied: %+v\n%s", out.ApprovedReason, story(out))
		}
	})
}

func TestDecideWritesToNothingItWasGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		revision, memory := apply.Revision(valuesOf(in.Previous)), len(in.Memory.Containers)
		one := Decide(in)
		two := Decide(in)
		if diff := cmp.Diff(one, two); diff != "" {
			t.Fatalf("the same input decides differently:\n%s", diff)
		}
		if revision != apply.Revision(valuesOf(in.Previous)) || memory != len(in.Memory.Containers) {
			t.Fatal("the input was written to")
		}
	})
}

func valuesOf(v *apply.Values) apply.Values {
	if v == nil {
		return apply.Values{}
	}
	return *v
}
