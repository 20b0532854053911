package apitest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	ac "github.com/loadline-dev/loadline/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

func condition(kind string, message string) *metav1ac.ConditionApplyConfiguration {
	return metav1ac.Condition().WithType(kind).WithStatus(metav1.ConditionTrue).WithReason("Test").WithMessage(message).
		WithLastTransitionTime(metav1.Now().Rfc3339Copy())
}

// Recommender and updater write one status. Each replaces what it wrote before, and nothing of the other's.
func TestRecommenderAndUpdaterShareAStatus(t *testing.T) {
	key := client.ObjectKey{Namespace: "default", Name: "deployment-shared"}
	created := &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "shared"}},
	}
	recommender, updater := as(t, "recommender"), as(t, "updater")
	if err := recommender.Create(t.Context(), created); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Delete(t.Context(), created) })

	apply := func(account client.Client, owner client.FieldOwner, status *ac.RecommendationStatusApplyConfiguration) {
		t.Helper()
		object := ac.Recommendation(key.Name, key.Namespace).WithStatus(status)
		if err := account.Status().Apply(t.Context(), object, owner, client.ForceOwnership); err != nil {
			t.Fatal(err)
		}
	}
	const byRecommender, byUpdater = client.FieldOwner(v1alpha1.FieldManagerRecommender), client.FieldOwner(v1alpha1.FieldManagerUpdater)
	sizes := func() *ac.RecommendationStatusApplyConfiguration {
		return ac.RecommendationStatus().WithMode(v1alpha1.ModeAuto).WithRevision("0123abcd").
			WithDisplay(ac.Display().WithWorkload("Deployment/shared").WithCPU("500m → 220m").WithMemory("2Gi → 900Mi").WithWhy("the peak of 14 days was 180m"))
	}
	apply(recommender, byRecommender, sizes().WithConditions(condition(v1alpha1.ConditionReady, "sized"), condition(v1alpha1.ConditionStale, "old")))
	apply(updater, byUpdater, ac.RecommendationStatus().WithConditions(condition(v1alpha1.ConditionApplied, "done")).WithOutcomes(
		ac.Outcome().WithPod("shared-1").WithPodUID("u1").WithRevision("0123abcd").WithResult(v1alpha1.OutcomeResized).WithTime(metav1.NewTime(time.Unix(0, 0)))))
	apply(recommender, byRecommender, sizes().WithConditions(condition(v1alpha1.ConditionReady, "sized again")))

	got := &v1alpha1.Recommendation{}
	if err := admin.Get(t.Context(), key, got); err != nil {
		t.Fatal(err)
	}
	messages := map[string]string{}
	for _, c := range got.Status.Conditions {
		messages[c.Type] = c.Message
	}
	if diff := cmp.Diff(map[string]string{"Ready": "sized again", "Applied": "done"}, messages); diff != "" {
		t.Error(diff)
	}
	if len(got.Status.Outcomes) != 1 || got.Status.Revision != "0123abcd" {
		t.Errorf("outcomes %v, revision %q", got.Status.Outcomes, got.Status.Revision)
	}

	table, err := exec.CommandContext(t.Context(), cluster.KubectlPath, "--kubeconfig", cluster.Kubeconfig, "get", "llrec", key.Name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, table)
	}
	header, row, _ := strings.Cut(strings.TrimSpace(string(table)), "\n")
	if columns := strings.Fields(header); !cmp.Equal(columns, []string{"NAME", "WORKLOAD", "MODE", "CPU", "MEMORY", "REPLICAS", "READY", "WHY", "AGE"}) {
		t.Errorf("columns: %q", columns)
	}
	for _, cell := range []string{"Deployment/shared", "auto", "500m → 220m", "2Gi → 900Mi", "True", "the peak of 14 days was 180m"} {
		if !strings.Contains(row, cell) {
			t.Errorf("the row does not show %q: %s", cell, row)
		}
	}
}

// The whole installation as the README applies it, Deployments and generated ConfigMap included. Its namespaces, which a dry run
// cannot create for what lies in them, exist already, as they do on a second apply.
func TestTheShippedInstallationIsAcceptedAsAWhole(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), cluster.KubectlPath, "--kubeconfig", cluster.Kubeconfig,
		"apply", "--server-side", "--dry-run=server", "-k", filepath.Join("..", "..", "config"))
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, object := range []string{
		"deployment.apps/loadline-recommender", "deployment.apps/loadline-webhook", "deployment.apps/loadline-updater",
		"service/loadline-webhook", "secret/loadline-webhook-cert", "configmap/loadline-config-",
	} {
		if !strings.Contains(string(output), object) {
			t.Errorf("%s is not part of it:\n%s", object, output)
		}
	}
}

func TestTheSamplesAreAccepted(t *testing.T) {
	create(t, namespace("shop", nil, nil))
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "sizingpolicy-*.yaml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("found %q: %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		policy := &v1alpha1.SizingPolicy{}
		if err := yaml.UnmarshalStrict(content, policy); err != nil {
			t.Fatal(err)
		}
		if err := admin.Create(t.Context(), policy, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
