package doctor_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	fakediscovery "k8s.io/client-go/discovery/fake"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/doctor"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// world is a cluster that a test describes.
type world struct {
	options doctor.Options
	objects []client.Object
	funcs   interceptor.Funcs
}

func newWorld(gitVersion string, resources ...string) *world {
	var served []metav1.APIResource
	for _, r := range resources {
		served = append(served, metav1.APIResource{Name: r})
	}
	return &world{options: doctor.Options{
		REST: &rest.Config{Host: "http://127.0.0.1:1"}, Program: "loadline", Config: config.Default(), Clock: clocktesting.NewFakePassiveClock(now),
		Discovery: &fakediscovery.FakeDiscovery{
			Fake:               &clienttesting.Fake{Resources: []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: served}}},
			FakedServerVersion: &version.Info{GitVersion: gitVersion},
		},
	}}
}

// found runs the doctor and returns the findings of one check.
func (w *world) found(t *testing.T, check string) []doctor.Finding {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	w.options.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(w.objects...).WithInterceptorFuncs(w.funcs).Build()
	var found []doctor.Finding
	for _, f := range doctor.Examine(t.Context(), w.options).Findings {
		if (f.Severity == doctor.OK) != (f.Fix == "") {
			t.Errorf("%+v: want a command for whatever is not well, and none for what is", f)
		}
		if f.Check == check {
			found = append(found, f)
		}
	}
	return found
}

// one is the only finding of a check.
func (w *world) one(t *testing.T, check string) doctor.Finding {
	t.Helper()
	found := w.found(t, check)
	if len(found) != 1 {
		t.Fatalf("%s: %+v, want one finding", check, found)
	}
	return found[0]
}

func TestAnOldClusterIsAnErrorAndOneWithoutResizeAWarning(t *testing.T) {
	for gitVersion, want := range map[string]doctor.Severity{"v1.29.9": doctor.Error, "v1.30.0": doctor.OK, "v1.37.1-gke.5": doctor.OK, "dunno": doctor.Warning} {
		if f := newWorld(gitVersion).one(t, "cluster"); f.Severity != want {
			t.Errorf("%s: %+v, want %s", gitVersion, f, want)
		}
	}
	if f := newWorld("v1.30.0", "pods").one(t, "in-place resize"); f.Severity != doctor.Warning {
		t.Errorf("%+v", f)
	}
	if f := newWorld("v1.35.0", "pods", "pods/resize").one(t, "in-place resize"); f.Severity != doctor.OK {
		t.Errorf("%+v", f)
	}
}

func TestALeaderThatIsSilentIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		spec coordinationv1.LeaseSpec
		want string
	}{
		"renewed a moment ago": {coordinationv1.LeaseSpec{HolderIdentity: new("a"), RenewTime: new(metav1.NewMicroTime(now.Add(-5 * time.Second)))}, "the recommender works: a leads"},
		"silent":               {coordinationv1.LeaseSpec{HolderIdentity: new("a"), RenewTime: new(metav1.NewMicroTime(now.Add(-5 * time.Minute)))}, "no recommender leads: a was last heard of 5m0s ago"},
		"given up":             {coordinationv1.LeaseSpec{HolderIdentity: new(""), RenewTime: new(metav1.NewMicroTime(now))}, "no recommender leads: the last one has stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld("v1.35.0")
			w.objects = []client.Object{&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-recommender"}, Spec: c.spec}}
			if f := w.found(t, "leader")[0]; f.What != c.want {
				t.Errorf("got %+v, want %q", f, c.want)
			}
		})
	}
}

// A laptop whose clock is wrong must not have the recommender restarted.
func TestALeaderIsJudgedByTheAPIServersClock(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", now.Add(-10*time.Minute).Format(http.TimeFormat))
	}))
	defer server.Close()
	w := newWorld("v1.35.0")
	w.options.REST.Host = server.URL
	w.objects = []client.Object{&coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-recommender"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: new("a"), RenewTime: new(metav1.NewMicroTime(now.Add(-10*time.Minute - 5*time.Second)))},
	}}
	if f := w.found(t, "leader")[0]; f.Severity != doctor.OK {
		t.Errorf("%+v", f)
	}
	if f := w.one(t, "clock"); f.Severity != doctor.Warning {
		t.Errorf("%+v", f)
	}
}

func TestAllPartsInOneDeploymentAreRestartedThere(t *testing.T) {
	w := newWorld("v1.35.0")
	w.objects = []client.Object{&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline", Labels: map[string]string{"app.kubernetes.io/part-of": "loadline"}},
		Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			ServiceAccountName: "loadline", Containers: []corev1.Container{{Args: []string{"all"}}},
		}}},
		Status: appsv1.DeploymentStatus{AvailableReplicas: 1},
	}}
	for _, f := range w.found(t, "leader") {
		if f.Fix != "kubectl --namespace loadline-system rollout restart deployment/loadline" {
			t.Errorf("%+v", f)
		}
	}
	asked := 0
	w.funcs.Create = func(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption) error {
		if review, ok := o.(*authorizationv1.SubjectAccessReview); ok {
			review.Status.Allowed = review.Spec.User == "system:serviceaccount:loadline-system:loadline" && review.Spec.ResourceAttributes.Resource != "nodes"
		}
		return nil
	}
	for _, f := range w.found(t, "rights") {
		asked++
		if want := "loadline manifests rbac --all-in-one | kubectl apply --server-side --force-conflicts -f -"; f.Fix != want {
			t.Errorf("%+v, want %s: other manifests would take all rights away", f, want)
		}
		if f.Where != "serviceaccount/loadline" || f.Severity != doctor.Error || !strings.Contains(f.What, "list nodes") {
			t.Errorf("%+v, want that the Deployment's account may not list nodes", f)
		}
	}
	if asked != 3 {
		t.Errorf("looked at the rights of %d parts, want 3", asked)
	}
}

func TestWithoutAnUpdaterARefusalShowsThatTheWebhookIsReached(t *testing.T) {
	for name, c := range map[string]struct {
		answer   error
		severity doctor.Severity
		says     string
	}{
		"reached":            {errors.New(`admission webhook "namespaces.loadline.dev" denied the request: metadata.annotations[loadline.dev/mode]: no`), doctor.OK, "the webhook refused a trial namespace in "},
		"not reached":        {nil, doctor.Error, "the API server does not reach the webhook, and new pods come as they are written"},
		"forbidden":          {apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "", errors.New("you cannot create resource namespaces")), doctor.Unseen, "you may not create the namespace"},
		"refused by another": {errors.New(`admission webhook "labels.example.com" denied the request: a team is missing`), doctor.Unseen, "a team is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld("v1.35.0")
			w.objects = []client.Object{&appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Namespace: "loadline-system", Name: "loadline-webhook", Labels: map[string]string{"app.kubernetes.io/part-of": "loadline"}},
				Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
					ServiceAccountName: "loadline-webhook", Containers: []corev1.Container{{Args: []string{"webhook"}}},
				}}},
			}}
			w.funcs.Create = func(_ context.Context, _ client.WithWatch, o client.Object, options ...client.CreateOption) error {
				if _, trial := o.(*corev1.Namespace); !trial {
					return nil
				}
				if !slices.Contains(options, client.CreateOption(client.DryRunAll)) {
					t.Error("the trial namespace is really created")
				}
				return c.answer
			}
			if f := w.one(t, "admission"); f.Severity != c.severity || !strings.Contains(f.What, c.says) {
				t.Errorf("%+v, want %s: %s", f, c.severity, c.says)
			}
		})
	}
}

func TestWhatHelmInstalledIsAppliedFromItsRelease(t *testing.T) {
	w := newWorld("v1.35.0")
	w.objects = []client.Object{&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "loadline-system", Name: "loadline-webhook", Labels: map[string]string{"app.kubernetes.io/part-of": "loadline"},
			Annotations: map[string]string{"meta.helm.sh/release-name": "sizes"},
		},
		Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			ServiceAccountName: "loadline-webhook", Containers: []corev1.Container{{Args: []string{"webhook"}}},
		}}},
	}}
	for _, f := range w.found(t, "kinds") {
		if f.Fix != "helm get manifest sizes --namespace loadline-system | kubectl label --local -f - -o json app.kubernetes.io/managed-by=Helm"+
			" | kubectl annotate --local -f - -o json meta.helm.sh/release-name=sizes meta.helm.sh/release-namespace=loadline-system"+
			" | kubectl apply --server-side --force-conflicts --field-manager=helm -f -" {
			t.Errorf("%+v", f)
		}
	}
}

func TestRightsToMakeACertificateAreLeftOutWhereNobodyMakesOne(t *testing.T) {
	w := newWorld("v1.35.0")
	w.options.Config.Webhook.CertMode = config.CertFromSecret
	w.funcs.Create = func(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption) error {
		if review, ok := o.(*authorizationv1.SubjectAccessReview); ok {
			review.Status.Allowed = review.Spec.ResourceAttributes.Resource != "nodes"
		}
		return nil
	}
	surplus := 0
	for _, f := range w.found(t, "rights") {
		switch f.Severity {
		case doctor.Warning:
			surplus++
			if !strings.Contains(f.What, "update mutatingwebhookconfigurations loadline-mutating") || !strings.HasPrefix(f.Fix, "kubectl delete clusterrolebinding,clusterrole loadline-webhook-certs") {
				t.Errorf("%+v", f)
			}
		case doctor.Error:
			if !strings.HasPrefix(f.Fix, "loadline manifests rbac --cert-mode secret |") {
				t.Errorf("%+v, want a command that does not give them back", f)
			}
		}
	}
	if surplus != 1 {
		t.Errorf("%d findings about rights that nobody needs, want 1", surplus)
	}
}

func TestWhatIsForbiddenIsNotSeenAndNoError(t *testing.T) {
	w := newWorld("v1.35.0")
	forbidden := func(resource string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
	}
	w.funcs = interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return forbidden("things")
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return forbidden("things")
		},
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("you cannot create resource pods"))
		},
	}
	for _, check := range []string{"kinds", "webhooks", "certificate", "rights", "admission", "updater", "opt-in", "autoscalers"} {
		for _, f := range w.found(t, check) {
			if f.Severity != doctor.Unseen {
				t.Errorf("%+v, want unseen", f)
			}
		}
	}
}

// prometheus answers each query that contains a key with that many series.
type prometheus map[string]int

func (p prometheus) Query(_ context.Context, query string, _ time.Time, _ ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error) {
	if query == "time()" {
		return &model.Scalar{Value: model.SampleValue(now.Unix())}, nil, nil, nil
	}
	for part, n := range p {
		if strings.Contains(query, part) {
			labels := model.Metric{"namespace": "shop", "pod": "a", "container": "app"}
			if part == "rate(" {
				delete(labels, "pod") // as a query gives it that groups by a label which no series has
			}
			return model.Vector{{Metric: labels, Value: model.SampleValue(n)}}, nil, nil, nil
		}
	}
	return model.Vector{}, nil, nil, nil
}

func TestSeriesThatAreMissingAreToldFromThoseWithOtherLabels(t *testing.T) {
	for name, c := range map[string]struct {
		prometheus prometheus
		want       string
	}{
		"all is there":     {prometheus{"": 3}, "there are series with the right labels for cpu"},
		"nothing is":       {prometheus{}, "Prometheus has no series cpu_seconds at all: it has to scrape the kubelets' cAdvisor (/metrics/cadvisor)"},
		"another label":    {prometheus{"rate(": 9, "count(cpu_seconds)": 9, `namespace!=""`: 9}, "no series of cpu_seconds has the label pod: name the right one in prometheus.labels"},
		"other namespaces": {prometheus{"count(cpu_seconds)": 9, `!=""`: 9}, `cpu_seconds has series, and none of this namespace; prometheus.extraMatchers are ""`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld("v1.35.0")
			w.options.Prometheus = c.prometheus
			w.options.Queries = func(string) map[string]string { return map[string]string{"cpu": "rate(cpu_seconds{x}[5m])", "rss": ""} }
			w.objects = []client.Object{
				&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{"loadline.dev/mode": "dry-run"}}},
				&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "other"}},
				&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "a", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}, Status: corev1.PodStatus{Phase: corev1.PodRunning}},
				&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "b", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}, Status: corev1.PodStatus{Phase: corev1.PodRunning}},
			}
			if f := w.one(t, "series"); f.What != c.want || f.Where != "namespace/shop" {
				t.Errorf("got %+v, want %q", f, c.want)
			}
		})
	}
}

// deaf does not answer.
type deaf struct{}

func (deaf) Query(context.Context, string, time.Time, ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error) {
	return nil, nil, nil, errors.New("no such host")
}

func TestAnAddressOfTheClusterIsNoErrorFromOutside(t *testing.T) {
	w := newWorld("v1.35.0")
	w.options.Prometheus = deaf{}
	f := w.one(t, "prometheus")
	if f.Severity != doctor.Unseen || !strings.HasPrefix(f.Fix, "kubectl --namespace monitoring port-forward service/prometheus-operated 9090:9090 >/dev/null & curl ") || !strings.HasSuffix(f.Fix, "--retry-connrefused http://localhost:9090 && loadline doctor --prometheus http://localhost:9090; kill $!") {
		t.Errorf("%+v", f)
	}
	w.options.Config.Namespace, w.options.ConfigFrom = "platform", "loadline.yaml"
	if f := w.one(t, "prometheus"); !strings.Contains(f.Fix, "&& loadline doctor --operator-namespace platform --config loadline.yaml --prometheus ") {
		t.Errorf("it looks at another installation: %+v", f)
	}
	w.options.Program = "kubectl loadline"
	if f := w.one(t, "prometheus"); !strings.Contains(f.Fix, "&& kubectl loadline doctor ") {
		t.Errorf("%+v", f)
	}
	if f := w.found(t, "kinds")[0]; !strings.HasPrefix(f.Fix, "kubectl loadline manifests crd ") {
		t.Errorf("%+v", f)
	}
	w.options.Config.Prometheus.URL = "http://prometheus.example.com"
	if f := w.one(t, "prometheus"); f.Severity != doctor.Error || !strings.Contains(f.What, "no such host") {
		t.Errorf("%+v", f)
	}
}

func TestNamespacesThatSayWhatTheyDoNotMeanAreFound(t *testing.T) {
	namespace := func(name, mode string, labels map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{"loadline.dev/mode": mode}}}
	}
	w := newWorld("v1.35.0")
	w.objects = []client.Object{
		namespace("good", "auto", map[string]string{"loadline.dev/admission": "enabled"}), namespace("calm", "dry-run", nil),
		namespace("typo", "on", nil), namespace("unlabelled", "initial", nil),
	}
	var lines []string
	for _, f := range w.found(t, "opt-in") {
		lines = append(lines, string(f.Severity)+" "+f.Where+" "+f.Fix)
	}
	want := []string{
		"warning namespace/typo kubectl edit namespace typo",
		"error namespace/unlabelled kubectl label namespace unlabelled loadline.dev/admission=enabled --overwrite",
		"ok  ",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStaleRecommendationsAreNamedOldestFirst(t *testing.T) {
	rec := func(name string, age time.Duration) *v1alpha1.Recommendation {
		return &v1alpha1.Recommendation{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Status:     v1alpha1.RecommendationStatus{Mode: v1alpha1.ModeAuto, ObservedTime: new(metav1.NewTime(now.Add(-age)))},
		}
	}
	w := newWorld("v1.35.0")
	w.objects = []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{"loadline.dev/mode": "dry-run"}}},
		rec("deployment-a", 30*time.Hour), rec("deployment-b", 60*time.Hour), rec("deployment-c", time.Hour),
	}
	f := w.one(t, "recommendations")
	if f.Severity != doctor.Warning || f.Where != "shop/deployment-b, shop/deployment-a" || !strings.HasPrefix(f.What, "2 were not confirmed") {
		t.Errorf("%+v", f)
	}
}

func TestTheListEndsWithWhatIsWrongAndIsColouredOnlyWhereAskedFor(t *testing.T) {
	r := doctor.Report{Findings: []doctor.Finding{
		{Check: "kinds", Severity: doctor.Error, What: "gone", Where: "crd/x", Fix: "kubectl apply"}, {Check: "clock", Severity: doctor.OK, What: "agrees"},
	}}
	var plain, coloured strings.Builder
	if err := errors.Join(r.Write(&plain, false), r.Write(&coloured, true)); err != nil {
		t.Fatal(err)
	}
	want := "ok       clock                  agrees\n" +
		"error    kinds                  crd/x: gone\n" +
		"                                try: kubectl apply\n" +
		"\n1 ok, 0 not seen, 0 warnings, 1 errors\n"
	if diff := cmp.Diff(want, plain.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(coloured.String(), "\x1b[31merror") || strings.Contains(plain.String(), "\x1b") {
		t.Errorf("%q", coloured.String())
	}
}
