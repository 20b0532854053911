package main

import "testing"

func TestAPodWithoutItsSizesInAnyRoundIsAFailure(t *testing.T) {
	if err := allSized([]result{{}, {}}); err != nil {
		t.Errorf("all pods had their sizes, and yet: %v", err)
	}
	if allSized([]result{{}, {missed: 1}, {}}) == nil {
		t.Error("a pod came without its sizes in one of three rounds, and nothing says so")
	}
}
