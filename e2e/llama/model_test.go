package llama

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

func TestTheModelIsTheSameEveryTimeAndSmall(t *testing.T) {
	first, err := Model(1)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Model(1)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("two models of one seed differ: %v", err)
	}
	other, err := Model(2)
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("models of two seeds are equal: %v", err)
	}
	if len(first) > 1<<20 || !bytes.HasPrefix(first, []byte("GGUF\x03\x00\x00\x00")) {
		t.Errorf("%d bytes that begin with %q", len(first), first[:8])
	}
}

func TestEveryTensorBeginsAtAMultipleOf32Bytes(t *testing.T) {
	got, err := encode([]value{{"name", "x"}}, []tensor{
		{"a", 3, 0, []float32{1, 2, 3}}, {"b", 2, 2, []float32{4, 5, 6, 7}},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The data is at the end: 12 bytes of a padded to 32, then 16 bytes of b padded to 32.
	if len(got)%ggufAlignment != 0 {
		t.Errorf("%d bytes", len(got))
	}
	data := got[len(got)-64:]
	if a, b := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[32:]); a != 0x3f800000 || b != 0x40800000 {
		t.Errorf("a begins with %x and b with %x, want 1 and 4", a, b)
	}
}

func TestAValueThatGGUFDoesNotKnowIsRefused(t *testing.T) {
	if _, err := encode([]value{{"general.size", 1}}, nil); err == nil || !strings.Contains(err.Error(), "general.size: a int") {
		t.Errorf("got: %v", err)
	}
}

func TestTheVocabularyHasEveryByteOnceAndItsMergesMakeTokens(t *testing.T) {
	v := newTokenizer()
	if n := len(slices.Compact(slices.Sorted(slices.Values(v.tokens)))); n != len(v.tokens) {
		t.Errorf("%d tokens, %d different ones", len(v.tokens), n)
	}
	if len(v.types) != len(v.tokens) || len(v.merges) < 50 {
		t.Errorf("%d tokens, %d types, %d merges", len(v.tokens), len(v.types), len(v.merges))
	}
	for _, m := range v.merges {
		left, right, _ := strings.Cut(m, " ")
		for _, token := range []string{left, right, left + right} {
			if !slices.Contains(v.tokens, token) {
				t.Errorf("the merge %q needs the token %q", m, token)
			}
		}
	}
	for token, want := range map[string]string{"A": "A", "Ġ": " ", "Ċ": "\n"} {
		if got := v.tokens[want[0]]; got != token {
			t.Errorf("the byte %q is the token %q, want %q", want, got, token)
		}
	}
}
