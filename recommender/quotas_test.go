package recommender

import (
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/quota"
)

func quotaOf(hard map[corev1.ResourceName]string) *corev1.ResourceQuota {
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "team"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{}}}
	for name, amount := range hard {
		q.Spec.Hard[name] = resource.MustParse(amount)
	}
	return q
}

// tightShop has a workload of three pods that ask for 100m and need about 700m, so that with the pod that a rollout adds it
// uses 400m of a quota.
func tightShop(t *testing.T, more ...client.Object) *shop {
	t.Helper()
	deployment := testkit.Deployment("shop", "checkout", 3).Container("app", "100m", "1Gi")
	return newShop(t, append(more, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"), deployment.Object())...)
}

func candidateCPU(s *shop) int64 {
	s.Helper()
	s.reconcile()
	return s.recommendation().Status.Candidate.Containers[0].Target.CPU.MilliValue()
}

// ledgerPod is a pod of a controller, or of nobody, that runs in the namespace.
func ledgerPod(name, kind, cpu string) *corev1.Pod {
	pod := podOn("n1", kind, cpu, "1Mi")
	pod.Namespace, pod.Name = "shop", name
	return &pod
}

func TestAQuotaIsSharedByEveryoneInTheNamespace(t *testing.T) {
	critical := testkit.Deployment("shop", "payments", 1).Container("app", "100m", "64Mi").Object()
	claim := &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-payments"},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "payments"}},
		Status: v1alpha1.RecommendationStatus{Mode: v1alpha1.ModeAuto, Memory: &v1alpha1.DecisionMemory{QuotaClaim: &v1alpha1.QuotaClaim{
			Priority: v1alpha1.PriorityCritical, Requests: v1alpha1.ResourceAmounts{CPU: new(resource.MustParse("250m"))},
		}}},
	}
	low := claim.DeepCopy()
	low.Status.Memory.QuotaClaim.Priority = v1alpha1.PriorityLow
	for name, c := range map[string]struct {
		hard  string
		other []client.Object
		want  int64
	}{
		"enough":                                 {"8", nil, 0},
		"a part for each pod, and one more":      {"1", nil, 250},
		"nothing beside a pod of nobody":         {"1", []client.Object{ledgerPod("stranger", "Job", "700m")}, 100},
		"a neighbour and the pod it may add":     {"1", []client.Object{critical}, 200},
		"a neighbour that comes first":           {"1", []client.Object{critical, claim}, 125},
		"a neighbour that comes later gets none": {"1", []client.Object{critical, low}, 200},
		"room for an autoscaler's maximum":       {"8", []client.Object{queueScaler(40)}, 200},
		"a maximum for which there is no room":   {"3", []client.Object{queueScaler(40)}, 100},
		"a maximum for which there is enough":    {"8", []client.Object{queueScaler(5)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := tightShop(t, append(c.other, quotaOf(map[corev1.ResourceName]string{corev1.ResourceRequestsCPU: c.hard}))...)
			got := candidateCPU(s)
			if short := got < 600; (c.want != 0) != short || short && got != c.want {
				t.Fatalf("a pod gets %dm, want %dm", got, c.want)
			}
			status := s.recommendation().Status
			told := false
			for _, f := range status.Findings {
				told = told || f.Type == FindingQuota && strings.Contains(f.Message, "ResourceQuota team")
			}
			if told != (c.want != 0) {
				t.Errorf("findings %+v", status.Findings)
			}
			if asked := status.Memory.QuotaClaim; asked == nil || asked.Requests.CPU.MilliValue() < 400 {
				t.Errorf("its neighbours are told %+v", asked)
			}
		})
	}
}

// lowered is a neighbour of checkout that asks for this much CPU and whose pods are given 10m, with its Recommendation.
func lowered(replicas int32, cpu string) []client.Object {
	return []client.Object{
		testkit.Deployment("shop", "payments", replicas).Container("app", cpu, "64Mi").Object(),
		&v1alpha1.Recommendation{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-payments"},
			Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "payments"}},
			Status: v1alpha1.RecommendationStatus{Mode: v1alpha1.ModeAuto, Applicable: &v1alpha1.RevisionedValues{
				Containers: []v1alpha1.ContainerValues{{Name: "app", Target: v1alpha1.ResourceAmounts{CPU: new(resource.MustParse("10m"))}}},
			}},
		},
	}
}

func TestWhatALoweredNeighboursTemplateAsksForIsNotLent(t *testing.T) {
	scaler := queueScaler(40)
	scaler.Name, scaler.Spec.ScaleTargetRef.Name, scaler.Spec.MinReplicas = "payments", "payments", new(int32(2))
	for name, c := range map[string]struct {
		neighbours []client.Object
		want       int64
	}{
		"its pods fit as they are written":                                        {lowered(1, "400m"), 300},
		"where they never fitted, what they do not use is there for who needs it": {lowered(1, "5"), 495},
		"pods that an autoscaler added are no reason to lend":                     {append(lowered(30, "100m"), scaler), 100},
	} {
		t.Run(name, func(t *testing.T) {
			s := tightShop(t, append(c.neighbours, quotaOf(map[corev1.ResourceName]string{corev1.ResourceRequestsCPU: "2"}))...)
			if got := candidateCPU(s); got != c.want {
				t.Errorf("a pod gets %dm, want %dm", got, c.want)
			}
		})
	}
}

func TestAKillIsAnsweredFromRoomThatPodsOfAnAutoscalerCouldNotUseAsTheyAreWritten(t *testing.T) {
	written := testkit.Deployment("shop", "checkout", 1).Container("app", "100m", "1Gi")
	many := testkit.Deployment("shop", "payments", 20).Container("app", "100m", "2Gi").Object()
	sized := lowered(20, "100m")[1].(*v1alpha1.Recommendation)
	sized.Status.Applicable.Containers[0].Target.Memory = new(resource.MustParse("500Mi"))
	sized.Status.Applicable.Containers[0].Limits.Memory = &v1alpha1.Limit{Policy: v1alpha1.LimitEqual, Value: new(resource.MustParse("500Mi"))}
	scaler := queueScaler(40)
	scaler.Name, scaler.Spec.ScaleTargetRef.Name, scaler.Spec.MinReplicas = "payments", "payments", new(int32(2))
	for name, c := range map[string]struct {
		hard string
		more []client.Object
		want string
	}{
		"room that 20 pods as they are written could not use anyway": {"20Gi", []client.Object{scaler}, "1229Mi"},
		"no room beside what runs":                                   {"14Gi", []client.Object{scaler}, ""},
		"room for what 20 pods always ask for as they are written":   {"42Gi", nil, ""},
		"room for what a rollout adds to them":                       {"44Gi", nil, "1229Mi"},
		"enough for all":                                             {"60Gi", nil, "1229Mi"},
	} {
		t.Run(name, func(t *testing.T) {
			killed := written.Pod(0).OOMKilled("app", "1Gi", noon.Add(-time.Minute)).Object()
			s := newShop(t, append(c.more, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"), written.Object(), killed, many.DeepCopy(), sized.DeepCopy(),
				quotaOf(map[corev1.ResourceName]string{corev1.ResourceRequestsMemory: c.hard, corev1.ResourceLimitsMemory: c.hard}))...)
			s.history.known = nil
			s.reconcile()
			status, got := s.recommendation().Status, ""
			if a := status.Applicable; a != nil && a.Containers[0].Target.Memory != nil {
				got = a.Containers[0].Target.Memory.String()
			}
			if got != c.want {
				t.Errorf("a pod gets %q, want %q: %s", got, c.want, strings.Join(status.Trail, "\n"))
			}
			told := slices.ContainsFunc(status.Findings, func(f v1alpha1.Finding) bool { return strings.Contains(f.Message, "ResourceQuota team") })
			if told != (c.want == "") {
				t.Errorf("findings %+v", status.Findings)
			}
		})
	}
}

func TestMorePodsAreAddedOnlyAsFarAsAQuotaCountsThem(t *testing.T) {
	ended := ledgerPod("ended", "Job", "100m")
	ended.Status.Phase = corev1.PodSucceeded
	best := quotaOf(map[corev1.ResourceName]string{corev1.ResourcePods: "4"})
	best.Spec.Scopes = []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}
	objects := quotaOf(map[corev1.ResourceName]string{"count/pods": "10"})
	objects.Status.Used = corev1.ResourceList{"count/pods": resource.MustParse("3")} // Two that ended, and one of nobody.
	for name, c := range map[string]struct {
		quota *corev1.ResourceQuota
		want  int32
	}{
		"one that a rollout adds and one of nobody beside":    {quotaOf(map[corev1.ResourceName]string{corev1.ResourcePods: "10"}), 8},
		"pods that ended are counted where all objects are":   {objects, 6},
		"more pods than it has room for run":                  {quotaOf(map[corev1.ResourceName]string{corev1.ResourcePods: "2"}), 3},
		"enough":                                              {quotaOf(map[corev1.ResourceName]string{corev1.ResourcePods: "100"}), 0},
		"pods without requests only, of which there are none": {best, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := tightShop(t, c.quota, ended.DeepCopy(), ledgerPod("stranger", "Job", "100m"))
			in, err := s.recommender.Engine.Gather(t.Context(), checkoutTarget, noon)
			if err != nil {
				t.Fatal(err)
			}
			p := pass{in: in}
			room := p.replicaRoom(Claim{Pod: p.podWith(nil)}, 20)
			if room.Most != c.want || c.want > 0 && !strings.Contains(room.Why, "ResourceQuota team") {
				t.Errorf("%+v, want %d", room, c.want)
			}
		})
	}
}

func TestAQuotaForAPriorityClassCountsPodsThatGotTheClusterDefault(t *testing.T) {
	q := quotaOf(map[corev1.ResourceName]string{corev1.ResourceRequestsCPU: "400m"})
	q.Spec.ScopeSelector = &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{
		{ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: corev1.ScopeSelectorOpIn, Values: []string{"usual"}},
	}}
	pod := testkit.Deployment("shop", "checkout", 3).Container("app", "100m", "1Gi").Pod(0).Object()
	pod.Spec.PriorityClassName = "usual"
	if got := candidateCPU(tightShop(t, q, pod)); got != 100 {
		t.Errorf("a pod gets %dm of a quota that is used up, want 100m", got)
	}
}

func TestMorePodsAreAddedOnlyIfTheyFitAsTheyAreWritten(t *testing.T) {
	p := pass{in: Input{Replicas: 3, Pods: 4}}
	p.in.Ledgers = []Ledger{{
		Quota: quota.Quota{Name: "team", Hard: quota.Amounts{quota.RequestsCPU: 6000}},
		Own:   quota.Claim{Workload: "Deployment/checkout", Used: quota.Amounts{quota.RequestsCPU: 800}, Reserved: quota.Amounts{quota.RequestsCPU: 4000}},
	}}
	p.in.Ledgers[0].Quota.Bounded[quota.RequestsCPU] = true
	lowered := Claim{Pod: apply.Resources{Requests: apply.Amounts{CPUMillis: 200}}}
	if got := p.replicaRoom(lowered, 20); got.Most != 5 {
		t.Errorf("%+v, want 5 and one that a rollout adds, of 1000m each", got)
	}
}

// queueScaler scales checkout by the length of a queue, so that both its resources are sized.
func queueScaler(most int32) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"},
			MinReplicas:    new(int32(3)), MaxReplicas: most,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: "queue"},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse("10"))},
			}}},
		},
	}
}

func TestMorePodsAreAddedOnlyAsFarAsTheQuotaHasRoomForThem(t *testing.T) {
	for name, c := range map[string]struct {
		hardCores, others int64
		most              int32
	}{
		"enough for all":         {1000, 0, 0},
		"two more":               {12, 2, 5},
		"not even for those now": {4, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass{in: Input{Replicas: 3, Pods: 4}}
			p.in.Ledgers = []Ledger{{
				Quota: quota.Quota{
					Name: "team", Hard: quota.Amounts{quota.RequestsCPU: c.hardCores * 1000, quota.RequestsMemory: 1},
					Others: quota.Amounts{quota.RequestsCPU: c.others * 1000},
				},
				Own: quota.Claim{Workload: "Deployment/checkout", Used: quota.Amounts{quota.RequestsCPU: 4 * 1500}},
			}}
			p.in.Ledgers[0].Quota.Bounded[quota.RequestsCPU] = true
			pod := apply.Resources{Requests: apply.Amounts{CPUMillis: 1500, MemoryBytes: gib}}
			if got := p.replicaRoom(Claim{Pod: pod}, 20); got.Most != c.most {
				t.Errorf("%+v, want %d", got, c.most)
			}
		})
	}
}

func TestAQuotaNeverRefusesToLower(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi")
	s := newShop(t, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"), deployment.Object(),
		quotaOf(map[corev1.ResourceName]string{corev1.ResourceRequestsCPU: "1"}))
	if got := candidateCPU(s); got != 1000 {
		t.Errorf("a pod gets %dm, want one step down to 1000m", got)
	}
}

func TestWhichPodsAQuotaCounts(t *testing.T) {
	finite := corev1.PodSpec{ActiveDeadlineSeconds: new(int64(60))}
	gold := corev1.PodSpec{PriorityClassName: "gold"}
	elsewhere := corev1.PodSpec{Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{PodAffinityTerm: corev1.PodAffinityTerm{Namespaces: []string{"bank"}}}},
	}}}
	classes := func(operator corev1.ScopeSelectorOperator, values ...string) corev1.ResourceQuotaSpec {
		return corev1.ResourceQuotaSpec{ScopeSelector: &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{
			{ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: operator, Values: values},
		}}}
	}
	scoped := func(scope corev1.ResourceQuotaScope) corev1.ResourceQuotaSpec {
		return corev1.ResourceQuotaSpec{Scopes: []corev1.ResourceQuotaScope{scope}}
	}
	for name, c := range map[string]struct {
		quota corev1.ResourceQuotaSpec
		pod   corev1.PodSpec
		want  bool
	}{
		"no scope":                         {corev1.ResourceQuotaSpec{}, gold, true},
		"a pod without an end":             {scoped(corev1.ResourceQuotaScopeNotTerminating), gold, true},
		"a pod with an end":                {scoped(corev1.ResourceQuotaScopeNotTerminating), finite, false},
		"pods with an end only":            {scoped(corev1.ResourceQuotaScopeTerminating), gold, false},
		"a pod without requests":           {scoped(corev1.ResourceQuotaScopeBestEffort), gold, true},
		"no pod with requests":             {scoped(corev1.ResourceQuotaScopeBestEffort), podOn("", "", "1m", "1Mi").Spec, false},
		"pods placed by other namespaces":  {scoped(corev1.ResourceQuotaScopeCrossNamespacePodAffinity), elsewhere, true},
		"and no pod besides":               {scoped(corev1.ResourceQuotaScopeCrossNamespacePodAffinity), gold, false},
		"its priority class":               {classes(corev1.ScopeSelectorOpIn, "gold"), gold, true},
		"another priority class":           {classes(corev1.ScopeSelectorOpIn, "silver"), gold, false},
		"every class but its own":          {classes(corev1.ScopeSelectorOpNotIn, "gold"), gold, false},
		"no class at all":                  {classes(corev1.ScopeSelectorOpDoesNotExist), gold, false},
		"a scope that is not known counts": {scoped("NewScope"), gold, true},
	} {
		if got := binds(&corev1.ResourceQuota{Spec: c.quota}, c.pod); got != c.want {
			t.Errorf("%s: counts %t", name, got)
		}
	}
}
