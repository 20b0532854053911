package testkit

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// Elements reads a text that has to be well-formed XML, and returns its elements in the order in which they begin. Anything
// else ends the test.
func Elements(t testing.TB, text string) []xml.StartElement {
	t.Helper()
	var all []xml.StartElement
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if element, ok := token.(xml.StartElement); ok {
			all = append(all, element)
		}
	}
}
