package updater

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/updater/plan"
)

// evicting is a world in which all of 30 pods would be evicted at once if no budget said how many may be in an hour.
func evicting(t *testing.T, perHour int32) *world {
	t.Helper()
	w := newWorld(t, append(shop(asking(30, 100)...), &v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "default"},
		Spec: v1alpha1.SizingPolicySpec{Disruption: v1alpha1.DisruptionPolicy{
			EvictionsPerHour: &perHour, MaxUnavailable: new(intstr.FromString("100%")), Canary: withoutCanary().Canary,
		}},
	})...)
	w.annotate(map[string]string{v1alpha1.AnnotationUpdater: "evict"})
	return w
}

// crash runs a round that ends like a kill in the middle of it: before the eviction of that number.
func (w *world) crash(before int) {
	w.t.Helper()
	asked := 0
	w.evictError = func(string) error {
		if asked++; asked == before {
			panic("killed")
		}
		return nil
	}
	func() {
		defer func() {
			if recover() == nil {
				w.t.Error("the round did not come to the eviction in which it was to be killed")
			}
		}()
		w.round()
	}()
	w.evictError = func(string) error { return nil }
	w.restart()
}

func TestAKillInTheMiddleOfARoundForgetsNoEviction(t *testing.T) {
	w := evicting(t, 3)
	w.crash(3)
	for range 100 { // 50 minutes
		w.round()
	}
	if len(w.evicted) != 2 {
		t.Errorf("%d evictions within the hour, want the 2 before the kill: what was begun counts", len(w.evicted))
	}
}

func TestARestartForgetsNoneOfMoreEvictionsThanARecommendationKeeps(t *testing.T) {
	w := evicting(t, 15)
	for range 5 { // 10 a minute in the cluster
		before := len(w.evicted)
		w.round()
		for _, name := range w.evicted[before:] {
			successor := podOf(name+"-next", 500)
			successor.CreationTimestamp = metav1.NewTime(w.clock.Now())
			if err := w.client.Create(t.Context(), successor); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(w.evicted) != 15 {
		t.Fatalf("%d evictions, want 15", len(w.evicted))
	}
	w.restart()
	for range 90 {
		w.round()
	}
	if len(w.evicted) != 15 {
		t.Errorf("%d evictions within the hour after a restart, want no more than 15", len(w.evicted))
	}
}

func TestOfTwoUpdatersThatBothThinkTheyLeadOneDoesNothing(t *testing.T) {
	w := evicting(t, 3)
	first := w.controller
	w.admits = false
	w.round() // it has met the workload, and does not read its outcomes again
	w.admits = true
	w.restart()
	second := w.controller
	w.onProbe = func() { // the first one has read the record, and goes on with what it has read afterwards
		w.onProbe = func() {}
		if err := second.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.controller = first
	w.round()
	if len(w.evicted) != 3 {
		t.Fatalf("%d evictions, want the 3 of the second updater", len(w.evicted))
	}
	w.round()
	if len(w.evicted) != 3 {
		t.Errorf("%d evictions once the first has read what the second did, want 3", len(w.evicted))
	}
}

func TestWithoutARecordNothingHappens(t *testing.T) {
	cases := map[string]struct {
		damage func(*world, *corev1.ConfigMap) error
		want   string
	}{
		"that is there":      {func(w *world, cm *corev1.ConfigMap) error { return w.client.Delete(w.t.Context(), cm) }, "loadline-system/loadline-updater-record"},
		"that can be read":   {func(w *world, cm *corev1.ConfigMap) error { return w.fill(cm, "{") }, "loadline-system/loadline-updater-record"},
		"of known workloads": {func(w *world, cm *corev1.ConfigMap) error { return w.fill(cm, `{"evict":{"shop":[1]}}`) }, "loadline-system/loadline-updater-record"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, shop(100, 500)...)
			cm := w.record()
			if err := c.damage(w, cm); err != nil {
				t.Fatal(err)
			}
			w.round()
			if len(w.resized) != 0 {
				t.Errorf("resized %v", w.resized)
			}
			got := meta.FindStatusCondition(w.recommendation().Status.Conditions, v1alpha1.ConditionApplied)
			if got == nil || !strings.Contains(got.Message, c.want) {
				t.Errorf("Applied = %+v, want it to name %s", got, c.want)
			}
		})
	}
}

func (w *world) record() *corev1.ConfigMap {
	w.t.Helper()
	cm := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: "loadline-system", Name: config.Default().Updater.RecordConfigMap}
	if err := w.client.Get(w.t.Context(), key, cm); err != nil {
		w.t.Fatal(err)
	}
	return cm
}

func (w *world) fill(cm *corev1.ConfigMap, spent string) error {
	cm.Data = map[string]string{recordSpent: spent}
	return w.client.Update(w.t.Context(), cm)
}

func TestWhatIsOnRecordIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLedger(config.Default().Updater)
		for range rapid.IntRange(0, 40).Draw(t, "spent") {
			l.spent = append(l.spent, plan.Spent{
				At:       start.Add(-time.Duration(rapid.IntRange(-40, 4000).Draw(t, "ago")) * time.Second),
				Kind:     rapid.SampledFrom([]plan.Kind{plan.Resize, plan.Evict, plan.Scale, plan.Lower}).Draw(t, "kind"),
				Workload: plan.Key{Namespace: "shop", Kind: "Deployment", Name: fmt.Sprint("w", rapid.IntRange(0, 3).Draw(t, "workload"))},
			})
		}
		text, err := encodeSpent(start, l.spent)
		if err != nil {
			t.Fatal(err)
		}
		spent, err := decodeSpent(text)
		if err != nil {
			t.Fatal(err)
		}
		read := newLedger(config.Default().Updater)
		read.recall(spent)
		read.recall(spent) // the same again adds nothing
		if diff := cmp.Diff(counted(l), counted(read)); diff != "" {
			t.Fatalf("what counts (-written +read):\n%s", diff)
		}
	})
}

func TestWhatAClockThatRanAheadPutOnRecordIsSpentForAnHourAndNoLonger(t *testing.T) {
	w := evicting(t, 3)
	w.clock.Step(24 * time.Hour)
	for range 5 {
		w.round()
	}
	if len(w.evicted) != 3 {
		t.Fatalf("%d evictions, want 3", len(w.evicted))
	}
	w.clock.SetTime(start.Add(time.Minute)) // another node leads, and its clock is right
	w.restart()
	for range 100 { // 50 minutes
		w.round()
	}
	if len(w.evicted) != 3 {
		t.Errorf("%d evictions, want none more within the hour", len(w.evicted)-3)
	}
	for range 40 {
		w.round()
	}
	if len(w.evicted) != 6 {
		t.Errorf("%d evictions, want the next 3 after the hour and not after a day", len(w.evicted))
	}
}

// counted is how often which action counts, by what it is and when it was.
func counted(l *ledger) map[string]int {
	n := map[string]int{}
	for _, s := range l.spent {
		if start.Sub(s.At) < s.Kind.Counts() {
			n[fmt.Sprint(s.Kind, s.Workload, s.At.Unix())]++
		}
	}
	return n
}

// spentBy is so many actions a minute over the time that they count, by workloads with names of this length that take part so often.
func spentBy(kind plan.Kind, perMinute, each, length int) (all []plan.Spent) {
	n := perMinute * int(kind.Counts()/time.Minute)
	for i := range n {
		name := fmt.Sprintf("%0*d", length, i%(n/each))
		all = append(all, plan.Spent{
			At: start.Add(-time.Duration(i/perMinute) * time.Minute), Kind: kind,
			Workload: plan.Key{Namespace: "team-" + name[:10], Kind: "Deployment", Name: name},
		})
	}
	return all
}

func TestTheLargestLegalBudgetsHaveRoomOnRecord(t *testing.T) {
	cfg := config.Default()
	cfg.Updater.EvictionsPerMinute, cfg.Updater.ResizesPerMinute = 300, 1000
	if errs := config.Validate(&cfg); len(errs) > 0 {
		t.Fatal(errs)
	}
	spent := append(spentBy(plan.Evict, cfg.Updater.EvictionsPerMinute, 6, 40), spentBy(plan.Resize, cfg.Updater.ResizesPerMinute, 1, 40)...)
	if !fits(start, spent) {
		t.Errorf("%d actions do not fit", len(spent))
	}
	cfg.Updater.EvictionsPerMinute++
	if errs := config.Validate(&cfg); len(errs) == 0 {
		t.Error("a budget is legal of which nobody knows whether the record has room for it")
	}
}

func TestWithAFullRecordTheMostUrgentIsDoneAndTheRestWaits(t *testing.T) {
	w := newWorld(t, shop(append(asking(40, 100), 20)...)...)
	evictions := spentBy(plan.Evict, 100, 1, 127)
	size := func(n int) int {
		text, err := encodeSpent(start, evictions[:n])
		if err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	const room = 50 // and as much as an entry or two, for the name of the workload and some times
	w.controller.ledger.spent = evictions[:(mostSpent-room-size(1))/(size(2)-size(1))]
	w.round()
	if n := len(w.resized); n == 0 || n == 41 || w.resized[0] != "checkout-40" {
		t.Errorf("resized %v, want some, the most urgent first", w.resized)
	}
	if text := w.record().Data[recordSpent]; len(text) > mostSpent {
		t.Errorf("%d bytes on record, want at most %d", len(text), mostSpent)
	}
}
