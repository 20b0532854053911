package versus

import (
	"fmt"
	"math"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	vpav1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/model"
	updaterconfig "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/updater/config"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/updater/priority"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/utils/limitrange"
	vpautil "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/utils/vpa"

	"github.com/loadline-dev/loadline/replay"
)

const (
	namespace     = "versus"
	containerName = "main"
)

// shipped are the defaults of the recommender's flags, without the minimum that it gives every pod. The package of VPA that
// holds them does not compile with the version of Prometheus' client used here. What is not among them, half-lives and
// buckets, is the default of VPA's own code.
func shipped() logic.RecommendationConfig {
	return logic.RecommendationConfig{
		SafetyMarginFraction:       0.15,
		TargetCPUPercentile:        0.9,
		LowerBoundCPUPercentile:    0.5,
		UpperBoundCPUPercentile:    0.95,
		ConfidenceIntervalCPU:      24 * time.Hour,
		TargetMemoryPercentile:     0.9,
		LowerBoundMemoryPercentile: 0.5,
		UpperBoundMemoryPercentile: 0.95,
		ConfidenceIntervalMemory:   24 * time.Hour,
	}
}

// realVPA is VPA itself for one workload with one pod of one container: the recommender's model of the cluster, its
// estimators, and the updater's rule, called in the order in which the two programs call them.
type realVPA struct {
	t          *testing.T
	cluster    model.ClusterState
	estimators logic.PodResourceRecommender
	object     *vpav1.VerticalPodAutoscaler
	pod        *corev1.Pod
	pods       int
}

func newRealVPA(t *testing.T, config logic.RecommendationConfig, resources ...corev1.ResourceName) *realVPA {
	t.Helper()
	v := &realVPA{
		t:          t,
		cluster:    model.NewClusterState(time.Hour),
		estimators: logic.CreatePodResourceRecommender(config),
		object: &vpav1.VerticalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "vpa"},
			Spec: vpav1.VerticalPodAutoscalerSpec{
				TargetRef:    &autoscalingv1.CrossVersionObjectReference{Kind: "Deployment", Name: "app"},
				UpdatePolicy: &vpav1.PodUpdatePolicy{UpdateMode: new(vpav1.UpdateModeRecreate)},
				ResourcePolicy: &vpav1.PodResourcePolicy{ContainerPolicies: []vpav1.ContainerResourcePolicy{{
					ContainerName: containerName, ControlledResources: &resources,
				}}},
			},
		},
	}
	v.must(v.cluster.AddOrUpdateVpa(v.object, labels.Everything()))
	return v
}

func (v *realVPA) must(err error) {
	if err != nil {
		v.t.Helper()
		v.t.Fatal(err)
	}
}

func (v *realVPA) podID() model.PodID { return model.PodID{Namespace: namespace, PodName: v.pod.Name} }

func (v *realVPA) container() model.ContainerID {
	return model.ContainerID{PodID: v.podID(), ContainerName: containerName}
}

// start replaces the pod by one with these requests, as an eviction followed by an admission does.
func (v *realVPA) start(at time.Time, requests replay.Amounts) {
	v.t.Helper()
	if v.pod != nil {
		v.cluster.DeletePod(v.podID())
	}
	v.pods++
	v.pod = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("app-%d", v.pods)},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: containerName,
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU:    *resource.NewMilliQuantity(requests.CPUMillis, resource.DecimalSI),
				corev1.ResourceMemory: *resource.NewQuantity(requests.MemoryBytes, resource.BinarySI),
			}},
		}}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: containerName}}},
	}
	v.startedAt(at)
	v.cluster.AddOrUpdatePod(v.podID(), labels.Set{}, corev1.PodRunning)
	v.must(v.cluster.AddOrUpdateContainer(v.container(), model.Resources{
		model.ResourceCPU:    model.ResourceAmount(requests.CPUMillis),
		model.ResourceMemory: model.ResourceAmount(requests.MemoryBytes),
	}))
}

// startedAt says when the pod was started, and its container with it.
func (v *realVPA) startedAt(at time.Time) {
	v.pod.Status.StartTime = new(metav1.NewTime(at))
	v.pod.Status.ContainerStatuses[0].State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}
}

// observe hands over one sample of each resource, rounded as the recommender does when it reads the Metrics API. NaN is
// handed over as nothing.
func (v *realVPA) observe(at time.Time, cores, bytes float64) {
	if !math.IsNaN(cores) {
		v.add(at, model.ResourceCPU, resource.NewScaledQuantity(int64(math.Round(cores*1e9)), resource.Nano).MilliValue())
	}
	if !math.IsNaN(bytes) {
		v.add(at, model.ResourceMemory, resource.NewQuantity(int64(bytes), resource.BinarySI).Value())
	}
}

func (v *realVPA) add(at time.Time, name model.ResourceName, amount int64) {
	v.must(v.cluster.AddSample(&model.ContainerUsageSampleWithKey{
		Container: v.container(),
		ContainerUsageSample: model.ContainerUsageSample{
			MeasureStart: at, Resource: name, Usage: model.ResourceAmount(amount),
		},
	}))
}

// outOfMemory kills the container, which starts anew at once in the same pod.
func (v *realVPA) outOfMemory(at time.Time) {
	v.t.Helper()
	requested := v.pod.Spec.Containers[0].Resources.Requests.Memory().Value()
	v.must(v.cluster.RecordOOM(v.container(), at, model.ResourceAmount(requested)))
	status := &v.pod.Status.ContainerStatuses[0]
	status.RestartCount++
	status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		Reason: "OOMKilled", StartedAt: status.State.Running.StartedAt, FinishedAt: metav1.NewTime(at),
	}
	status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}
}

// recommend computes a recommendation and writes it into the VPA object, as the recommender does once a minute.
func (v *realVPA) recommend() replay.VPARecommendation {
	vpa := v.cluster.VPAs()[model.VpaID{Namespace: namespace, VpaName: v.object.Name}]
	states := vpa.AggregateStateByContainerName()
	for name, state := range states {
		state.UpdateFromPolicy(vpautil.GetContainerResourcePolicy(name, vpa.ResourcePolicy))
	}
	pod := v.estimators.GetRecommendedPodResources(states)
	v.object.Status.Recommendation = logic.MapToListOfRecommendedContainerResources(pod,
		logic.RecommendationFormat{RoundCPUMillicores: 1, RoundMemoryBytes: 1})
	r := pod[containerName]
	return replay.VPARecommendation{Target: amounts(r.Target), Lower: amounts(r.LowerBound), Upper: amounts(r.UpperBound)}
}

func amounts(r model.Resources) replay.Amounts {
	return replay.Amounts{CPUMillis: int64(r[model.ResourceCPU]), MemoryBytes: int64(r[model.ResourceMemory])}
}

// wantsUpdate asks the updater's rule, with the updater's defaults, whether the pod is to be replaced by one with the
// recommendation.
func (v *realVPA) wantsUpdate(now time.Time) bool {
	defaults := updaterconfig.DefaultUpdaterConfig()
	calculator := priority.NewUpdatePriorityCalculator(v.object, priority.UpdateConfig{
		MinChangePriority:          defaults.DefaultUpdateThreshold,
		PodLifetimeUpdateThreshold: defaults.PodLifetimeUpdateThreshold,
		EvictAfterOOMThreshold:     defaults.EvictAfterOOMThreshold,
	}, vpautil.NewCappingRecommendationProcessor(limitrange.NewNoopLimitsCalculator()), priority.NewProcessor())
	calculator.AddPod(v.pod, now, nil)
	return len(calculator.GetSortedPods(priority.NewDefaultPodEvictionAdmission())) > 0
}
