package updater

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/breaker"
	"github.com/loadline-dev/loadline/updater/plan"
)

// lowered is a world of 40 pods that are well, of which 10 are recommended, and in which 12 pods of a namespace may go in an hour.
func lowered(t *testing.T) *world {
	t.Helper()
	objects := shop(asking(40, 500)...)
	rec := stored(objects)
	values := apply.FromAPI(rec.Status.Applicable)
	values.Replicas = new(int32(10))
	rec.Status.Applicable = apply.ToAPI(values, apply.Revision(values), start)
	rec.Status.Revision = rec.Status.Applicable.Revision
	w := newWorld(t, append(objects, disrupting(withoutCanary()))...)
	w.annotate(map[string]string{v1alpha1.AnnotationReplicas: string(v1alpha1.ReplicasAuto)})
	w.controller.budget.EvictionsPerMinute, w.controller.budget.NamespaceEvictionsPerHour = 300, 12
	return w
}

// again replaces the updater by a new one with the same budgets.
func (w *world) again() {
	budget := w.controller.budget
	w.restart()
	w.controller.budget = budget
}

func (w *world) replicas() int32 {
	w.t.Helper()
	d := &appsv1.Deployment{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: "checkout"}, d); err != nil {
		w.t.Fatal(err)
	}
	return *d.Spec.Replicas
}

func TestTheNumberOfPodsIsLoweredByWhatMayGoInAnHourAlsoAfterRestarts(t *testing.T) {
	w := lowered(t)
	w.round()
	if got := w.replicas(); got != 28 {
		t.Fatalf("%d pods are asked for, want 12 fewer than 40", got)
	}
	for range 5 { // 50 minutes, and the ten minutes between two lower numbers are over each time
		w.again()
		w.rounds(10 * time.Minute)
	}
	if got := w.replicas(); got != 28 {
		t.Fatalf("%d pods are asked for within the hour, want 28", got)
	}
	applied := w.condition(v1alpha1.ConditionApplied)
	const why = "28 pods run, 10 are recommended, and none goes now: the namespace's budget of 12 evictions per hour is spent"
	if applied.Status != "True" || !strings.HasSuffix(applied.Message, why) {
		t.Errorf("Applied = %+v, want it to end with %q", applied, why)
	}
	w.rounds(11 * time.Minute)
	if got := w.replicas(); got != 16 {
		t.Errorf("%d pods are asked for after the hour, want 16", got)
	}
}

func TestAKillBeforeTheNumberOfPodsIsLoweredForgetsNoPod(t *testing.T) {
	w := lowered(t)
	w.round()
	w.clock.Step(time.Hour)
	if err := w.controller.record.read(t.Context(), w.controller.ledger); err != nil {
		t.Fatal(err)
	}
	action := plan.Action{Kind: plan.Scale, Workload: checkout, From: 28, To: 16}
	if reserved := w.controller.reserve(t.Context(), []plan.Action{action}); len(reserved) != 1 {
		t.Fatalf("reserved %+v, want the lower number", reserved)
	}
	w.again()
	w.rounds(50 * time.Minute)
	if got := w.replicas(); got != 28 {
		t.Errorf("%d pods are asked for, want 28: what was begun counts", got)
	}
}

func TestARefusedNumberCostsNoPods(t *testing.T) {
	w := lowered(t)
	w.controller.account(start, plan.Action{Kind: plan.Scale, Workload: checkout, From: 40, To: 28}, answerRefused)
	if spent := w.controller.ledger.spent; len(spent) != 1 || spent[0].Kind != plan.Scale {
		t.Errorf("spent %+v, want the cooldown alone: no pod went", spent)
	}
	w.controller.account(start, plan.Action{Kind: plan.Scale, Workload: checkout, From: 40, To: 28}, answerUnavailable)
	if n := len(slices.DeleteFunc(w.controller.ledger.spent, func(s plan.Spent) bool { return s.Kind != plan.Lower })); n != 12 {
		t.Errorf("%d pods spent where nobody knows whether they went, want 12", n)
	}
}

func TestNoNumberOfPodsIsLoweredInATrialOfTheBreaker(t *testing.T) {
	w := lowered(t)
	w.round()
	w.clock.Step(time.Hour)
	w.elsewhere(5, killedAt(w.clock.Now()))
	for range 200 { // open, and then a trial of ten minutes
		before := w.controller.record.breaker.Phase
		w.round()
		if after := w.controller.record.breaker.Phase; before == breaker.Trial && after == breaker.Closed {
			break
		}
		if got := w.replicas(); got != 28 {
			t.Fatalf("%d pods are asked for while the breaker is %s, want 28", got, w.controller.record.breaker.Phase)
		}
		if applied := w.condition(v1alpha1.ConditionApplied); w.controller.record.breaker.Phase == breaker.Trial &&
			!strings.Contains(applied.Message, "none goes now: the circuit breaker tries") {
			t.Errorf("Applied = %+v, want it to name the trial", applied)
		}
	}
	w.round()
	if got := w.replicas(); got != 16 {
		t.Errorf("%d pods are asked for when the breaker is %s, want 16", got, w.controller.record.breaker.Phase)
	}
}
