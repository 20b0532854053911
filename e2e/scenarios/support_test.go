package scenarios

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// patience bounds every wait. What is waited for usually takes a few seconds.
const patience = 3 * time.Minute

// scene is one scenario's namespace and what a test does in it.
type scene struct {
	*WithT
	t         *testing.T
	namespace string
}

// newScene creates the namespace with its workloads, without any annotation, and waits until all their pods run. All of it
// is deleted at the end.
func newScene(t *testing.T, namespace string, workloads []shop.Workload) scene {
	t.Helper()
	s := joinScene(t, namespace)
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	t.Cleanup(func() {
		// The test's own context has ended by now.
		_ = loadline.Client.Delete(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	})
	// The namespace's default service account may take a moment; until then pods are refused, and their controllers try again.
	for _, w := range workloads {
		s.create(w.Object(started))
	}
	for _, w := range workloads {
		s.running(w.Name, w.Replicas)
	}
	return s
}

// joinScene is the scene of a namespace that is there already.
func joinScene(t *testing.T, namespace string) scene {
	t.Helper()
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(patience)
	g.SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	t.Cleanup(func() {
		if t.Failed() {
			tellEnded(t)
		}
	})
	return scene{WithT: g, t: t, namespace: namespace}
}

// tellEnded names the parts that have ended by themselves, of which nothing can be expected.
func tellEnded(t *testing.T) {
	t.Helper()
	for _, part := range []string{install.Webhook, install.Recommender, install.Updater} {
		p := loadline.Process(part)
		if p == nil {
			continue // stopped by a scenario
		}
		select {
		case <-p.Done():
			t.Logf("the %s has ended:\n%s", part, p.LogTail(5))
		default:
		}
	}
}

// remove deletes the scene's namespace and waits until all of it is gone, so that the next scenario has the machine for itself.
func (s scene) remove() {
	const bound = 3 * time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), bound) // The test's own context has ended by now.
	defer cancel()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if err := loadline.Client.Delete(ctx, namespace); err != nil {
		s.t.Errorf("delete namespace %s: %v", s.namespace, err)
		return
	}
	s.Eventually(func() bool {
		return apierrors.IsNotFound(loadline.Client.Get(ctx, types.NamespacedName{Name: s.namespace}, namespace))
	}, bound, time.Second).Should(BeTrue(), "namespace %s is gone", s.namespace)
}

func (s scene) create(object client.Object) {
	s.t.Helper()
	s.Expect(loadline.Client.Create(s.t.Context(), object)).To(Succeed())
}

// get reads an object of the scene's namespace.
func (s scene) get(name string, object client.Object) error {
	return loadline.Client.Get(s.t.Context(), types.NamespacedName{Namespace: s.namespace, Name: name}, object)
}

// annotate merges annotations into the namespace; an empty value removes one.
func (s scene) annotate(annotations map[string]string) {
	s.t.Helper()
	s.Expect(s.tryAnnotate(annotations)).To(Succeed())
}

func (s scene) tryAnnotate(annotations map[string]string) error {
	namespace := &corev1.Namespace{}
	if err := loadline.Client.Get(s.t.Context(), types.NamespacedName{Name: s.namespace}, namespace); err != nil {
		return err
	}
	return annotateObject(s.t.Context(), namespace, annotations)
}

func annotateObject(ctx context.Context, object client.Object, annotations map[string]string) error {
	before := object.DeepCopyObject().(client.Object)
	merged := map[string]string{}
	maps.Copy(merged, object.GetAnnotations())
	maps.Copy(merged, annotations)
	maps.DeleteFunc(merged, func(_, value string) bool { return value == "" })
	object.SetAnnotations(merged)
	return loadline.Client.Patch(ctx, object, client.MergeFrom(before))
}

// pods returns the living pods of a workload.
func (s scene) pods(app string) []corev1.Pod {
	s.t.Helper()
	living, err := s.list(app)
	s.Expect(err).NotTo(HaveOccurred(), "list pods of %s", app)
	return living
}

func (s scene) list(app string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := loadline.Client.List(s.t.Context(), list, client.InNamespace(s.namespace), client.MatchingLabels{"app": app}); err != nil {
		return nil, err
	}
	var living []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			living = append(living, pod)
		}
	}
	return living, nil
}

// running waits until a workload has so many pods, all ready.
func (s scene) running(app string, replicas int32) {
	s.t.Helper()
	s.Eventually(func() int { return countReady(s.pods(app)) }).Should(BeNumerically(">=", max(replicas, 1)), "ready pods of %s", app)
}

func countReady(pods []corev1.Pod) int {
	ready := 0
	for i := range pods {
		for _, c := range pods[i].Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	return ready
}

// rollOut changes the pod template, as a new release does, and waits until only new pods are left.
func (s scene) rollOut(deployment string) []corev1.Pod {
	s.t.Helper()
	release := fmt.Sprint(time.Now().UnixNano())
	d := &appsv1.Deployment{}
	s.Expect(s.get(deployment, d)).To(Succeed())
	before := d.DeepCopy()
	if d.Spec.Template.Annotations == nil {
		d.Spec.Template.Annotations = map[string]string{}
	}
	d.Spec.Template.Annotations["example.com/release"] = release
	s.Expect(loadline.Client.Patch(s.t.Context(), d, client.MergeFrom(before))).To(Succeed())
	var pods []corev1.Pod
	s.Eventually(func() bool {
		pods = s.pods(deployment)
		for i := range pods {
			if pods[i].Annotations["example.com/release"] != release {
				return false
			}
		}
		return len(pods) == int(*d.Spec.Replicas) && countReady(pods) == len(pods)
	}).Should(BeTrue(), "rollout of %s", deployment)
	return pods
}

// recommendation returns the Recommendation of a workload, or nil while there is none.
func (s scene) recommendation(kind, name string) *v1alpha1.Recommendation {
	rec, err := loadline.Recommendation(s.t.Context(), s.namespace, kind, name)
	if client.IgnoreNotFound(err) != nil {
		s.t.Fatalf("get recommendation: %v", err)
	}
	return rec
}

// ready waits until a workload has a Recommendation that may be applied, and returns it.
func (s scene) ready(kind, name string) *v1alpha1.Recommendation {
	s.t.Helper()
	return s.when(kind, name, "is Ready", func(rec *v1alpha1.Recommendation) bool {
		return apimeta.IsStatusConditionTrue(rec.Status.Conditions, v1alpha1.ConditionReady)
	})
}

// when waits until the Recommendation fulfils a condition, and shows it if it never does.
func (s scene) when(kind, name, what string, holds func(*v1alpha1.Recommendation) bool) *v1alpha1.Recommendation {
	s.t.Helper()
	var rec *v1alpha1.Recommendation
	s.Eventually(func() bool {
		rec = s.recommendation(kind, name)
		return rec != nil && holds(rec)
	}).Should(BeTrue(), func() string { return fmt.Sprintf("%s/%s never %s:\n%s", s.namespace, name, what, describe(rec)) })
	return rec
}

func describe(rec *v1alpha1.Recommendation) string {
	if rec == nil {
		return "there is no Recommendation"
	}
	var b strings.Builder
	for _, c := range rec.Status.Conditions {
		fmt.Fprintf(&b, "%s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	for _, line := range rec.Status.Trail {
		fmt.Fprintln(&b, "-", line)
	}
	return b.String()
}

// requestsOf returns what the pod's container asks for.
func requestsOf(pod corev1.Pod) apply.Amounts {
	return apply.ResourcesOf(pod.Spec.Containers[0].Resources).Requests
}

func limitsOf(pod corev1.Pod) apply.Amounts {
	return apply.ResourcesOf(pod.Spec.Containers[0].Resources).Limits
}

// target returns the request that a Recommendation has for new pods.
func target(values *v1alpha1.RevisionedValues) apply.Amounts {
	return apply.FromAPI(values).Containers[0].Target
}

// amounts makes Amounts from what people write; empty means none.
func amounts(cpu, memory string) apply.Amounts {
	var a apply.Amounts
	if cpu != "" {
		a.CPUMillis = new(resource.MustParse(cpu)).MilliValue()
	}
	if memory != "" {
		a.MemoryBytes = new(resource.MustParse(memory)).Value()
	}
	return a
}

// stopPart stops a part now, as a shutdown does, and starts it again at the end of the test at the latest.
func stopPart(t *testing.T, part string) (start func()) {
	t.Helper()
	return endPart(t, part, loadline.Stop)
}

// killPart is stopPart, as a crash does it.
func killPart(t *testing.T, part string) (start func()) {
	t.Helper()
	return endPart(t, part, loadline.Kill)
}

func endPart(t *testing.T, part string, end func(string) error) (start func()) {
	t.Helper()
	if err := end(part); err != nil {
		t.Fatalf("end the %s: %v", part, err)
	}
	start = func() {
		if loadline.Process(part) != nil {
			return
		}
		if err := loadline.Start(context.Background(), part); err != nil {
			t.Fatalf("start the %s: %v", part, err)
		}
	}
	t.Cleanup(start)
	return start
}
