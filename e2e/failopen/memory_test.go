//go:build full && linux

package failopen_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/process"
	"github.com/loadline-dev/loadline/e2e/traffic"
)

// shippedLimit is what the manifests allow the webhook, in bytes, and shippedGoLimit what they tell its runtime.
const (
	shippedLimit   = 256 << 20
	shippedGoLimit = "GOMEMLIMIT=256000000"
)

// largeCluster fills the webhook's cache with the Recommendations of 5,000 workloads with four containers each, and long stories.
func (f fixture) largeCluster(t *testing.T) {
	const namespace, workloads, writers = "crowd", 5000, 8
	g := NewWithT(t)
	g.Expect(f.loadline.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
	names := make(chan string)
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for name := range names {
				if err := f.tellLongStory(t.Context(), namespace, name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range workloads {
		names <- fmt.Sprintf("workload-%d", i)
	}
	close(names)
	running.Wait()

	for _, streamed := range []string{"true", "false"} { // Older API servers send all objects in one answer.
		f.restart(t, func(cmd *exec.Cmd) {
			cmd.Env = append(cmd.Environ(), shippedGoLimit, "KUBE_FEATURE_WatchListClient="+streamed)
		})
		f.healthy(t)
		got := f.create(t, traffic.Wave{Deployment: "web", Pods: 200, AtOnce: atOnce})
		g.Expect(got.Injected).To(Equal(200))
		used, err := process.UsageOf(f.loadline.Process(install.Webhook).PID())
		g.Expect(err).NotTo(HaveOccurred())
		t.Logf("%d Recommendations, streamed %s: the webhook holds %d MiB, and held %d MiB at most since its start", workloads, streamed, used.Resident>>20, used.Peak>>20)
		g.Expect(used.Peak).To(BeNumerically("<", shippedLimit), "the limit that it ships with")
	}
	f.restart(t, nil)
}

// tellLongStory stores a Recommendation with 17 KiB of reasoning.
func (f fixture) tellLongStory(ctx context.Context, namespace, workload string) error {
	rec := traffic.Recommendation(namespace, workload)
	status := &rec.Status
	one := status.Applicable.Containers[0]
	one.InPlace = one.Target
	band := v1alpha1.Interval{Min: resource.MustParse("200m"), Max: resource.MustParse("600Mi")}
	one.Band = v1alpha1.Band{CPU: &band, Memory: &band}
	limit := &v1alpha1.Limit{Policy: v1alpha1.LimitHeadroom, Value: new(resource.MustParse(recommendedLimit))}
	one.Limits = v1alpha1.Limits{CPU: limit, Memory: limit}
	status.Current = &v1alpha1.CurrentValues{}
	for _, name := range []string{"log-shipper", "metrics", "proxy"} {
		one.Name = name
		status.Applicable.Containers = append(status.Applicable.Containers, one)
		status.Current.Containers = append(status.Current.Containers, v1alpha1.CurrentContainer{Name: name, PeakMemory: new(resource.MustParse("300Mi"))})
	}
	status.Candidate, status.Memory = status.Applicable, &v1alpha1.DecisionMemory{LastGood: status.Applicable}
	for range 64 {
		status.Trail = append(status.Trail, strings.Repeat("because ", 34))
	}
	return traffic.Store(ctx, f.loadline.Client, rec)
}

// recommendedLimit of a container's memory.
const recommendedLimit = "1Gi"
