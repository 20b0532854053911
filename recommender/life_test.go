package recommender

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/config/crd"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/history"
)

const (
	mebibyte = 1 << 20
	day      = 24 * time.Hour
)

// noon is a Wednesday.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// life is one workload over time: each look decides as the controller does, on what the API stored of the look before.
type life struct {
	tb  testing.TB
	now time.Time
	in  Input
	rec *v1alpha1.Recommendation
	// decision of the last look, and written: whether it was worth a write, because of which change.
	decision Decision
	written  bool
	change   string
	status   v1alpha1.RecommendationStatus
	// model answers what is asked of it, at once; nil means that none is configured.
	model func(advice.Evidence) advice.Advice
	// usage goes on as time does, until measurements stop.
	usage func()
}

// checkout is a Deployment of three pods that ask for far more than they use: 0.2 to 0.6 cores and 400 MiB each.
func checkout(tb testing.TB, span time.Duration) *life {
	tb.Helper()
	l := &life{tb: tb, now: noon, rec: &v1alpha1.Recommendation{}}
	l.in = Input{
		Target: Target{Namespace: "shop", Kind: kindDeployment, Name: "checkout"}, TargetUID: "uid",
		Settings: v1alpha1.Resolve(v1alpha1.Settings{Mode: v1alpha1.ModeAuto}, v1alpha1.Settings{}, nil, nil, false),
		Policy:   config.Default().Policy, Containers: []corev1.Container{testkit.Container("app", "2", "2Gi")},
		Replicas: 3, Declared: 3, Cadence: Cadence{Horizon: 48 * time.Hour, Confirm: 6 * time.Hour, StaleAfter: day},
	}
	l.uses(span, testkit.Daily(0.2, 0.6), testkit.Flat(400*mebibyte))
	return l
}

// uses gives the container app a history that ends now; the curves are those of one pod.
func (l *life) uses(span time.Duration, cpu, memory testkit.Curve) *life {
	l.usage = func() { l.uses(span, cpu, memory) }
	pods := float64(l.in.Replicas)
	all := func(t time.Time) float64 { return pods * cpu(t) }
	bytes := testkit.Usage(l.now, span, memory)
	l.in.History = history.Workload{
		Containers: map[string]history.Container{"app": {
			CPUTotal: testkit.Usage(l.now, span, all), CPUHottest: testkit.Usage(l.now, span, cpu), WorkingSet: bytes, RSS: bytes,
		}},
		Pods: testkit.Usage(l.now, span, testkit.Flat(pods)), From: l.now.Add(-span), Until: l.now,
	}
	return l
}

// look decides once and stores the status if that is worth it, in the form that the API keeps.
func (l *life) look() *life {
	l.tb.Helper()
	l.in.Spec = l.rec.Spec
	l.in.Forecasts = (&Forecaster{}).Forecasts(l.in, l.now)
	before := MemoryOf(l.rec.Status)
	if l.in.ModelConfigured = l.model != nil; l.model != nil {
		l.in.ModelAdvice = l.model(gatherEvidence(l.now, l.in, before))
	}
	decision, memory := Decide(l.now, l.in, before)
	l.decision = decision
	l.status = Publication{Now: l.now, Input: l.in, Decision: decision, Memory: memory, Previous: l.rec}.Status()
	l.change = cmp.Diff(material(l.rec.Status), material(l.status))
	l.written = l.change != ""
	if l.written {
		l.rec.Status = throughTheAPI(l.tb, l.status)
	}
	return l
}

// after lets time pass. What is measured goes on, unless Prometheus does not answer or knows nothing.
func (l *life) after(d time.Duration) *life {
	l.now = l.now.Add(d)
	if l.in.HistoryProblem == "" && len(l.in.History.Containers) > 0 {
		l.usage()
	}
	return l
}

// afterSilence lets time pass in which Prometheus answers and nothing is measured.
func (l *life) afterSilence(d time.Duration) *life {
	l.now = l.now.Add(d)
	return l
}

// app returns the sizes of the container app in a set of values: millicores and bytes.
func app(v *v1alpha1.RevisionedValues) (millis, bytes int64) {
	if v != nil {
		for _, c := range v.Containers {
			if c.Name == "app" {
				return quantity(c.Target.CPU, 1000), quantity(c.Target.Memory, 1)
			}
		}
	}
	return 0, 0
}

// throughTheAPI returns the status as it comes back from the API server, which refuses what its schema does not allow.
func throughTheAPI(tb testing.TB, status v1alpha1.RecommendationStatus) v1alpha1.RecommendationStatus {
	tb.Helper()
	encoded, err := json.Marshal(status)
	if err != nil {
		tb.Fatalf("encode status: %v", err)
	}
	var plain any
	if err := json.Unmarshal(encoded, &plain); err != nil {
		tb.Fatalf("decode status: %v", err)
	}
	schema, err := statusSchema()
	if err != nil {
		tb.Fatal(err)
	}
	for _, refused := range validation.ValidateCustomResource(nil, plain, schema) {
		tb.Errorf("the API server would refuse the status: %v", refused)
	}
	var stored v1alpha1.RecommendationStatus
	if err := json.Unmarshal(encoded, &stored); err != nil {
		tb.Fatalf("decode status: %v", err)
	}
	return stored
}

// statusSchema is what the API server checks a status against.
var statusSchema = sync.OnceValues(func() (validation.SchemaValidator, error) {
	definitions, err := crd.Objects()
	if err != nil {
		return nil, err
	}
	shipped := definitions[0].Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	var schema apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&shipped, &schema, nil); err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(&schema)
	return validator, err
})
