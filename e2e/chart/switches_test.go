package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/template"
)

// variants are values that between them turn every switch.
var variants = map[string]string{
	"nothing set":           "",
	"all in one":            "{allInOne: true}",
	"recommender alone":     "{webhook: {enabled: false}, updater: {enabled: false}}",
	"no updater":            "{updater: {enabled: false}}",
	"cert-manager":          "{certManager: {enabled: true}}",
	"an issuer of yours":    "{certManager: {enabled: true, issuerRef: {name: ours, kind: ClusterIssuer}}}",
	"without the kinds":     "{crds: {enabled: false}}",
	"kinds that go":         "{crds: {keep: false}}",
	"network policies":      "{networkPolicy: {enabled: true}}",
	"all in one, confined":  "{allInOne: true, networkPolicy: {enabled: true}, ollama: {enabled: true}}",
	"a dashboard":           "{dashboard: {enabled: true}}",
	"a dashboard in one":    "{allInOne: true, dashboard: {enabled: true}, networkPolicy: {enabled: true}}",
	"monitoring":            "{serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, grafanaDashboard: {enabled: true}}",
	"custom kinds":          customKinds,
	"a priority class":      "{priorityClass: {create: true}}",
	"a model":               "{ollama: {enabled: true, volume: {storageClassName: fast}, runtimeClassName: nvidia}}",
	"many replicas":         "{recommender: {replicas: 2}, webhook: {replicas: 5}, updater: {replicas: 3}}",
	"a configuration":       "{config: {prometheus: {url: 'https://thanos.example.com', maxResponseBytes: 67108864}, policy: {cpu: {min: 20m}}}}",
	"everything about pods": everythingAboutPods,
	"users of the cluster":  "{pods: {fixedUser: false}, ollama: {enabled: true}}",
}

const everythingAboutPods = `
image: {repository: registry.example.com/loadline, digest: "sha256:abc", pullPolicy: Always, pullSecrets: [{name: registry}]}
pods:
  annotations: {example.com/a: b}
  labels: {team: platform}
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{key: infra, operator: Exists}]
  affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]
  priorityClassName: system-cluster-critical
recommender:
  serviceAccountAnnotations: {iam.example.com/role: reader}
  volumes: [{name: token, secret: {secretName: prometheus-token}}]
  volumeMounts: [{name: token, mountPath: /var/run/token, readOnly: true}]
`

// names lists the objects of a kind.
func names(objects set, kind string) []string {
	var found []string
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if name, ok := strings.CutPrefix(key, kind+" "); ok {
			found = append(found, name)
		}
	}
	return found
}

func wantNames(t *testing.T, objects set, kind string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, names(objects, kind)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", kind, diff)
	}
}

func TestEachPartHasItsDeploymentAndItsAccount(t *testing.T) {
	objects := rendered(t, "")
	wantNames(t, objects, "Deployment", "loadline-recommender", "loadline-updater", "loadline-webhook")
	wantNames(t, objects, "ServiceAccount", "loadline-recommender", "loadline-updater", "loadline-webhook")
	wantNames(t, objects, "PodDisruptionBudget", "loadline-webhook")
	wantNames(t, objects, "Lease", "loadline-recommender", "loadline-updater")
}

func TestAllInOneHasTheRightsOfAllParts(t *testing.T) {
	objects := rendered(t, variants["all in one"])
	wantNames(t, objects, "Deployment", "loadline")
	wantNames(t, objects, "ServiceAccount", "loadline")
	for key := range objects {
		if !strings.HasPrefix(key, "RoleBinding ") && !strings.HasPrefix(key, "ClusterRoleBinding ") {
			continue
		}
		if subjects := as[rbacv1.ClusterRoleBinding](t, objects, key).Subjects; len(subjects) != 1 || subjects[0].Name != "loadline" {
			t.Errorf("%s is for %v", key, subjects)
		}
	}
	for _, name := range []string{"loadline-recommender-namespaces", "loadline-updater-pods", "loadline-updater-autoscalers"} {
		policy := as[admissionv1.ValidatingAdmissionPolicy](t, objects, "ValidatingAdmissionPolicy "+name)
		if got := policy.Spec.MatchConditions[0].Expression; !strings.HasSuffix(got, "'system:serviceaccount:loadline-system:loadline'") {
			t.Errorf("%s does not hold the account: %s", name, got)
		}
	}
	if got := as[corev1.Service](t, objects, "Service loadline-webhook").Spec.Selector["app.kubernetes.io/name"]; got != "loadline" {
		t.Errorf("the API server is sent to pods of %q", got)
	}
}

func TestAPartThatIsOffLeavesNothingBehind(t *testing.T) {
	for values, off := range map[string][]string{
		variants["recommender alone"]: {"webhook", "updater", "probe"},
		variants["no updater"]:        {"updater", "probe"},
	} {
		for key, object := range rendered(t, values) {
			for _, part := range off {
				if strings.Contains(key, part) {
					t.Errorf("with %s there is %s", values, key)
				}
			}
			if object.GetKind() == "MutatingWebhookConfiguration" && slices.Contains(off, "webhook") {
				t.Errorf("with %s there is %s", values, key)
			}
		}
	}
}

func TestCertManagerTakesTheRightToWriteCertificatesAway(t *testing.T) {
	objects := rendered(t, variants["cert-manager"])
	wantNames(t, objects, "Issuer", "loadline-webhook-ca", "loadline-webhook-root")
	wantNames(t, objects, "Certificate", "loadline-webhook", "loadline-webhook-ca")
	wantNames(t, objects, "Secret")
	for _, kind := range []string{"Mutating", "Validating"} {
		object := objects[kind+"WebhookConfiguration loadline-"+strings.ToLower(kind)]
		if got := object.GetAnnotations()["cert-manager.io/inject-ca-from"]; got != "loadline-system/loadline-webhook" {
			t.Errorf("the CA of %s comes from %q", object.GetName(), got)
		}
	}
	for _, key := range []string{"ClusterRole loadline-webhook-certs", "Role loadline-webhook-certs"} {
		if objects[key] != nil {
			t.Errorf("there is still a %s", key)
		}
	}
	// Another Secret than the one that Helm keeps, or none of the two could be installed where the other was.
	const secret = "loadline-webhook-tls"
	if got := configured(t, objects).Webhook; got.CertMode != config.CertFromSecret || got.CertSecret != secret {
		t.Errorf("certMode: %s, certSecret: %s", got.CertMode, got.CertSecret)
	}
	if got, _, _ := unstructured.NestedString(objects["Certificate loadline-webhook"].Object, "spec", "secretName"); got != secret {
		t.Errorf("cert-manager writes the Secret %q", got)
	}
	if got := as[rbacv1.Role](t, objects, "Role loadline-webhook").Rules[0].ResourceNames; !slices.Equal(got, []string{secret}) {
		t.Errorf("the webhook may read the Secrets %v", got)
	}
	ours := rendered(t, variants["an issuer of yours"])
	wantNames(t, ours, "Issuer")
	got, _, _ := unstructured.NestedStringMap(ours["Certificate loadline-webhook"].Object, "spec", "issuerRef")
	if diff := cmp.Diff(map[string]string{"name": "ours", "kind": "ClusterIssuer", "group": "cert-manager.io"}, got); diff != "" {
		t.Errorf("issuerRef (-want +got):\n%s", diff)
	}
}

func TestTheKindsStayUnlessTheyShallGo(t *testing.T) {
	const keep = "helm.sh/resource-policy"
	for values, want := range map[string]string{"": "keep", variants["kinds that go"]: ""} {
		objects := rendered(t, values)
		wantNames(t, objects, "CustomResourceDefinition", "recommendations.loadline.dev", "sizingpolicies.loadline.dev")
		for _, name := range names(objects, "CustomResourceDefinition") {
			if got := objects["CustomResourceDefinition "+name].GetAnnotations()[keep]; got != want {
				t.Errorf("with %q %s has %s=%q, want %q", values, name, keep, got, want)
			}
		}
	}
	wantNames(t, rendered(t, variants["without the kinds"]), "CustomResourceDefinition")
}

func TestPodsAreAsTheValuesSay(t *testing.T) {
	objects := rendered(t, variants["everything about pods"])
	for _, name := range names(objects, "Deployment") {
		template := as[appsv1.Deployment](t, objects, "Deployment "+name).Spec.Template
		pod, container := template.Spec, template.Spec.Containers[0]
		if template.Annotations["example.com/a"] != "b" || template.Labels["team"] != "platform" || template.Labels["app.kubernetes.io/name"] != name {
			t.Errorf("%s: annotations %v, labels %v", name, template.Annotations, template.Labels)
		}
		if container.Image != "registry.example.com/loadline@sha256:abc" || container.ImagePullPolicy != corev1.PullAlways || pod.ImagePullSecrets[0].Name != "registry" {
			t.Errorf("%s: image %s, %s, with %v", name, container.Image, container.ImagePullPolicy, pod.ImagePullSecrets)
		}
		if pod.NodeSelector["kubernetes.io/os"] != "linux" || pod.Tolerations[0].Key != "infra" || pod.Affinity.NodeAffinity == nil || pod.PriorityClassName != "system-cluster-critical" {
			t.Errorf("%s is scheduled by %v, %v, %v, %s", name, pod.NodeSelector, pod.Tolerations, pod.Affinity, pod.PriorityClassName)
		}
		spread := pod.TopologySpreadConstraints
		if len(spread) != 1 || spread[0].TopologyKey != "topology.kubernetes.io/zone" || spread[0].LabelSelector.MatchLabels["app.kubernetes.io/name"] != name {
			t.Errorf("%s is spread by %+v", name, spread)
		}
	}
	if got := objects["ServiceAccount loadline-recommender"].GetAnnotations()["iam.example.com/role"]; got != "reader" {
		t.Errorf("the account's annotation is %q", got)
	}
	recommender := as[appsv1.Deployment](t, objects, "Deployment loadline-recommender").Spec.Template.Spec
	if !slices.ContainsFunc(recommender.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/var/run/token" }) {
		t.Errorf("the token is not mounted: %v", recommender.Containers[0].VolumeMounts)
	}
}

// OpenShift admits no pod that names a user which is not its namespace's.
func TestNoPodNamesAUserWhereTheClusterChoosesThem(t *testing.T) {
	objects := withHooks(t, variants["users of the cluster"])
	contexts := map[string]*corev1.PodSecurityContext{"cleanup": as[batchv1.Job](t, objects, "Job loadline-cleanup").Spec.Template.Spec.SecurityContext}
	for _, name := range names(objects, "Deployment") {
		contexts[name] = as[appsv1.Deployment](t, objects, "Deployment "+name).Spec.Template.Spec.SecurityContext
	}
	want := &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	if len(contexts) != 5 {
		t.Errorf("%d kinds of pods, want those of three parts, of the model and of the cleanup", len(contexts))
	}
	for name, got := range contexts {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReplicasBeyondOneAreSpreadAndKeptByABudget(t *testing.T) {
	objects := rendered(t, variants["many replicas"])
	wantNames(t, objects, "PodDisruptionBudget", "loadline-recommender", "loadline-updater", "loadline-webhook")
	for name, want := range map[string]int32{"recommender": 2, "webhook": 5, "updater": 3} {
		spec := as[appsv1.Deployment](t, objects, "Deployment loadline-"+name).Spec
		if *spec.Replicas != want || len(spec.Template.Spec.TopologySpreadConstraints) != 1 {
			t.Errorf("%s: %d replicas, spread by %v", name, *spec.Replicas, spec.Template.Spec.TopologySpreadConstraints)
		}
	}
}

func TestAPriorityClassIsMadeAndUsed(t *testing.T) {
	objects := rendered(t, variants["a priority class"])
	if got := as[schedulingv1.PriorityClass](t, objects, "PriorityClass loadline"); got.Value != 1000000 || got.GlobalDefault {
		t.Errorf("priority %d, for everybody: %v", got.Value, got.GlobalDefault)
	}
	if got := as[appsv1.Deployment](t, objects, "Deployment loadline-webhook").Spec.Template.Spec.PriorityClassName; got != "loadline" {
		t.Errorf("the webhook has the class %q", got)
	}
}

func TestNetworkPoliciesFollowTheConfiguration(t *testing.T) {
	for values, want := range map[string][]int{
		"{networkPolicy: {enabled: true}}": {53, 53, 5353, 5353, 443, 6443, 8443, 16443, 9090},
		"{networkPolicy: {enabled: true}, config: {prometheus: {url: 'http://prometheus-server.monitoring.svc'}}}":                               {53, 53, 5353, 5353, 443, 6443, 8443, 16443, 80, 9090},
		"{networkPolicy: {enabled: true, apiServerPorts: [443], prometheusPorts: []}, config: {prometheus: {url: 'http://thanos.svc:10902'}}}":   {53, 53, 5353, 5353, 443, 10902},
		"{networkPolicy: {enabled: true, dnsPorts: [53], apiServerPorts: [], egress: [{ports: [{port: 12345}]}]}}":                               {53, 53, 9090, 12345},
		"{networkPolicy: {enabled: true}, config: {prometheus: {url: 'https://thanos.example.com/x'}, advisor: {url: 'http://ai.svc:8000/v1'}}}": {53, 53, 5353, 5353, 443, 6443, 8443, 16443, 443, 9090, 8000},
		"{networkPolicy: {enabled: true, egress: [{ports: [{port: 12345}]}]}, ollama: {enabled: true}}":                                          {53, 53, 5353, 5353, 443, 6443, 8443, 16443, 9090, 11434, 12345},
	} {
		var got []int
		rules := as[networkingv1.NetworkPolicy](t, rendered(t, values), "NetworkPolicy loadline-recommender").Spec.Egress
		if slices.ContainsFunc(rules, func(rule networkingv1.NetworkPolicyEgressRule) bool { return len(rule.Ports) == 0 && len(rule.To) == 0 }) {
			t.Errorf("with %s the recommender reaches everything", values)
		}
		for _, rule := range rules {
			for _, port := range rule.Ports {
				got = append(got, port.Port.IntValue())
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %s the recommender reaches %v, want %v", values, got, want)
		}
	}
	objects := rendered(t, "{networkPolicy: {enabled: true, metricsFrom: [{namespaceSelector: {}}]}}")
	wantNames(t, objects, "NetworkPolicy", "loadline-recommender", "loadline-updater", "loadline-webhook")
	if got := as[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy loadline-updater").Spec.Ingress; len(got) != 1 || len(got[0].From) != 1 {
		t.Errorf("the updater can be reached by %v", got)
	}
	objects = rendered(t, "{networkPolicy: {enabled: true, webhookFrom: [{ipBlock: {cidr: 10.0.0.1/32}}]}}")
	if got := as[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy loadline-webhook").Spec.Ingress; len(got) != 2 || len(got[1].From) != 1 {
		t.Errorf("the webhook can be reached by %v", got)
	}
}

// helm upgrade --reuse-values brings the values of the chart before, which may not have a key.
func TestAKeyThatReusedValuesDoNotHaveMeansItsDefault(t *testing.T) {
	for _, values := range []string{
		"{networkPolicy: {enabled: true%s}, ollama: {enabled: true}, pods: {annotations: {a: b}%s}}",
		"{allInOne: true, dashboard: {enabled: true}, networkPolicy: {enabled: true%s}, pods: {annotations: {a: b}%s}}",
	} {
		want, got := withHooks(t, fmt.Sprintf(values, "", "")), withHooks(t, fmt.Sprintf(values, ", dnsPorts: null", ", fixedUser: null"))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-defaults +without the keys):\n%s", diff)
		}
	}
}

func TestOnlyTheRecommenderReachesTheModel(t *testing.T) {
	for values, want := range map[string]string{variants["a model"]: "loadline-recommender", variants["all in one, confined"]: "loadline"} {
		objects := rendered(t, values)
		policy := as[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy loadline-ollama")
		if from := policy.Spec.Ingress[0].From; len(policy.Spec.Ingress) != 1 || len(from) != 1 || from[0].PodSelector.MatchLabels["app.kubernetes.io/name"] != want {
			t.Errorf("with %s the model can be reached by %v", values, policy.Spec.Ingress)
		}
		advisor := configured(t, objects).Advisor
		if advisor.URL != "http://loadline-ollama.loadline-system.svc:11434" || advisor.Model != "llama3.1:8b" {
			t.Errorf("with %s the recommender asks %s for %s", values, advisor.URL, advisor.Model)
		}
		wantNames(t, objects, "PersistentVolumeClaim", "loadline-ollama")
	}
}

func TestTheDashboardIsServedOnlyWhereItIsSwitchedOn(t *testing.T) {
	for values, part := range map[string]string{variants["a dashboard"]: "loadline-recommender", variants["a dashboard in one"]: "loadline"} {
		objects := rendered(t, values)
		if got := configured(t, objects).Dashboard.Address; got != ":8443" {
			t.Errorf("with %s it is served at %q", values, got)
		}
		if got := as[corev1.Service](t, objects, "Service loadline-dashboard").Spec.Selector["app.kubernetes.io/name"]; got != part {
			t.Errorf("with %s it is looked for in %q", values, got)
		}
		if got := as[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding loadline-dashboard").Subjects[0].Name; got != part {
			t.Errorf("with %s %q may ask who people are", values, got)
		}
	}
	for key := range rendered(t, "") {
		if strings.Contains(key, "dashboard") {
			t.Errorf("nobody asked for %s", key)
		}
	}
}

func TestTheConfigurationIsHandedOn(t *testing.T) {
	got, want := configured(t, rendered(t, variants["a configuration"])), config.Default()
	want.Prometheus.URL, want.Prometheus.MaxResponseBytes = "https://thanos.example.com", 64<<20
	want.Policy.CPU.Min = got.Policy.CPU.Min
	if diff := cmp.Diff(want, got); diff != "" || got.Policy.CPU.Min.String() != "20m" {
		t.Errorf("cpu.min %s, (-want +got):\n%s", got.Policy.CPU.Min, diff)
	}
	before, after := rendered(t, ""), rendered(t, variants["a configuration"])
	for _, name := range names(after, "Deployment") {
		const checksum = "checksum/config"
		annotations := func(objects set) map[string]string {
			return as[appsv1.Deployment](t, objects, "Deployment "+name).Spec.Template.Annotations
		}
		if annotations(before)[checksum] == annotations(after)[checksum] {
			t.Errorf("%s is not restarted when its configuration changes", name)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ values, want string }{
		"an unknown key":                         {"{recomender: {replicas: 1}}", "recomender"},
		"an unknown key within":                  {"{webhook: {replica: 1}}", "replica"},
		"an unknown key of the configuration":    {"{config: {prometheus: {ulr: x}}}", "ulr"},
		"an unknown key of the default policy":   {"{config: {policy: {cpu: {quantile: 95}}}}", "quantile"},
		"what the chart decides":                 {"{config: {namespace: elsewhere}}", "namespace"},
		"where the webhook listens":              {"{config: {webhook: {port: 1}}}", "webhook"},
		"no replica":                             {"{webhook: {replicas: 0}}", "minimum"},
		"a word for a number":                    {"{webhook: {replicas: two}}", "replicas"},
		"an unknown pull policy":                 {"{image: {pullPolicy: Sometimes}}", "pullPolicy"},
		"an updater without a webhook":           {"{webhook: {enabled: false}}", "updater.enabled needs webhook.enabled"},
		"all in one without a part":              {"{allInOne: true, updater: {enabled: false}}", "allInOne runs all parts"},
		"a certificate for nobody":               {"{certManager: {enabled: true}, webhook: {enabled: false}, updater: {enabled: false}}", "certManager.enabled needs webhook.enabled"},
		"a label that selects pods":              {"{pods: {labels: {app.kubernetes.io/name: x}}}", "app.kubernetes.io/name is the chart's"},
		"an annotation that restarts pods":       {"{pods: {annotations: {checksum/config: x}}}", "checksum/config is the chart's"},
		"an unknown key of an issuer":            {"{certManager: {enabled: true, issuerRef: {name: ca, knd: ClusterIssuer}}}", "knd"},
		"an issuer without a name":               {"{certManager: {enabled: true, issuerRef: {kind: ClusterIssuer}}}", "issuerRef has no name"},
		"a kind without its resource":            {"{config: {scaling: {kinds: [{group: a.example, version: v1, kind: A}]}}}", "needs group, version, kind and resource"},
		"two priority classes":                   {"{priorityClass: {create: true}, pods: {priorityClassName: x}}", "contradict"},
		"two models":                             {"{ollama: {enabled: true}, config: {advisor: {url: 'http://x'}}}", "contradict"},
		"a configuration that is no duration":    {"{config: {updater: {interval: 30}}}", "interval"},
		"an unknown key where a list is written": {"{config: {scaling: {kinds: [{grup: x}]}}}", "grup"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template.Render(chartDir, namespace, c.values)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("with %s: got %v, want it to contain %q", c.values, err, c.want)
			}
		})
	}
}
