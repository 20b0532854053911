package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
)

var haltedShop = generous("halted")

func TestTheKillSwitchAndTheCircuitBreakerStopEveryChangeSayWhyAndLetItGoOn(t *testing.T) {
	s := newScene(t, "halted", haltedShop)
	release := s.pullKillSwitch()
	s.Eventually(s.killSwitch).Should(Equal(1.0))
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	s.standsStill("ConfigMap loadline-system/loadline-kill-switch is there")
	s.announced("Stopped", "loadline-kill-switch is there")

	// While the kill switch hides what it does, the circuit breaker opens.
	mend := s.getWorse()
	s.Eventually(s.isInPhase).WithArguments("Open").Should(BeTrue())
	release()
	s.standsStill("the circuit breaker is open")
	s.announced("Resumed", "the kill switch is off")
	s.announced("BreakerOpen", "containers killed for lack of memory")
	s.Expect(s.killSwitch()).To(BeZero())

	mend()
	s.Eventually(func() []string { return cpuOf(s.pods("web")) }).ShouldNot(ContainElement("2"), "what nothing stops any more is done")
	s.announced("BreakerTrial", "containers killed for lack of memory")
	s.Eventually(s.isInPhase).WithArguments("Closed").Should(BeTrue())
	s.Expect(s.report()).NotTo(ContainSubstring("left alone"))
}

// standsStill waits until the workload says what stops the updater. It fails if the report does not begin with it, or if a pod is changed
// all the same.
func (s scene) standsStill(because string) {
	s.t.Helper()
	s.when("Deployment", "web", "says that "+because, func(rec *v1alpha1.Recommendation) bool {
		return slices.ContainsFunc(rec.Status.Conditions, func(c metav1.Condition) bool {
			return c.Type == v1alpha1.ConditionApplied && strings.Contains(c.Message, because)
		})
	})
	s.Expect(s.report()).To(HavePrefix("Running pods are left alone: " + because))
	s.nothingIn(5, "is changed, although "+because, func() any { return podSnapshot(s, "web") })
	s.Expect(cpuOf(s.pods("web"))).To(Equal([]string{"2", "2", "2"}), because)
}

// report is what `loadline report` says of the namespace.
func (s scene) report() string {
	s.t.Helper()
	report, err := loadline.CLI(s.t.Context(), "report", "--namespace", s.namespace)
	s.Expect(err).NotTo(HaveOccurred(), report)
	return report
}

// announced waits for an Event of the updater's about itself, whose note says something.
func (s scene) announced(reason, note string) {
	s.t.Helper()
	s.Eventually(func() ([]string, error) {
		list := &eventsv1.EventList{}
		err := loadline.Client.List(s.t.Context(), list, client.InNamespace(loadline.Config.Namespace))
		var notes []string
		for _, e := range list.Items {
			if e.Reason == reason {
				notes = append(notes, e.Note)
			}
		}
		return notes, err
	}).Should(ContainElement(ContainSubstring(note)), "Event %s", reason)
}

func (s scene) killSwitch() (float64, error) {
	metrics, err := loadline.Metrics(s.t.Context(), install.Updater)
	return metrics.Sum("loadline_updater_kill_switch"), err
}

// isInPhase reports whether the circuit breaker is in a phase, and in no other.
func (s scene) isInPhase(phase string) (bool, error) {
	metrics, err := loadline.Metrics(s.t.Context(), install.Updater)
	const name = "loadline_updater_breaker"
	return metrics.Sum(name) == 1 && metrics.SumExcept(name, "phase", phase) == 0, err
}

// pullKillSwitch stops the updater, as a person in a hurry does, until the end of the test at the latest.
func (s scene) pullKillSwitch() (release func()) {
	s.t.Helper()
	s.kubectl("", "--namespace", loadline.Config.Namespace, "create", "configmap", "loadline-kill-switch", "--from-literal=stop=true")
	release = func() {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: loadline.Config.Namespace, Name: "loadline-kill-switch"}}
		if err := loadline.Client.Delete(context.Background(), object); client.IgnoreNotFound(err) != nil {
			s.t.Errorf("release the kill switch: %v", err)
		}
	}
	s.t.Cleanup(release)
	return release
}

// getWorse lets a container be killed in so many other namespaces that the circuit breaker opens, until the pods are gone.
func (s scene) getWorse() (mend func()) {
	s.t.Helper()
	var all []scene
	for i := range 6 {
		other := newScene(s.t, fmt.Sprint("getting-worse-", i), nil)
		other.create(generous(other.namespace)[0].Object(started))
		all = append(all, other)
	}
	for _, other := range all {
		other.running("web", 3)
		other.killAt(other.pods("web")[0].Name, time.Now().Add(time.Hour)) // It is lately however long the scenario takes.
	}
	return func() {
		for _, other := range all {
			s.Expect(loadline.Client.DeleteAllOf(s.t.Context(), &corev1.Pod{}, client.InNamespace(other.namespace))).To(Succeed())
		}
	}
}
