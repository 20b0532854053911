package apply_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/apply"
)

const mib = apply.MiB

func TestRoundGoesUpToWholeMebibytes(t *testing.T) {
	for _, test := range []struct {
		name     string
		in, want apply.Amounts
	}{
		{"nothing stays nothing", apply.Amounts{}, apply.Amounts{}},
		{"one byte becomes one mebibyte", apply.Amounts{MemoryBytes: 1}, apply.Amounts{MemoryBytes: mib}},
		{"a whole mebibyte stays", apply.Amounts{MemoryBytes: 3 * mib}, apply.Amounts{MemoryBytes: 3 * mib}},
		{"one byte more is the next mebibyte", apply.Amounts{MemoryBytes: 3*mib + 1}, apply.Amounts{MemoryBytes: 4 * mib}},
		{"cpu is whole millicores already", apply.Amounts{CPUMillis: 17}, apply.Amounts{CPUMillis: 17}},
		{"a negative amount is none", apply.Amounts{CPUMillis: -5, MemoryBytes: -1}, apply.Amounts{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := apply.Round(test.in); got != test.want {
				t.Errorf("Round(%+v) = %+v, want %+v", test.in, got, test.want)
			}
		})
	}
}

func TestRoundNeverLowersAndIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := apply.Amounts{CPUMillis: rapid.Int64().Draw(t, "cpu"), MemoryBytes: rapid.Int64().Draw(t, "memory")}
		once := apply.Round(in)
		if twice := apply.Round(once); once != twice {
			t.Fatalf("Round(%+v) = %+v, rounded again %+v", in, once, twice)
		}
		if once.CPUMillis < 0 || once.CPUMillis < in.CPUMillis || once.MemoryBytes < 0 || once.MemoryBytes%mib != 0 {
			t.Fatalf("Round(%+v) = %+v", in, once)
		}
		if in.MemoryBytes < math.MaxInt64-mib && once.MemoryBytes < in.MemoryBytes {
			t.Fatalf("Round(%+v) = %+v lowers the memory", in, once)
		}
	})
}
