package apitest

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// bound is a limit of the schema, with values on both sides of it.
type bound struct {
	name     string
	accepted []any
	refused  any
}

// bounds lists every limit of one place.
func (n node) bounds() []bound {
	s := n.schema
	var found []bound
	add := func(name string, refused any, accepted ...any) { found = append(found, bound{name, accepted, refused}) }
	if s.Minimum != nil {
		add("minimum", int64(*s.Minimum)-1, int64(*s.Minimum))
	}
	if s.Maximum != nil {
		add("maximum", int64(*s.Maximum)+1, int64(*s.Maximum))
	}
	if s.MinLength != nil {
		add("minLength", n.text(int(*s.MinLength))[1:], n.text(int(*s.MinLength)))
	}
	if s.MaxLength != nil {
		add("maxLength", n.text(int(*s.MaxLength)+1), n.text(int(*s.MaxLength)))
	}
	if s.MaxItems != nil {
		add("maxItems", n.items(int(*s.MaxItems)+1), n.items(int(*s.MaxItems)))
	}
	if s.Pattern != "" {
		add("pattern", "?", n.example())
	}
	if s.Format == "date-time" {
		add("format", "yesterday", n.example())
	}
	if len(s.Enum) > 0 {
		var all []any
		for _, value := range s.Enum {
			all = append(all, strings.Trim(string(value.Raw), `"`))
		}
		add("enum", "nonsense", all...)
	}
	return found
}

// items returns a list with the given number of legal items, whose keys differ.
func (n node) items(count int) []any {
	item := node{n.kind, n.path + "[]", *n.schema.Items.Schema}
	items := make([]any, count)
	for i := range items {
		items[i] = item.example()
		for _, key := range n.schema.XListMapKeys {
			items[i].(map[string]any)[key] = fmt.Sprintf("x%d", i)
		}
	}
	return items
}

// ruledOut are bounds whose own value is refused by a rule over the same field, which is narrower.
var ruledOut = map[string]string{
	"SizingPolicy.spec.behavior.down.maxStepPercent maximum": "at most 100 downwards",
	"SizingPolicy.spec.disruption.maxUnavailable maxLength":  "no text of that length is a percentage",
}

func TestEveryBoundAcceptsItsOwnValueAndRefusesTheNext(t *testing.T) {
	create(t, recommendation(t, "stored"))
	for _, root := range roots(t) {
		for _, n := range root.below() {
			for _, b := range n.bounds() {
				t.Run(n.String()+" "+b.name, func(t *testing.T) { checkBound(t, root, n, b) })
			}
		}
	}
}

func checkBound(t *testing.T, root, n node, b bound) {
	t.Helper()
	if why := ruledOut[n.String()+" "+b.name]; why == "" {
		for _, value := range b.accepted {
			if err := try(t, n, with(root, n.path, value)); err != nil {
				t.Errorf("%v is refused: %v", value, err)
			}
		}
	}
	err := try(t, n, with(root, n.path, b.refused))
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		t.Fatalf("%v is not refused: %v", b.refused, err)
	}
	if !strings.Contains(err.Error(), n.field()) {
		t.Errorf("the refusal does not name %s: %v", n.field(), err)
	}
}
