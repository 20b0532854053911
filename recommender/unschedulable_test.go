package recommender

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
)

// crowded is a workload that was raised from 100m to about 700m, on nodes of which the emptiest has as much CPU left.
func crowded(t *testing.T, freeMillis int64) *life {
	t.Helper()
	l := checkout(t, 14*day)
	l.in.Containers[0].Resources = corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("512Mi"),
	}}
	l.in.Free = []guard.Node{{Name: "n1", Room: apply.Amounts{CPUMillis: freeMillis, MemoryBytes: 64 * gib}}}
	if cpu, _ := app(l.look().rec.Status.Applicable); cpu < 600 {
		t.Fatalf("not raised: %dm", cpu)
	}
	return l
}

// waits says that a pod with the sizes in force has found no node for ten minutes.
func (l *life) waits() *life {
	cpu, memory := app(l.rec.Status.Applicable)
	l.in.Waiting = []Waiting{{
		Since: l.now.Add(-10 * time.Minute), Revision: l.rec.Status.Revision, CPU: true, Requests: apply.Amounts{CPUMillis: cpu, MemoryBytes: memory},
	}}
	return l.look()
}

func TestSizesThatFindNoNodeAreLoweredToWhatFits(t *testing.T) {
	l := crowded(t, 250).waits()
	if cpu, _ := app(l.rec.Status.Applicable); cpu != 250 {
		t.Fatalf("lowered to %dm, want the 250m that are free", cpu)
	}
	told := false
	for _, f := range l.rec.Status.Findings {
		told = told || f.Type == FindingUnschedulable
	}
	if !told || l.rec.Status.Memory.Unschedulable == nil {
		t.Errorf("nobody is told: %+v", l.rec.Status.Findings)
	}
	l.in.Waiting = nil
	if cpu, _ := app(l.after(time.Hour).look().rec.Status.Applicable); cpu != 250 {
		t.Errorf("an hour later it gets %dm: it would find no node again", cpu)
	}
	if cpu, _ := app(l.after(25 * time.Hour).look().rec.Status.Applicable); cpu < 600 {
		t.Errorf("a day later it gets %dm, want another try", cpu)
	}
	if cpu, _ := app(l.waits().rec.Status.Applicable); cpu != 250 {
		t.Errorf("the second time it is lowered to %dm", cpu)
	}
	l.in.Waiting = nil
	if cpu, _ := app(l.after(25 * time.Hour).look().rec.Status.Applicable); cpu != 250 {
		t.Errorf("after the second time it is tried again within a day: %dm", cpu)
	}
}

func TestSizesAreNotLoweredUnderWhatTheTemplateAsksFor(t *testing.T) {
	if cpu, _ := app(crowded(t, 20).waits().rec.Status.Applicable); cpu != 100 {
		t.Errorf("lowered to %dm, want the template's 100m: a full cluster is not our doing", cpu)
	}
}

func TestAPodThatWaitsWithOtherSizesChangesNothing(t *testing.T) {
	l := crowded(t, 250)
	before, _ := app(l.rec.Status.Applicable)
	l.in.Waiting = []Waiting{
		{Since: l.now.Add(-time.Hour), Revision: "0123456789abcdef", CPU: true, Requests: apply.Amounts{CPUMillis: 700}},
		{Since: l.now.Add(-time.Hour), Revision: l.rec.Status.Revision, CPU: true, Requests: apply.Amounts{CPUMillis: 100}},
	}
	if cpu, _ := app(l.look().rec.Status.Applicable); cpu != before {
		t.Errorf("lowered to %dm by a pod of the past, or one that asks for no more than its template", cpu)
	}
}

func TestAPodThatWaitsWithSizesOfThePastCountsWhereItsSuccessorWouldWaitToo(t *testing.T) {
	l := crowded(t, 250)
	l.in.Waiting = []Waiting{{Since: l.now.Add(-time.Hour), Revision: "0123456789abcdef", CPU: true, Requests: apply.Amounts{CPUMillis: 300}}}
	if cpu, _ := app(l.look().rec.Status.Applicable); cpu != 250 {
		t.Errorf("%dm, want the 250m that the node has left", cpu)
	}
}

func TestOneWaitingPodTakesNothingFromTheWorkload(t *testing.T) {
	l := crowded(t, 250)
	before := l.rec.Status.Applicable.DeepCopy()
	millis, memory := app(before)
	l.in.Placed = apply.Amounts{CPUMillis: millis, MemoryBytes: memory}
	if diff := cmp.Diff(before.Containers, l.waits().rec.Status.Applicable.Containers); diff != "" {
		t.Errorf("a pod waits while others run with as much, and the sizes change (-before +after):\n%s", diff)
	}
	if !slices.ContainsFunc(l.rec.Status.Findings, func(f v1alpha1.Finding) bool { return f.Type == FindingUnschedulable }) {
		t.Errorf("nobody is told: %+v", l.rec.Status.Findings)
	}
	if l.rec.Status.Memory.Unschedulable != nil {
		t.Error("it is remembered that the sizes find no node")
	}
}

func TestPodsThatRunAreNotLoweredForOneThatWaits(t *testing.T) {
	l := crowded(t, 250)
	before := l.rec.Status.Applicable.Containers[0].InPlace.CPU.MilliValue()
	after := l.waits().rec.Status.Applicable.Containers[0]
	if after.Target.CPU.MilliValue() != 250 || after.InPlace.CPU.MilliValue() != before {
		t.Errorf("new pods get %s, want 250m; running pods %s, want %dm", after.Target.CPU, after.InPlace.CPU, before)
	}
}

func TestNewPodsGetAsMuchAsOthersRunWith(t *testing.T) {
	l := crowded(t, 250).waits()
	l.in.Waiting, l.in.Placed = nil, apply.Amounts{CPUMillis: 500}
	if cpu, _ := app(l.after(time.Hour).look().rec.Status.Applicable); cpu != 500 {
		t.Errorf("a pod was raised to 500m where it runs, and new ones get %dm", cpu)
	}
}

func TestAPodOfADaemonSetThatWaitsIsNotAnsweredWithTheSizeOfOthers(t *testing.T) {
	l := crowded(t, 250)
	l.in.Target.Kind, l.in.Free = kindDaemonSet, nil
	running := podOn("large", kindDaemonSet, "700m", "512Mi")
	addPlaced(&l.in, &running)
	if cpu, _ := app(l.waits().rec.Status.Applicable); cpu != 100 {
		t.Errorf("new pods ask for %dm, want the template's 100m: its node has no room", cpu)
	}
}

func TestNothingIsLearntFromAWaitingPodWhileNothingMayShrink(t *testing.T) {
	l := crowded(t, 250)
	before, _ := app(l.rec.Status.Applicable)
	l.in.Annotations = []advice.Annotation{{ID: "A1", Event: &advice.TypedEvent{Name: "sale", Start: l.now.Add(-time.Hour), End: l.now.Add(time.Hour), DemandPercent: 110}}}
	if cpu, _ := app(l.waits().rec.Status.Applicable); cpu < before {
		t.Errorf("%dm → %dm in a sale", before, cpu)
	}
	for range 3 {
		l.look()
	}
	if times := l.rec.Status.Memory.Unschedulable.Times; times != 1 {
		t.Errorf("one pod that goes on waiting is counted %d times", times)
	}
}

func TestTheNodeThatComesClosestToWhatIsMissed(t *testing.T) {
	l := crowded(t, 0)
	l.in.Free = []guard.Node{{Name: "tall", Room: apply.Amounts{CPUMillis: 150, MemoryBytes: 64 * gib}}, {Name: "wide", Room: apply.Amounts{CPUMillis: 400, MemoryBytes: 4 * gib}}}
	if cpu, _ := app(l.waits().rec.Status.Applicable); cpu != 400 {
		t.Errorf("%dm, want the 400m of the node that has more CPU left", cpu)
	}
}

func TestWhatAPodRunsWith(t *testing.T) {
	resized := podOn("n1", "ReplicaSet", "4", "1Gi")
	resized.Spec.Containers[0].Name = "app"
	resized.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", Resources: &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")},
	}}}
	over := podOn("n1", "ReplicaSet", "4", "1Gi")
	over.Status.Phase = corev1.PodFailed
	for name, c := range map[string]struct {
		pod  corev1.Pod
		want int64
	}{
		"what it asks for":                    {podOn("n1", "ReplicaSet", "4", "1Gi"), 4000},
		"and not what its node has put off":   {resized, 1000},
		"nothing without a node":              {podOn("", "ReplicaSet", "4", "1Gi"), 0},
		"nothing when it has come to its end": {over, 0},
	} {
		if got, _ := placed(&c.pod); got.CPUMillis != c.want {
			t.Errorf("%s: %dm, want %dm", name, got.CPUMillis, c.want)
		}
	}
}

func TestWhichPodsWaitForANode(t *testing.T) {
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Time{Time: noon.Add(-10 * time.Minute)}, Annotations: map[string]string{v1alpha1.AnnotationRevision: "r"}}}
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available: 3 Insufficient memory.",
		}}
		change(p)
		return p
	}
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want bool
	}{
		"one of ours":                     {pod(func(*corev1.Pod) {}), true},
		"one without a revision":          {pod(func(p *corev1.Pod) { p.Annotations = nil }), false},
		"one that came a moment ago":      {pod(func(p *corev1.Pod) { p.CreationTimestamp.Time = noon.Add(-time.Minute) }), false},
		"one that is going":               {pod(func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} }), false},
		"one that waits for a volume":     {pod(func(p *corev1.Pod) { p.Status.Conditions[0].Message = "3 node(s) had volume node affinity conflict" }), false},
		"one that its gates hold back":    {pod(func(p *corev1.Pod) { p.Status.Conditions[0].Reason = corev1.PodReasonSchedulingGated }), false},
		"one that has found its node now": {pod(func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionTrue }), false},
	} {
		w, got := waitsForNode(c.pod, noon.Add(-5*time.Minute))
		if got != c.want || got && (!w.Memory || w.CPU) {
			t.Errorf("%s: waits %t, %+v", name, got, w)
		}
	}
}
