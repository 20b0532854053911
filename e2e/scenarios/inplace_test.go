package scenarios

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var (
	// inPlaceShop is a Deployment whose native side-car is far too large.
	inPlaceShop = shop.InNamespace("in-place", []shop.Workload{
		{
			Name: "web", Requests: map[string]string{"cpu": "2", "memory": "2Gi"},
			CPU: shop.Diurnal(0.1, 0.4), Memory: shop.Flat(300 * shop.Mebibyte),
		},
		{Name: "web", Container: "shipper", CPU: shop.Diurnal(0.01, 0.03), Memory: shop.Flat(40 * shop.Mebibyte)},
	})
	// pressedShop is busier since a quarter of an hour than it ever was.
	pressedShop = shop.InNamespace("pressed", []shop.Workload{{
		Name: "web", Replicas: 2, Requests: map[string]string{"cpu": "300m", "memory": "256Mi"},
		CPU: busyOfLate, Memory: shop.Flat(100 * shop.Mebibyte),
	}})
)

func busyOfLate(t time.Time) float64 {
	if t.After(started.Add(-15 * time.Minute)) {
		return 1.4
	}
	return 0.1
}

func TestANativeSideCarThatRunsIsResizedInPlace(t *testing.T) {
	s := newScene(t, "in-place", nil)
	s.create(withSideCar(inPlaceShop[0]))
	s.running("web", 1)
	s.debug(s.pods("web")[0])
	before := uids(s.pods("web"))
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto", v1alpha1.AnnotationUpdater: "in-place"})
	s.Eventually(func(g Gomega) {
		rec := s.recommendation("Deployment", "web")
		g.Expect(rec).NotTo(BeNil())
		sizes := apply.FromAPI(rec.Status.Applicable)
		shipper, found := sizes.Container("shipper")
		g.Expect(found).To(BeTrue())
		pod := s.pods("web")[0]
		g.Expect(actualOfInit(pod, "shipper").CPUMillis).To(Equal(shipper.InPlace.CPUMillis), "the side-car")
		g.Expect(shipper.InPlace.CPUMillis).To(BeNumerically("<", 1000), "the point of the scenario")
		g.Expect(actualOfInit(pod, "migrate")).To(Equal(amounts("1", "1Gi")), "an init container that has ended")
	}).Should(Succeed())
	s.Expect(uids(s.pods("web"))).To(Equal(before), "no pod was replaced")
	s.debug(s.pods("web")[0])
	debuggers := s.pods("web")[0].Spec.EphemeralContainers
	s.Expect(debuggers).To(HaveLen(2), "somebody debugs the pod, before it was resized and after it")
	s.Expect(debuggers).To(HaveEach(HaveField("Resources", BeZero())))
}

// debug adds one more ephemeral container to a pod, as kubectl debug does.
func (s scene) debug(pod corev1.Pod) {
	s.t.Helper()
	name := fmt.Sprintf("debugger-%d", len(pod.Spec.EphemeralContainers))
	pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: "registry.example/debugger:1"},
	})
	s.Expect(loadline.Client.SubResource("ephemeralcontainers").Update(s.t.Context(), &pod)).To(Succeed())
}

// pressedPods ran when pressedShop opted in.
var pressedPods []types.UID

// press lets pressedShop opt in as soon as everything runs, whenever its test comes: the pressure is over ten minutes later.
func press(ctx context.Context) error {
	const namespace = "pressed"
	if err := loadline.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	if err := loadline.Client.Create(ctx, pressedShop[0].Object(started)); err != nil {
		return err
	}
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		err := loadline.Client.List(ctx, &pods, client.InNamespace(namespace))
		pressedPods = uids(pods.Items)
		return countReady(pods.Items) == int(pressedShop[0].Replicas), err
	})
	if err != nil {
		return fmt.Errorf("wait for the pods of %s: %w", namespace, err)
	}
	opted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	return annotateObject(ctx, opted, map[string]string{v1alpha1.AnnotationMode: "auto"})
}

func TestPodsThatUseMoreThanTheyHaveAreRaisedInPlaceAtOnce(t *testing.T) {
	s := joinScene(t, "pressed")
	// What answered the pressure stays for an hour. Of the latest five minutes those seconds are missing in which the cluster
	// started, so that the rate is lower than what was used.
	s.Eventually(func() []apply.Amounts { return actualRequests(s.pods("web")) }).
		Should(And(HaveLen(2), HaveEach(HaveField("CPUMillis", BeNumerically(">=", 700)))))
	s.Expect(uids(s.pods("web"))).To(ConsistOf(pressedPods), "no pod was replaced")
	rec := s.recommendation("Deployment", "web")
	s.Expect(tempos(rec).Target.CPUMillis).To(BeNumerically("<", 700), "a quarter of an hour says little about new pods")
}

// actualOfInit is what an init container of the pod runs with, as its node says.
func actualOfInit(pod corev1.Pod, name string) apply.Amounts {
	i := slices.IndexFunc(pod.Status.InitContainerStatuses, func(c corev1.ContainerStatus) bool { return c.Name == name })
	if i < 0 || pod.Status.InitContainerStatuses[i].Resources == nil {
		return apply.Amounts{}
	}
	return apply.ResourcesOf(*pod.Status.InitContainerStatuses[i].Resources).Requests
}
