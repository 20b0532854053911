package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/testkit"
)

// call runs one command line and returns what a terminal and a shell see of it.
func call(t *testing.T, args ...string) (out, errors string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, streams{in: strings.NewReader(""), out: &stdout, err: &stderr})
	return stdout.String(), stderr.String(), code
}

func TestAWrongCallSaysWhatIsWrongAndWhatIsRight(t *testing.T) {
	for line, message := range map[string]string{
		"explan":                        `loadline knows no "explan"; see: loadline --help`,
		"report now":                    `loadline report knows no "now"`,
		"report --output xml":           `--output "xml": legal are csv, html, json, markdown, table, yaml`,
		"report --nonsense":             "unknown flag: --nonsense",
		"explain":                       "name exactly one workload, such as deployment/checkout; got 0 arguments",
		"explain checkout":              `workload "checkout": write kind/name, such as deployment/checkout`,
		"approve /report":               `workload "/report": write kind/name`,
		"approve deployment/a deploy/b": "got 2 arguments",
		"dashboard --listen nowhere":    `--listen "nowhere": legal is host:port, such as 127.0.0.1:8099`,
		"recommender fast":              `loadline recommender knows no "fast"`,
	} {
		out, errors, code := call(t, strings.Fields(line)...)
		if code != exitUsage || !strings.Contains(errors, message) || out != "" {
			t.Errorf("loadline %s: exit code %d, output %q, error %q; want 2 and %q", line, code, out, errors, message)
		}
	}
}

func TestHelpNamesEveryCommandAndTheExitCodes(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"help"}} {
		out, _, code := call(t, args...)
		for _, want := range []string{"report", "export", "explain", "approve", "advise", "policy", "recommender", "webhook", "updater", "all", "0 done, 1 failed, 2 wrong usage, 3 not found"} {
			if code != exitOK || !strings.Contains(out, want) {
				t.Errorf("loadline %v: exit code %d, no word of %q", args, code, want)
			}
		}
	}
	if out, _, code := call(t, "version"); code != exitOK || !strings.HasPrefix(out, "loadline ") {
		t.Errorf("version: exit code %d, %q", code, out)
	}
}

// TestMain lets the test's own binary be the program, where it is run by the name of the plugin.
func TestMain(m *testing.M) {
	if name, _ := calledAs(os.Args[0], nil); name == plugin {
		main()
	}
	os.Exit(m.Run())
}

func TestAsAPluginOfKubectlItCallsItselfSo(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, name := range []string{"kubectl-loadline", completer} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	for line, want := range map[string][]string{
		"report --help": {"\n  kubectl loadline report [flags]\n", "\n  kubectl loadline report --since monday.json\n"},
		"":              {"\n  kubectl loadline [command]\n", `Use "kubectl loadline [command] --help"`},
		"explan":        {`kubectl loadline knows no "explan"; see: kubectl loadline --help`},
	} {
		// As kubectl does it: the plugin is looked up in the PATH by its name, and gets the words after it.
		out, _ := exec.CommandContext(t.Context(), "kubectl-loadline", strings.Fields(line)...).CombinedOutput()
		for _, text := range want {
			if !strings.Contains(string(out), text) || strings.Contains(string(out), "\n  loadline ") {
				t.Errorf("kubectl loadline %s: no word of %q, or of loadline alone:\n%s", line, text, out)
			}
		}
	}
	if out, err := exec.CommandContext(t.Context(), completer, "version", "--output", "").Output(); err != nil || !strings.HasPrefix(string(out), "json\nyaml\n:") {
		t.Errorf("kubectl completes version --output with %v:\n%s", err, out)
	}
	for path, want := range map[string]string{
		"loadline": program, "/usr/bin/loadline": program, "/x/kubectl-loadline": plugin, "kubectl-loadline.exe": plugin, "": program, "kubectl-other": program,
	} {
		if got, _ := calledAs(path, nil); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

// Whoever has only the plugin of kubectl finds no loadline in the PATH.
func TestThePluginPrintsNoCommandThatOnlyTheProgramUnderItsOwnNameKnows(t *testing.T) {
	waiting := sized("shop", "checkout")
	waiting.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForApproval}}
	kubeconfig := fakeAPI(t, waiting)
	for line, want := range map[string]string{
		"report --nodes=false --output json":               `"command": "kubectl loadline approve deployment/checkout --namespace shop`,
		"report --nodes=false --output html":               "kubectl loadline approve deployment/checkout --namespace shop",
		"explain deployment/gone -n shop":                  "See: kubectl loadline doctor",
		"approve deployment/checkout -n shop --revision 0": "look again with: kubectl loadline explain deployment/checkout --namespace shop",
		"import vpa --help":                                "-o yaml | kubectl loadline import vpa --filename -",
		"manifests --help":                                 "kubectl loadline doctor prints the right command",
	} {
		var out strings.Builder
		runAs(t.Context(), plugin, append(strings.Fields(line), "--kubeconfig", kubeconfig), streams{in: strings.NewReader(""), out: &out, err: &out})
		if alone := regexp.MustCompile(`(^|[^l]) loadline [a-z]+ .*`).FindString(out.String()); !strings.Contains(out.String(), want) || alone != "" {
			t.Errorf("kubectl loadline %s: no word of %q, or a command of loadline alone, %q:\n%s", line, want, alone, out.String())
		}
	}
}

func TestABadConfigurationStopsARoleBeforeItStarts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("recommender: {workers: many}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, file + ".missing"} {
		if _, errors, code := call(t, "recommender", "--config", path); code != exitError || !strings.Contains(errors, path) {
			t.Errorf("exit code %d, error %q", code, errors)
		}
	}
}

func TestEveryRoleIsMadeOfPartsThatExist(t *testing.T) {
	for _, r := range []role{roleRecommender, roleWebhook, roleUpdater, roleAll} {
		for _, name := range r.parts {
			p, ok := parts[name]
			if !ok {
				t.Fatalf("role %s has an unknown part %s", r.name, name)
			}
			if p.election != nil && p.election(config.Default()).LeaseName != "loadline-"+name {
				t.Errorf("the %s elects its leader with %q", name, p.election(config.Default()).LeaseName)
			}
		}
	}
}

func sized(namespace, name string) *v1alpha1.Recommendation {
	return &v1alpha1.Recommendation{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Recommendation"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "deployment-" + name},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}},
		Status: v1alpha1.RecommendationStatus{
			Mode: v1alpha1.ModeAuto, Approval: v1alpha1.ApprovalManual, Candidate: &v1alpha1.RevisionedValues{Revision: "3f1c0a9b2d4e5f60"},
			Display: v1alpha1.Display{CPU: "2 → 690m", Memory: "2048Mi → 512Mi"}, Trail: []string{"because of the numbers"},
		},
	}
}

// fakeAPI serves Recommendations like an API server, two on a page, and writes a kubeconfig for it whose namespace is shop.
func fakeAPI(t *testing.T, all ...*v1alpha1.Recommendation) (kubeconfig string) {
	t.Helper()
	answer := func(w http.ResponseWriter, code int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		if err := json.NewEncoder(w).Encode(body); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	version := metav1.GroupVersionForDiscovery{GroupVersion: "loadline.dev/v1alpha1", Version: "v1alpha1"}
	mux.HandleFunc("GET /api", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, metav1.APIVersions{Versions: []string{"v1"}})
	})
	mux.HandleFunc("GET /api/v1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, metav1.APIResourceList{GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "configmaps", Kind: "ConfigMap", Namespaced: true, Verbs: metav1.Verbs{"get"}},
			{Name: "namespaces", Kind: "Namespace", Verbs: metav1.Verbs{"get", "list"}},
			{Name: "nodes", Kind: "Node", Verbs: metav1.Verbs{"list"}},
			{Name: "pods", Kind: "Pod", Namespaced: true, Verbs: metav1.Verbs{"list"}},
		}})
	})
	mux.HandleFunc("GET /api/v1/namespaces", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, corev1.NamespaceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}, Items: []corev1.Namespace{*optedIn("bank", "auto"), *optedIn("shop", "auto")}})
	})
	mux.HandleFunc("GET /api/v1/namespaces/{name}", func(w http.ResponseWriter, r *http.Request) {
		namespace := optedIn(r.PathValue("name"), "auto")
		namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		answer(w, http.StatusOK, namespace)
	})
	mux.HandleFunc("GET /api/v1/nodes", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, corev1.NodeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NodeList"}, Items: []corev1.Node{*testkit.Node("idle", "4", "16Gi")}})
	})
	mux.HandleFunc("GET /api/v1/pods", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}})
	})
	mux.HandleFunc("GET /api/v1/namespaces/loadline-system/configmaps/loadline-kill-switch", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, Data: map[string]string{"stop": "true"}})
	})
	mux.HandleFunc("GET /api/v1/namespaces/loadline-system/configmaps/loadline-updater-record", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, apierrors.NewNotFound(corev1.Resource("configmaps"), "loadline-updater-record").Status())
	})
	mux.HandleFunc("GET /api/v1/namespaces/loadline-system/configmaps/loadline-config", func(w http.ResponseWriter, _ *http.Request) {
		config := installation("loadline-system")[1]
		config.GetObjectKind().SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
		answer(w, http.StatusOK, config)
	})
	apps := metav1.GroupVersionForDiscovery{GroupVersion: "apps/v1", Version: "v1"}
	mux.HandleFunc("GET /apis/apps/v1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, metav1.APIResourceList{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{
			{Name: "deployments", Kind: "Deployment", Namespaced: true, Verbs: metav1.Verbs{"list"}},
		}})
	})
	mux.HandleFunc("GET /apis/apps/v1/namespaces/loadline-system/deployments", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, appsv1.DeploymentList{
			TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DeploymentList"}, Items: []appsv1.Deployment{*installation("loadline-system")[0].(*appsv1.Deployment)},
		})
	})
	mux.HandleFunc("GET /apis", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, metav1.APIGroupList{Groups: []metav1.APIGroup{
			{Name: "apps", Versions: []metav1.GroupVersionForDiscovery{apps}, PreferredVersion: apps},
			{Name: v1alpha1.Group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version},
		}})
	})
	mux.HandleFunc("GET /apis/loadline.dev/v1alpha1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, metav1.APIResourceList{GroupVersion: "loadline.dev/v1alpha1", APIResources: []metav1.APIResource{
			{Name: "recommendations", Kind: "Recommendation", Namespaced: true, Verbs: metav1.Verbs{"get", "list"}},
		}})
	})
	list := func(w http.ResponseWriter, r *http.Request) {
		page := v1alpha1.RecommendationList{TypeMeta: metav1.TypeMeta{APIVersion: "loadline.dev/v1alpha1", Kind: "RecommendationList"}}
		for i, rec := range all {
			switch second := r.FormValue("continue") != ""; {
			case r.PathValue("namespace") != "" && rec.Namespace != r.PathValue("namespace"):
			case second == (i >= 2):
				page.Items = append(page.Items, *rec)
			default:
				page.Continue = "more"
			}
		}
		if r.FormValue("continue") != "" {
			page.Continue = ""
		}
		answer(w, http.StatusOK, page)
	}
	mux.HandleFunc("GET /apis/loadline.dev/v1alpha1/recommendations", list)
	mux.HandleFunc("GET /apis/loadline.dev/v1alpha1/namespaces/{namespace}/recommendations", list)
	mux.HandleFunc("GET /apis/loadline.dev/v1alpha1/namespaces/{namespace}/recommendations/{name}", func(w http.ResponseWriter, r *http.Request) {
		for _, rec := range all {
			if rec.Namespace == r.PathValue("namespace") && rec.Name == r.PathValue("name") {
				answer(w, http.StatusOK, rec)
				return
			}
		}
		answer(w, http.StatusNotFound, apierrors.NewNotFound(v1alpha1.SchemeGroupVersion.WithResource("recommendations").GroupResource(), r.PathValue("name")).Status())
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "test", Clusters: map[string]*clientcmdapi.Cluster{"test": {Server: server.URL}},
		Contexts: map[string]*clientcmdapi.Context{"test": {Cluster: "test", Namespace: "shop"}},
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// installation is Loadline in a namespace: a Deployment, and the configuration that it mounts.
func installation(namespace string) []client.Object {
	about := metav1.ObjectMeta{Namespace: namespace, Name: "loadline-updater", Labels: map[string]string{"app.kubernetes.io/part-of": "loadline"}}
	deployment := &appsv1.Deployment{ObjectMeta: about}
	deployment.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "loadline-config"}},
	}}}
	return []client.Object{deployment, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "loadline-config"},
		Data:       map[string]string{"config.yaml": "apiVersion: config.loadline.dev/v1alpha1\nkind: Configuration\nnamespace: " + namespace + "\n"},
	}}
}

func TestReportShowsAllNamespacesOrOneAndNeverTheProbe(t *testing.T) {
	kubeconfig := fakeAPI(t, sized("shop", "checkout"), sized("loadline-probe", "admission-probe"), sized("bank", "ledger"))
	for args, want := range map[string][]string{"report": {"bank", "shop"}, "report --namespace bank": {"bank"}} {
		out, errors, code := call(t, append(strings.Fields(args), "--kubeconfig", kubeconfig, "--output", "json")...)
		var report struct{ Rows []struct{ Namespace string } }
		if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitOK || errors != "" {
			t.Fatalf("loadline %s: exit code %d, error %q, output %q", args, code, errors, out)
		}
		var got []string
		for _, row := range report.Rows {
			got = append(got, row.Namespace)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("loadline %s shows %v, want %v", args, got, want)
		}
	}
}

func TestReportSaysThatTheKillSwitchIsPulled(t *testing.T) {
	out, _, code := call(t, "report", "--kubeconfig", fakeAPI(t, sized("shop", "checkout")))
	if want := "Running pods are left alone: ConfigMap loadline-system/loadline-kill-switch is there"; code != exitOK || !strings.HasPrefix(out, want) {
		t.Errorf("exit code %d, output %q; want it to begin with %q", code, out, want)
	}
}

func TestExplainReadsTheKubeconfigsNamespaceAndSaysWhatIsMissing(t *testing.T) {
	kubeconfig := fakeAPI(t, sized("shop", "checkout"))
	if out, errors, code := call(t, "explain", "deploy/checkout", "--kubeconfig", kubeconfig); code != exitOK || !strings.Contains(out, "because of the numbers") {
		t.Errorf("exit code %d, error %q, output:\n%s", code, errors, out)
	}
	_, errors, code := call(t, "explain", "deploy/checkout", "--kubeconfig", kubeconfig, "--namespace", "bank")
	if code != exitNotFound || !strings.Contains(errors, "no recommendation for deploy/checkout in namespace bank") {
		t.Errorf("exit code %d, error %q", code, errors)
	}
}

func TestAClusterThatCannotBeReachedIsAnErrorAndNotAStackTrace(t *testing.T) {
	_, errors, code := call(t, "report", "--kubeconfig", filepath.Join(t.TempDir(), "none"))
	if code != exitError || !strings.HasPrefix(errors, "loadline: find the cluster: ") {
		t.Errorf("exit code %d, error %q", code, errors)
	}
}

func fakeCluster(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme), appsv1.AddToScheme(scheme), batchv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(funcs).Build()
}

func optedIn(name, mode string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{v1alpha1.AnnotationMode: mode}}}
}

func TestApproveWritesTheRevisionThatThePersonSaw(t *testing.T) {
	c := fakeCluster(t, interceptor.Funcs{}, sized("shop", "checkout"))
	a := approval{asked{program, "shop", "deployment/checkout"}, "3f1c0a9b2d4e5f60"}
	message, err := approve(t.Context(), c, a)
	if err != nil || message != "Approved revision 3f1c0a9b2d4e5f60 of deployment/checkout: CPU 2 → 690m, memory 2048Mi → 512Mi." {
		t.Errorf("said %q, error %v", message, err)
	}
	rec, err := asked{program, "shop", "deployment/checkout"}.find(t.Context(), c)
	if err != nil || rec.Spec.ApprovedRevision != "3f1c0a9b2d4e5f60" {
		t.Errorf("approved %q, error %v", rec.Spec.ApprovedRevision, err)
	}
}

// The pages and the report print kinds in lower case, and only the object knows how they are spelled.
func TestAWorkloadOfACustomKindIsFound(t *testing.T) {
	web := sized("shop", "web")
	web.Name, web.Spec.TargetRef = v1alpha1.RecommendationName("Rollout", "web"), v1alpha1.TargetReference{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "web"}
	kubeconfig := fakeAPI(t, sized("shop", "checkout"), sized("shop", "web"), web)
	for _, typed := range []string{"rollout/web", "Rollout/web", "rollouts/web"} {
		if out, said, code := call(t, "explain", typed, "--kubeconfig", kubeconfig, "-o", "yaml"); code != exitOK || !strings.Contains(out, "kind: Rollout") {
			t.Errorf("explain %s: exit code %d, error %q, output:\n%s", typed, code, said, out)
		}
	}
	if _, said, code := call(t, "explain", "rollout/api", "--kubeconfig", kubeconfig); code != exitNotFound || !strings.Contains(said, "no recommendation for rollout/api") {
		t.Errorf("exit code %d, error %q", code, said)
	}
	c := fakeCluster(t, interceptor.Funcs{}, web)
	if message, err := approve(t.Context(), c, approval{asked{program, "shop", "rollout/web"}, ""}); err != nil || !strings.HasPrefix(message, "Approved revision 3f1c0a9b2d4e5f60 of rollout/web") {
		t.Errorf("said %q, error %v", message, err)
	}
}

func TestNothingIsApprovedThatThePersonDidNotSee(t *testing.T) {
	conflict := interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return apierrors.NewConflict(v1alpha1.SchemeGroupVersion.WithResource("recommendations").GroupResource(), "deployment-checkout", errors.New("changed"))
	}}
	waiting := sized("shop", "checkout")
	waiting.Status.Candidate, waiting.Status.Display.Why = nil, "2 hours of history so far"
	for name, c := range map[string]struct {
		client  client.Client
		asked   string
		message string
	}{
		"another candidate": {fakeCluster(t, interceptor.Funcs{}, sized("shop", "checkout")), "0000000000000000", "is revision 3f1c0a9b2d4e5f60 by now, not 0000000000000000"},
		"no candidate":      {fakeCluster(t, interceptor.Funcs{}, waiting), "", "no sizes to approve for deployment/checkout yet: 2 hours of history so far"},
		"a race":            {fakeCluster(t, conflict, sized("shop", "checkout")), "", "changed meanwhile and nothing was approved; look again with: loadline explain deployment/checkout --namespace shop"},
		"no recommendation": {fakeCluster(t, interceptor.Funcs{}, optedIn("shop", "dry-run")), "", "there is no recommendation for deployment/checkout in namespace shop, which has opted in"},
		"not opted in":      {fakeCluster(t, interceptor.Funcs{}, optedIn("shop", "off")), "", "has not opted in; begin with: kubectl annotate namespace shop loadline.dev/mode=dry-run"},
		"no namespace":      {fakeCluster(t, interceptor.Funcs{}), "", "there is no namespace shop; see: kubectl get namespaces"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := approve(t.Context(), c.client, approval{asked{program, "shop", "deployment/checkout"}, c.asked})
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("got %v, want %q", err, c.message)
			}
		})
	}
}

func TestApprovingWhereNobodyWaitsForItIsSaid(t *testing.T) {
	automatic := sized("shop", "checkout")
	automatic.Status.Approval = v1alpha1.ApprovalAutomatic
	message, err := approve(t.Context(), fakeCluster(t, interceptor.Funcs{}, automatic), approval{asked{program, "shop", "deployment/checkout"}, ""})
	if err != nil || !strings.Contains(message, "approval is automatic here") {
		t.Errorf("said %q, error %v", message, err)
	}
}

func TestTheHistoryReaderIsMadeOfTheDefaultConfiguration(t *testing.T) {
	if _, err := newHistoryReader(config.Default().Prometheus, nil); err != nil {
		t.Error(err)
	}
	broken := config.Default().Prometheus
	broken.URL = "::"
	if _, err := newHistoryReader(broken, nil); err == nil {
		t.Error("a broken URL is no error")
	}
}
