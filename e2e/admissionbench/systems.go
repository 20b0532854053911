package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	vpav1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/webhook"
)

func (b *bed) createNamespace(ctx context.Context, name string, annotations map[string]string) error {
	return b.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}})
}

// loadlineName is the name of the system that the command judges.
const loadlineName = "loadline"

// startLoadline starts the webhook alone, as it ships, and makes the namespace in which nothing acts as well.
func (b *bed) startLoadline(ctx context.Context) (*system, error) {
	in, err := install.Install(ctx, install.Options{Cluster: b.cluster, Parts: []string{install.Webhook}})
	if err != nil {
		return nil, err
	}
	if err := b.createNamespace(ctx, "bench-none", nil); err != nil {
		return nil, err
	}
	s := &system{
		name: loadlineName, namespace: "bench-loadline", pid: in.Process(install.Webhook).PID(), ca: b.cluster.CACertPEM,
		url: fmt.Sprintf("https://127.0.0.1:%d%s", in.Config.Webhook.Port, webhook.PathMutatePods), webhook: "pods.loadline.dev",
	}
	return s, b.createNamespace(ctx, s.namespace, map[string]string{v1alpha1.AnnotationMode: string(v1alpha1.ModeInitial)})
}

// vpaModule has the admission controller's command and the CRDs.
const vpaModule = "k8s.io/autoscaler/vertical-pod-autoscaler"

// startVPA builds and starts the autoscaler's admission controller, which registers itself. It has no flag for the address
// that it listens on.
func (b *bed) startVPA(ctx context.Context) (*system, error) {
	program := filepath.Join(b.cluster.Dir, "vpa-admission-controller")
	if _, err := output(exec.CommandContext(ctx, "go", "build", "-o", program, vpaModule+"/pkg/admission-controller")); err != nil {
		return nil, err
	}
	folder, err := output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", vpaModule))
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "-f", filepath.Join(folder, "deploy", "vpa-v1-crd-gen.yaml")},
		{"wait", "--for=condition=Established", "--timeout=30s", "crd/verticalpodautoscalers.autoscaling.k8s.io"},
	} {
		args = append([]string{"--kubeconfig", b.cluster.Kubeconfig}, args...)
		if _, err := output(exec.CommandContext(ctx, b.cluster.KubectlPath, args...)); err != nil {
			return nil, err
		}
	}
	s := &system{name: "vpa 1.8.1", namespace: "bench-vpa", ca: b.cluster.CACertPEM, webhook: "vpa.k8s.io"}
	if err := b.createNamespace(ctx, s.namespace, nil); err != nil {
		return nil, err
	}
	return s, b.runVPA(ctx, s, program)
}

func (b *bed) runVPA(ctx context.Context, s *system, program string) error {
	cert, err := b.cluster.ServingCert()
	if err != nil {
		return err
	}
	port, err := harness.FreePort()
	if err != nil {
		return err
	}
	metrics, err := harness.FreePort()
	if err != nil {
		return err
	}
	s.url = "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + "/"
	// Of the namespaces, it registers for all but those to ignore; --vpa-object-namespace does not change that.
	others := []string{"bench-none", "bench-loadline", "bench-constant"}
	p, err := b.cluster.Run(ctx, "vpa-admission-controller", exec.Command(program,
		"--kubeconfig="+b.cluster.Kubeconfig, "--ignored-vpa-object-namespaces="+strings.Join(others, ","),
		"--tls-cert-file="+cert.CertFile, "--tls-private-key="+cert.KeyFile, "--client-ca-file="+filepath.Join(b.cluster.Dir, "pki", "ca.crt"),
		"--port="+strconv.Itoa(port), fmt.Sprintf("--address=127.0.0.1:%d", metrics),
		"--register-by-url", "--webhook-address=https://127.0.0.1", "--webhook-port="+strconv.Itoa(port), "--webhook-timeout-seconds=5",
	))
	if err != nil {
		return err
	}
	s.pid = p.PID()
	// It waits ten seconds before it registers.
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return p.WaitReady(waiting, func(ctx context.Context) error {
		_, err := b.pods.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, "vpa-webhook-config", metav1.GetOptions{})
		return err
	})
}

// recommend gives every workload of both systems the same sizes.
func (b *bed) recommend(ctx context.Context) error {
	b.say("writing %d recommendations for each system", b.workloads)
	for i := range b.workloads {
		if err := b.recommendLoadline(ctx, workloadName(i)); err != nil {
			return fmt.Errorf("write a recommendation: %w", err)
		}
		if err := b.recommendVPA(ctx, workloadName(i)); err != nil {
			return fmt.Errorf("write a VerticalPodAutoscaler: %w", err)
		}
	}
	return nil
}

func (b *bed) recommendLoadline(ctx context.Context, workload string) error {
	rec := &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "bench-loadline", Name: v1alpha1.RecommendationName("Deployment", workload)},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: workload}},
	}
	if err := b.admin.Create(ctx, rec); err != nil {
		return err
	}
	recommended := apply.ResourcesOf(corev1.ResourceRequirements{Requests: amounts(recommendedCPU, recommendedMemory)}).Requests
	now := metav1.Now()
	rec.Status.Mode, rec.Status.ObservedTime = v1alpha1.ModeInitial, &now
	rec.Status.Applicable = apply.ToAPI(apply.Values{Containers: []apply.Container{{Name: "app", Target: recommended}}}, "bench", now.Time)
	return b.admin.Status().Update(ctx, rec)
}

func (b *bed) recommendVPA(ctx context.Context, workload string) error {
	vpa := &vpav1.VerticalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "bench-vpa", Name: workload},
		Spec: vpav1.VerticalPodAutoscalerSpec{
			TargetRef:    &autoscalingv1.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: workload},
			UpdatePolicy: &vpav1.PodUpdatePolicy{UpdateMode: new(vpav1.UpdateModeInitial)},
		},
	}
	if err := b.admin.Create(ctx, vpa); err != nil {
		return err
	}
	recommended := amounts(recommendedCPU, recommendedMemory)
	vpa.Status.Recommendation = &vpav1.RecommendedPodResources{ContainerRecommendations: []vpav1.RecommendedContainerResources{{
		ContainerName: "app", Target: recommended, LowerBound: recommended, UpperBound: recommended, UncappedTarget: recommended,
	}}}
	return b.admin.Status().Update(ctx, vpa)
}

// output runs a command and returns what it prints, without the last newline.
func output(cmd *exec.Cmd) (string, error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
