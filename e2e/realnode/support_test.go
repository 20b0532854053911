//go:build full && linux

package realnode_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	promapi "github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/shop"
	"github.com/loadline-dev/loadline/recommender/history"
)

// start creates the workloads of which something is measured first, each in its namespace, which opts in to nothing yet.
func (f fixture) start(t *testing.T) {
	t.Helper()
	f.deploy(t, burner(), "-cpu=300", "-memory=60")
	f.deploy(t, guarded())
	f.deploy(t, squeezed())
}

// deploy creates a workload and its namespace.
func (f fixture) deploy(t *testing.T, w shop.Workload, args ...string) {
	t.Helper()
	g := NewWithT(t)
	admin, err := client.New(f.cluster.AdminConfig, client.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}})).To(Succeed())
	g.Expect(admin.Create(t.Context(), f.deployment(w, args...))).To(Succeed())
}

// deployment is the object of a workload whose pods run on the real node.
func (f fixture) deployment(w shop.Workload, args ...string) *appsv1.Deployment {
	deployment := w.Object(f.now).(*appsv1.Deployment)
	pod := &deployment.Spec.Template.Spec
	pod.NodeSelector = map[string]string{"type": "real"}
	pod.HostNetwork, pod.AutomountServiceAccountToken = true, new(false)
	pod.TerminationGracePeriodSeconds = new(int64(2))
	pod.Containers[0].Args = args
	return deployment
}

func (f fixture) scene(t *testing.T) *WithT {
	t.Helper()
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(patience)
	g.SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	return g
}

// optIn sets the mode auto on a namespace, and what else is given.
func (f fixture) optIn(t *testing.T, namespace string, annotations map[string]string) {
	t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	all := map[string]string{v1alpha1.AnnotationMode: "auto"}
	maps.Copy(all, annotations)
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": all}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.loadline.Client.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Fatal(err)
	}
}

// pods returns the living pods of a namespace.
func (f fixture) pods(t *testing.T, namespace string) []corev1.Pod {
	t.Helper()
	list := &corev1.PodList{}
	if err := f.loadline.Client.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

func ready(pods []corev1.Pod) int {
	count := 0
	for _, pod := range pods {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				count++
			}
		}
	}
	return count
}

// prometheus is the client of the cluster's Prometheus.
func (f fixture) prometheus(t *testing.T) promv1.API {
	t.Helper()
	prometheus, err := promapi.NewClient(promapi.Config{Address: f.cluster.PrometheusURL})
	if err != nil {
		t.Fatal(err)
	}
	return promv1.NewAPI(prometheus)
}

// shipped are the queries by which the recommender reads the history of a namespace, by their names in the configuration.
func (f fixture) shipped(t *testing.T, namespace string) map[string]string {
	t.Helper()
	c := config.Default().Prometheus
	reader, err := history.New(history.Options{
		Querier: f.prometheus(t), Queries: history.Queries(c.Queries), Labels: history.Labels(c.Labels), RateWindow: c.RateWindow.Duration,
	})
	if err != nil {
		t.Fatal(err)
	}
	return reader.Queries(namespace)
}

// ask evaluates a query.
func (f fixture) ask(t *testing.T, query string, at time.Time) (model.Vector, error) {
	t.Helper()
	answer, _, _, err := f.prometheus(t).Query(t.Context(), query, at)
	if err != nil {
		return nil, err
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("%s is a %s", query, answer.Type())
	}
	return vector, nil
}

// measured is the largest value of a query at the end of the last complete span; 0 while there is none.
func (f fixture) measured(t *testing.T, query string) (float64, error) {
	t.Helper()
	vector, err := f.ask(t, "max("+query+")", time.Now().Truncate(span))
	if err != nil || len(vector) == 0 {
		return 0, err
	}
	return float64(vector[0].Value), nil
}
