package recommender

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubernetesac "k8s.io/client-go/applyconfigurations"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	loadlineac "github.com/loadline-dev/loadline/api/v1alpha1/applyconfiguration"
	recommendationac "github.com/loadline-dev/loadline/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/history"
)

// shop is a namespace in a cluster of controller-runtime's fake client, with a recommender that runs by hand.
type shop struct {
	*testing.T
	client      client.Client
	clock       *clocktesting.FakeClock
	history     *fakeHistory
	events      *events.FakeRecorder
	recommender *Reconciler
	writes      atomic.Int64
	// refuse is what the next status write answers.
	refuse error
}

var checkoutTarget = Target{Namespace: "shop", Kind: kindDeployment, Name: "checkout"}

func newShop(t *testing.T, objects ...client.Object) *shop {
	t.Helper()
	return newShopOf(t, nil, objects...)
}

// newShopOf has workloads of these kinds, too.
func newShopOf(t *testing.T, kinds owner.Kinds, objects ...client.Object) *shop {
	t.Helper()
	scheme := newScheme(t)
	s := &shop{T: t, clock: clocktesting.NewFakeClock(noon), events: events.NewFakeRecorder(100), history: &fakeHistory{known: map[string]history.Workload{
		"Deployment/checkout": checkout(t, 14*day).in.History,
	}}}
	s.client = fake.NewClientBuilder().WithScheme(scheme).WithReturnManagedFields().
		WithTypeConverters(loadlineac.NewTypeConverter(scheme), kubernetesac.NewTypeConverter(clientgoscheme.Scheme)).WithObjects(objects...).WithObjects(testkit.Node("n1", "16", "64Gi")).
		WithStatusSubresource(&v1alpha1.Recommendation{}).WithIndex(&corev1.Pod{}, podOwnerIndex, podOwner(kinds)).WithIndex(&corev1.Event{}, involvedIndex, involved).WithIndex(&corev1.Event{}, refusedIndex, refusedBy(kinds)).
		WithInterceptorFuncs(interceptor.Funcs{SubResourceApply: func(ctx context.Context, c client.Client, sub string, o runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			s.writes.Add(1)
			if err := s.refuse; err != nil {
				s.refuse = nil
				return err
			}
			return c.SubResource(sub).Apply(ctx, o, opts...)
		}}).Build()
	cfg := config.Default()
	s.recommender = &Reconciler{
		Client: s.client, Engine: NewEngine(s.client, s.history, cfg), Clock: s.clock, Recorder: s.events,
		Every: 5 * time.Minute, JitterShare: 0.2, Retention: 7 * day,
	}
	s.recommender.Engine.Kinds = kinds
	return s
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

func openShop(t *testing.T, more ...client.Object) *shop {
	t.Helper()
	deployment := testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi")
	return newShop(t, append(more, testkit.Namespace("shop", v1alpha1.AnnotationMode, "dry-run"), deployment.Object())...)
}

func (s *shop) reconcile() reconcile.Result {
	s.Helper()
	result, err := s.recommender.Reconcile(s.Context(), checkoutTarget)
	if err != nil {
		s.Fatal(err)
	}
	return result
}

// recommendation returns nil if there is none.
func (s *shop) recommendation() *v1alpha1.Recommendation {
	s.Helper()
	rec := &v1alpha1.Recommendation{}
	if err := s.client.Get(s.Context(), checkoutTarget.RecommendationKey(), rec); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		s.Fatal(err)
	}
	return rec
}

func (s *shop) ready() metav1.Condition {
	s.Helper()
	return *apimeta.FindStatusCondition(s.recommendation().Status.Conditions, v1alpha1.ConditionReady)
}

func (s *shop) annotate(mode string) {
	s.Helper()
	namespace := testkit.Namespace("shop", v1alpha1.AnnotationMode, mode)
	if err := s.client.Update(s.Context(), namespace); err != nil {
		s.Fatal(err)
	}
}

func (s *shop) delete(object client.Object) {
	s.Helper()
	if err := s.client.Delete(s.Context(), object); err != nil {
		s.Fatal(err)
	}
}

func TestAnOptedInWorkloadGetsOneRecommendationAndIsVisitedAgain(t *testing.T) {
	s := openShop(t)
	result := s.reconcile()
	rec := s.recommendation()
	if rec == nil || rec.Name != "deployment-checkout" || rec.Status.Applicable == nil {
		t.Fatalf("got %+v", rec)
	}
	if result.RequeueAfter < 5*time.Minute || result.RequeueAfter > 6*time.Minute {
		t.Errorf("visited again after %s, want 5 minutes and up to a fifth more", result.RequeueAfter)
	}
	if event := <-s.events.Events; !strings.Contains(event, "revision "+rec.Status.Revision) {
		t.Errorf("event %q", event)
	}
}

func TestNothingIsWrittenWhereNothingMattersAndTheSizesAreConfirmedEverySixHours(t *testing.T) {
	s := openShop(t)
	s.recommender.Engine.DefaultPolicy.Behavior.Down.Cooldown = &metav1.Duration{Duration: 30 * day} // no second step meanwhile
	measure := func() {                                                                              // one more hour of the same each hour
		l := checkout(t, 0).after(s.clock.Since(noon))
		s.history.known["Deployment/checkout"] = l.uses(14*day+s.clock.Since(noon), testkit.Flat(0.4), testkit.Flat(400*mebibyte)).in.History
	}
	measure()
	s.reconcile()
	s.writes.Store(0)
	for range 71 { // of five minutes: a little less than six hours
		s.clock.Step(5 * time.Minute)
		measure()
		s.reconcile()
	}
	if s.writes.Load() != 0 {
		t.Errorf("%d writes without news", s.writes.Load())
	}
	s.clock.Step(5 * time.Minute)
	s.reconcile()
	if s.writes.Load() != 1 || !s.recommendation().Status.ObservedTime.Time.Equal(s.clock.Now()) {
		t.Errorf("%d writes after six hours, confirmed at %s", s.writes.Load(), s.recommendation().Status.ObservedTime)
	}
}

func TestTwoLooksWithinOneSecondMakeOneStep(t *testing.T) {
	s := newShop(t, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"),
		testkit.Deployment("shop", "checkout", 3).Container("app", "20m", "2Gi").Object()) // 20m → 220m → about 696m
	s.clock.Step(time.Millisecond)
	s.reconcile()
	s.clock.Step(time.Millisecond)
	s.reconcile()
	if cpu, _ := app(s.recommendation().Status.Applicable); cpu != 220 {
		t.Errorf("sized to %dm, want one step of 1000 %%", cpu)
	}
}

func TestADecisionThatRestsOnAnOldStatusIsMadeAgain(t *testing.T) {
	s := openShop(t)
	s.refuse = apierrors.NewConflict(v1alpha1.SchemeGroupVersion.WithResource("recommendations").GroupResource(), "deployment-checkout", errors.New("changed"))
	if result := s.reconcile(); result.RequeueAfter != settle {
		t.Errorf("comes back after %s", result.RequeueAfter)
	}
	if s.reconcile(); s.recommendation().Status.Applicable == nil {
		t.Error("was not made again")
	}
}

func TestTheStatusWriteIsRefusedIfTheRecommendationChangedMeanwhile(t *testing.T) {
	s := openShop(t)
	s.reconcile()
	old := s.recommendation()
	changed := old.DeepCopy()
	changed.Spec.ApprovedRevision = "0123456789abcdef"
	if err := s.client.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := s.recommender.applyStatus(t.Context(), old, old.Status); !apierrors.IsConflict(err) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestARecommendationThatTheCacheDoesNotShowYetIsNoError(t *testing.T) {
	s := openShop(t)
	s.reconcile()
	blind := interceptor.NewClient(s.client.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, ok := o.(*v1alpha1.Recommendation); ok {
				return apierrors.NewNotFound(v1alpha1.SchemeGroupVersion.WithResource("recommendations").GroupResource(), key.Name)
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
	s.recommender.Client = blind
	if result := s.reconcile(); result.RequeueAfter != settle {
		t.Errorf("comes back after %s", result.RequeueAfter)
	}
}

func TestARecommendationOutlivesItsWorkloadForAWeekAndKeepsWhatItKnows(t *testing.T) {
	killed := testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi").Pod(0).OOMKilled("app", "2Gi", noon.Add(-time.Hour)).Object()
	s := openShop(t, killed)
	s.reconcile()
	before := s.recommendation()
	if len(before.Status.OOMFloor) != 1 {
		t.Fatalf("floors %v", before.Status.OOMFloor)
	}
	s.delete(testkit.Deployment("shop", "checkout", 3).Object())
	s.delete(killed)
	if result := s.reconcile(); result.RequeueAfter != 7*day {
		t.Errorf("comes back after %s, want when it expires", result.RequeueAfter)
	}
	after := s.recommendation()
	if c := s.ready(); c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReasonTargetGone {
		t.Errorf("Ready is %s because %s", c.Status, c.Reason)
	}
	if diff := cmp.Diff(before.Status.Applicable, after.Status.Applicable); diff != "" || len(after.Status.OOMFloor) != 1 || after.Status.Mode != v1alpha1.ModeDryRun {
		t.Errorf("forgot what was known: %s", diff)
	}
	if len(s.history.forgotten) == 0 {
		t.Error("the history of a workload that is gone stays in memory")
	}

	s.writes.Store(0)
	s.clock.Step(7*day - time.Second)
	if result := s.reconcile(); s.recommendation() == nil || result.RequeueAfter != time.Second || s.writes.Load() != 0 {
		t.Errorf("a second before its time: %d writes, comes back after %s", s.writes.Load(), result.RequeueAfter)
	}
	s.clock.Step(time.Second)
	if s.reconcile(); s.recommendation() != nil {
		t.Error("it does not expire")
	}
}

func TestAWorkloadThatIsGoneKeepsTheNarrowerMode(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi")
	for _, c := range []struct {
		name            string
		workload, after v1alpha1.Mode // the namespace says auto while the workload is there
		want            v1alpha1.Mode
	}{
		{"it allowed itself dry-run", v1alpha1.ModeDryRun, v1alpha1.ModeAuto, v1alpha1.ModeDryRun},
		{"it was off", v1alpha1.ModeOff, v1alpha1.ModeAuto, v1alpha1.ModeOff},
		{"it said nothing", "", v1alpha1.ModeAuto, v1alpha1.ModeAuto},
		{"the namespace is narrowed", v1alpha1.ModeInitial, v1alpha1.ModeDryRun, v1alpha1.ModeDryRun},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openShop(t)
			s.annotate("auto")
			s.reconcile()
			if c.workload != "" {
				object := deployment.Object()
				object.SetAnnotations(map[string]string{v1alpha1.AnnotationMode: string(c.workload)})
				if err := s.client.Update(t.Context(), object); err != nil {
					t.Fatal(err)
				}
				s.reconcile()
			}
			s.delete(deployment.Object())
			s.annotate(string(c.after))
			s.reconcile()
			if status := s.recommendation().Status; status.Mode != c.want || status.ModeFrom == "" || s.ready().Reason != v1alpha1.ReasonTargetGone {
				t.Errorf("mode %s from %q, Ready says %s; want %s", status.Mode, status.ModeFrom, s.ready().Reason, c.want)
			}
		})
	}
}

func TestAWorkloadThatComesBackFindsItsFloorAgain(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi")
	killed := deployment.Pod(0).OOMKilled("app", "2Gi", noon.Add(-time.Hour)).Object()
	s := openShop(t, killed)
	s.reconcile()
	s.delete(deployment.Object())
	s.delete(killed)
	s.reconcile()
	if err := s.client.Create(t.Context(), deployment.Object()); err != nil {
		t.Fatal(err)
	}
	s.clock.Step(time.Hour)
	s.reconcile()
	if _, memory := app(s.recommendation().Status.Applicable); memory < 2458*mebibyte || s.ready().Status != metav1.ConditionTrue {
		t.Errorf("sized to %d MiB, want 1.2 times the 2 GiB that were hit", memory/mebibyte)
	}
}

func TestOptingOutEndsItAtOnceAndOptingInAgainContinues(t *testing.T) {
	s := openShop(t)
	s.reconcile()
	s.annotate("off")
	s.reconcile()
	if c := s.ready(); c.Reason != v1alpha1.ReasonOptedOut || s.recommendation().Status.Mode != v1alpha1.ModeOff {
		t.Errorf("Ready says %s, mode %s", c.Reason, s.recommendation().Status.Mode)
	}
	s.annotate("auto")
	s.reconcile()
	if s.ready().Status != metav1.ConditionTrue || s.recommendation().Status.Mode != v1alpha1.ModeAuto {
		t.Error("does not continue")
	}
}

func TestWithoutOptInThereIsNothing(t *testing.T) {
	s := newShop(t, testkit.Namespace("shop"), testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi").Object())
	if result := s.reconcile(); s.recommendation() != nil || result.RequeueAfter != 0 || s.history.reads != 0 {
		t.Errorf("recommendation %v, back after %s, %d reads of history", s.recommendation(), result.RequeueAfter, s.history.reads)
	}
}

func TestANamespaceThatIsGoneOrGoingIsLeftAlone(t *testing.T) {
	going := testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto")
	going.DeletionTimestamp, going.Finalizers = &metav1.Time{Time: noon}, []string{"kubernetes"}
	for name, objects := range map[string][]client.Object{"gone": nil, "going": {going}} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, append(objects, testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi").Object())...)
			if result := s.reconcile(); result != (reconcile.Result{}) || s.recommendation() != nil {
				t.Errorf("result %+v, recommendation %v", result, s.recommendation())
			}
		})
	}
}

func TestBeingToldToStopIsNoNewsAboutTheHistory(t *testing.T) {
	s := openShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.recommender.Reconcile(ctx, checkoutTarget); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s.recommendation() != nil {
		t.Error("a decision was made on a read that was cut off")
	}
}

func TestTheUpdatersPartOfTheStatusStays(t *testing.T) {
	s := openShop(t)
	s.reconcile()
	at := metav1.Time{Time: noon}
	theirs := recommendationac.RecommendationStatus().
		WithOutcomes(recommendationac.Outcome().WithTime(at).WithPod("p").WithPodUID("u").WithRevision("r").WithResult(v1alpha1.OutcomeResized)).
		WithConditions(metav1ac.Condition().WithType(v1alpha1.ConditionApplied).WithStatus(metav1.ConditionTrue).
			WithReason(v1alpha1.ReasonUpToDate).WithMessage("").WithLastTransitionTime(at))
	err := s.client.Status().Apply(t.Context(), recommendationac.Recommendation("deployment-checkout", "shop").WithStatus(theirs),
		client.FieldOwner(v1alpha1.FieldManagerUpdater), client.ForceOwnership)
	if err != nil {
		t.Fatal(err)
	}
	s.clock.Step(7 * time.Hour)
	s.reconcile()
	after := s.recommendation().Status
	if len(after.Outcomes) != 1 || !apimeta.IsStatusConditionTrue(after.Conditions, v1alpha1.ConditionApplied) {
		t.Errorf("outcomes %v, conditions %v", after.Outcomes, after.Conditions)
	}
}

func TestOnlyTheOwnPodsKillsOfContainersInTheTemplateCount(t *testing.T) {
	checkout := testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi")
	s := openShop(t,
		checkout.Pod(0).OOMKilled("app", "1Gi", noon).OOMKilled("istio-proxy", "64Mi", noon).Object(),
		testkit.Deployment("shop", "other", 1).Container("app", "1", "1Gi").Pod(0).OOMKilled("app", "8Gi", noon).Object(),
	)
	s.reconcile()
	floors := s.recommendation().Status.OOMFloor
	if len(floors) != 1 || floors[0].Container != "app" || floors[0].Hit.String() != "1Gi" {
		t.Errorf("floors %v", floors)
	}
}

func TestAnEvictionForMemoryCountsAlsoWhereThePodIsGoneByThen(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi")
	s := openShop(t)
	m := mapper{engine: s.recommender.Engine, excluded: config.Default().Excluded}
	for _, app := range []string{"app", "istio-proxy"} {
		pod := deployment.Pod(0).Object()
		testkit.EvictForMemory(pod, app, "3000Mi", noon)
		m.killedPod(t.Context(), pod)
	}
	s.reconcile()
	floors := s.recommendation().Status.OOMFloor
	if len(floors) != 1 || floors[0].Container != "app" || floors[0].Floor.String() != "3600Mi" || floors[0].Kills != 1 {
		t.Fatalf("floors %v, want a fifth more than it used", floors)
	}
	s.clock.Step(2 * time.Hour)
	s.reconcile()
	if got := s.recommendation().Status.OOMFloor; len(got) != 1 || got[0].Kills != 1 {
		t.Errorf("floors %v two hours later, want the same", got)
	}
	if left := s.recommender.Engine.departed.of(checkoutTarget, s.clock.Now()); len(left) != 0 {
		t.Errorf("%v is still remembered", left)
	}
}

func TestTheLabelFollowsTheAnnotationAndNothingElseIsTouched(t *testing.T) {
	for name, c := range map[string]struct {
		namespace *corev1.Namespace
		label     string
		want      string
	}{
		"missed when opting in":         {testkit.Namespace("shop", v1alpha1.AnnotationMode, "initial"), "", "enabled"},
		"missed when opting out":        {testkit.Namespace("shop"), "enabled", ""},
		"dry-run needs no label":        {testkit.Namespace("shop", v1alpha1.AnnotationMode, "dry-run"), "enabled", ""},
		"a refused mode needs none":     {testkit.Namespace("shop", v1alpha1.AnnotationMode, "automatic"), "enabled", ""},
		"an excluded one keeps its own": {testkit.Namespace("kube-system"), "enabled", "enabled"},
	} {
		t.Run(name, func(t *testing.T) {
			c.namespace.Labels = map[string]string{"team": "a"}
			if c.label != "" {
				c.namespace.Labels[v1alpha1.LabelAdmission] = c.label
			}
			cl := fake.NewClientBuilder().WithObjects(c.namespace).Build()
			labeler := &Labeler{Client: cl, Excluded: config.Default().Excluded}
			key := types.NamespacedName{Name: c.namespace.Name}
			if _, err := labeler.Reconcile(t.Context(), reconcile.Request{NamespacedName: key}); err != nil {
				t.Fatal(err)
			}
			got := &corev1.Namespace{}
			if err := cl.Get(t.Context(), key, got); err != nil {
				t.Fatal(err)
			}
			if got.Labels[v1alpha1.LabelAdmission] != c.want || got.Labels["team"] != "a" {
				t.Errorf("labels %v", got.Labels)
			}
		})
	}
}

func TestANamespaceThatGoesWhileItIsLabelledIsNoError(t *testing.T) {
	cl := fake.NewClientBuilder().WithObjects(testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto")).
		WithInterceptorFuncs(interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return apierrors.NewNotFound(corev1.Resource("namespaces"), "shop")
		}}).Build()
	labeler := &Labeler{Client: cl, Excluded: config.Default().Excluded}
	if _, err := labeler.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Name: "shop"}}); err != nil {
		t.Error(err)
	}
}
