package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/report/gitops"
)

// exportable returns the Recommendation of a Deployment, which asks for two cores, to ask for so much.
func exportable(name string, millis int64) *v1alpha1.Recommendation {
	rec := sized("shop", name)
	rec.Status.Mode = v1alpha1.ModeDryRun
	rec.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
	rec.Status.Applicable = apply.ToAPI(apply.Values{Containers: []apply.Container{{Name: "app", Target: apply.Amounts{CPUMillis: millis}}}}, "3f1c0a9b2d4e5f60", time.Time{})
	return rec
}

func deployment(name, cpu string) *appsv1.Deployment {
	return testkit.Deployment("shop", name, 2).Container("app", cpu, "1Gi").Object()
}

// exported runs an export over a cluster with these objects, and returns what it prints.
func exported(t *testing.T, o exportOptions, objects ...client.Object) (out, said string, err error) {
	t.Helper()
	o.threshold, o.replicas = "10%", true
	threshold, err := o.check()
	if err != nil {
		t.Fatal(err)
	}
	workloads, err := readWorkloads(t.Context(), fakeCluster(t, interceptor.Funcs{}, objects...), "")
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	std := streams{out: &stdout, err: &stderr}
	err = o.write(std, o.compare(std, workloads, threshold))
	return stdout.String(), stderr.String(), err
}

func TestAWrongExportSaysWhatIsRight(t *testing.T) {
	for line, message := range map[string]string{
		"export --threshold much":                        `--threshold "much": legal is a percentage`,
		"export --threshold NaN":                         `--threshold "NaN": legal is a percentage`,
		"export --format xml":                            `--format "xml": legal are patch, kustomize and helm-values`,
		"export --format kustomize":                      "name it with --output",
		"export --format helm-values":                    "--format helm-values is a folder of files: name it with --output-dir",
		"export --format helm-values --output-dir sizes": "say with --values-path",
		"export --values-path a.resources":               "--values-path and --replicas-path are for --format helm-values",
	} {
		if out, errors, code := call(t, strings.Fields(line)...); code != exitUsage || !strings.Contains(errors, message) || out != "" {
			t.Errorf("loadline %s: exit code %d, output %q, error %q; want 2 and %q", line, code, out, errors, message)
		}
	}
}

func TestExportPrintsAPatchForEveryWorkloadThatDiffersAndSaysWhyForTheOthers(t *testing.T) {
	out, said, err := exported(t, exportOptions{format: exportPatch}, exportable("web", 500), exportable("api", 700), exportable("fine", 2000), exportable("gone", 1),
		deployment("web", "2"), deployment("api", "2"), deployment("fine", "2"), deployment("other", "2"))
	if err != nil {
		t.Fatal(err)
	}
	if docs := strings.Split(out, "---\n"); len(docs) != 2 || !strings.Contains(docs[0], "name: api") || !strings.Contains(docs[1], "name: web") {
		t.Errorf("want patches of api and web, in this order:\n%s", out)
	}
	if want := "shop/deployment-fine: nothing differs by more than 10 %\nshop/deployment-gone: there is no such workload any more\n"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestACronJobIsExportedAndACustomKindIsNamed(t *testing.T) {
	night, web := exportable("night", 500), exportable("web", 500)
	night.Name, night.Spec.TargetRef = "cronjob-night", v1alpha1.TargetReference{APIVersion: "batch/v1", Kind: "CronJob", Name: "night"}
	web.Name, web.Spec.TargetRef = "rollout-web", v1alpha1.TargetReference{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "web"}
	job := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "night"}}
	job.Spec.JobTemplate.Spec.Template = deployment("night", "2").Spec.Template
	out, said, err := exported(t, exportOptions{format: exportPatch}, night, web, job)
	if err != nil {
		t.Fatal(err)
	}
	var patch batchv1.CronJob
	if err := yaml.UnmarshalStrict([]byte(out), &patch); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	containers := patch.Spec.JobTemplate.Spec.Template.Spec.Containers
	if patch.Name != "night" || len(containers) != 1 || containers[0].Resources.Requests.Cpu().String() != "500m" {
		t.Errorf("the patch is\n%s", out)
	}
	if want := "shop/rollout-web: nothing is written for kind Rollout"; !strings.HasPrefix(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestAnExportedFileStaysUntilItsWorkloadDiffersAgain(t *testing.T) {
	o := exportOptions{format: exportKustomize, folder: filepath.Join(t.TempDir(), "sizes")}
	component, web := filepath.Join(o.folder, "shop", componentFile), filepath.Join(o.folder, "shop", "deployment-web.yaml")
	read := func(path string) string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	out, _, err := exported(t, o, exportable("web", 500), deployment("web", "2"))
	if err != nil || out != web+"\n"+component+"\n" {
		t.Fatalf("error %v, wrote %q", err, out)
	}
	first := read(web)
	// It was committed and rolled out; meanwhile another workload differs.
	if _, _, err := exported(t, o, exportable("web", 520), deployment("web", "500m"), exportable("api", 700), deployment("api", "2")); err != nil {
		t.Fatal(err)
	}
	if read(web) != first {
		t.Errorf("the file changed by less than the threshold:\n%s", read(web))
	}
	if text := read(component); !strings.Contains(text, "deployment-api.yaml") || !strings.Contains(text, "deployment-web.yaml") {
		t.Errorf("the component lists not both:\n%s", text)
	}
	if _, _, err := exported(t, o, exportable("web", 1000), deployment("web", "500m")); err != nil || !strings.Contains(read(web), "cpu: \"1\"") {
		t.Errorf("error %v, and the file is not the new one:\n%s", err, read(web))
	}
}

func TestExportOverwritesNothingThatSomebodyElseWrote(t *testing.T) {
	folder := t.TempDir()
	theirs := filepath.Join(folder, "shop", "deployment-web.yaml")
	if err := os.MkdirAll(filepath.Dir(theirs), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(theirs, []byte("kind: Deployment\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := exported(t, exportOptions{format: exportPatch, folder: folder}, exportable("api", 700), deployment("api", "2"), exportable("web", 500), deployment("web", "2"))
	if err == nil || !strings.Contains(err.Error(), theirs+" is there and was not written by an export, so nothing was written") {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(theirs)); len(entries) != 1 {
		t.Errorf("files were written: %v", entries)
	}
}

func TestValuesOfAChartGoWhereThePathsSay(t *testing.T) {
	o := exportOptions{format: exportHelm, folder: t.TempDir(), paths: gitops.Paths{Resources: "{{.Name}}.resources"}}
	web := filepath.Join(o.folder, "shop", "deployment-web.yaml")
	if out, _, err := exported(t, o, exportable("web", 500), deployment("web", "2")); err != nil || out != web+"\n" {
		t.Errorf("error %v, wrote %q", err, out)
	}
	if text, err := os.ReadFile(web); err != nil || !strings.Contains(string(text), "\nweb:\n  resources:\n    requests:\n      cpu: 500m\n") {
		t.Errorf("error %v, values:\n%s", err, text)
	}
}

func TestAFileThatIsWrittenAgainKeepsWhatOnlyItKnows(t *testing.T) {
	o := exportOptions{format: exportPatch, folder: t.TempDir()}
	before := exportable("web", 500)
	before.Status.Replicas = &v1alpha1.ReplicaStatus{Target: new(int32(6))}
	for _, rec := range []*v1alpha1.Recommendation{before, exportable("web", 700)} { // No number of pods is known the second time.
		if _, _, err := exported(t, o, rec, deployment("web", "2")); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(o.folder, "shop", "deployment-web.yaml"))
	if err != nil || !strings.Contains(string(text), "replicas: 6") || !strings.Contains(string(text), "cpu: 700m") {
		t.Errorf("error %v, and not the new size with the number of pods from before:\n%s", err, text)
	}
}

func TestALimitRangeOfTheNamespaceCounts(t *testing.T) {
	floor := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "floor"}}
	floor.Spec.Limits = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Min: deployment("x", "1").Spec.Template.Spec.Containers[0].Resources.Requests}}
	out, said, err := exported(t, exportOptions{format: exportPatch}, exportable("web", 500), deployment("web", "2"), floor)
	if err != nil || out != "" || !strings.Contains(said, "LimitRange floor bounds the cpu of a container: request 500m is under 1") {
		t.Errorf("error %v, output %q, said %q", err, out, said)
	}
}
