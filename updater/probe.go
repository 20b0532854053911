package updater

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	loadlineac "github.com/loadline-dev/loadline/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/plan"
)

// The probe plays a Deployment of this name, with one container, that never exists.
const (
	probeWorkload  = "admission-probe"
	probeHash      = "5f9c7d8b6c"
	probeContainer = "probe"
	// probeTimeout bounds one round trip; the webhook itself has two seconds at most.
	probeTimeout = 5 * time.Second
	// trusted is how long a success counts while pods are evicted.
	trusted = 2 * time.Second
	// probeRefresh is how often the Recommendation is confirmed, well before it would be stale.
	probeRefresh = time.Hour
)

// probe tries whether admission gives new pods their sizes. It sends a pod through the API server, dry-run, into a namespace
// that nothing else uses, and looks at what comes back. That covers everything a real pod goes through: the webhook
// configuration, its certificate, the network, the webhook's caches, and other webhooks.
type probe struct {
	client    client.Client
	namespace string
	// maxAge is how long a success counts. It is tried again after a quarter of that, and a failure closes the gate at once.
	maxAge time.Duration
	// maxLatency is how long a round trip may take. A pod that waits for admission much longer comes without sizes.
	maxLatency time.Duration
	clock      clock.PassiveClock
	metrics    *metrics

	// prepared, the last success, and the first one after the last failure.
	prepared, succeeded, worksSince time.Time
	failures                        recent
	reason                          string // of the last failure; empty after a success
}

// gate tries the round trip, if the last one is too old, and says whether the updater may act.
func (p *probe) gate(ctx context.Context, now time.Time) plan.Gate {
	return p.within(ctx, now, p.maxAge/4)
}

// beforeEviction says whether a pod may be evicted now: admission that ends in the middle of a round ends the round.
func (p *probe) beforeEviction(ctx context.Context, now time.Time) bool {
	return p.within(ctx, now, trusted).Open
}

// works is the time in which admission is known to have worked without a break.
func (p *probe) works() span { return span{p.worksSince, p.succeeded} }

// span is a time from one moment to another.
type span struct{ from, to time.Time }

func (s span) contains(t time.Time) bool {
	return t.After(s.from) && t.Before(s.to) && !s.from.IsZero()
}

// within tries the round trip, unless the last one succeeded and is younger than age.
func (p *probe) within(ctx context.Context, now time.Time, age time.Duration) plan.Gate {
	if p.reason == "" && now.Sub(p.succeeded) < age {
		return plan.Gate{Open: true}
	}
	reason, err := p.try(ctx, now)
	if p.reason = reason; reason == "" {
		if p.succeeded = now; p.worksSince.IsZero() {
			p.worksSince = now
		}
		return plan.Gate{Open: true}
	}
	p.worksSince = time.Time{}
	p.failures.add(now)
	p.metrics.probeFailures.Inc()
	logf.FromContext(ctx).Info("the admission probe failed", "reason", reason, "error", err)
	p.prepared = time.Time{} // What the probe rests on may have been deleted: set it up again before the next try.
	return plan.Gate{Reason: reason}
}

// try returns why the round trip failed, or an empty reason. The reason ends up in many objects, so it is always the same for
// the same trouble; the error has the details.
func (p *probe) try(ctx context.Context, now time.Time) (reason string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if now.Sub(p.prepared) >= probeRefresh {
		if err := p.prepare(ctx, now); err != nil {
			return "the admission probe cannot be prepared in namespace " + p.namespace, err
		}
		p.prepared = now
	}
	pod := probePod(p.namespace)
	begun := p.clock.Now()
	err = p.client.Create(ctx, pod, client.DryRunAll)
	took := p.clock.Since(begun)
	p.metrics.probeSeconds.Observe(took.Seconds())
	if err != nil {
		return "the API server refuses the admission probe's pod", err
	}
	if reason := checkProbe(pod); reason != "" {
		return reason, nil
	}
	if took > p.maxLatency {
		return fmt.Sprintf("admission is too slow: a pod has to come back within %s", p.maxLatency), fmt.Errorf("it took %s", took)
	}
	return "", nil
}

// Admission is what one look at admission from outside the updater found.
type Admission struct {
	// Took is the duration of the round trip.
	Took time.Duration
	// Wrong says what is wrong with the pod that came back; empty means nothing.
	Wrong string
}

// TryAdmission sends the probe's pod through the API server once, as a dry run, and writes nothing. It rests on what a running
// updater has prepared in the namespace.
func TryAdmission(ctx context.Context, c client.Client, namespace string, clock clock.PassiveClock) (Admission, error) {
	pod := probePod(namespace)
	begun := clock.Now()
	if err := c.Create(ctx, pod, client.DryRunAll); err != nil {
		return Admission{}, fmt.Errorf("create a pod in namespace %s, as a dry run: %w", namespace, err)
	}
	return Admission{Took: clock.Since(begun), Wrong: checkProbe(pod)}, nil
}

// checkProbe says what is wrong with the pod that came back; empty means nothing.
func checkProbe(pod *corev1.Pod) string {
	values := probeValues()
	if pod.Annotations[v1alpha1.AnnotationRevision] != apply.Revision(values) {
		return "a pod came back from admission without its revision: the webhook is not called, or does not know the Recommendation yet"
	}
	want := apply.Desired(values, apply.Present(probePod(pod.Namespace)), apply.ForNewPod)[probeContainer]
	if apply.Present(pod)[probeContainer].Requests != want.Requests {
		return "a pod came back from admission with its revision and other sizes: something else changes pods"
	}
	return ""
}

// probeValues are sizes that no default could give by accident.
func probeValues() apply.Values {
	amounts := apply.Amounts{CPUMillis: 13, MemoryBytes: 17 * apply.MiB}
	return apply.Values{Containers: []apply.Container{{Name: probeContainer, Target: amounts, InPlace: amounts}}}
}

func probePod(namespace string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, GenerateName: probeWorkload + "-" + probeHash + "-",
			Labels: map[string]string{"pod-template-hash": probeHash},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: probeWorkload + "-" + probeHash, UID: "admission-probe", Controller: new(true),
			}},
		},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: probeContainer, Image: "loadline.invalid/never-started",
				Resources: apply.Resources{Requests: apply.Amounts{CPUMillis: 7, MemoryBytes: 11 * apply.MiB}}.Into(corev1.ResourceRequirements{}),
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// prepare makes sure that the namespace is opted in and that the Recommendation of the Deployment that never exists is there
// and fresh. In this namespace the updater plays the recommender.
func (p *probe) prepare(ctx context.Context, now time.Time) error {
	options := []client.ApplyOption{client.FieldOwner(v1alpha1.FieldManagerUpdater), client.ForceOwnership}
	namespace := corev1ac.Namespace(p.namespace).
		WithAnnotations(map[string]string{v1alpha1.AnnotationMode: string(v1alpha1.ModeInitial)}).
		WithLabels(map[string]string{v1alpha1.LabelAdmission: v1alpha1.LabelAdmissionEnabled})
	if err := p.client.Apply(ctx, namespace, options...); err != nil {
		return fmt.Errorf("apply namespace %s: %w", p.namespace, err)
	}
	name := v1alpha1.RecommendationName("Deployment", probeWorkload)
	target := loadlineac.TargetReference().WithAPIVersion("apps/v1").WithKind("Deployment").WithName(probeWorkload)
	spec := loadlineac.Recommendation(name, p.namespace).WithSpec(loadlineac.RecommendationSpec().WithTargetRef(target))
	if err := p.client.Apply(ctx, spec, options...); err != nil {
		return fmt.Errorf("apply recommendation %s: %w", name, err)
	}
	status := loadlineac.Recommendation(name, p.namespace).WithStatus(probeStatus(now))
	if err := p.client.Status().Apply(ctx, status, client.FieldOwner(v1alpha1.FieldManagerUpdater), client.ForceOwnership); err != nil {
		return fmt.Errorf("apply the status of recommendation %s: %w", name, err)
	}
	return nil
}

func probeStatus(now time.Time) *loadlineac.RecommendationStatusApplyConfiguration {
	revision := apply.Revision(probeValues())
	applicable := apply.ToAPI(probeValues(), revision, now).Containers[0]
	at := metav1.NewTime(now)
	return loadlineac.RecommendationStatus().
		WithMode(v1alpha1.ModeInitial).
		WithModeFrom("the updater tries here whether admission works").
		WithRevision(revision).
		WithObservedTime(at).
		WithConditions(metav1ac.Condition().WithType(v1alpha1.ConditionReady).WithStatus(metav1.ConditionTrue).
			WithReason(v1alpha1.ReasonSized).WithMessage("fixed sizes, to try admission with").WithLastTransitionTime(at)).
		WithApplicable(loadlineac.RevisionedValues().WithRevision(revision).WithComputedTime(at).WithContainers(
			loadlineac.ContainerValues().WithName(probeContainer).
				WithTarget(loadlineac.ResourceAmounts().WithCPU(*applicable.Target.CPU).WithMemory(*applicable.Target.Memory)).
				WithInPlace(loadlineac.ResourceAmounts().WithCPU(*applicable.InPlace.CPU).WithMemory(*applicable.InPlace.Memory)),
		))
}
