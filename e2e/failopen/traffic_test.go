//go:build full && linux

package failopen_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"

	"github.com/loadline-dev/loadline/e2e/traffic"
)

const (
	// shop is the namespace that opted in.
	shop = "shop"
	// atOnce is how many pods are created at the same time unless a test says otherwise.
	atOnce = 10
)

// recommend stores what the recommender would have written about a Deployment.
func (f fixture) recommend(t *testing.T, deployment string) {
	t.Helper()
	NewWithT(t).Expect(traffic.Recommend(t.Context(), f.loadline.Client, shop, deployment)).To(Succeed())
}

// create makes all pods and waits for the last one.
func (f fixture) create(t *testing.T, w traffic.Wave) traffic.Tally {
	t.Helper()
	w.Namespace = shop
	all := w.Create(t.Context(), f.loadline.Client)
	t.Log(&all)
	return all
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
