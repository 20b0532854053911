package scenarios

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
	"github.com/loadline-dev/loadline/internal/testkit"
)

var (
	canaryShop   = generous("canary")
	rollbackShop = generous("rollback")
	revertedShop = generous("reverted")
	evictedShop  = ofKind("StatefulSet", generous("evicted"))
)

// generous is a workload of three pods that have far more than they need, and can be resized.
func generous(namespace string) []shop.Workload {
	return shop.InNamespace(namespace, []shop.Workload{{
		Name: "web", Replicas: 3, Requests: map[string]string{"cpu": "2", "memory": "2Gi"},
		CPU: shop.Flat(0.2), Memory: shop.Flat(300 * shop.Mebibyte),
	}})
}

func ofKind(kind string, all []shop.Workload) []shop.Workload {
	for i := range all {
		all[i].Kind = kind
	}
	return all
}

// watching creates a policy under which first pods are watched for that long, and one revision is all there is.
func (s scene) watching(observe time.Duration, signals ...v1alpha1.Signal) {
	s.t.Helper()
	s.create(&v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		Spec: v1alpha1.SizingPolicySpec{
			MaxGiveBackPercent: new(int32(0)), Signals: signals,
			Behavior:   v1alpha1.Behavior{Down: v1alpha1.Movement{MaxStepPercent: new(int32(100))}},
			Disruption: v1alpha1.DisruptionPolicy{Canary: v1alpha1.CanaryPolicy{Observe: &metav1.Duration{Duration: observe}}},
		},
	})
}

// watchingOnly makes the watch of the policy that watching made another one.
func (s scene) watchingOnly(observe time.Duration) {
	s.t.Helper()
	policy := &v1alpha1.SizingPolicy{}
	s.Expect(s.get(v1alpha1.DefaultPolicyName, policy)).To(Succeed())
	before := policy.DeepCopy()
	policy.Spec.Disruption.Canary.Observe = &metav1.Duration{Duration: observe}
	s.Expect(loadline.Client.Patch(s.t.Context(), policy, client.MergeFrom(before))).To(Succeed())
}

// marks are when and to which revision pods were resized last, the first one first.
func (s scene) marks(app string) []resizeMark {
	var marks []resizeMark
	for _, pod := range s.pods(app) {
		if text, marked := pod.Annotations[v1alpha1.AnnotationResized]; marked {
			mark := resizeMark{Pod: pod.Name}
			s.Expect(json.Unmarshal([]byte(text), &mark)).To(Succeed())
			marks = append(marks, mark)
		}
	}
	slices.SortFunc(marks, func(a, b resizeMark) int { return a.At.Compare(b.At) })
	return marks
}

type resizeMark struct {
	Pod, Revision string
	At            time.Time
}

func TestANewRevisionIsTriedOnOnePodFirstAlsoByAnUpdaterThatIsKilledMeanwhile(t *testing.T) {
	const observe = 12 * time.Second
	s := newScene(t, "canary", canaryShop)
	s.watching(10 * time.Minute) // However long the updater takes to come back, the first pod is still watched.
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	s.Eventually(func() []resizeMark { return s.marks("web") }).Should(HaveLen(1), "one pod is resized first")
	start := killPart(t, install.Updater)
	start()
	s.when("Deployment", "web", "watches the first pod", func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionApplied) == v1alpha1.ReasonWatching
	})
	s.watchingOnly(observe)
	s.when("Deployment", "web", "is applied", func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionApplied) == v1alpha1.ReasonUpToDate
	})
	marks := s.marks("web")
	s.Expect(marks).To(HaveLen(3), "the others followed")
	s.Expect(marks[1].At.Sub(marks[0].At)).To(BeNumerically(">=", observe), "after the first pod was watched: %v", marks)

	// A new version that crashes is nobody's harm: pods of the one before were well with these sizes.
	s.when("Deployment", "web", "has passed its trial", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Trial != nil && rec.Status.Trial.Revision == rec.Status.Revision
	})
	s.crash(s.rollOut("web")[0].Name)
	s.Consistently(func() string {
		return conditionReason(s.recommendation("Deployment", "web"), v1alpha1.ConditionHealthy)
	}, 5*time.Second).Should(Equal(v1alpha1.ReasonNoHarmSeen))
	s.Expect(s.recommendation("Deployment", "web").Status.Rollback).To(BeNil())
}

// crash writes into a pod's status what a kubelet writes of a container that crashes again and again.
func (s scene) crash(name string) {
	s.t.Helper()
	pod := &corev1.Pod{}
	s.Expect(s.get(name, pod)).To(Succeed())
	before := pod.DeepCopy()
	status := &pod.Status.ContainerStatuses[0]
	status.RestartCount += 3
	status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		ExitCode: 1, StartedAt: pod.CreationTimestamp, FinishedAt: metav1.NewTime(time.Now().Add(time.Second)), // in whole seconds, and after what was done to it
	}
	s.Expect(loadline.Client.Status().Patch(s.t.Context(), pod, client.MergeFrom(before))).To(Succeed())
}

// pastedShop is a workload into whose template somebody pasted a pod, with all that was noted on it.
var pastedShop = shop.InNamespace("pasted", []shop.Workload{{
	Name: "web", Replicas: 2, Requests: map[string]string{"cpu": "2", "memory": "2Gi"}, CPU: shop.Flat(0.2), Memory: shop.Flat(300 * shop.Mebibyte),
	PodAnnotations: map[string]string{
		v1alpha1.AnnotationOriginal: `{"app":{"requests":{"cpu":"50m"},"limits":{"cpu":"100m"}}}`, v1alpha1.AnnotationRevision: "0badc0de",
	},
}})

func TestWhatSomebodyPastedIntoATemplateIsNotBelieved(t *testing.T) {
	s := newScene(t, "pasted", pastedShop)
	s.watching(time.Second)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	s.Eventually(func() []resizeMark { return s.marks("web") }).Should(HaveLen(2), "running pods, which the webhook never saw, are resized")
	for _, pod := range append(s.pods("web"), s.rollOut("web")...) {
		s.Expect(pod.Annotations[v1alpha1.AnnotationOriginal]).To(And(ContainSubstring(`"cpu":"2"`), Not(ContainSubstring("limits"))), "pod %s", pod.Name)
		s.Expect(pod.Spec.Containers[0].Resources.Limits).To(BeEmpty(), "pod %s", pod.Name)
	}
}

func TestWhatDidHarmIsTakenBackAndNoOtherPodGetsIt(t *testing.T) {
	s := newScene(t, "rollback", rollbackShop)
	s.watching(10 * time.Minute)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	s.Eventually(func() []resizeMark { return s.marks("web") }).Should(HaveLen(1), "one pod is resized first")
	first := s.marks("web")[0]
	s.when("Deployment", "web", "watches the first pod", func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionApplied) == v1alpha1.ReasonWatching
	})
	s.kubectlScale("deployment", "web", 4)
	s.Eventually(func() []string { return heldBack(s.pods("web")) }).Should(Equal([]string{"2"}), "a new pod gets what pods had before, and says so")
	s.kill(first.Pod)
	s.when("Deployment", "web", "takes it back", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Rollback != nil && conditionReason(rec, v1alpha1.ConditionHealthy) == v1alpha1.ReasonRolledBack
	})
	start := killPart(t, install.Updater)
	start()
	s.Eventually(func() []string { return cpuOf(s.pods("web")) }).Should(HaveEach("2"), "the first pod has its cores back, the others never lost them")

	rec := s.recommendation("Deployment", "web")
	s.Expect(rec.Status.Rollback.Revision).To(Equal(first.Revision))
	s.Expect(rec.Status.Rollback.Evidence).To(And(ContainSubstring(first.Pod), ContainSubstring("OOMKilled"), ContainSubstring("container app")))
	s.Expect(rec.Status.Rollback.Until.Sub(rec.Status.Rollback.Time.Time)).To(Equal(time.Hour))
	s.Expect(rec.Status.Outcomes).To(ContainElement(And(HaveField("Result", v1alpha1.OutcomeFailed), HaveField("Revision", first.Revision))))
	for _, mark := range s.marks("web") {
		s.Expect(mark.Pod).To(Equal(first.Pod), "no other pod was touched")
	}
	s.nothingMoves("web")
}

// kill writes into a pod's status what a kubelet writes when a container was killed for lack of memory.
func (s scene) kill(name string) {
	s.t.Helper()
	s.killAt(name, time.Now().Add(time.Second)) // in whole seconds, and after what was done to it
}

func (s scene) killAt(name string, at time.Time) {
	s.t.Helper()
	pod := &corev1.Pod{}
	s.Expect(s.get(name, pod)).To(Succeed())
	before := pod.DeepCopy()
	pod.Status.ContainerStatuses[0].RestartCount++
	pod.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		Reason: "OOMKilled", ExitCode: 137, StartedAt: metav1.NewTime(time.Now().Add(-time.Minute)), FinishedAt: metav1.NewTime(at),
	}
	s.Expect(loadline.Client.Status().Patch(s.t.Context(), pod, client.MergeFrom(before))).To(Succeed())
}

// The controller of a StatefulSet deletes a pod that was evicted at once: neither updater nor recommender finds it when it looks.
func TestAPodThatItsNodeEvictsForLackOfMemoryIsHarmAndKeepsTheMemoryHigher(t *testing.T) {
	t.Parallel()
	s := newScene(t, "evicted", evictedShop)
	s.watching(10 * time.Minute)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	s.Eventually(func() []resizeMark { return s.marks("web") }).Should(HaveLen(1), "one pod is resized first")
	first := s.marks("web")[0]
	s.when("StatefulSet", "web", "watches the first pod", func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionApplied) == v1alpha1.ReasonWatching
	})
	s.evictByNode(first.Pod, "1000Mi")
	rec := s.when("StatefulSet", "web", "takes it back", func(rec *v1alpha1.Recommendation) bool {
		return rec.Status.Rollback != nil && conditionReason(rec, v1alpha1.ConditionHealthy) == v1alpha1.ReasonRolledBack
	})
	s.Expect(rec.Status.Rollback.Revision).To(Equal(first.Revision))
	s.Expect(rec.Status.Rollback.Evidence).To(And(ContainSubstring("container app of pod "+first.Pod), ContainSubstring("EvictedForMemory")))
	s.Expect(rec.Status.OOMFloor).To(ConsistOf(HaveField("Floor.String()", "1200Mi")), "a fifth more than it used")
	s.Eventually(func() []string { return cpuOf(s.pods("web")) }).Should(Equal([]string{"2", "2", "2"}), "its successor has what pods had before")
	for _, mark := range s.marks("web") {
		s.Expect(mark.Pod).To(Equal(first.Pod), "no other pod was touched")
	}
}

// evictByNode writes into a pod's status what a kubelet writes when its node runs low on memory and the container used so much. The simulated
// nodes have no memory to run low on.
func (s scene) evictByNode(name, used string) {
	s.t.Helper()
	pod := &corev1.Pod{}
	s.Expect(s.get(name, pod)).To(Succeed())
	before := pod.DeepCopy()
	testkit.EvictForMemory(pod, "app", used, time.Now().Add(time.Second)) // in whole seconds, and after what was done to it
	s.Expect(loadline.Client.Status().Patch(s.t.Context(), pod, client.MergeFrom(before))).To(Succeed())
}

// heldBack are the CPU requests of the pods that say that they were kept from a revision.
func heldBack(pods []corev1.Pod) []string {
	return cpuOf(slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
		return !strings.HasSuffix(pod.Annotations[v1alpha1.AnnotationRevision], "-held-back")
	}))
}

func cpuOf(pods []corev1.Pod) []string {
	var all []string
	for _, pod := range pods {
		all = append(all, pod.Spec.Containers[0].Resources.Requests.Cpu().String())
	}
	return all
}

func TestSizesThatSomebodyElseTakesBackTwiceAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t, "reverted", revertedShop)
	s.watching(10 * time.Minute)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	stuck := func(rec *v1alpha1.Recommendation) bool {
		return conditionReason(rec, v1alpha1.ConditionApplied) == v1alpha1.ReasonDidNotStick
	}
	s.Eventually(func() bool {
		for _, pod := range s.pods("web") {
			s.giveBack(pod)
		}
		rec := s.recommendation("Deployment", "web")
		return rec != nil && stuck(rec)
	}, 2*patience, 500*time.Millisecond).Should(BeTrue(), "the workload is left alone")
	rec := s.recommendation("Deployment", "web")
	results := map[v1alpha1.OutcomeResult]int{}
	for _, o := range rec.Status.Outcomes {
		results[o.Result]++
	}
	s.Expect(results[v1alpha1.OutcomeDidNotStick]).To(Equal(2), "two tries: %v", rec.Status.Outcomes)
	for _, pod := range s.pods("web") {
		s.giveBack(pod)
	}
	s.nothingMoves("web")
}

// giveBack resizes a pod to what its template asks for, as an operator with a mind of its own does.
func (s scene) giveBack(pod corev1.Pod) {
	s.t.Helper()
	if pod.Spec.Containers[0].Resources.Requests.Cpu().Cmp(resource.MustParse("2")) == 0 {
		return
	}
	patch := `{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"2","memory":"2Gi"}}}]}}`
	err := loadline.Client.SubResource("resize").Patch(s.t.Context(), &pod, client.RawPatch(types.StrategicMergePatchType, []byte(patch)))
	s.Expect(client.IgnoreNotFound(err)).To(Succeed())
}
