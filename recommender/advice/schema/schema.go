// Package schema derives the JSON schema of a model's answer from a Go type, and reads answers that follow it.
//
// The type is the only source: what the model is told it may write and what is accepted from it cannot drift apart. Every
// schema is closed: all fields are required, no others are legal, and texts, numbers and lists have bounds. Numbers are
// integers only, because servers that turn a schema into a grammar do not hold other numbers to their bounds.
package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Schema describes one value. The zero value describes nothing; Of makes one.
type Schema struct {
	// kind is object, array, string, integer or boolean, in the words of JSON schema.
	kind   string
	fields []field
	items  *Schema
	// enum lists the legal texts; nil for texts within bounds.
	enum []string
	// min and max bound an integer, the characters of a text or the items of a list.
	min, max int64
}

type field struct {
	name   string
	schema *Schema
}

// Values are what a schema takes from the evidence rather than from the type: lists and bounds, by the names that tags use.
type Values struct {
	Lists  map[string][]string
	Bounds map[string]int64
}

// Of returns the schema of the type of sample, a struct. Its fields are structs, slices, strings, integers and booleans, named
// by their json tags. The tag `schema` bounds each of them:
//
//	min=1,max=8   an integer's value, the characters of a text, the items of a list; min is 0 unless given
//	max=percent   the bound of that name
//	in=ids        the text, or each text of a list, is one of the list of that name
//	each=64       the characters of each text of a list
//
// A list whose texts have nothing to choose from is always empty. A type that leaves anything unbounded is an error.
func Of(sample any, v Values) (*Schema, error) {
	return of(reflect.TypeOf(sample), "", v)
}

func of(t reflect.Type, tag string, v Values) (*Schema, error) {
	bounds, err := readTag(tag, v)
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case reflect.Struct:
		return object(t, v)
	case reflect.Slice:
		return list(t, bounds, v)
	case reflect.Bool:
		return &Schema{kind: "boolean"}, nil
	case reflect.String:
		return text(bounds)
	case reflect.Int, reflect.Int32, reflect.Int64:
		if bounds.max == unbounded {
			return nil, fmt.Errorf("an integer needs max")
		}
		return &Schema{kind: "integer", min: bounds.min, max: bounds.max}, nil
	default:
		return nil, fmt.Errorf("%s cannot be part of an answer", t)
	}
}

func object(t reflect.Type, v Values) (*Schema, error) {
	s := &Schema{kind: "object"}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner, err := of(f.Type, f.Tag.Get("schema"), v)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name(), f.Name, err)
		}
		s.fields = append(s.fields, field{name: name, schema: inner})
	}
	return s, nil
}

func list(t reflect.Type, b bounds, v Values) (*Schema, error) {
	if b.max == unbounded {
		return nil, fmt.Errorf("a list needs max")
	}
	s := &Schema{kind: "array", min: b.min, max: b.max}
	var err error
	if t.Elem().Kind() != reflect.String {
		s.items, err = of(t.Elem(), "", v)
		return s, err
	}
	if b.chosen && len(b.list) == 0 { // No grammar can choose from nothing.
		s.min, s.max, s.items = 0, 0, &Schema{kind: "string"}
		return s, nil
	}
	s.items, err = text(bounds{min: 1, max: b.each, list: b.list, chosen: b.chosen})
	return s, err
}

func text(b bounds) (*Schema, error) {
	switch {
	case b.chosen && len(b.list) == 0:
		return nil, fmt.Errorf("there is nothing to choose from")
	case b.chosen:
		return &Schema{kind: "string", enum: b.list}, nil
	case b.max == unbounded:
		return nil, fmt.Errorf("a text needs max or in")
	}
	return &Schema{kind: "string", min: b.min, max: b.max}, nil
}

const unbounded = math.MaxInt64

// bounds are what one tag says.
type bounds struct {
	min, max, each int64
	list           []string
	chosen         bool
}

func readTag(tag string, v Values) (bounds, error) {
	b := bounds{max: unbounded, each: unbounded}
	if tag == "" {
		return b, nil
	}
	for part := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(part, "=")
		if key == "in" {
			b.list, b.chosen = v.Lists[value], true
			continue
		}
		n, named := v.Bounds[value]
		if !named {
			var err error
			if n, err = strconv.ParseInt(value, 10, 64); err != nil {
				return b, fmt.Errorf("schema tag %q: %q is neither a number nor a known bound", tag, value)
			}
		}
		switch key {
		case "min":
			b.min = n
		case "max":
			b.max = n
		case "each":
			b.each = n
		default:
			return b, fmt.Errorf("schema tag %q: %q is not known; legal are min, max, each and in", tag, key)
		}
	}
	return b, nil
}

// MarshalJSON writes the schema in the words of JSON schema, an object's fields in the order of the type's: a model writes
// them in that order.
func (s *Schema) MarshalJSON() ([]byte, error) {
	switch s.kind {
	case "object":
		return s.marshalObject()
	case "array":
		return json.Marshal(struct {
			Type     string  `json:"type"`
			Items    *Schema `json:"items"`
			MinItems int64   `json:"minItems"`
			MaxItems int64   `json:"maxItems"`
		}{s.kind, s.items, s.min, s.max})
	case "integer":
		return json.Marshal(struct {
			Type    string `json:"type"`
			Minimum int64  `json:"minimum"`
			Maximum int64  `json:"maximum"`
		}{s.kind, s.min, s.max})
	case "string":
		if s.enum != nil {
			return json.Marshal(struct {
				Type string   `json:"type"`
				Enum []string `json:"enum"`
			}{s.kind, s.enum})
		}
		return json.Marshal(struct {
			Type      string `json:"type"`
			MinLength int64  `json:"minLength,omitempty"`
			MaxLength int64  `json:"maxLength"`
		}{s.kind, s.min, s.max})
	default:
		return json.Marshal(map[string]string{"type": s.kind})
	}
}

func (s *Schema) marshalObject() ([]byte, error) {
	names, properties := make([]string, len(s.fields)), []byte{'{'}
	for i, f := range s.fields {
		name, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		inner, err := f.schema.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			properties = append(properties, ',')
		}
		names[i] = f.name
		properties = append(append(append(properties, name...), ':'), inner...)
	}
	return json.Marshal(struct {
		Type       string          `json:"type"`
		Properties json.RawMessage `json:"properties"`
		Required   []string        `json:"required"`
		Additional bool            `json:"additionalProperties"`
	}{s.kind, append(properties, '}'), names, false})
}
