package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxAnswerBytes is far more than any bounded answer needs.
const maxAnswerBytes = 256 << 10

// Decode reads an answer into the value that into points to, a pointer to the type that the schema was made from. Whatever
// the schema does not allow is an error that says where it stands and what is legal: a field that is missing, unknown or
// written with other capitals, a number that is not an integer or out of bounds, anything behind the answer. Nothing is
// written then.
func (s *Schema) Decode(answer []byte, into any) error {
	if len(answer) > maxAnswerBytes {
		return fmt.Errorf("the answer has %d bytes, at most %d are legal", len(answer), maxAnswerBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the answer's JSON document")
	}
	if err := s.check(tree, "answer"); err != nil {
		return err
	}
	// What was checked is what is decoded: of a name that occurs twice, for one, both see the last.
	checked, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	return json.Unmarshal(checked, into)
}

// check reports what the schema does not allow in a value that stands at path.
func (s *Schema) check(value any, path string) error {
	switch s.kind {
	case "object":
		return s.checkObject(value, path)
	case "array":
		return s.checkList(value, path)
	case "integer":
		number, ok := value.(json.Number)
		n, err := strconv.ParseInt(number.String(), 10, 64)
		if !ok || err != nil || n < s.min || n > s.max {
			return fmt.Errorf("%s: %s is not an integer from %d to %d", path, show(value), s.min, s.max)
		}
	case "boolean":
		if _, ok := value.(bool); !ok {
			return fmt.Errorf("%s: %s is neither true nor false", path, show(value))
		}
	case "string":
		return s.checkText(value, path)
	}
	return nil
}

func (s *Schema) checkObject(value any, path string) error {
	object, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: %s is not an object", path, show(value))
	}
	for _, f := range s.fields {
		inner, ok := object[f.name]
		if !ok {
			return fmt.Errorf("%s: the field %q is missing", path, f.name)
		}
		if err := f.schema.check(inner, path+"."+f.name); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !slices.ContainsFunc(s.fields, func(f field) bool { return f.name == name }) {
			return fmt.Errorf("%s: there is no field %s", path, show(name))
		}
	}
	return nil
}

func (s *Schema) checkList(value any, path string) error {
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf("%s: %s is not a list", path, show(value))
	}
	if n := int64(len(list)); n < s.min || n > s.max {
		return fmt.Errorf("%s: %d items, %d to %d are legal", path, n, s.min, s.max)
	}
	for i, item := range list {
		if err := s.items.check(item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) checkText(value any, path string) error {
	text, ok := value.(string)
	switch n := int64(utf8.RuneCountInString(text)); {
	case !ok:
		return fmt.Errorf("%s: %s is not a text", path, show(value))
	case s.enum != nil && !slices.Contains(s.enum, text):
		return fmt.Errorf("%s: %s is not one of %s", path, show(text), shorten(strings.Join(s.enum, ", ")))
	case s.enum == nil && (n < s.min || n > s.max):
		return fmt.Errorf("%s: %d characters, %d to %d are legal", path, n, s.min, s.max)
	}
	return nil
}

// show writes a value of an answer for a sentence: quoted, so that it cannot pose as a part of it, and short.
func show(value any) string {
	if text, ok := value.(string); ok {
		return strconv.Quote(shorten(text))
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "a value"
	}
	return shorten(string(text))
}

func shorten(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
