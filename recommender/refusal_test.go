package recommender

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/internal/testkit"
)

// failedCreate is what a controller tells of a pod that it could not create.
func failedCreate(kind, name, message string, at time.Time) *corev1.Event {
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "shop", Name: "e"},
		InvolvedObject: corev1.ObjectReference{Kind: kind, Namespace: "shop", Name: name},
		Type:           corev1.EventTypeWarning, Reason: "FailedCreate", Message: message,
		FirstTimestamp: metav1.NewTime(at), LastTimestamp: metav1.NewTime(at),
	}
}

func TestARefusalIsReadOfAWorkloadOfAnyKindWhosePodsAreMissing(t *testing.T) {
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{testkit.Container("app", "2", "2Gi")}}}
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "db", UID: "u"}
	pod := func(kind, name string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db-x", OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: name, Controller: new(true)}}},
			Spec:       template.Spec,
		}
	}
	set := &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Template: template}}
	two := set.DeepCopy()
	two.Spec.Replicas = new(int32(2))
	agents := &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Template: template}, Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 1}}
	job := &batchv1.CronJob{ObjectMeta: meta}
	job.Spec.JobTemplate.Spec.Template = template
	running := job.DeepCopy()
	running.Status.Active = []corev1.ObjectReference{{Kind: "Job", Name: "db-29384756"}}
	rollout := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": map[string]any{"namespace": "shop", "name": "db", "uid": "u"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"containers": []any{map[string]any{"name": "app", "image": "i", "resources": map[string]any{"requests": map[string]any{"cpu": "2"}}}},
		}}},
		"status": map[string]any{"updatedReplicas": int64(0)},
	}}
	updated := rollout.DeepCopy()
	updated.Object["status"] = map[string]any{"updatedReplicas": int64(1)}
	old := pod("ReplicaSet", "db-5f9c")
	old.Labels = map[string]string{"hash": "5f9c"}
	over := pod("StatefulSet", "db")
	over.Status.Phase = corev1.PodFailed

	for name, c := range map[string]struct {
		kind     string
		workload client.Object
		pod      *corev1.Pod
		event    *corev1.Event
		want     bool
	}{
		"a StatefulSet without its pod":         {kindStatefulSet, set, nil, failedCreate("StatefulSet", "db", refusesLargePods, noon), true},
		"one whose pod is over":                 {kindStatefulSet, set, over, failedCreate("StatefulSet", "db", refusesLargePods, noon), true},
		"one that lacks one of two":             {kindStatefulSet, two, pod("StatefulSet", "db"), failedCreate("StatefulSet", "db", refusesLargePods, noon), true},
		"an Event about pods that are there":    {kindStatefulSet, set, pod("StatefulSet", "db"), failedCreate("StatefulSet", "db", refusesLargePods, noon), false},
		"an Event about another workload":       {kindStatefulSet, set, nil, failedCreate("StatefulSet", "cache", refusesLargePods, noon), false},
		"an Event of yesterday":                 {kindStatefulSet, set, nil, failedCreate("StatefulSet", "db", refusesLargePods, noon.Add(-day)), false},
		"a refusal for other reasons":           {kindStatefulSet, set, nil, failedCreate("StatefulSet", "db", "exceeded quota: small, requested: limits.memory=3Gi", noon), false},
		"a refusal without a word about sizes":  {kindStatefulSet, set, nil, failedCreate("StatefulSet", "db", refusesWithoutAWord, noon), true},
		"a DaemonSet":                           {kindDaemonSet, agents, nil, failedCreate("DaemonSet", "db", refusesLargePods, noon), true},
		"a CronJob whose Job has no pod":        {kindCronJob, running, nil, failedCreate("Job", "db-29384756", refusesLargePods, noon), true},
		"a CronJob of which no Job runs":        {kindCronJob, job, nil, failedCreate("Job", "db-29384756", refusesLargePods, noon), false},
		"a Rollout":                             {"Rollout", rollout, nil, failedCreate("ReplicaSet", "db-6d8f", refusesLargePods, noon), true},
		"a Rollout with an old pod beside":      {"Rollout", rollout, old, failedCreate("ReplicaSet", "db-6d8f", refusesLargePods, noon), true},
		"a Rollout whose pods are all there":    {"Rollout", updated, old, failedCreate("ReplicaSet", "db-6d8f", refusesLargePods, noon), false},
		"a Rollout without a refusal":           {"Rollout", rollout, nil, nil, false},
		"a kind that works without ReplicaSets": {kindStatefulSet, set, nil, failedCreate("ReplicaSet", "db-6d8f", refusesLargePods, noon), false},
	} {
		t.Run(name, func(t *testing.T) {
			kinds := owner.Kinds{{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", HashLabel: "hash"}}
			objects := []client.Object{testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"), c.workload}
			if c.pod != nil {
				objects = append(objects, c.pod)
			}
			if c.event != nil {
				objects = append(objects, c.event)
			}
			s := newShopOf(t, kinds, objects...)
			in, err := s.recommender.Engine.Gather(t.Context(), Target{"shop", c.kind, "db"}, noon)
			if err != nil || (in.Refused != "") != c.want || c.want && !in.RefusedSince.Equal(noon) {
				t.Errorf("refused: %q since %s, error %v; want it to be read: %v", in.Refused, in.RefusedSince, err, c.want)
			}
		})
	}
}
