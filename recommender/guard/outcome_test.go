package guard

import (
	"slices"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

func TestApproval(t *testing.T) {
	manual := func(approved string) *build {
		return workload().inForce(1000, 1000).proposes(600, 600).with(func(in *Input) { in.Manual, in.Approved = true, approved })
	}
	candidate := manual("").decide()

	t.Run("automatic approval applies the candidate", func(t *testing.T) {
		out := workload().proposes(600, 600).decide()
		if !out.Approved || out.Applicable != out.Candidate || out.ApplicableRevision != out.Revision {
			t.Errorf("%+v", out)
		}
	})
	t.Run("a revision nobody approved waits, and what is in force stays", func(t *testing.T) {
		if candidate.Approved || candidate.ApplicableRevision != manual("").in.ApplicableRevision || candidate.Revision == candidate.ApplicableRevision {
			t.Errorf("%+v", candidate)
		}
		wantReason(t, candidate, "approval", "revision "+candidate.Revision+" waits for approval")
	})
	t.Run("the revision that a person approved is applied", func(t *testing.T) {
		out := manual(candidate.Revision).decide()
		if !out.Approved || out.ApplicableRevision != candidate.Revision {
			t.Errorf("%+v", out)
		}
	})
	t.Run("an approval counts even if the candidate moved on meanwhile", func(t *testing.T) {
		later := manual(candidate.Revision).proposes(2000, 2000).in
		later.Previous, later.PreviousRevision = candidate.Candidate, candidate.Revision
		out := Decide(later)
		if out.Approved || out.ApplicableRevision != candidate.Revision || out.Revision == candidate.Revision {
			t.Errorf("applicable %s, candidate %s, approved was %s", out.ApplicableRevision, out.Revision, candidate.Revision)
		}
	})
}

func TestAHoldStopsEverything(t *testing.T) {
	b := workload().inForce(1000, 1000).proposes(600, 600).with(func(in *Input) { in.Hold, in.HoldReason = true, "migration this week" })
	out := b.decide()
	if out.Approved || out.ApplicableRevision != b.in.ApplicableRevision || out.Revision == out.ApplicableRevision {
		t.Errorf("%+v", out)
	}
	wantReason(t, out, "hold", "migration this week")
}

func TestUnchangedSizesKeepTheirTimeAndRevision(t *testing.T) {
	b := workload().proposes(600, 600)
	first := b.decide()
	in := again(b.in, first)
	in.Now = now.Add(5 * time.Hour)
	second := Decide(in)
	if second.Revision != first.Revision || !second.CandidateTime.Equal(now) {
		t.Errorf("revisions %s and %s, decided %s", first.Revision, second.Revision, second.CandidateTime)
	}
	in = again(b.proposes(300, 600).in, second)
	in.Now = now.Add(9 * time.Hour)
	if third := Decide(in); third.Revision == first.Revision || !third.CandidateTime.Equal(in.Now) {
		t.Errorf("new sizes %s, decided %s", third.Revision, third.CandidateTime)
	}
}

func TestMemoryTellsTheNextDecisionWhatMoved(t *testing.T) {
	out := workload().proposes(600, 1500).decide()
	got := out.Memory.Containers["app"]
	want := ContainerMemory{Image: "app:1", CPULowered: now, CPUInPlaceMoved: now, MemoryRaised: now, TemplateMemory: Asked{RequestBytes: 1000 * mib}, MemoryHistoryHours: 720}
	if got != want {
		t.Errorf("remembered %+v, want %+v", got, want)
	}
	got = workload().proposes(1500, 600).decide().Memory.Containers["app"]
	want = ContainerMemory{Image: "app:1", CPURaised: now, CPUInPlaceMoved: now, MemoryLowered: now, TemplateMemory: Asked{RequestBytes: 1000 * mib}, MemoryHistoryHours: 720}
	if got != want {
		t.Errorf("remembered %+v, want %+v", got, want)
	}
}

// TestLoweringTakesSeveralCautiousSteps plays a day: 1000m, needed 100m.
func TestLoweringTakesSeveralCautiousSteps(t *testing.T) {
	b := workload().proposes(100, 1000)
	in, got := b.in, []int64(nil)
	for hour := range 13 {
		in.Now = now.Add(time.Duration(hour) * time.Hour)
		out := Decide(in)
		got = append(got, container(out.Applicable, "app").Target.CPUMillis)
		in = again(in, out)
	}
	want := []int64{500, 500, 500, 250, 250, 250, 125, 125, 125, 100, 100, 100, 100}
	for hour := range want {
		if got[hour] != want[hour] {
			t.Fatalf("cpu targets by the hour: %v, want %v", got, want)
		}
	}
}

func TestReplicas(t *testing.T) {
	pods := func(present, proposed int32) *build {
		return workload().with(func(in *Input) { in.CurrentReplicas, in.Proposal.Replicas.Target = present, proposed })
	}
	for _, test := range []struct {
		name     string
		workload *build
		want     int32
		rule     string
	}{
		{"more pods at once", pods(4, 7), 7, "change"},
		{"at most twice as many at once", pods(4, 20), 8, "step"},
		{"only as many more as a quota has room for", pods(4, 7).with(func(in *Input) { in.ReplicaRoom.Most = 5 }), 5, "quota"},
		{"none go for a quota", pods(4, 7).with(func(in *Input) { in.ReplicaRoom.Most = 2 }), 4, "quota"},
		{"fewer pods", pods(4, 3), 3, "change"},
		{"at most half of them fewer at once", pods(10, 2), 5, "step"},
		{"none where a person set 0", pods(0, 3), 0, ""},
		{"none where an autoscaler decides", pods(4, 7).with(func(in *Input) { in.HPA.Owner = "HorizontalPodAutoscaler/app" }), 0, "hpa"},
		{"the present one where somebody set it lately", pods(4, 7).with(func(in *Input) { in.ReplicasYield = "kubectl set it" }), 4, "yield"},
		{"none in the first day", pods(4, 7).history(20), 0, "ladder"},
		{"the one in force where the history got lost", pods(4, 0).with(func(in *Input) { in.Applicable = &apply.Values{Replicas: new(int32(5))} }), 5, "proposal"},
		{"the one in force where the history got short", pods(4, 7).history(20).with(func(in *Input) { in.Applicable = &apply.Values{Replicas: new(int32(5))} }), 5, "ladder"},
		{"not fewer in the first week", pods(4, 3).history(100), 4, "ladder"},
		{"more in the first week", pods(4, 7).history(100), 7, "change"},
		{"not fewer inside an event", pods(4, 3).with(func(in *Input) {
			in.Windows = []Window{{Start: now, End: now.Add(1), NeverShrink: true, Reason: "sale"}}
		}), 4, "window"},
		{"not more inside a freeze", pods(4, 7).with(func(in *Input) {
			in.Windows = []Window{{Start: now, End: now.Add(1), Freeze: true, Reason: "freeze"}}
		}), 4, "window"},
		{"not fewer again too soon", pods(4, 2).with(func(in *Input) { in.Memory.LastReplicasLowered = now.Add(-time.Minute) }), 4, "cooldown"},
		{"one at a time at least", pods(1, 3).with(func(in *Input) { in.Policy.Replicas.MaxStep = 0.1 }), 2, "step"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := test.workload.decide()
			if out.Replicas != test.want {
				t.Errorf("replicas %d, want %d; trail:\n%s", out.Replicas, test.want, story(out))
			}
			if test.rule != "" {
				wantReason(t, out, test.rule, "")
			}
		})
	}
}

func TestTheMinimumOfAnAutoscalerFollowsAnEvent(t *testing.T) {
	event := func(want int32, change func(*Input)) *build {
		return workload().with(func(in *Input) {
			in.CurrentReplicas, in.Proposal.Replicas.Target, in.Proposal.Replicas.AutoscalerMin = 4, 4, want
			in.HPA = HPA{Owner: "HorizontalPodAutoscaler/app", OnCPU: true, Min: 2, Max: 10}
			change(in)
		})
	}
	for _, test := range []struct {
		name     string
		workload *build
		want     int32
		// tells is the rule, or the type of the finding.
		tells string
	}{
		{"it is raised", event(6, func(*Input) {}), 6, "change"},
		{"not without an event", event(0, func(*Input) {}), 0, ""},
		{"not where it is high enough", event(2, func(*Input) {}), 0, ""},
		{"not without an autoscaler", event(6, func(in *Input) { in.HPA = HPA{} }), 0, ""},
		{"not beyond its maximum", event(20, func(*Input) {}), 10, FindingAutoscalerMaximum},
		{"not beyond a quota", event(8, func(in *Input) {
			in.ReplicaRoom = ReplicaRoom{Most: 6, Why: "ResourceQuota team", Finding: "QuotaTooSmall"}
		}), 6, "QuotaTooSmall"},
		{"a quota has enough room", event(8, func(in *Input) { in.ReplicaRoom = ReplicaRoom{Most: 9} }), 8, "change"},
		{"not down before the event is over", event(5, func(in *Input) { in.Previous = &apply.Values{AutoscalerMin: new(int32(7))} }), 7, "change"},
		{"not where KEDA keeps it", event(6, func(in *Input) { in.HPA.KeptBy = "KEDA's ScaledObject app owns it" }), 0, FindingAutoscalerMinimum},
		{"not unless the number of pods may be changed", event(6, func(in *Input) { in.Policy.Replicas.Mode = "recommend" }), 0, FindingAutoscalerMinimum},
		{"not in the first day", event(6, func(*Input) {}).history(20), 0, "ladder"},
		{"not lost when the history is", event(0, func(in *Input) {
			in.Proposal.Replicas.Target, in.Applicable = 0, &apply.Values{AutoscalerMin: new(int32(7))}
		}), 7, "proposal"},
		{"not lost when the history is short", event(8, func(in *Input) { in.Applicable = &apply.Values{AutoscalerMin: new(int32(7))} }).history(20), 7, "ladder"},
		{"not lost inside a freeze", event(8, func(in *Input) {
			in.Applicable = &apply.Values{AutoscalerMin: new(int32(7))}
			in.Windows = []Window{{Start: now, End: now.Add(1), Freeze: true, Reason: "freeze"}}
		}), 7, "window"},
		{"not inside a freeze", event(6, func(in *Input) {
			in.Windows = []Window{{Start: now, End: now.Add(1), Freeze: true, Reason: "freeze"}}
		}), 0, "window"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := test.workload.decide()
			var got int32
			if out.Candidate != nil && out.Candidate.AutoscalerMin != nil {
				got = *out.Candidate.AutoscalerMin
			}
			if got != test.want {
				t.Errorf("minimum %d, want %d; trail:\n%s", got, test.want, story(out))
			}
			if slices.ContainsFunc(out.Findings, func(f sizing.Finding) bool { return f.Type == test.tells }) {
				return
			}
			if test.tells != "" {
				wantReason(t, out, test.tells, "")
			}
		})
	}
}

func TestTheNumberOfPodsIsWrittenUnderAutoOnly(t *testing.T) {
	for mode, written := range map[string]bool{"auto": true, "recommend": false} {
		out := workload().with(func(in *Input) {
			in.Policy.Replicas.Mode = mode
			in.CurrentReplicas, in.Proposal.Replicas.Target = 4, 7
		}).decide()
		if out.Replicas != 7 || (out.Candidate.Replicas != nil) != written {
			t.Errorf("mode %s: recommended %d, in the candidate %v", mode, out.Replicas, out.Candidate.Replicas)
		}
	}
}

func TestARaisedLimitReachesThePodThatWasKilled(t *testing.T) {
	in := workload().limits(0, 1000).proposes(1000, 1200).app(func(c *Container, p *sizing.ContainerProposal) {
		c.OOMFloorBytes, p.OOMRaised = 1200*mib, true
	}).in
	out := Decide(in)
	template := map[string]apply.Resources{"app": resources(in.Containers[0].Current)}
	resized, err := apply.Resize(*out.Applicable, template, template)
	if err != nil || resized["app"].Limits.MemoryBytes != 1200*mib {
		t.Errorf("resized to %+v, %v; want a memory limit of 1200Mi", resized, err)
	}
	if drifts := apply.Drifted(*out.Applicable, template, template, apply.ForNewPod); len(drifts) == 0 {
		t.Error("the pod that was killed has not drifted")
	}
	wantReason(t, out, "change", "memory limit 1000Mi → 1200Mi")
}
