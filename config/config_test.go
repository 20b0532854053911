package config_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
)

const header = "apiVersion: config.loadline.dev/v1alpha1\nkind: Configuration\n"

func TestDefaultYAMLShowsEveryDefault(t *testing.T) {
	// Decoded on top of nothing, so that a field missing from the file shows as a difference.
	var shipped config.Config
	if err := yaml.UnmarshalStrict(config.DefaultYAML, &shipped); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), shipped); diff != "" {
		t.Errorf("config/default.yaml differs from the defaults (-defaults +file):\n%s", diff)
	}
}

func TestTheShippedFileLoadsAsTheDefaults(t *testing.T) {
	loaded, err := config.Load(bytes.NewReader(config.DefaultYAML))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), loaded); diff != "" {
		t.Errorf("loaded (-defaults +loaded):\n%s", diff)
	}
}

func TestAbsentAndNullFieldsKeepTheirDefaults(t *testing.T) {
	loaded, err := config.Load(strings.NewReader(header + `
webhook: {port: 10250}
recommender: null
policy: {cpu: {quantilePercent: null, marginPercent: 30}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Webhook.Port = 10250
	want.Policy.CPU.MarginPercent = new(int32(30))
	if diff := cmp.Diff(want, loaded); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
}

func TestAWrittenZeroIsAZero(t *testing.T) {
	loaded, err := config.Load(strings.NewReader(header + "updater: {evictionsPerMinute: 0, warmUp: 0s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.Updater.EvictionsPerMinute; got != 0 {
		t.Errorf("evictionsPerMinute: 0 became %d: a budget that someone closed was opened", got)
	}
	if got := loaded.Updater.WarmUp.Duration; got != 0 {
		t.Errorf("warmUp: 0s became %v", got)
	}
}

func TestLoadRefusals(t *testing.T) {
	for name, test := range map[string]struct{ document, want string }{
		"an unknown field, by its path":         {header + "updater: {leaderElection: {lease: x}}", `unknown field "updater.leaderElection.lease"`},
		"a field in the wrong case":             {header + "webhook: {Port: 1}", `unknown field "webhook.Port"`},
		"the same field twice":                  {header + "webhook: {port: 1, port: 2}", `"port" already set`},
		"a malformed duration, by its path":     {header + "recommender: {syncInterval: 5 minutes}", `recommender.syncInterval: time: unknown unit " minutes"`},
		"a wrong type, by its path":             {header + "updater: {interval: 30s, resizesPerMinute: many}", `updater.resizesPerMinute: `},
		"a malformed quantity, by its path":     {header + "policy: {cpu: {min: lots}}", "policy.cpu.min: "},
		"a section that is a list":              {header + "webhook: [1]", "webhook: "},
		"a document that is a list":             {"[1]", "document: "},
		"another kind":                          {"apiVersion: config.loadline.dev/v1alpha1\nkind: Config", `kind: Unsupported value: "Config": supported values: "Configuration"`},
		"a missing apiVersion":                  {"kind: Configuration", `supported values: "config.loadline.dev/v1alpha1"`},
		"an empty document":                     {"", "apiVersion: Unsupported value"},
		"two documents":                         {header + "---\n" + header + "---\n" + header, "several YAML documents"},
		"broken YAML":                           {"a: [", "decode the configuration"},
		"a document without end":                {strings.Repeat("#", 2<<20), "larger than 1048576 bytes"},
		"a default policy that the CRD refuses": {header + "policy: {cpu: {min: 2, max: 1}}", "policy.cpu.min: Invalid value: \"2\": must not be larger than max"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(strings.NewReader(test.document))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error:\n%v\nwant it to contain:\n%s", err, test.want)
			}
		})
	}
}

func TestEverythingWrongIsReportedAtOnce(t *testing.T) {
	_, err := config.Load(strings.NewReader(header + `
namespace: Loadline_System
webhook: {port: 0, certMode: magic}
updater: {interval: 0s, leaderElection: {renewDeadline: 20s}}
prometheus: {url: "ftp://x", queries: {cpu: "", rss: "up{$cluster}"}}
policy: {maxGiveBackPercent: 91}
`))
	if err == nil {
		t.Fatal("no error")
	}
	for _, path := range []string{
		"namespace:", "webhook.port:", "webhook.certMode:", "updater.interval:",
		"updater.leaderElection.leaseDuration:", "prometheus.url:", "prometheus.queries.cpu:", "prometheus.queries.rss:",
		"policy.maxGiveBackPercent:",
	} {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%s is not reported in:\n%v", path, err)
		}
	}
}

// TestValidate changes one thing at a time in a valid configuration.
func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*config.Config)
		want   string // Empty: legal.
	}{
		"the defaults": {func(*config.Config) {}, ""},
		"no Prometheus": {
			func(c *config.Config) { c.Prometheus.URL = "" },
			"prometheus.url: Required value: there is no other source of history yet",
		},
		"no model":                        {func(c *config.Config) { c.Advisor.URL = "" }, ""},
		"a local model":                   {func(c *config.Config) { c.Advisor.URL = "http://127.0.0.1:11434" }, ""},
		"a model's key in its URL":        {func(c *config.Config) { c.Advisor.URL = "https://u:p@host" }, "advisor.url: "},
		"an unknown protocol":             {func(c *config.Config) { c.Advisor.API = "grpc" }, "advisor.api: "},
		"a model without a name":          {func(c *config.Config) { c.Advisor.Model = "" }, "advisor.model: "},
		"a context that the answer fills": {func(c *config.Config) { c.Advisor.ContextTokens, c.Advisor.AnswerTokens = 2048, 1620 }, "advisor.answerTokens: "},
		"a model's key in a header": {func(c *config.Config) {
			c.Advisor.Headers = map[string]string{"authorization": "Bearer x"}
		}, "advisor.headers[authorization]: Forbidden"},
		"metrics switched off":      {func(c *config.Config) { c.MetricsAddress = "0" }, ""},
		"both servers switched off": {func(c *config.Config) { c.MetricsAddress, c.HealthAddress = "0", "0" }, ""},
		"a probe that is never admitted": {
			func(c *config.Config) { c.ExcludedNamespaces = []string{"loadline-probe"} }, "updater.probeNamespace",
		},
		"extra matchers": {func(c *config.Config) { c.Prometheus.ExtraMatchers = `cluster="a\"b", job=~"k.*"` }, ""},
		"RSS not asked":  {func(c *config.Config) { c.Prometheus.Queries.RSS = "" }, ""},
		"file certificates without names": {func(c *config.Config) {
			c.Webhook.CertMode, c.Webhook.CertSecret = config.CertFiles, ""
		}, ""},
		"cert-manager's certificate": {func(c *config.Config) {
			c.Webhook.CertMode, c.Webhook.ServiceName, c.Webhook.MutatingName = config.CertFromSecret, "", ""
		}, ""},
		"cert-manager's certificate in no Secret": {func(c *config.Config) {
			c.Webhook.CertMode, c.Webhook.CertSecret = config.CertFromSecret, ""
		}, "webhook.certSecret: "},

		"a dashboard":                  {func(c *config.Config) { c.Dashboard = config.Dashboard{Address: ":8443", CertDir: "/certs"} }, ""},
		"a dashboard without a port":   {func(c *config.Config) { c.Dashboard.Address = "" }, "dashboard.address: "},
		"a dashboard on metrics' port": {func(c *config.Config) { c.Dashboard.Address = c.MetricsAddress }, "dashboard.address: "},

		"two servers on one port":   {func(c *config.Config) { c.HealthAddress = c.MetricsAddress }, "healthAddress: "},
		"an address without a port": {func(c *config.Config) { c.HealthAddress = "localhost" }, "must be host:port"},
		"extra matchers in braces": {
			func(c *config.Config) { c.Prometheus.ExtraMatchers = `{cluster="a"}` },
			"prometheus.extraMatchers: ",
		},
		"a query that leaves its braces": {
			func(c *config.Config) { c.Prometheus.ExtraMatchers = `a="b"} or up{c="d"` },
			"prometheus.extraMatchers: ",
		},
		"a query for the whole cluster": {
			func(c *config.Config) { c.Prometheus.Queries.CPU = "sum(up)" },
			"must contain $selector or $namespace",
		},
		"half of the throttled share": {
			func(c *config.Config) { c.Prometheus.Queries.Periods = "" },
			"prometheus.queries.periods: ",
		},
		"a label name with a dash": {func(c *config.Config) { c.Prometheus.Labels.Pod = "pod-name" }, "prometheus.labels.pod: "},
		"a password in the URL": {
			func(c *config.Config) { c.Prometheus.URL = "http://a:secret@b" },
			"a user belongs into auth",
		},
		"token and user": {func(c *config.Config) {
			c.Prometheus.Auth = config.PrometheusAuth{BearerTokenFile: "t", User: "u", PasswordFile: "p"}
		}, "at most one of bearerTokenFile and user"},
		"a user without a password": {func(c *config.Config) { c.Prometheus.Auth.User = "u" }, "prometheus.auth.passwordFile: "},
		"a certificate without its key": {
			func(c *config.Config) { c.Prometheus.TLS.CertFile = "c" },
			"certFile and keyFile must be set together",
		},
		"a CA that is not used": {func(c *config.Config) {
			c.Prometheus.TLS = config.PrometheusTLS{CAFile: "ca", InsecureSkipVerify: true}
		}, "contradicts caFile"},
		"a secret among the headers": {func(c *config.Config) {
			c.Prometheus.Headers = map[string]string{"authorization": "Bearer x"}
		}, "prometheus.headers[authorization]: Forbidden"},
		"a header of two lines": {func(c *config.Config) {
			c.Prometheus.Headers = map[string]string{"X-Scope-OrgID": "a\r\nB: c"}
		}, "must be one line"},
		"a horizon of half hours": {func(c *config.Config) {
			c.Recommender.Horizon = metav1.Duration{Duration: 90 * time.Minute}
		}, "must be whole hours"},
		"a pod that is never found unschedulable": {func(c *config.Config) {
			c.Recommender.UnschedulableAfter = metav1.Duration{Duration: 2 * time.Hour}
		}, "recommender.unschedulableAfter: "},
		"stale before it is refreshed": {func(c *config.Config) {
			c.Recommender.StaleAfter = metav1.Duration{Duration: time.Hour}
		}, "must be longer than refreshInterval, 6h0m0s"},
		"a probe that is never too slow": {
			func(c *config.Config) { c.Updater.ProbeMaxLatency = metav1.Duration{Duration: time.Minute} }, "updater.probeMaxLatency: ",
		},
		"a kind of Kubernetes itself": {func(c *config.Config) {
			c.Scaling.Kinds = []config.ScaleKind{{Group: "apps", Version: "v1", Kind: "Deployment", Resource: "deployments"}}
		}, "scaling.kinds[0].kind: "},
		"a kind without a version": {func(c *config.Config) {
			c.Scaling.Kinds = []config.ScaleKind{{Group: "argoproj.io", Kind: "Rollout", Resource: "rollouts"}}
		}, "scaling.kinds[0].version: "},
		"a label that is none": {func(c *config.Config) {
			c.Scaling.Kinds = []config.ScaleKind{{Group: "argoproj.io", Version: "v1", Kind: "Rollout", Resource: "rollouts", PodTemplateHashLabel: "a b"}}
		}, "scaling.kinds[0].podTemplateHashLabel: "},
		"yielding for a month": {func(c *config.Config) {
			c.Scaling.YieldFor = metav1.Duration{Duration: 30 * 24 * time.Hour}
		}, "scaling.yieldFor: "},
		"a breaker without a window": {func(c *config.Config) { c.Updater.Breaker.Window = metav1.Duration{} }, "updater.breaker.window: "},
		"a breaker that never closes": {
			func(c *config.Config) { c.Updater.Breaker.Quiet = metav1.Duration{Duration: 48 * time.Hour} }, "updater.breaker.quiet: ",
		},
		"a breaker with a negative count": {func(c *config.Config) { c.Updater.Breaker.PendingPods = -1 }, "updater.breaker.pendingPods: "},
		"a negative budget":               {func(c *config.Config) { c.Updater.ResizesPerMinute = -1 }, "updater.resizesPerMinute: "},
		"an unknown limit policy": {
			func(c *config.Config) { c.Policy.CPU.Limit = new(v1alpha1.LimitPolicy("keep")) },
			`policy.cpu.limit: Unsupported value: "keep": supported values: "Keep", "Ratio", "Headroom", "Equal", "None"`,
		},
		"a window in an unknown zone":         {windowed("0 3 * * *", "Mars/Olympus"), "policy.disruption.windows[0].timeZone: "},
		"a window in the zone of the machine": {windowed("0 3 * * *", "Local"), "policy.disruption.windows[0].timeZone: "},
		"a window at an hour that no day has": {windowed("0 25 * * *", ""), "policy.disruption.windows[0].start: "},
		"a window on a day that no year has":  {windowed("0 2 31 2 *", ""), "policy.disruption.windows[0].start: "},
		"a window with seconds":               {windowed("0 0 2 * * *", ""), "policy.disruption.windows[0].start: "},
		"memory sized from less than a week": {
			func(c *config.Config) { c.Policy.Memory.PeakDays = new(int32(6)) }, "policy.memory.peakDays: ",
		},
		"memory sized from more than is kept": {
			func(c *config.Config) { c.Policy.Memory.PeakDays = new(int32(29)) }, "policy.memory.peakDays: ",
		},
		"too many canaries": {func(c *config.Config) { c.Policy.Disruption.Canary.Pods = new(int32(6)) }, "policy.disruption.canary.pods: "},
		"a canary that is watched for ever": {func(c *config.Config) {
			c.Policy.Disruption.Canary.Observe = &metav1.Duration{Duration: 25 * time.Hour}
		}, "policy.disruption.canary.observe: "},
		"a start that takes for ever": {func(c *config.Config) {
			c.Policy.Disruption.StartupGrace = &metav1.Duration{Duration: -time.Second}
		}, "policy.disruption.startupGrace: "},
		"a signal named twice": {func(c *config.Config) {
			s := v1alpha1.Signal{Name: "rps", PromQL: "up", Role: v1alpha1.SignalDriver}
			c.Policy.Signals = []v1alpha1.Signal{s, s}
		}, "policy.signals[1].name: Duplicate value"},
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			test.change(&c)
			err := config.Validate(&c).ToAggregate()
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got error %v, want it to contain %q", err, test.want)
			}
		})
	}
}

func TestExcludedNamespaces(t *testing.T) {
	c := config.Default()
	c.ExcludedNamespaces = []string{"legacy"}
	for namespace, want := range map[string]bool{
		"kube-system": true, "loadline-system": true, "legacy": true, "shop": false,
	} {
		if got := c.Excluded(namespace); got != want {
			t.Errorf("Excluded(%q) = %v, want %v", namespace, got, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(config.DefaultYAML)
	f.Add([]byte(header + "policy: {cpu: {min: lots}}"))
	f.Add([]byte("{a: {b: [1, {c: .nan}]}}"))
	f.Fuzz(func(t *testing.T, document []byte) {
		c, err := config.Load(bytes.NewReader(document))
		if err != nil {
			return
		}
		if wrong := config.Validate(&c); len(wrong) > 0 {
			t.Errorf("Load returned a configuration that is not valid: %v", wrong)
		}
	})
}

// windowed is a change to an hour's window for evictions.
func windowed(start, zone string) func(*config.Config) {
	return func(c *config.Config) {
		c.Policy.Disruption.Windows = []v1alpha1.Window{{Start: start, Duration: metav1.Duration{Duration: time.Hour}, TimeZone: zone}}
	}
}
