package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater"
)

// admission sends a trial pod through the API server, as the updater does, and looks at what comes back. Where no updater is deployed,
// nobody has prepared a namespace for that, and a namespace that has to be refused is tried instead.
func (e examiner) admission(ctx context.Context) []Finding {
	const check = "admission"
	if !e.runs("webhook") {
		return nil // There is nobody to answer.
	}
	if !e.runs("updater") {
		return []Finding{e.refusal(ctx, check)}
	}
	u := e.Config.Updater
	f := Finding{Check: check, Where: "namespace/" + u.ProbeNamespace}
	got, err := updater.TryAdmission(ctx, e.client, u.ProbeNamespace, e.Clock)
	switch took := got.Took.Round(time.Millisecond); {
	case apierrors.IsNotFound(err):
		f.Severity, f.What, f.Fix = Error, "the namespace in which admission is tried does not exist", e.install("rbac")
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot create"):
		f.Severity, f.What, f.Fix = Unseen, "you may not create the pod with which admission is tried, not even as a dry run", CanI(err)
	case err != nil:
		f.Severity, f.What = Error, err.Error()
		f.Fix = fmt.Sprintf("kubectl --namespace %s run trial --image=registry.k8s.io/pause --dry-run=server -o yaml", u.ProbeNamespace)
	case got.Wrong != "":
		f.Severity, f.What, f.Fix = Error, got.Wrong, e.restart("webhook")
	case took > u.ProbeMaxLatency.Duration:
		f.Severity, f.What, f.Fix = Error, fmt.Sprintf("a pod takes %s through admission, and the updater stops at %s", took, u.ProbeMaxLatency.Duration), e.restart("webhook")
	default:
		f.Severity, f.What = OK, fmt.Sprintf("a trial pod came back with its sizes in %s", took)
	}
	return []Finding{f}
}

// refusal tries, as a dry run, to create a namespace with a mode that there is not. Only the webhook refuses it.
func (e examiner) refusal(ctx context.Context, check string) Finding {
	const trial = "loadline-trial"
	f := Finding{Check: check, Where: "namespace/" + trial}
	begun := e.Clock.Now()
	err := e.client.Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: trial, Annotations: map[string]string{v1alpha1.AnnotationMode: "trial"}},
	}, client.DryRunAll)
	took := e.Clock.Since(begun).Round(time.Millisecond)
	switch {
	case err == nil:
		f.Severity, f.Fix = Error, e.restart("webhook")
		f.What = fmt.Sprintf("a namespace with a mode that does not exist is accepted, after %s: the API server does not reach the webhook, and new pods come as they are written", took)
	case strings.Contains(err.Error(), v1alpha1.AnnotationMode):
		f.Severity, f.What = OK, fmt.Sprintf("the webhook refused a trial namespace in %s", took)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot create"):
		f.Severity, f.What, f.Fix = Unseen, "you may not create the namespace with which admission is tried, not even as a dry run", CanI(err)
	default:
		f.Severity, f.What, f.Fix = Unseen, "admission could not be tried: "+err.Error(), "kubectl create namespace "+trial+" --dry-run=server"
	}
	return f
}

// halts tells what stops the updater.
func (e examiner) halts(ctx context.Context) []Finding {
	const check = "updater"
	if !e.runs("updater") {
		return []Finding{{Check: check, Severity: OK, What: "none is deployed: running pods are never changed"}}
	}
	halts, err := updater.Halts(ctx, e.client, e.Config)
	if err != nil {
		return []Finding{unseen(check, "what stops the updater", err)}
	}
	if len(halts) == 0 {
		return []Finding{{Check: check, Severity: OK, What: "neither the kill switch nor the circuit breaker stops it"}}
	}
	var found []Finding
	for _, halt := range halts {
		f := Finding{Check: check, Severity: Warning, What: halt, Where: "configmap/" + e.Config.Updater.RecordConfigMap}
		f.Fix = fmt.Sprintf("kubectl --namespace %s get configmap %s -o yaml", e.Config.Namespace, e.Config.Updater.RecordConfigMap)
		if strings.HasPrefix(halt, "ConfigMap ") {
			f.Where = "configmap/" + e.Config.Updater.KillSwitchConfigMap
			f.Fix = fmt.Sprintf("kubectl --namespace %s delete configmap %s", e.Config.Namespace, e.Config.Updater.KillSwitchConfigMap)
		}
		found = append(found, f)
	}
	return found
}
