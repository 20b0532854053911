//go:build full && linux

package failopen_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

const (
	// shop is the namespace that opted in.
	shop = "shop"
	// revision of the sizes that are recommended there.
	revision = "aaaaaaaa"
	// atOnce is how many pods are created at the same time unless a test says otherwise.
	atOnce = 10
)

// recommend stores what the recommender would have written about a Deployment.
func (f fixture) recommend(t *testing.T, deployment string) {
	t.Helper()
	g := NewWithT(t)
	rec := &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: v1alpha1.RecommendationName("Deployment", deployment)},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: deployment}},
	}
	g.Expect(f.loadline.Client.Create(t.Context(), rec)).To(Succeed())
	rec.Status.Mode, rec.Status.ObservedTime = v1alpha1.ModeInitial, new(metav1.Now())
	rec.Status.Applicable = &v1alpha1.RevisionedValues{Revision: revision, ComputedTime: metav1.Now(), Containers: []v1alpha1.ContainerValues{{
		Name: "app", Target: v1alpha1.ResourceAmounts{CPU: new(resource.MustParse("250m")), Memory: new(resource.MustParse("512Mi"))},
	}}}
	g.Expect(f.loadline.Client.Status().Update(t.Context(), rec)).To(Succeed())
}

// traffic is pods that are created while something is broken.
type traffic struct {
	deployment string
	pods       int
	// atOnce is how many are created at the same time.
	atOnce int
	// kibibytes is the size of an annotation on each pod.
	kibibytes int
}

// tally is what became of the pods.
type tally struct {
	injected, asWritten int
	refused             []error
	slowest             time.Duration
}

func (t *tally) String() string {
	return fmt.Sprintf("%d injected, %d as written, %d refused, the slowest in %s", t.injected, t.asWritten, len(t.refused), t.slowest.Round(time.Millisecond))
}

// create makes all pods and waits for the last one.
func (f fixture) create(t *testing.T, w traffic) tally {
	t.Helper()
	var all tally
	var mu sync.Mutex
	var creators sync.WaitGroup
	todo := make(chan *corev1.Pod)
	for range w.atOnce {
		creators.Go(func() {
			for pod := range todo {
				begin := time.Now()
				err := f.loadline.Client.Create(t.Context(), pod)
				took := time.Since(begin)
				mu.Lock()
				all.add(pod, err, took)
				mu.Unlock()
			}
		})
	}
	for range w.pods {
		todo <- w.pod()
	}
	close(todo)
	creators.Wait()
	t.Log(&all)
	return all
}

func (t *tally) add(pod *corev1.Pod, err error, took time.Duration) {
	t.slowest = max(t.slowest, took)
	switch {
	case err != nil:
		t.refused = append(t.refused, err)
	case pod.Annotations[v1alpha1.AnnotationRevision] == revision && pod.Spec.Containers[0].Resources.Requests.Cpu().MilliValue() == 250:
		t.injected++
	case pod.Annotations[v1alpha1.AnnotationRevision] == "" && pod.Spec.Containers[0].Resources.Requests.Cpu().MilliValue() == 2000:
		t.asWritten++
	default:
		t.refused = append(t.refused, fmt.Errorf("neither: %v %v", pod.Annotations[v1alpha1.AnnotationRevision], pod.Spec.Containers[0].Resources))
	}
}

// pod of a Deployment, as its ReplicaSet makes it. There is no such ReplicaSet, so the pod is collected soon.
func (w traffic) pod() *corev1.Pod {
	const hash = "6d8f9c7b5d"
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: shop, GenerateName: w.deployment + "-" + hash + "-",
			Labels:      map[string]string{"app": w.deployment, "pod-template-hash": hash},
			Annotations: map[string]string{"example.com/ballast": strings.Repeat("x", w.kibibytes<<10)},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: w.deployment + "-" + hash, UID: uuid.NewUUID(), Controller: new(true),
			}},
		},
		Spec: corev1.PodSpec{
			SchedulerName: "none",
			Containers: []corev1.Container{{Name: "app", Image: "registry.example/app:1", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("2Gi")},
			}}},
		},
	}
}

// noneWaitedLonger asks the API server how long it waited for the webhook, from the first pod to the last. The timeout is two
// seconds; the API server counts up to the next bound above, two and a half.
func (f fixture) noneWaitedLonger(t *testing.T) {
	g := NewWithT(t)
	clients, err := kubernetes.NewForConfig(f.cluster.AdminConfig)
	g.Expect(err).NotTo(HaveOccurred())
	metrics, err := clients.RESTClient().Get().AbsPath("/metrics").Stream(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = metrics.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(metrics)
	g.Expect(err).NotTo(HaveOccurred())
	var asked, inTime uint64
	for _, metric := range families["apiserver_admission_webhook_admission_duration_seconds"].GetMetric() {
		if !strings.Contains(metric.String(), `"pods.loadline.dev"`) {
			continue
		}
		asked += metric.GetHistogram().GetSampleCount()
		for _, bucket := range metric.GetHistogram().GetBucket() {
			if bucket.GetUpperBound() == 2.5 {
				inTime += bucket.GetCumulativeCount()
			}
		}
	}
	t.Logf("the API server asked %d times and waited longer than 2.5 s %d times", asked, asked-inTime)
	g.Expect(asked).To(BeNumerically(">", 1000))
	g.Expect(inTime).To(Equal(asked))
}
