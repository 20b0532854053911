package harness

import "testing"

func TestNoPortIsGivenAwayTwice(t *testing.T) {
	given := map[int]bool{}
	for range 400 {
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if given[port] {
			t.Fatalf("port %d is given to two", port)
		}
		given[port] = true
	}
}
