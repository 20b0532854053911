// Package shop describes workloads whose history and present are generated: a small online shop for the demo, and plain
// building blocks for scenarios.
package shop

import (
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"math"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/e2e/history"
)

// Curve is a measurement of one pod over time: cores or bytes.
type Curve func(t time.Time) float64

// Workload is one Deployment, StatefulSet, DaemonSet or CronJob with one container, and what its pods used in the past.
type Workload struct {
	Namespace, Name string
	// Kind is Deployment unless set.
	Kind string
	// Container is "app" unless set, Image "registry.example/<name>:1".
	Container, Image string
	Replicas         int32
	// Requests and Limits such as {"cpu": "500m", "memory": "1Gi"}.
	Requests, Limits map[string]string
	// CPU in cores and Memory in bytes, per pod.
	CPU, Memory Curve
	// Throttled is the share of CFS periods; nil means never.
	Throttled Curve
	// Latency in seconds is what the workload tells of itself, in the series LatencyMetric; nil means nothing.
	Latency Curve
	// History is how long ago measuring began; 14 days unless set, negative for none.
	History time.Duration
	// PastPods is the number of pods in the past; Replicas unless set.
	PastPods int32
	// PodAnnotations are added to the template.
	PodAnnotations map[string]string
	// Annotations of the workload itself.
	Annotations map[string]string
	// Runs of a CronJob in the past, one a day, each of RunLength.
	Runs      int
	RunLength time.Duration
}

// Step between two generated samples.
const Step = time.Minute

// LatencyMetric names the series in which workloads tell how long their answers take, with the labels namespace and workload.
const LatencyMetric = "shop_latency_seconds"

func (w Workload) withDefaults() Workload {
	if w.Kind == "" {
		w.Kind = "Deployment"
	}
	if w.Container == "" {
		w.Container = "app"
	}
	if w.Image == "" {
		w.Image = "registry.example/" + w.Name + ":1"
	}
	if w.Replicas == 0 {
		w.Replicas = 1
	}
	if w.PastPods == 0 {
		w.PastPods = w.Replicas
	}
	if w.History == 0 {
		w.History = 14 * 24 * time.Hour
	}
	return w
}

// Object returns the workload. Its pods use, from now on, what the curves say for now.
func (w Workload) Object(now time.Time) client.Object {
	w = w.withDefaults()
	labels := map[string]string{"app": w.Name}
	annotations := map[string]string{}
	if w.CPU != nil {
		annotations["kwok.x-k8s.io/usage-cpu"] = fmt.Sprintf("%dm", int(math.Ceil(w.CPU(now)*1000)))
	}
	if w.Memory != nil {
		annotations["kwok.x-k8s.io/usage-memory"] = fmt.Sprint(int64(w.Memory(now)))
	}
	maps.Copy(annotations, w.PodAnnotations)
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: w.Container, Image: w.Image,
			Resources: corev1.ResourceRequirements{Requests: quantities(w.Requests), Limits: quantities(w.Limits)},
		}}},
	}
	meta := metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name, Labels: labels, Annotations: w.Annotations}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	switch w.Kind {
	case "CronJob":
		template.Spec.RestartPolicy = corev1.RestartPolicyNever
		return &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{
			Schedule:    "0 0 31 2 *", // Never by itself: whoever wants a run creates its Job.
			JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template}},
		}}
	case "StatefulSet":
		return &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{
			Replicas: new(w.Replicas), Selector: selector, Template: template, ServiceName: w.Name, PodManagementPolicy: appsv1.ParallelPodManagement,
		}}
	case "DaemonSet":
		return &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}
	default:
		return &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
			Replicas: new(w.Replicas), Selector: selector, Template: template,
		}}
	}
}

func quantities(texts map[string]string) corev1.ResourceList {
	if len(texts) == 0 {
		return nil
	}
	list := corev1.ResourceList{}
	for name, text := range texts {
		list[corev1.ResourceName(name)] = resource.MustParse(text)
	}
	return list
}

// Past yields the series of the workload's earlier pods, up to now. There were two generations of pods with a rollout
// in the middle, and none of them lives any more: whoever reads the history has to know them by their names.
func (w Workload) Past(now time.Time) iter.Seq[history.Series] {
	w = w.withDefaults()
	return func(yield func(history.Series) bool) {
		if w.History < 0 {
			return
		}
		if w.Kind == "CronJob" {
			w.pastRuns(now, yield)
			return
		}
		begin := now.Add(-w.History).Truncate(Step)
		if w.Latency != nil && !yield(w.latency(begin, now.Truncate(Step))) {
			return
		}
		middle := begin.Add(w.History / 2).Truncate(Step)
		end := now.Truncate(Step)
		for generation, span := range [][2]time.Time{{begin, middle}, {middle, end}} {
			for pod := range w.PastPods {
				for s := range w.podSeries(w.podName(generation, int(pod)), span[0], span[1]) {
					if !yield(s) {
						return
					}
				}
			}
		}
	}
}

// latency is what the workload told of itself in [begin, end).
func (w Workload) latency(begin, end time.Time) history.Series {
	series := history.Series{
		Labels: map[string]string{"__name__": LatencyMetric, "namespace": w.Namespace, "workload": w.Name},
		Kind:   history.Gauge, Start: begin, Step: Step,
	}
	for t := begin; t.Before(end); t = t.Add(Step) {
		series.Values = append(series.Values, w.Latency(t))
	}
	return series
}

// pastRuns yields the series of the runs of a CronJob.
func (w Workload) pastRuns(now time.Time, yield func(history.Series) bool) {
	for run := range w.Runs {
		scheduled := now.Add(-time.Duration(w.Runs-run) * 24 * time.Hour).Truncate(Step)
		pod := fmt.Sprintf("%s-%s", w.JobName(scheduled), safeText(fmt.Sprint(w.Name, run), 5))
		for s := range w.podSeries(pod, scheduled, scheduled.Add(w.RunLength)) {
			if !yield(s) {
				return
			}
		}
	}
}

// JobName is how the CronJob controller calls the Job of a run.
func (w Workload) JobName(scheduled time.Time) string {
	return fmt.Sprintf("%s-%d", w.Name, scheduled.Unix()/60)
}

// Past yields the past of several workloads.
func Past(workloads []Workload, now time.Time) iter.Seq[history.Series] {
	return func(yield func(history.Series) bool) {
		for _, w := range workloads {
			for s := range w.Past(now) {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// podSeries yields the series of one pod in [begin, end).
func (w Workload) podSeries(pod string, begin, end time.Time) iter.Seq[history.Series] {
	id := history.Container{
		Namespace: w.Namespace, Pod: pod, PodUID: pod, Container: w.Container, Image: w.Image, Node: "node-0",
	}
	metrics := []struct {
		name  string
		kind  history.Kind
		curve Curve
	}{
		{history.CPUUsage, history.Counter, w.CPU},
		{history.WorkingSet, history.Gauge, w.Memory},
		{history.RSS, history.Gauge, w.Memory},
	}
	if w.Throttled != nil {
		const periodsPerSecond = 10
		metrics = append(metrics, struct {
			name  string
			kind  history.Kind
			curve Curve
		}{history.Periods, history.Counter, func(time.Time) float64 { return periodsPerSecond }}, struct {
			name  string
			kind  history.Kind
			curve Curve
		}{history.ThrottledPeriods, history.Counter, func(t time.Time) float64 { return periodsPerSecond * w.Throttled(t) }})
	}
	return func(yield func(history.Series) bool) {
		for _, m := range metrics {
			if m.curve == nil {
				continue
			}
			values := make([]float64, 0, int(end.Sub(begin)/Step))
			for t := begin; t.Before(end); t = t.Add(Step) {
				moment := t
				if m.kind == history.Counter {
					moment = t.Add(-Step) // a counter's sample tells of the step before it
				}
				values = append(values, m.curve(moment))
			}
			if !yield(history.Series{Labels: id.Labels(m.name), Kind: m.kind, Start: begin, Step: Step, Values: values}) {
				return
			}
		}
	}
}

// podName returns a name as the workload's controller gives it.
func (w Workload) podName(generation, pod int) string {
	switch w.Kind {
	case "StatefulSet":
		return fmt.Sprintf("%s-%d", w.Name, pod)
	case "DaemonSet":
		return fmt.Sprintf("%s-%s", w.Name, safeText(fmt.Sprint(w.Name, generation, pod), 5))
	default:
		return fmt.Sprintf("%s-%s-%s", w.Name, safeText(fmt.Sprint(w.Name, generation), 9), safeText(fmt.Sprint(w.Name, generation, pod), 5))
	}
}

// safeText derives text from a seed, in the alphabet that Kubernetes uses for generated names.
func safeText(seed string, length int) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(seed)) // never fails
	sum := hash.Sum64()
	var b strings.Builder
	for range length {
		b.WriteByte(alphabet[sum%uint64(len(alphabet))])
		sum /= uint64(len(alphabet))
	}
	return b.String()
}
