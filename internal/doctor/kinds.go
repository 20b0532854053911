package doctor

import (
	"context"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config/crd"
)

// kinds looks whether Loadline's kinds are there, are served, and are those of this version.
func (e examiner) kinds(ctx context.Context) []Finding {
	const check = "kinds"
	shipped, err := crd.Objects()
	if err != nil {
		return []Finding{unseen(check, "the kinds in this program", err)}
	}
	var found []Finding
	for _, want := range shipped {
		f := Finding{Check: check, Where: "crd/" + want.Name}
		live := &apiextensionsv1.CustomResourceDefinition{}
		switch err := e.client.Get(ctx, client.ObjectKey{Name: want.Name}, live); {
		case apierrors.IsNotFound(err):
			f.Severity, f.What, f.Fix = Error, fmt.Sprintf("the cluster does not know %s", want.Spec.Names.Kind), e.install("crd")
		case err != nil:
			f = unseen(check, f.Where, err)
		default:
			f.Severity, f.What = compareKinds(want, live)
			if f.Severity != OK {
				f.Fix = e.install("crd")
			}
		}
		found = append(found, f)
	}
	return found
}

func compareKinds(want, live *apiextensionsv1.CustomResourceDefinition) (Severity, string) {
	kind := want.Spec.Names.Kind
	if !established(live) {
		return Error, fmt.Sprintf("the API server does not serve %s yet: the definition is not established", kind)
	}
	for _, v := range want.Spec.Versions {
		served := version(live, v.Name)
		switch {
		case served == nil || !served.Served:
			return Error, fmt.Sprintf("%s is not served in version %s", kind, v.Name)
		case !apiequality.Semantic.DeepEqual(v.Schema, served.Schema) || !apiequality.Semantic.DeepEqual(v.Subresources, served.Subresources):
			return Warning, fmt.Sprintf("%s has other fields or rules than this version of Loadline: they were installed by another one", kind)
		}
	}
	return OK, kind + " is served as this version of Loadline has it"
}

func version(definition *apiextensionsv1.CustomResourceDefinition, name string) *apiextensionsv1.CustomResourceDefinitionVersion {
	for i := range definition.Spec.Versions {
		if definition.Spec.Versions[i].Name == name {
			return &definition.Spec.Versions[i]
		}
	}
	return nil
}

func established(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range definition.Status.Conditions {
		if c.Type == apiextensionsv1.Established {
			return c.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}
