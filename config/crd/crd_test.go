package crd_test

import (
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/loadline-dev/loadline/config/crd"
)

func definitions(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	objects, err := crd.Objects()
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// visit calls f for every schema below root, with its path.
func visit(path string, root apiextensionsv1.JSONSchemaProps, f func(path string, schema apiextensionsv1.JSONSchemaProps)) {
	f(path, root)
	for name, property := range root.Properties {
		visit(path+"."+name, property, f)
	}
	if root.Items != nil && root.Items.Schema != nil {
		visit(path+"[]", *root.Items.Schema, f)
	}
	if root.AdditionalProperties != nil && root.AdditionalProperties.Schema != nil {
		visit(path+"{}", *root.AdditionalProperties.Schema, f)
	}
}

// visitOurs skips apiVersion, kind and metadata, whose schema belongs to Kubernetes.
func visitOurs(t *testing.T, f func(path string, schema apiextensionsv1.JSONSchemaProps)) {
	t.Helper()
	for _, definition := range definitions(t) {
		for _, version := range definition.Spec.Versions {
			for _, part := range []string{"spec", "status"} {
				if schema, found := version.Schema.OpenAPIV3Schema.Properties[part]; found {
					visit(definition.Spec.Names.Kind+"."+part, schema, f)
				}
			}
		}
	}
}

func TestBothKindsAreThere(t *testing.T) {
	var kinds []string
	for _, definition := range definitions(t) {
		kinds = append(kinds, definition.Spec.Names.Kind+" "+definition.Spec.Names.ShortNames[0])
	}
	if len(kinds) != 2 || kinds[0] != "Recommendation llrec" || kinds[1] != "SizingPolicy llpol" {
		t.Errorf("got %q", kinds)
	}
}

func TestKubectlExplainKnowsEveryField(t *testing.T) {
	visitOurs(t, func(path string, schema apiextensionsv1.JSONSchemaProps) {
		for name, property := range schema.Properties {
			if property.Description == "" {
				t.Errorf("%s.%s has no description", path, name)
			}
		}
	})
}

func TestEveryColumnIsExplained(t *testing.T) {
	for _, definition := range definitions(t) {
		for _, column := range definition.Spec.Versions[0].AdditionalPrinterColumns {
			if column.Description == "" && column.Name != "Age" {
				t.Errorf("column %s of %s has no description", column.Name, definition.Spec.Names.Kind)
			}
		}
	}
}

// Without bounds an object can grow until the API server refuses it, and a CEL rule over it may be too expensive to accept.
func TestEveryListAndTextIsBounded(t *testing.T) {
	visitOurs(t, func(path string, schema apiextensionsv1.JSONSchemaProps) {
		switch {
		case schema.Type == "array" && schema.MaxItems == nil:
			t.Errorf("%s has no maxItems", path)
		case schema.Type == "object" && schema.AdditionalProperties != nil && schema.MaxProperties == nil:
			t.Errorf("%s has no maxProperties", path)
		case schema.Type == "string" && schema.MaxLength == nil && len(schema.Enum) == 0 && schema.Format != "date-time":
			t.Errorf("%s has no maxLength", path)
		}
	})
}

// A person who is refused sees the message of a rule, never its expression.
func TestEveryRuleHasAMessage(t *testing.T) {
	visitOurs(t, func(path string, schema apiextensionsv1.JSONSchemaProps) {
		for _, rule := range schema.XValidations {
			if rule.Message == "" && rule.MessageExpression == "" {
				t.Errorf("%s: rule %s has no message", path, rule.Rule)
			}
		}
	})
}
