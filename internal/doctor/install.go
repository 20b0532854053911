package doctor

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
)

// releaseAnnotation is written by Helm on everything that it installs.
const releaseAnnotation = "meta.helm.sh/release-name"

// installation is how Loadline was installed, as far as the cluster tells. A command that puts something right must not change
// what was installed otherwise on purpose.
type installation struct {
	// accounts are the service accounts of the parts that are deployed, by part.
	accounts map[string]string
	// deployments are their names, by part.
	deployments map[string]string
	allInOne    bool
	// release is the name of Helm's release, if it was installed by one.
	release string
	// webhookLabels are those of the webhook's pods; empty where its Deployment is not seen.
	webhookLabels map[string]string
	// certificates are cert-manager's in Loadline's namespace, if it is there.
	certificates []unstructured.Unstructured
	// unseenCertificates is why they could not be listed, and injected the one of them whose CA the webhook configurations ask for.
	unseenCertificates error
	injected           string
}

// listCertificates lists those of cert-manager. Without cert-manager there are none.
func (e examiner) listCertificates(ctx context.Context) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "CertificateList"})
	err := e.client.List(ctx, list, client.InNamespace(e.Config.Namespace))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	return list.Items, err
}

// issued is the name of cert-manager's Certificate that keeps the webhook's Secret; empty where none does, or where that is unknown.
func (e examiner) issued() string {
	if e.Config.Webhook.CertMode != config.CertFromSecret {
		return ""
	}
	if e.unseenCertificates != nil {
		return e.injected
	}
	for _, c := range e.certificates {
		if name, _, _ := unstructured.NestedString(c.Object, "spec", "secretName"); name == e.Config.Webhook.CertSecret {
			return c.GetName()
		}
	}
	return ""
}

// unknownIssuer reports whether cert-manager may keep the webhook's Secret, and nothing that can be seen tells. A command that takes it
// for granted that it does not would take the webhook's certificate away.
func (e examiner) unknownIssuer() bool {
	return e.Config.Webhook.CertMode == config.CertFromSecret && e.unseenCertificates != nil && e.injected == ""
}

// injectedFrom is the Certificate in Loadline's namespace whose CA a webhook configuration asks for.
func (e examiner) injectedFrom(ctx context.Context) string {
	for _, live := range e.liveHooks(ctx) {
		if name, here := strings.CutPrefix(live.annotations[injectAnnotation], e.Config.Namespace+"/"); here && live.err == nil {
			return name
		}
	}
	return ""
}

func (e examiner) layout() config.Layout {
	return config.Layout{
		Namespace: e.Config.Namespace, AllInOne: e.allInOne, CertMode: e.Config.Webhook.CertMode, CertSecret: e.Config.Webhook.CertSecret,
		InjectCAFrom: e.issued(), ScaleKinds: e.Config.Scaling.Kinds,
	}
}

// account is what the shipped manifests call the account and the Deployment of a part.
func (i installation) account(part string) string {
	if i.allInOne {
		return "loadline"
	}
	return "loadline-" + part
}

// foreign reports whether a part runs under an account that the shipped manifests do not know.
func (i installation) foreign() bool {
	for part, account := range i.accounts {
		if account != i.account(part) {
			return true
		}
	}
	return false
}

// install is the command that applies shipped manifests as this installation has them. What Helm installed is applied from its
// release and in its name; where the accounts are not those of the manifests, the command only shows what differs.
func (e examiner) install(name string) string {
	const apply = "kubectl apply --server-side --force-conflicts "
	switch {
	case e.release != "":
		// Helm marks what it installs, and its manifests do not have the marks: applied in its name without them, they would be gone.
		return fmt.Sprintf("helm get manifest %s --namespace %s | kubectl label --local -f - -o json app.kubernetes.io/managed-by=Helm"+
			" | kubectl annotate --local -f - -o json %s=%[1]s meta.helm.sh/release-namespace=%[2]s | %[4]s--field-manager=helm -f -",
			e.release, e.Config.Namespace, releaseAnnotation, apply)
	case e.foreign() && name != "crd", e.unknownIssuer() && name == "webhook":
		return e.manifests(name) + " | kubectl diff --server-side --force-conflicts -f -"
	default:
		return e.manifests(name) + " | " + apply + "-f -"
	}
}

// manifests is the command that prints them.
func (e examiner) manifests(name string) string {
	command, d := []string{e.Program, "manifests", name}, config.Default()
	add := func(given bool, flag string) {
		if given {
			command = append(command, flag)
		}
	}
	add(e.Config.Namespace != d.Namespace, "--operator-namespace "+e.Config.Namespace)
	if name != "crd" {
		w := e.Config.Webhook
		add(e.allInOne, "--all-in-one")
		add(w.CertMode != d.Webhook.CertMode, "--cert-mode "+string(w.CertMode))
		add(w.CertSecret != d.Webhook.CertSecret && w.CertSecret != "", "--cert-secret "+w.CertSecret)
		add(e.issued() != "", "--inject-ca-from "+e.issued())
		for _, k := range e.Config.Scaling.Kinds {
			add(true, "--scale-kind "+k.Group+"/"+k.Version+"/"+k.Resource)
		}
	}
	return strings.Join(command, " ")
}

// configure is the command that changes a key of the configuration.
func (e examiner) configure(key string) string {
	switch kind, name, _ := strings.Cut(e.ConfigFrom, "/"); {
	case e.release != "":
		return fmt.Sprintf("helm upgrade %s charts/loadline --namespace %s --reset-then-reuse-values --set config.%s=VALUE", e.release, e.Config.Namespace, key)
	case e.ConfigFrom == "" || kind == "configmap":
		return fmt.Sprintf("kubectl --namespace %s edit configmap %s && %s", e.Config.Namespace, cmp.Or(name, "loadline-config"), e.restart("recommender"))
	default:
		return "${EDITOR:-vi} " + e.ConfigFrom
	}
}

// restart is the command that starts a part anew.
func (e examiner) restart(part string) string {
	return fmt.Sprintf("kubectl --namespace %s rollout restart deployment/%s", e.Config.Namespace, cmp.Or(e.deployments[part], "loadline-"+part))
}
