package updater

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/updater/plan"
)

var checkout = plan.Key{Namespace: "shop", Kind: "Deployment", Name: "checkout"}

func at(ago time.Duration, result v1alpha1.OutcomeResult, revision string) v1alpha1.Outcome {
	return v1alpha1.Outcome{Time: metav1.NewTime(start.Add(-ago)), Result: result, Revision: revision, PodUID: types.UID(result)}
}

func TestTheOldestOutcomeGoesUnlessALaterDecisionNeedsIt(t *testing.T) {
	l := newLedger(config.Default().Updater)
	l.note(checkout, at(2*time.Hour, v1alpha1.OutcomeFailed, "old"))
	l.note(checkout, at(50*time.Minute, v1alpha1.OutcomeFailed, "new"))
	l.note(checkout, at(40*time.Minute, v1alpha1.OutcomeEvicted, "new"))
	for range 20 {
		l.note(checkout, at(0, v1alpha1.OutcomeResized, "new"))
	}
	got := l.toStore(checkout)
	if len(got) != maxOutcomes {
		t.Fatalf("%d outcomes, want %d", len(got), maxOutcomes)
	}
	if got[9].Result != v1alpha1.OutcomeFailed || got[8].Result != v1alpha1.OutcomeEvicted {
		t.Errorf("oldest = %s, %s; want the eviction of this hour and the harm by this revision", got[9].Result, got[8].Result)
	}
	for _, o := range got[:8] {
		if o.Result != v1alpha1.OutcomeResized {
			t.Errorf("%s of revision %s was kept, want the newest resizes", o.Result, o.Revision)
		}
	}
}

func TestTheFirstLoweringOfARevisionIsKept(t *testing.T) {
	l := newLedger(config.Default().Updater)
	first := at(3*time.Hour, v1alpha1.OutcomeResized, "new")
	first.Lowers = true
	l.note(checkout, first)
	for range 20 {
		l.note(checkout, at(0, v1alpha1.OutcomeResized, "new"))
	}
	got := l.toStore(checkout)
	if len(got) != maxOutcomes || got[9] != first {
		t.Errorf("kept %+v, want the lowering that health signals are compared with", got)
	}
}

func TestEvictionsAloneNeverFillMoreThanTheList(t *testing.T) {
	l := newLedger(config.Default().Updater)
	for range 30 {
		l.note(checkout, at(0, v1alpha1.OutcomeEvicted, "new"))
	}
	if got := len(l.toStore(checkout)); got != maxOutcomes {
		t.Errorf("%d outcomes, want %d", got, maxOutcomes)
	}
}

func TestTheLedgerRemembersEveryPodOfTheRevisionAndFewOthers(t *testing.T) {
	l := newLedger(config.Default().Updater)
	for range 100 {
		l.note(checkout, at(2*time.Hour, v1alpha1.OutcomeResized, "old"))
	}
	for range 100 {
		l.note(checkout, at(time.Hour, v1alpha1.OutcomeRefused, "new"))
	}
	if got := len(l.outcomes[checkout]); got != 100 {
		t.Errorf("%d outcomes remembered, want those of the 100 pods", got)
	}
	for range 2 * maxRemembered {
		l.note(checkout, at(0, v1alpha1.OutcomeRefused, "new"))
	}
	if got := len(l.outcomes[checkout]); got != maxRemembered {
		t.Errorf("%d outcomes remembered, want %d at most", got, maxRemembered)
	}
}

var evictionOfOne = plan.Action{Kind: plan.Evict, Workload: checkout, UID: "uid"}

func TestABackOffGrowsAndIsBounded(t *testing.T) {
	cases := map[string]struct {
		kind plan.Kind
		got  answer
		most time.Duration
	}{
		"of an eviction that is not answered":            {plan.Evict, answerUnavailable, backOffMost},
		"of a resize that is not answered":               {plan.Resize, answerUnavailable, backOffMost},
		"of a number of pods, for no more than a minute": {plan.Scale, answerUnavailable, time.Minute * 2 / 3},
		"of a number of pods that is refused":            {plan.Scale, answerRefused, time.Minute * 2 / 3},
		"of a minimum that is not answered":              {plan.Minimum, answerUnavailable, time.Minute * 2 / 3},
		"of a minimum that is refused":                   {plan.Minimum, answerRefused, backOffMost},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLedger(config.Default().Updater)
			action := plan.Action{Kind: c.kind, Workload: checkout, UID: "uid"}
			wait := func() time.Duration { return l.waits(c.kind, checkout, "uid").until.Sub(start) }
			for i := range 12 {
				l.backOff(start, action, c.got, "no")
				if i == 0 && (wait() < backOffFirst || wait() > backOffFirst*3/2) {
					t.Errorf("the first wait is %s, want %s and up to half of that by chance", wait(), backOffFirst)
				}
			}
			if wait() < c.most || wait() > c.most*3/2 {
				t.Errorf("the last wait is %s, want %s and up to half of that by chance", wait(), c.most)
			}
			if l.backOff(start, action, answerDone, ""); len(l.backOffs) > 0 {
				t.Errorf("what was done waits: %v", l.backOffs)
			}
		})
	}
}

func TestPodsThatAreRefusedTogetherDoNotComeBackTogether(t *testing.T) {
	l := newLedger(config.Default().Updater)
	back := map[time.Time]bool{}
	for i := range 20 {
		pod := types.UID(fmt.Sprintf("pod-%d", i))
		l.backOff(start, plan.Action{Kind: plan.Evict, Workload: checkout, UID: pod}, answerDisruptionBudget, "no")
		back[l.waits(plan.Evict, checkout, pod).until] = true
	}
	if len(back) < 10 {
		t.Errorf("20 pods come back at %d different times", len(back))
	}
}

func TestTheLedgerForgetsWhatNoLongerCounts(t *testing.T) {
	l := newLedger(config.Default().Updater)
	l.learn(checkout, []v1alpha1.Outcome{at(0, v1alpha1.OutcomeEvicted, "new"), at(2*time.Hour, v1alpha1.OutcomeEvicted, "new")})
	l.backOff(start.Add(-time.Hour), evictionOfOne, answerDenied, "no")
	l.tidy(start, map[plan.Key]bool{})
	if len(l.spent) != 1 || len(l.outcomes) != 0 || len(l.backOffs) != 0 {
		t.Errorf("left: spent %v, outcomes %v, back-offs %v; want the eviction of this hour alone", l.spent, l.outcomes, l.backOffs)
	}
}
